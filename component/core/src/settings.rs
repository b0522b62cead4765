//! Settings: the `KROGER_*` environment variables as types that cannot be wrong.
//!
//! The server refuses at start each value that it can know to be wrong, by name
//! and with what is allowed. It never shows a value that could be a secret.

pub mod known;
mod reader;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::app::App;
use crate::item::Modality;
use crate::kroger::client::Client;
use crate::kroger::limits::Limits;
use crate::scope::Scope;
use crate::secret::{Fingerprint, Secret};
use crate::text::cleaned;
use crate::user::UserId;

/// Says where the API is, which app calls it, and how tokens are kept.
#[derive(Debug)]
pub struct Settings {
    pub client: Option<Client>,
    /// The app and the server that tokens are bound to.
    pub(crate) app: App,
    pub redirect_uri: Url,
    pub api_base_url: Url,
    /// The path of the authorization endpoint below the base URL. It is
    /// Kroger's, unless another authorization server stands in.
    pub(crate) authorize_path: String,
    /// The path of the token endpoint below the base URL.
    pub(crate) token_path: String,
    pub scope: Scope,
    /// The fallback sign-in that the environment itself carries.
    pub(crate) environment_pair: Option<EnvironmentPair>,
    /// The user of a call that names none.
    pub default_user: UserId,
    /// The last part of a token's life, in which the timer refreshes it.
    pub refresh_buffer: Duration,
    pub check_interval: Duration,
    pub max_refresh_retries: u32,
    /// The least time between two refreshes of a user that callers ask for.
    pub(crate) refresh_pause: Duration,
    pub default_location: DefaultLocation,
    pub default_modality: Modality,
    pub allowed_origins: Vec<String>,
    /// How long the log of cart adds keeps an entry. None: there is no log.
    pub recent_adds: Option<Duration>,
    /// Kroger's daily quotas.
    pub(crate) quotas: Limits,
    /// The key-value store's name as the operator gave it, for people to read.
    pub store_name: String,
    /// The variables that set nothing.
    pub ignored: Vec<Ignored>,
}

/// A variable that sets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    pub name: String,
    pub reason: IgnoredReason,
}

/// Why a variable sets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredReason {
    /// Each item of a call says its modality.
    EachItemSaysIt,
    /// `KROGER_DEFAULT_MODALITY` can say it.
    DefaultModalitySaysIt,
    /// The sandbox stands in for Kroger.
    SandboxReplacesIt,
    /// There is no such setting.
    Unknown,
}

/// `KROGER_USER_ACCESS_TOKEN` and its companions.
#[derive(Debug, Clone)]
pub struct EnvironmentPair {
    pub(crate) access_token: Option<Secret>,
    pub refresh_token: Option<Secret>,
    /// Unix seconds; 0 where the expiry is unknown.
    pub expires_at: u64,
}

/// The place that a search starts from if the caller names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultLocation {
    /// The id of a location: 8 letters or digits.
    pub location_id: Option<String>,
    pub zip_code: Option<String>,
    pub radius_miles: u32,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    pub name: String,
    /// The value. None if it could be a secret.
    pub(crate) value: Option<String>,
    /// The allowed values, or the name that was probably meant.
    pub allowed: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;

        match &self.value {
            Some(value) => write!(f, "{} is `{}`; allowed: {}", self.name, cleaned(value, LONGEST), self.allowed),
            None => write!(f, "{}: {}", self.name, self.allowed),
        }
    }
}

impl Settings {
    /// The URL of the page on which users agree, without a query.
    pub(crate) fn authorization_endpoint(&self) -> Url {
        let mut url = self.api_base_url.clone();
        url.set_path(&self.authorize_path);
        url
    }

    /// A fingerprint of the app's credentials and of their server. It does not
    /// reveal them.
    pub(crate) fn credentials(&self) -> Option<Fingerprint> {
        let Client { id, secret } = self.client.as_ref()?;
        let secret = secret.as_ref().map_or("", Secret::expose);
        Some(Secret::new(format!("{} {id}:{secret}", self.app.server)).fingerprint())
    }
}

/// Reads Unix seconds, with or without a fraction: the first system wrote them
/// with one.
pub(crate) fn unix_seconds(text: &str) -> Option<u64> {
    let seconds: f64 = text.parse().ok()?;
    let is_in_range = (0.0..=253_402_300_799.0).contains(&seconds);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked, and the fraction is meant to go"
    )]
    is_in_range.then_some(seconds as u64)
}
