//! How the sandbox's tokens live and die, adjustable while it runs.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

use crate::quotas::{Endpoint, daily_limits};

/// Ten years: long enough for any test, short enough that no sum of times overflows.
const LONGEST_LIFETIME_SECONDS: u64 = 315_360_000;
const LONGEST_LATENCY_MS: u64 = 600_000;

/// The settings in force. Lifetimes count for tokens issued from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Default 1800, as Kroger's.
    pub access_token_lifetime_seconds: u64,
    /// Default 180 days: Kroger's guide speaks of six months.
    pub refresh_token_lifetime_seconds: u64,
    /// Whether a refresh spends the refresh token and answers with another (default), or leaves
    /// it good and answers with the same.
    pub rotate: bool,
    /// What a spent refresh token meets.
    pub reuse: Reuse,
    /// Whether a refresh answers without a refresh token; the one presented then stays good
    /// (RFC 6749 §6).
    pub omit_refresh_token: bool,
    /// Waited before each call outside `/_sandbox/` is processed.
    pub latency_ms: u64,
    /// Calls that each endpoint takes in a window.
    pub daily_limits: BTreeMap<Endpoint, u64>,
    /// Default a day. Counts for windows that begin from then on.
    pub quota_window_seconds: u64,
}

/// What happens when a refresh token is presented that has been used already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// `invalid refresh_token`; nothing else happens. Kroger's behaviour as observed.
    Refuse,
    /// Refused, and every token that descends from the same sign-in dies too (RFC 9700 §4.14.2).
    RevokeFamily,
    /// Within this many seconds of its use it is answered with the same pair again; later refused.
    GraceSeconds(u64),
}

/// A wish to change some settings; what is absent stays.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    access_token_lifetime_seconds: Option<u64>,
    refresh_token_lifetime_seconds: Option<u64>,
    rotate: Option<bool>,
    reuse: Option<Reuse>,
    omit_refresh_token: Option<bool>,
    latency_ms: Option<u64>,
    /// Those that it names.
    #[serde(default)]
    daily_limits: BTreeMap<Endpoint, u64>,
    quota_window_seconds: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_token_lifetime_seconds: 1800,
            refresh_token_lifetime_seconds: 180 * 24 * 3600,
            rotate: true,
            reuse: Reuse::Refuse,
            omit_refresh_token: false,
            latency_ms: 0,
            daily_limits: daily_limits(),
            quota_window_seconds: 24 * 3600,
        }
    }
}

impl Settings {
    /// These settings with `change` made, or which value is out of bounds.
    pub fn changed(&self, change: &SettingsChange) -> Result<Self, String> {
        let access = change.access_token_lifetime_seconds;
        let refresh = change.refresh_token_lifetime_seconds;
        bounded("access_token_lifetime_seconds", access, LONGEST_LIFETIME_SECONDS)?;
        bounded("refresh_token_lifetime_seconds", refresh, LONGEST_LIFETIME_SECONDS)?;
        bounded("latency_ms", change.latency_ms, LONGEST_LATENCY_MS)?;
        bounded("quota_window_seconds", change.quota_window_seconds, LONGEST_LIFETIME_SECONDS)?;
        let mut daily_limits = self.daily_limits.clone();
        daily_limits.extend(&change.daily_limits);
        Ok(Self {
            access_token_lifetime_seconds: access.unwrap_or(self.access_token_lifetime_seconds),
            refresh_token_lifetime_seconds: refresh.unwrap_or(self.refresh_token_lifetime_seconds),
            rotate: change.rotate.unwrap_or(self.rotate),
            reuse: change.reuse.unwrap_or(self.reuse),
            omit_refresh_token: change.omit_refresh_token.unwrap_or(self.omit_refresh_token),
            latency_ms: change.latency_ms.unwrap_or(self.latency_ms),
            daily_limits,
            quota_window_seconds: change.quota_window_seconds.unwrap_or(self.quota_window_seconds),
        })
    }

    pub(crate) fn access_token_lifetime(&self) -> Duration {
        Duration::from_secs(self.access_token_lifetime_seconds)
    }

    pub(crate) fn refresh_token_lifetime(&self) -> Duration {
        Duration::from_secs(self.refresh_token_lifetime_seconds)
    }

    pub(crate) fn quota_window(&self) -> Duration {
        Duration::from_secs(self.quota_window_seconds)
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }
}

fn bounded(name: &str, value: Option<u64>, most: u64) -> Result<(), String> {
    match value {
        Some(value) if value > most => Err(format!("`{name}` must be at most {most}, not {value}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(value: serde_json::Value) -> Result<Settings, String> {
        let change = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Settings::default().changed(&change)
    }

    #[test]
    fn a_change_touches_only_what_it_names() {
        let settings = change(json!({"access_token_lifetime_seconds": 2})).unwrap();
        let expected = Settings { access_token_lifetime_seconds: 2, ..Settings::default() };
        assert_eq!(settings, expected);
    }

    #[test]
    fn reuse_is_spelled_in_three_ways() {
        let reuse = |value| change(json!({"reuse": value})).map(|settings| settings.reuse);
        assert_eq!(reuse(json!("refuse")), Ok(Reuse::Refuse));
        assert_eq!(reuse(json!("revoke_family")), Ok(Reuse::RevokeFamily));
        assert_eq!(reuse(json!({"grace_seconds": 9})), Ok(Reuse::GraceSeconds(9)));
        assert!(reuse(json!("forgive")).is_err_and(|error| error.contains("forgive")));
    }

    #[test]
    fn an_unknown_field_and_a_value_out_of_bounds_are_named() {
        assert!(change(json!({"lifetime": 1})).is_err_and(|error| error.contains("lifetime")));
        let far = change(json!({"latency_ms": 600_001}));
        assert!(far.is_err_and(|error| error.contains("`latency_ms` must be at most 600000")));
    }
}
