//! Reads variables into [`Settings`]. Refuses each value that cannot be used;
//! never shows a secret.

use std::time::Duration;

use url::Url;

use crate::app::App;
use crate::app::loopback::is_loopback;
use crate::item::Modality;
use crate::kroger::client::Client;
use crate::kroger::limits::Limits;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::settings::known::{
    Allowed, IGNORED, KNOWN, another_in, is_credential, is_harmless, is_known, setting, showable,
};
use crate::settings::{DefaultLocation, EnvironmentPair, Ignored, IgnoredReason, SettingError, Settings, unix_seconds};
use crate::user::UserId;

impl Settings {
    /// Parses the `KROGER_*` variables among `variables`. An empty value counts
    /// as none.
    ///
    /// # Errors
    /// Each setting that cannot be used, in the order in which they were read.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<SettingError>> {
        let mut reader = Reader::new(variables);
        reader.refuse_near_misses();
        reader.refuse_joined();
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
        let authorize_path = self.parsed("KROGER_AUTHORIZE_PATH", path);
        let token_path = self.parsed("KROGER_TOKEN_PATH", path);
        let client_id = client.as_ref().map(|client| client.id.clone());
        Settings {
            app: App::new(&api_base_url, &token_path, client_id),
            client,
            redirect_uri,
            api_base_url,
            authorize_path,
            token_path,
            scope: self.parsed("KROGER_SCOPE", |text| Scope::parse(text).ok()),
            environment_pair: self.environment_pair(),
            default_user: self.parsed("KROGER_HARDCODED_USER_ID", |text| UserId::parse(text).ok()),
            refresh_buffer: self.seconds("KROGER_TOKEN_REFRESH_BUFFER"),
            check_interval: self.seconds("KROGER_TOKEN_CHECK_INTERVAL"),
            max_refresh_retries: self.number("KROGER_MAX_REFRESH_RETRIES"),
            refresh_pause: self.seconds("KROGER_REFRESH_PAUSE"),
            default_location: self.default_location(),
            default_modality: self.default_modality(),
            allowed_origins: self.allowed_origins(),
            recent_adds: self.recent_adds(),
            quotas: self.quotas(),
            store_name: self.text("KROGER_STORE").unwrap_or_else(|| "keyvalue".to_owned()),
            ignored: self.ignored(),
        }
    }

    fn client(&mut self) -> Option<Client> {
        let secret = self.secret("KROGER_CLIENT_SECRET");
        let id = self.given("KROGER_CLIENT_ID", graphic)?;
        Some(Client { id, secret })
    }

    fn redirect_uri(&mut self) -> Url {
        self.parsed("KROGER_REDIRECT_URI", |text| {
            let url = Url::parse(text).ok()?;
            let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
            (is_web && url.fragment().is_none() && !has_user(&url)).then_some(url)
        })
    }

    fn api_base_url(&mut self) -> Url {
        self.parsed("KROGER_API_BASE_URL", |text| {
            let url = Url::parse(text).ok()?;
            let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
            let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
            (is_bare && is_safe && !has_user(&url)).then_some(url)
        })
    }

    fn environment_pair(&mut self) -> Option<EnvironmentPair> {
        let access_token = self.secret("KROGER_USER_ACCESS_TOKEN");
        let refresh_token = self.secret("KROGER_USER_REFRESH_TOKEN");
        let expires_at = self.given("KROGER_USER_TOKEN_EXPIRES_AT", unix_seconds).unwrap_or(0);
        let is_there = access_token.is_some() || refresh_token.is_some();
        is_there.then_some(EnvironmentPair { access_token, refresh_token, expires_at })
    }

    fn default_location(&mut self) -> DefaultLocation {
        DefaultLocation {
            location_id: self.given("KROGER_DEFAULT_STORE_ID", |text| {
                let is_id = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
                is_id.then(|| text.to_owned())
            }),
            zip_code: self.given("KROGER_DEFAULT_ZIP_CODE", |text| {
                let is_zip_code = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
                is_zip_code.then(|| text.to_owned())
            }),
            radius_miles: self.number("KROGER_DEFAULT_RADIUS_MILES"),
        }
    }

    /// The older name counts only where the newer one is unset.
    fn default_modality(&mut self) -> Modality {
        let is_set = self.text("KROGER_DEFAULT_MODALITY").is_some();
        let older = if is_set { None } else { self.given("KROGER_DEFAULT_FULFILLMENT", Modality::parse) };
        older.unwrap_or_else(|| self.parsed("KROGER_DEFAULT_MODALITY", Modality::parse))
    }

    fn allowed_origins(&mut self) -> Vec<String> {
        const NAME: &str = "KROGER_ALLOWED_ORIGINS";

        let Some(text) = self.text(NAME) else { return Vec::new() };
        let mut origins = Vec::new();
        for given in text.split([',', ' ']).filter(|given| !given.is_empty()) {
            match Url::parse(given).ok().filter(is_origin) {
                Some(url) => origins.push(url.origin().ascii_serialization()),
                None => self.refuse(NAME, &text),
            }
        }
        origins
    }

    fn quotas(&mut self) -> Limits {
        Limits {
            products: self.number("KROGER_QUOTA_PRODUCTS"),
            cart: self.number("KROGER_QUOTA_CART"),
            identity: self.number("KROGER_QUOTA_IDENTITY"),
            locations: self.number("KROGER_QUOTA_LOCATIONS"),
            chains: self.number("KROGER_QUOTA_CHAINS"),
            departments: self.number("KROGER_QUOTA_DEPARTMENTS"),
            reserve_percent: self.number("KROGER_QUOTA_RESERVE_PERCENT"),
        }
    }

    /// 0 turns the log off, and that is the default: Kroger's terms allow to keep
    /// no more of a customer's cart than the customer asks for.
    fn recent_adds(&mut self) -> Option<Duration> {
        let hours = self.number("KROGER_RECENT_ADDS_HOURS");
        (hours > 0).then(|| Duration::from_secs(u64::from(hours) * 3_600))
    }

    /// The variables that set nothing.
    fn ignored(&self) -> Vec<Ignored> {
        let ignored = |name: &str, reason| Ignored { name: showable(name).to_owned(), reason };
        let old = IGNORED.iter().filter(|(name, _)| self.text(name).is_some());
        let old = old.map(|(name, reason)| ignored(name, *reason));
        // Kubernetes sets such names for each service.
        let is_foreign = |name: &&str| name.starts_with("KROGER_SERVICE_") || name.starts_with("KROGER_PORT");
        let unknown = self.unknown().filter(|name| !is_foreign(name));
        old.chain(unknown.map(|name| ignored(name, IgnoredReason::Unknown))).collect()
    }

    fn unknown(&self) -> impl Iterator<Item = &str> {
        let names = self.variables.iter().map(|(name, _)| name.as_str());
        names.filter(|name| !is_known(name) && !IGNORED.iter().any(|(old, _)| old == name))
    }

    /// Refuses each name that is nearly one of ours. The setting that was meant
    /// would silently keep its default.
    fn refuse_near_misses(&mut self) {
        let unknown: Vec<String> = self.unknown().map(str::to_owned).collect();
        for name in unknown {
            if let Some(near) = KNOWN.iter().find(|known| edit_distance(known.name, &name) <= 2) {
                let allowed = format!("there is no such setting; did you mean {}?", near.name);
                self.errors.push(SettingError { name: showable(&name).to_owned(), value: None, allowed });
            }
        }
    }

    /// Refuses each value that another setting stands in, and reads it no further.
    fn refuse_joined(&mut self) {
        let joined = |(name, value): &(String, String)| Some((name.clone(), another_in(value)?));
        for (name, other) in self.variables.iter().filter_map(joined).collect::<Vec<_>>() {
            self.variables.retain(|(given, _)| *given != name);
            let allowed = format!("{other} stands in its value; put each setting on a line of its own");
            self.errors.push(SettingError { name: showable(&name).to_owned(), value: None, allowed });
        }
    }

    /// The value of `name`, else its default.
    fn parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        if let Some(value) = self.given(name, &parse) {
            return value;
        }
        setting(name).default.and_then(parse).unwrap_or_else(|| unreachable!("{name} has a default that parses"))
    }

    fn number(&mut self, name: &str) -> u32 {
        let Allowed::Number { least, most } = setting(name).allowed else { unreachable!("{name} is a number") };
        self.parsed(name, |text| text.parse().ok().filter(|number| (least..=most).contains(number)))
    }

    fn seconds(&mut self, name: &str) -> Duration {
        Duration::from_secs(self.number(name).into())
    }

    fn secret(&mut self, name: &str) -> Option<Secret> {
        self.given(name, graphic).map(Secret::new)
    }

    /// The value of `name`. None where there is none, or where it is refused.
    fn given<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.refuse(name, &text);
        }
        value
    }

    fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.variables.iter().find(|(given, _)| given == name)?;
        Some(value.clone())
    }

    /// Notes that `value` is not allowed. The note shows no secret, and no value that could be one or
    /// holds one.
    fn refuse(&mut self, name: &str, value: &str) {
        let is_secret = |(given, secret): &(String, String)| is_credential(given) && secret.contains(value);
        let is_shown = is_harmless(value) && !is_credential(name) && !self.variables.iter().any(is_secret);
        let value = is_shown.then(|| value.to_owned());
        let error = SettingError { name: name.to_owned(), value, allowed: setting(name).allowed.to_string() };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }
}

/// Printable ASCII without spaces, which a header can carry.
fn graphic(text: &str) -> Option<String> {
    text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text.to_owned())
}

/// A path of the server of the base URL, without query and fragment. `//host`
/// would lead to another server (RFC 3986 § 4.2).
fn path(text: &str) -> Option<String> {
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.contains(['?', '#']);
    graphic(text).filter(|_| is_path)
}

fn is_origin(url: &Url) -> bool {
    let ends_there = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    matches!(url.scheme(), "http" | "https") && ends_there && !has_user(url)
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// The Levenshtein distance, in bytes.
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
