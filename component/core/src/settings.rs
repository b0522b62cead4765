//! Settings: `KROGER_*` environment variables, parsed once into types that
//! cannot be wrong.
//!
//! Everything that can be known to be wrong at start is refused at start, by
//! name and with what is allowed. A secret's value is never shown.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::app::App;
use crate::item::Modality;
use crate::kroger::limits::Limits;
use crate::secret::{Fingerprint, Secret};
use crate::user::UserId;

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

const KNOWN: [&str; 31] = [
    "KROGER_CLIENT_ID",
    "KROGER_CLIENT_SECRET",
    "KROGER_REDIRECT_URI",
    "KROGER_API_BASE_URL",
    "KROGER_AUTHORIZE_PATH",
    "KROGER_TOKEN_PATH",
    "KROGER_SCOPE",
    "KROGER_USER_ACCESS_TOKEN",
    "KROGER_USER_REFRESH_TOKEN",
    "KROGER_USER_TOKEN_EXPIRES_AT",
    "KROGER_HARDCODED_USER_ID",
    "KROGER_TOKEN_REFRESH_BUFFER",
    "KROGER_TOKEN_CHECK_INTERVAL",
    "KROGER_MAX_REFRESH_RETRIES",
    "KROGER_DEFAULT_STORE_ID",
    "KROGER_DEFAULT_ZIP_CODE",
    "KROGER_DEFAULT_RADIUS_MILES",
    "KROGER_DEFAULT_MODALITY",
    "KROGER_DEFAULT_FULFILLMENT",
    "KROGER_ALLOWED_ORIGINS",
    "KROGER_RECENT_ADDS_HOURS",
    "KROGER_QUOTA_PRODUCTS",
    "KROGER_QUOTA_CART",
    "KROGER_QUOTA_IDENTITY",
    "KROGER_QUOTA_LOCATIONS",
    "KROGER_QUOTA_CHAINS",
    "KROGER_QUOTA_DEPARTMENTS",
    "KROGER_QUOTA_RESERVE_PERCENT",
    "KROGER_STORE",
    "KROGER_BUCKET",
    "KROGER_LOG",
];

/// Settings of the first system that mean nothing here, and what to use.
const IGNORED: [(&str, &str); 3] = [
    ("KROGER_DEFAULT_DELIVERY_TYPE", "the modality of each item says it"),
    ("KROGER_FORCE_KROGER_DELIVERY", "set KROGER_DEFAULT_MODALITY=DELIVERY"),
    ("KROGER_DEV_MODE", "start with --sandbox"),
];

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

struct Reader {
    variables: Vec<(String, String)>,
    errors: Vec<SettingError>,
}

impl Reader {
    fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables
            .into_iter()
            .filter(|(name, value)| name.starts_with("KROGER_") && !value.trim().is_empty())
            .map(|(name, value)| (name, value.trim().to_owned()))
            .collect();
        Self { variables, errors: Vec::new() }
    }

    fn settings(&mut self) -> Settings {
        let (client, redirect_uri, api_base_url) = (self.client(), self.redirect_uri(), self.api_base_url());
        let authorize_path = self.path("KROGER_AUTHORIZE_PATH", "/v1/connect/oauth2/authorize");
        let token_path = self.path("KROGER_TOKEN_PATH", "/v1/connect/oauth2/token");
        let client_id = client.as_ref().map(|client| client.id.clone());
        Settings {
            app: App::new(&api_base_url, &token_path, client_id),
            client,
            redirect_uri,
            api_base_url,
            authorize_path,
            token_path,
            scope: self.parsed("KROGER_SCOPE", "profile.compact cart.basic:write", Scope::parse),
            environment_pair: self.environment_pair(),
            default_user: self.parsed("KROGER_HARDCODED_USER_ID", "user_default", UserId::parse),
            refresh_buffer: self.seconds("KROGER_TOKEN_REFRESH_BUFFER", 300, 10, 86_400),
            check_interval: self.seconds("KROGER_TOKEN_CHECK_INTERVAL", 60, 1, 3_600),
            max_refresh_retries: self.number("KROGER_MAX_REFRESH_RETRIES", 3, 1, 10),
            default_location: self.default_location(),
            default_modality: self.default_modality(),
            allowed_origins: self.allowed_origins(),
            recent_adds: self.recent_adds(),
            quotas: self.quotas(),
            store_name: self.text("KROGER_STORE").unwrap_or_else(|| "keyvalue".to_owned()),
            ignored: self.ignored(),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.variables.iter().find(|(known, _)| known == name)?;
        Some(value.clone())
    }

    fn secret(&mut self, name: &str) -> Option<Secret> {
        let text = self.text(name)?;
        if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(Secret::new(text));
        }
        self.refuse(name, None, "printable ASCII without spaces".to_owned());
        None
    }

    /// An URL may carry a password before its `@`, so a value with one is not
    /// shown.
    fn refuse(&mut self, name: &str, value: Option<String>, allowed: String) {
        let value = value.filter(|value| !value.contains('@'));
        self.errors.push(SettingError { name: name.to_owned(), value, allowed });
    }

    fn parsed<T>(&mut self, name: &str, default: &str, parse: impl Fn(&str) -> Result<T, &'static str>) -> T {
        let given = self.text(name);
        match parse(given.as_deref().unwrap_or(default)) {
            Ok(value) => value,
            Err(allowed) => {
                self.refuse(name, given, allowed.to_owned());
                let Ok(value) = parse(default) else { unreachable!("the default of {name} parses") };
                value
            }
        }
    }

    fn number(&mut self, name: &str, default: u32, least: u32, most: u32) -> u32 {
        let Some(text) = self.text(name) else { return default };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => number,
            _ => {
                self.refuse(name, Some(text), format!("a whole number from {least} to {most}"));
                default
            }
        }
    }

    fn seconds(&mut self, name: &str, default: u32, least: u32, most: u32) -> Duration {
        Duration::from_secs(self.number(name, default, least, most).into())
    }

    fn client(&mut self) -> Option<Client> {
        let secret = self.secret("KROGER_CLIENT_SECRET");
        let id = self.text("KROGER_CLIENT_ID")?;
        if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.refuse(
                "KROGER_CLIENT_ID",
                Some(id.clone()),
                "the id of the app's page at developer.kroger.com".to_owned(),
            );
        }
        Some(Client { id, secret })
    }

    fn redirect_uri(&mut self) -> Url {
        self.parsed("KROGER_REDIRECT_URI", "http://localhost:9004/auth/callback", |text| {
            Url::parse(text)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none())
                .filter(|url| !has_user(url))
                .ok_or("an http or https URL without user and password, exactly as registered with Kroger")
        })
    }

    fn api_base_url(&mut self) -> Url {
        self.parsed("KROGER_API_BASE_URL", "https://api.kroger.com", api_base_url)
    }

    fn path(&mut self, name: &str, default: &str) -> String {
        self.parsed(name, default, |text| {
            let is_path = text.starts_with('/') && !text.starts_with("//");
            let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
            if is_path && is_plain {
                Ok(text.to_owned())
            } else {
                Err("a path below the base URL, such as /oauth2/token")
            }
        })
    }

    fn environment_pair(&mut self) -> Option<EnvironmentPair> {
        let expires_at = self.text("KROGER_USER_TOKEN_EXPIRES_AT");
        let pair = EnvironmentPair {
            access_token: self.secret("KROGER_USER_ACCESS_TOKEN"),
            refresh_token: self.secret("KROGER_USER_REFRESH_TOKEN"),
            expires_at: expires_at.as_deref().and_then(unix_seconds).unwrap_or(0),
        };
        if let Some(text) = expires_at
            && unix_seconds(&text).is_none()
        {
            self.refuse("KROGER_USER_TOKEN_EXPIRES_AT", Some(text), "Unix seconds, such as 1755496304".to_owned());
        }
        (pair.access_token.is_some() || pair.refresh_token.is_some()).then_some(pair)
    }

    fn default_location(&mut self) -> DefaultLocation {
        DefaultLocation {
            store_id: self.matching("KROGER_DEFAULT_STORE_ID", "8 letters or digits, such as 01400376", |text| {
                text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
            }),
            zip_code: self.matching("KROGER_DEFAULT_ZIP_CODE", "5 digits", |text| {
                text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit())
            }),
            radius_miles: self.number("KROGER_DEFAULT_RADIUS_MILES", 10, 1, 100),
        }
    }

    fn matching(&mut self, name: &str, allowed: &str, is_allowed: impl Fn(&str) -> bool) -> Option<String> {
        let text = self.text(name)?;
        if is_allowed(&text) {
            return Some(text);
        }
        self.refuse(name, Some(text), allowed.to_owned());
        None
    }

    fn default_modality(&mut self) -> Modality {
        let name = if self.text("KROGER_DEFAULT_MODALITY").is_some() {
            "KROGER_DEFAULT_MODALITY"
        } else {
            "KROGER_DEFAULT_FULFILLMENT"
        };
        self.parsed(name, "PICKUP", |text| Modality::parse(text).ok_or("PICKUP or DELIVERY"))
    }

    fn allowed_origins(&mut self) -> Vec<String> {
        let Some(text) = self.text("KROGER_ALLOWED_ORIGINS") else { return Vec::new() };
        let mut origins = Vec::new();
        // The parts of a password do not show that they are.
        let is_showable = !text.contains('@');
        for given in text.split([',', ' ']).filter(|given| !given.is_empty()) {
            match Url::parse(given).ok().filter(is_origin) {
                Some(url) => origins.push(url.origin().ascii_serialization()),
                None => self.refuse(
                    "KROGER_ALLOWED_ORIGINS",
                    is_showable.then(|| given.to_owned()),
                    "origins separated by commas, such as https://app.example.com".to_owned(),
                ),
            }
        }
        origins
    }

    fn quotas(&mut self) -> Limits {
        let mut limit = |name, default| self.number(name, default, 1, 1_000_000_000);
        Limits {
            products: limit("KROGER_QUOTA_PRODUCTS", 10_000),
            cart: limit("KROGER_QUOTA_CART", 5_000),
            identity: limit("KROGER_QUOTA_IDENTITY", 5_000),
            locations: limit("KROGER_QUOTA_LOCATIONS", 1_600),
            chains: limit("KROGER_QUOTA_CHAINS", 1_600),
            departments: limit("KROGER_QUOTA_DEPARTMENTS", 1_600),
            reserve_percent: self.number("KROGER_QUOTA_RESERVE_PERCENT", 5, 0, 50),
        }
    }

    /// 0 is none: Kroger's terms want no more of a customer's cart kept than is
    /// asked for.
    fn recent_adds(&mut self) -> Option<Duration> {
        let hours = self.number("KROGER_RECENT_ADDS_HOURS", 0, 0, 168);
        (hours > 0).then(|| Duration::from_secs(u64::from(hours) * 3_600))
    }

    fn ignored(&self) -> Vec<String> {
        let old = IGNORED.iter().filter(|(name, _)| self.text(name).is_some());
        let old = old.map(|(name, instead)| format!("{name} is ignored: {instead}"));
        // Kubernetes sets such names for each service.
        let is_foreign = |name: &&str| name.starts_with("KROGER_SERVICE_") || name.starts_with("KROGER_PORT");
        let unknown = self.unknown().filter(|name| !is_foreign(name));
        old.chain(unknown.map(|name| format!("{name} is ignored: there is no such setting"))).collect()
    }

    fn unknown(&self) -> impl Iterator<Item = &str> {
        let names = self.variables.iter().map(|(name, _)| name.as_str());
        names.filter(|name| !KNOWN.contains(name) && !IGNORED.iter().any(|(old, _)| old == name))
    }

    /// A misspelt setting would be silently without effect.
    fn refuse_near_misses(&mut self) {
        let unknown: Vec<String> = self.unknown().map(str::to_owned).collect();
        for name in unknown {
            if let Some(near) = KNOWN.iter().find(|known| edit_distance(known, &name) <= 2) {
                self.refuse(&name, None, format!("there is no such setting; did you mean {near}?"));
            }
        }
    }
}

fn api_base_url(text: &str) -> Result<Url, &'static str> {
    const ALLOWED: &str = "an https URL without a path, such as https://api.kroger.com; http only for this machine";
    let url = Url::parse(text).map_err(|_| ALLOWED)?;
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let has_no_credentials = url.username().is_empty() && url.password().is_none();
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_local);
    if is_safe && is_bare && has_no_credentials { Ok(url) } else { Err(ALLOWED) }
}

fn is_origin(url: &Url) -> bool {
    let ends_there = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    matches!(url.scheme(), "http" | "https") && ends_there && !has_user(url)
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Unix seconds, with or without a fraction, as the first system wrote them.
pub fn unix_seconds(text: &str) -> Option<u64> {
    let seconds: f64 = text.parse().ok()?;
    let is_in_range = (0.0..=253_402_300_799.0).contains(&seconds);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked, and the fraction is meant to go"
    )]
    is_in_range.then_some(seconds as u64)
}

/// Levenshtein distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kroger::limits::Endpoint;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, Vec<SettingError>> {
        Settings::from_variables(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn no_variable_gives_the_defaults_of_the_contract() {
        let settings = settings(&[]).unwrap();

        assert!(settings.client.is_none());
        assert_eq!(settings.redirect_uri.as_str(), "http://localhost:9004/auth/callback");
        assert_eq!(settings.api_base_url.as_str(), "https://api.kroger.com/");
        assert_eq!(settings.scope.as_str(), "profile.compact cart.basic:write");
        assert_eq!(settings.default_user.as_str(), "user_default");
        assert_eq!(settings.refresh_buffer, Duration::from_secs(300));
        assert_eq!(settings.check_interval, Duration::from_secs(60));
        assert_eq!(settings.max_refresh_retries, 3);
        assert_eq!(settings.default_location.radius_miles, 10);
        assert_eq!(settings.default_modality, Modality::Pickup);
        assert_eq!(Endpoint::ALL.map(|each| settings.quotas.of(each)), [10_000, 5_000, 5_000, 1_600, 1_600, 1_600]);
        assert_eq!(settings.quotas.reserve(Endpoint::Products), 500);
    }

    #[test]
    fn each_setting_that_does_not_parse_is_named_with_what_is_allowed() {
        let wrong = [
            ("KROGER_REDIRECT_URI", "localhost"),
            ("KROGER_API_BASE_URL", "http://api.kroger.com"),
            ("KROGER_API_BASE_URL", "https://api.kroger.com/v1"),
            ("KROGER_TOKEN_PATH", "token"),
            ("KROGER_AUTHORIZE_PATH", "//evil.example/authorize"),
            ("KROGER_SCOPE", "cart\"basic"),
            ("KROGER_HARDCODED_USER_ID", "a\nb"),
            ("KROGER_TOKEN_REFRESH_BUFFER", "5m"),
            ("KROGER_TOKEN_CHECK_INTERVAL", "0"),
            ("KROGER_MAX_REFRESH_RETRIES", "-1"),
            ("KROGER_DEFAULT_STORE_ID", "123"),
            ("KROGER_DEFAULT_ZIP_CODE", "4503A"),
            ("KROGER_DEFAULT_RADIUS_MILES", "101"),
            ("KROGER_DEFAULT_MODALITY", "SHIP"),
            ("KROGER_DEFAULT_FULFILLMENT", "ship"),
            ("KROGER_ALLOWED_ORIGINS", "https://a.example/path"),
            ("KROGER_USER_TOKEN_EXPIRES_AT", "tomorrow"),
            ("KROGER_QUOTA_PRODUCTS", "0"),
            ("KROGER_QUOTA_CART", "-1"),
            ("KROGER_QUOTA_IDENTITY", "5e3"),
            ("KROGER_QUOTA_LOCATIONS", "1,600"),
            ("KROGER_QUOTA_CHAINS", "many"),
            ("KROGER_QUOTA_DEPARTMENTS", "4294967296"),
            ("KROGER_QUOTA_RESERVE_PERCENT", "51"),
        ];
        for (name, value) in wrong {
            let errors = settings(&[(name, value)]).unwrap_err();
            assert_eq!(errors.len(), 1, "{name}");
            assert_eq!(errors[0].name, name);
            assert_eq!(errors[0].value.as_deref(), Some(value));
        }
    }

    #[test]
    fn an_url_with_a_password_is_refused_and_not_shown() {
        let wrong = [
            ("KROGER_API_BASE_URL", "https://u:canary@api.kroger.com"),
            ("KROGER_API_BASE_URL", "u:canary@api.kroger.com"),
            ("KROGER_REDIRECT_URI", "https://u:canary@app.example.com/auth/callback"),
            ("KROGER_REDIRECT_URI", "ftp://u:canary@app.example.com/auth/callback"),
            ("KROGER_ALLOWED_ORIGINS", "https://app.example.com,https://u:canary@app.example.com"),
            ("KROGER_ALLOWED_ORIGINS", "https://u:canary ,@app.example.com"),
            ("KROGER_TOKEN_PATH", "https://u:canary@api.kroger.com/token"),
        ];
        for (name, value) in wrong {
            let errors = settings(&[(name, value)]).expect_err(value);
            assert!(errors.iter().all(|error| error.name == name), "{errors:?}");
            assert!(!format!("{errors:?} {}", errors[0]).contains("canary"), "{errors:?}");
        }
    }

    #[test]
    fn a_secret_that_is_refused_is_not_shown() {
        let errors = settings(&[("KROGER_CLIENT_SECRET", "canary with spaces")]).unwrap_err();

        assert!(!format!("{errors:?} {}", errors[0]).contains("canary"));
    }

    #[test]
    fn a_misspelt_setting_is_refused_and_a_foreign_one_is_not() {
        let errors = settings(&[("KROGER_CLIENTID", "x"), ("KROGER_BRANCH_OF_THE_RIVER", "y")]).unwrap_err();

        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].to_string(), "KROGER_CLIENTID: there is no such setting; did you mean KROGER_CLIENT_ID?");
    }

    #[test]
    fn the_older_fulfillment_setting_counts_only_where_the_modality_is_unset() {
        let older = settings(&[("KROGER_DEFAULT_FULFILLMENT", "delivery")]).unwrap();
        let both =
            settings(&[("KROGER_DEFAULT_FULFILLMENT", "delivery"), ("KROGER_DEFAULT_MODALITY", "PICKUP")]).unwrap();

        assert_eq!(older.default_modality, Modality::Delivery);
        assert_eq!(both.default_modality, Modality::Pickup);
    }

    #[test]
    fn settings_that_mean_nothing_now_are_named_as_ignored() {
        let settings = settings(&[("KROGER_DEV_MODE", "true")]).unwrap();

        assert_eq!(settings.ignored, ["KROGER_DEV_MODE is ignored: start with --sandbox"]);
    }

    #[test]
    fn a_setting_that_there_is_not_is_named_as_ignored_unless_an_orchestrator_sets_it() {
        let settings =
            settings(&[("KROGER_LOG_LEVEL", "debug"), ("KROGER_PORT_9004_TCP", "x"), ("KROGER_SERVICE_HOST", "y")]);

        assert_eq!(settings.unwrap().ignored, ["KROGER_LOG_LEVEL is ignored: there is no such setting"]);
    }

    #[test]
    fn debug_shows_no_secret() {
        let settings = settings(&[
            ("KROGER_CLIENT_ID", "app"),
            ("KROGER_CLIENT_SECRET", "canary-1"),
            ("KROGER_USER_ACCESS_TOKEN", "canary-2"),
            ("KROGER_USER_REFRESH_TOKEN", "canary-3"),
        ])
        .unwrap();

        assert!(!format!("{settings:?}").contains("canary"));
    }
}
