//! Settings: `KROGER_*` environment variables, parsed once into types that
//! cannot be wrong.
//!
//! Everything that can be known to be wrong at start is refused at start, by
//! name and with what is allowed. A secret's value is never shown.

mod known;
mod reader;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::app::App;
use crate::item::Modality;
use crate::kroger::limits::Limits;
use crate::secret::{Fingerprint, Secret};
use crate::user::UserId;
use reader::Reader;
pub use reader::unix_seconds;

/// Where the API lives, who the app is, and how tokens are kept.
#[derive(Debug)]
pub struct Settings {
    pub client: Option<Client>,
    /// Whom tokens that are got now are good for.
    pub app: App,
    pub redirect_uri: Url,
    pub api_base_url: Url,
    /// Where OAuth lives below the base URL: Kroger's paths, unless another
    /// authorization server stands in.
    pub authorize_path: String,
    pub token_path: String,
    pub scope: Scope,
    /// The fallback sign-in that the environment itself carries.
    pub environment_pair: Option<EnvironmentPair>,
    /// The user of a call that names none.
    pub default_user: UserId,
    /// A token is refreshed in its last `refresh_buffer`.
    pub refresh_buffer: Duration,
    pub check_interval: Duration,
    pub max_refresh_retries: u32,
    pub default_location: DefaultLocation,
    pub default_modality: Modality,
    pub allowed_origins: Vec<String>,
    /// How long the log of cart adds keeps one; none: there is no log.
    pub recent_adds: Option<Duration>,
    /// Kroger's daily quotas.
    pub quotas: Limits,
    /// The store's name as the operator gave it, for people to read.
    pub store_name: String,
    /// Settings that are there and mean nothing now, each with why.
    pub ignored: Vec<String>,
}

/// The app's credentials; without a secret it is a public client (RFC 6749
/// § 2.1), which PKCE protects.
#[derive(Debug, Clone)]
pub struct Client {
    pub id: String,
    pub secret: Option<Secret>,
}

/// `KROGER_USER_ACCESS_TOKEN` and its companions.
#[derive(Debug, Clone)]
pub struct EnvironmentPair {
    pub access_token: Option<Secret>,
    pub refresh_token: Option<Secret>,
    /// Unix seconds; 0 where it is not known.
    pub expires_at: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultLocation {
    pub store_id: Option<String>,
    pub zip_code: Option<String>,
    pub radius_miles: u32,
}

/// Space-separated OAuth scope tokens (RFC 6749 § 3.3), at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// # Errors
    /// What is allowed, where `text` is not a scope.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let is_scope_character = |c: char| matches!(c, '!' | '#'..='[' | ']'..='~');
        let tokens: Vec<&str> = text.split(' ').filter(|token| !token.is_empty()).collect();
        if tokens.is_empty() || text.len() > 512 || !tokens.concat().chars().all(is_scope_character) {
            return Err("space-separated scopes, such as `profile.compact cart.basic:write`");
        }
        Ok(Self(tokens.join(" ")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// These, and `token` where it is not among them.
    #[must_use]
    pub fn with(&self, token: &str) -> Self {
        if self.0.split(' ').any(|own| own == token) { self.clone() } else { Self(format!("{} {token}", self.0)) }
    }
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    pub name: String,
    /// The value, unless it is a secret's.
    pub value: Option<String>,
    /// What is allowed, or what was probably meant.
    pub allowed: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} is `{}`; allowed: {}", self.name, value, self.allowed),
            None => write!(f, "{}: {}", self.name, self.allowed),
        }
    }
}

impl Settings {
    /// Names the app's credentials, and where they are good, without telling them.
    pub fn credentials(&self) -> Option<Fingerprint> {
        let Client { id, secret } = self.client.as_ref()?;
        let secret = secret.as_ref().map_or("", Secret::expose);
        Some(Secret::new(format!("{} {id}:{secret}", self.app.server)).fingerprint())
    }

    /// Parses the `KROGER_*` variables among `variables`; an empty value is as
    /// good as none.
    ///
    /// # Errors
    /// Each setting that cannot be used, in the order they were looked at.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<SettingError>> {
        let mut reader = Reader::new(variables);
        reader.refuse_near_misses();
        let settings = reader.settings();
        if reader.errors.is_empty() { Ok(settings) } else { Err(reader.errors) }
    }

    /// The bucket names to try for the durable store, in order.
    pub fn bucket_names(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
        match variable("KROGER_BUCKET").filter(|name| !name.is_empty()) {
            Some(name) => vec![name],
            None => vec!["default".to_owned(), String::new()],
        }
    }
}
