//! The settings that a caller can change while the sandbox runs.
//!
//! Checks and merges changes, but never applies them: the sandbox's state does.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::quotas::{Endpoint, kroger_daily_limits};

/// Ten years: long enough for any test, short enough that no sum of times overflows.
const LONGEST_LIFETIME_SECONDS: u64 = 315_360_000;
const LONGEST_LATENCY_MS: u64 = 600_000;

/// All settings, as `/_sandbox/settings` shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SandboxSettings {
    #[serde(flatten)]
    pub(crate) tokens: TokenSettings,
    #[serde(flatten)]
    pub(crate) calls: CallSettings,
}

/// How tokens live and die. A changed lifetime counts for tokens issued from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TokenSettings {
    /// Kroger's lifetime, 1800, by default.
    pub(crate) access_token_lifetime_seconds: u64,
    /// 180 days by default: Kroger's guide says six months.
    pub(crate) refresh_token_lifetime_seconds: u64,
    /// Whether a refresh spends the refresh token and answers with a new one (the default).
    ///
    /// If not, the refresh token stays valid and the answer repeats it.
    pub(crate) rotate: bool,
    /// What the sandbox does with a spent refresh token.
    pub(crate) reuse: Reuse,
    /// Whether a refresh answers without a refresh token.
    ///
    /// The token that the client presented then stays valid (RFC 6749 §6).
    pub(crate) omit_refresh_token: bool,
}

/// How calls are delayed and counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CallSettings {
    /// How long each call that imitates Kroger waits before the sandbox processes it.
    pub(crate) latency_ms: u64,
    /// How many calls each endpoint takes in a quota window.
    pub(crate) daily_limits: BTreeMap<Endpoint, u64>,
    /// A day by default. A change counts for windows that begin from then on.
    pub(crate) quota_window_seconds: u64,
}

/// What happens when a client presents a spent refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reuse {
    /// The answer is `invalid refresh_token`, and nothing else happens. Kroger was seen to do so.
    Refuse,
    /// The answer is the same, and every token of the same sign-in dies, too (RFC 9700 §4.14.2).
    RevokeFamily,
    /// For this many seconds after its use the token brings the same pair again. Later it is
    /// refused.
    GraceSeconds(u64),
}

/// A request to change some settings. An absent field leaves its setting as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsChange {
    access_token_lifetime_seconds: Option<u64>,
    refresh_token_lifetime_seconds: Option<u64>,
    rotate: Option<bool>,
    reuse: Option<Reuse>,
    omit_refresh_token: Option<bool>,
    latency_ms: Option<u64>,
    /// Changes the limits of the named endpoints only.
    #[serde(default)]
    daily_limits: BTreeMap<Endpoint, u64>,
    quota_window_seconds: Option<u64>,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            access_token_lifetime_seconds: 1800,
            refresh_token_lifetime_seconds: 180 * 24 * 3600,
            rotate: true,
            reuse: Reuse::Refuse,
            omit_refresh_token: false,
        }
    }
}

impl Default for CallSettings {
    fn default() -> Self {
        Self { latency_ms: 0, daily_limits: kroger_daily_limits(), quota_window_seconds: 24 * 3600 }
    }
}

impl SandboxSettings {
    /// Returns these settings with `change` applied, or which value is too high.
    pub(crate) fn changed(&self, change: &SettingsChange) -> Result<Self, String> {
        change.check()?;
        Ok(Self { tokens: self.tokens.changed(change), calls: self.calls.changed(change) })
    }
}

impl SettingsChange {
    fn check(&self) -> Result<(), String> {
        at_most("access_token_lifetime_seconds", self.access_token_lifetime_seconds, LONGEST_LIFETIME_SECONDS)?;
        at_most("refresh_token_lifetime_seconds", self.refresh_token_lifetime_seconds, LONGEST_LIFETIME_SECONDS)?;
        at_most("latency_ms", self.latency_ms, LONGEST_LATENCY_MS)?;
        at_most("quota_window_seconds", self.quota_window_seconds, LONGEST_LIFETIME_SECONDS)
    }
}

impl TokenSettings {
    fn changed(self, change: &SettingsChange) -> Self {
        let access = change.access_token_lifetime_seconds;
        let refresh = change.refresh_token_lifetime_seconds;
        Self {
            access_token_lifetime_seconds: access.unwrap_or(self.access_token_lifetime_seconds),
            refresh_token_lifetime_seconds: refresh.unwrap_or(self.refresh_token_lifetime_seconds),
            rotate: change.rotate.unwrap_or(self.rotate),
            reuse: change.reuse.unwrap_or(self.reuse),
            omit_refresh_token: change.omit_refresh_token.unwrap_or(self.omit_refresh_token),
        }
    }

    pub(crate) fn access_token_lifetime(self) -> Duration {
        Duration::from_secs(self.access_token_lifetime_seconds)
    }

    pub(crate) fn refresh_token_lifetime(self) -> Duration {
        Duration::from_secs(self.refresh_token_lifetime_seconds)
    }
}

impl CallSettings {
    fn changed(&self, change: &SettingsChange) -> Self {
        let mut daily_limits = self.daily_limits.clone();
        daily_limits.extend(&change.daily_limits);
        Self {
            latency_ms: change.latency_ms.unwrap_or(self.latency_ms),
            daily_limits,
            quota_window_seconds: change.quota_window_seconds.unwrap_or(self.quota_window_seconds),
        }
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }

    pub(crate) fn quota_window(&self) -> Duration {
        Duration::from_secs(self.quota_window_seconds)
    }
}

fn at_most(name: &str, value: Option<u64>, most: u64) -> Result<(), String> {
    match value {
        Some(value) if value > most => Err(format!("`{name}` must be at most {most}, not {value}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(value: serde_json::Value) -> Result<SandboxSettings, String> {
        let change = serde_json::from_value(value).map_err(|error| error.to_string())?;
        SandboxSettings::default().changed(&change)
    }

    #[test]
    fn a_change_leaves_other_settings_alone() {
        let settings = change(json!({"access_token_lifetime_seconds": 2})).unwrap();
        let tokens = TokenSettings { access_token_lifetime_seconds: 2, ..TokenSettings::default() };
        assert_eq!(settings, SandboxSettings { tokens, ..SandboxSettings::default() });
    }

    #[test]
    fn reuse_has_three_spellings() {
        let reuse = |value| change(json!({"reuse": value})).map(|settings| settings.tokens.reuse);
        assert_eq!(reuse(json!("refuse")), Ok(Reuse::Refuse));
        assert_eq!(reuse(json!("revoke_family")), Ok(Reuse::RevokeFamily));
        assert_eq!(reuse(json!({"grace_seconds": 9})), Ok(Reuse::GraceSeconds(9)));
        assert!(reuse(json!("forgive")).is_err_and(|error| error.contains("forgive")));
    }

    #[test]
    fn the_error_names_an_unknown_field_or_a_value_that_is_too_high() {
        assert!(change(json!({"lifetime": 1})).is_err_and(|error| error.contains("lifetime")));
        let far = change(json!({"latency_ms": 600_001}));
        assert!(far.is_err_and(|error| error.contains("`latency_ms` must be at most 600000")));
    }
}
