//! Reads variables into settings.

use std::time::Duration;

use url::Url;

use crate::app::App;
use crate::item::Modality;
use crate::kroger::limits::Limits;
use crate::secret::Secret;
use crate::settings::known::{IGNORED, KNOWN};
use crate::settings::{Client, DefaultLocation, EnvironmentPair, Scope, SettingError, Settings};
use crate::user::UserId;

pub(super) struct Reader {
    variables: Vec<(String, String)>,
    pub(super) errors: Vec<SettingError>,
}

impl Reader {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables
            .into_iter()
            .filter(|(name, value)| name.starts_with("KROGER_") && !value.trim().is_empty())
            .map(|(name, value)| (name, value.trim().to_owned()))
            .collect();
        Self { variables, errors: Vec::new() }
    }

    pub(super) fn settings(&mut self) -> Settings {
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
    pub(super) fn refuse_near_misses(&mut self) {
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
