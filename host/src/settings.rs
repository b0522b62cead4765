//! What the operator set: the environment, the `.env` file, and where the store
//! lies.
//!
//! The rules for the single settings are the component's, called here so that a
//! wrong one is refused at start. Nothing here reads the environment behind the
//! caller's back but [`Given::here`].

mod given;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use etcetera::app_strategy::{AppStrategy, AppStrategyArgs, choose_native_strategy};
use kroger_core::settings::{SettingError, Settings as ComponentSettings};
use url::{Host, Url};

pub use given::Given;

/// What a sandbox replaces.
const REPLACED_BY_SANDBOX: [&str; 4] =
    ["KROGER_CLIENT_ID", "KROGER_CLIENT_SECRET", "KROGER_API_BASE_URL", "KROGER_REDIRECT_URI"];

/// The component's route to which sign-ins return.
const CALLBACK: &str = "/auth/callback";

const ORIGINS: &str = "KROGER_ALLOWED_ORIGINS";
const STORE: &str = ".tokens";
const PLATFORM_STORE: &str = "kroger-mcp data directory";

/// A directory for the store, and the name by which people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLocation {
    /// Where it is; it need not exist yet.
    pub directory: PathBuf,
    /// What answers call it; never an absolute path, which is no caller's business.
    pub name: String,
}

impl StoreLocation {
    /// The directory that the operator named. An absolute path is called by its
    /// last part: where things lie on this machine is no caller's business.
    pub fn named(name: &str) -> Self {
        let directory = PathBuf::from(name);
        let last = directory.file_name().filter(|_| directory.is_absolute());
        let name = last.map_or(name.into(), |last| last.to_string_lossy()).into_owned();
        Self { directory, name }
    }

    /// `--store`, else `KROGER_STORE`, else `.tokens` in the working directory
    /// if it is there or can be made, else the platform's data directory: an
    /// agent's app may start a server in a folder that cannot be written.
    ///
    /// # Errors
    /// No directory is left to take.
    pub fn choose(option: Option<&str>, given: &Given, purpose: Purpose) -> Result<Self, Refused> {
        let store = Self::wanted(option, given, purpose)?;
        if !store.is_local(purpose) || store.is_there() {
            return Ok(store);
        }
        let Err(error) = crate::private_directory(&store.directory) else { return Ok(store) };
        let of_platform = Self::of_platform(purpose)?;
        tracing::warn!(
            store = of_platform.path(),
            "{} cannot be made ({error}), so the store is elsewhere",
            store.path()
        );
        Ok(of_platform)
    }

    /// The store that is there already, for one who only looks: named, in the
    /// working directory, or in the platform's data directory. Where there is
    /// none, the one that would be made.
    ///
    /// # Errors
    /// What was named cannot be a store.
    pub fn find(option: Option<&str>, given: &Given, purpose: Purpose) -> Result<Self, Refused> {
        let store = Self::wanted(option, given, purpose)?;
        if store.is_there() || !store.is_local(purpose) {
            return Ok(store);
        }
        let of_platform = Self::of_platform(purpose).ok().filter(Self::is_there);
        Ok(of_platform.unwrap_or(store))
    }

    fn wanted(option: Option<&str>, given: &Given, purpose: Purpose) -> Result<Self, Refused> {
        if option.is_some_and(str::is_empty) {
            return Err(Refused::StoreIsNameless);
        }
        let name = option.or_else(|| given.variable("KROGER_STORE")).unwrap_or(STORE);
        let store = Self::named(&purpose.name(name));
        if store.directory.is_symlink() && !store.is_there() {
            return Err(Refused::StoreLeadsNowhere(store.path()));
        }
        Ok(store)
    }

    fn is_local(&self, purpose: Purpose) -> bool {
        self.directory == Path::new(&purpose.name(STORE))
    }

    /// Its whole path, for the log and the operator's terminal.
    pub fn path(&self) -> String {
        let path = std::path::absolute(&self.directory);
        path.as_ref().unwrap_or(&self.directory).display().to_string()
    }

    /// Whether it has been made.
    pub fn is_there(&self) -> bool {
        self.directory.exists()
    }

    /// Whether it was made by `--sandbox`, as its name says.
    fn is_a_sandboxes(&self) -> bool {
        self.directory.file_name().is_some_and(|name| name.to_string_lossy().ends_with(OF_SANDBOX))
    }

    fn of_platform(purpose: Purpose) -> Result<Self, Refused> {
        let platform = choose_native_strategy(platform_names()).map_err(|_| Refused::NoHome)?;
        let directory = platform.data_dir().join(purpose.name("store"));
        Ok(Self { directory, name: PLATFORM_STORE.to_owned() })
    }
}

/// What a sandbox's store has at the end of its name.
const OF_SANDBOX: &str = "-sandbox";

/// What a store is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The sign-ins of people at Kroger.
    Kroger,
    /// Those at a sandbox, in a store of their own: its tokens are worth nothing
    /// at Kroger, and Kroger's must not reach it.
    Sandbox,
}

impl Purpose {
    fn name(self, of_kroger: &str) -> String {
        match self {
            Self::Kroger => of_kroger.to_owned(),
            Self::Sandbox => format!("{}{OF_SANDBOX}", of_kroger.trim_end_matches(['/', '\\'])),
        }
    }
}

/// Where compiled code is cached, if this user has a home.
pub fn cache_directory() -> Option<PathBuf> {
    let platform = choose_native_strategy(platform_names()).ok()?;
    Some(platform.cache_dir().join("compiled"))
}

fn platform_names() -> AppStrategyArgs {
    AppStrategyArgs { top_level_domain: String::new(), author: String::new(), app_name: "kroger-mcp".to_owned() }
}

/// Settings that can be used.
#[derive(Debug)]
pub struct Settings {
    pub(crate) component: ComponentSettings,
    pub(crate) variables: Variables,
    pub(crate) store: StoreLocation,
    pub(crate) env_file: Option<PathBuf>,
}

/// The guest's environment. `Debug` shows none of it.
pub(crate) struct Variables(pub(crate) Vec<(String, String)>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Variables({} of them)", self.0.len())
    }
}

impl Settings {
    /// Checks what was given by the component's rules.
    ///
    /// # Errors
    /// [`Refused::Settings`] names each setting that cannot be used.
    pub fn new(given: &Given, store: StoreLocation) -> Result<Self, Refused> {
        Self::checked(given.for_component(), store, given.dotenv_path.clone())
    }

    /// Settings for one who only looks: those that the sign-ins in `store` were made
    /// with, if a sandbox made them.
    ///
    /// # Errors
    /// As for [`Settings::new`].
    pub fn to_look(given: &Given, store: StoreLocation) -> Result<Self, Refused> {
        if store.is_a_sandboxes() {
            let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
            return Self::for_sandbox(given, store, nowhere, nowhere);
        }
        Self::new(given, store)
    }

    /// Settings for the sandbox at `sandbox`, signing in to this server, which
    /// listens on `own`. No token of the environment or `.env` is used, and none
    /// is written there.
    ///
    /// # Errors
    /// As for [`Settings::new`].
    pub fn for_sandbox(
        given: &Given,
        store: StoreLocation,
        sandbox: SocketAddr,
        own: SocketAddr,
    ) -> Result<Self, Refused> {
        let app = kroger_sandbox::App::sandbox();
        let mut variables = given.for_component();
        for name in given::TOKENS.iter().chain(&REPLACED_BY_SANDBOX) {
            variables.remove(*name);
        }
        variables.insert("KROGER_CLIENT_ID".to_owned(), app.client_id);
        variables.extend(app.client_secret.map(|secret| ("KROGER_CLIENT_SECRET".to_owned(), secret)));
        variables.insert("KROGER_API_BASE_URL".to_owned(), base_url(sandbox));
        variables.insert("KROGER_REDIRECT_URI".to_owned(), format!("{}/auth/callback", base_url(own)));
        Self::checked(variables, store, None)
    }

    /// What the operator should know, a sentence each: settings that mean nothing
    /// now, a `.env` that others may read.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.component.ignored.clone();
        warnings.extend(self.unserved_redirect());
        if self.env_file.as_deref().is_some_and(others_may_read) {
            warnings.push("others may read .env, where tokens are written: chmod 600 .env".to_owned());
        }
        warnings
    }

    /// A sentence where sign-ins return to a path that nobody serves.
    pub fn unserved_redirect(&self) -> Option<String> {
        let uri = &self.component.redirect_uri;
        if uri.path().ends_with(CALLBACK) {
            return None;
        }
        let mut served = uri.clone();
        served.set_path(CALLBACK);
        Some(format!(
            "KROGER_REDIRECT_URI leads to {}, which nobody serves, so sign-ins will not return: set \
             KROGER_REDIRECT_URI={served} and register it at developer.kroger.com",
            uri.path()
        ))
    }

    /// A sentence where sign-ins return to this machine but not to `address`,
    /// where the server listens.
    pub fn dead_redirect(&self, address: SocketAddr) -> Option<String> {
        let uri = &self.component.redirect_uri;
        let port = uri.port_or_known_default()?;
        let is_reached =
            port == address.port() && (has_a_name(address.ip()) || uri.as_str().starts_with(&base_url(address)));
        // Behind https there is another server, which knows where to go on.
        if uri.scheme() != "http" || !is_loopback(uri) || is_reached {
            return None;
        }
        Some(format!(
            "KROGER_REDIRECT_URI leads to port {port} of this machine and the server listens on {address}: sign-ins \
             will not return here. Set KROGER_REDIRECT_URI={}{CALLBACK} and register it at developer.kroger.com",
            base_url(address)
        ))
    }

    /// Makes `address`, where the server listens, a name by which it may be
    /// called. An address that stands for all of the machine's says nothing.
    #[must_use]
    pub fn listening_on(mut self, address: SocketAddr) -> Self {
        if has_a_name(address.ip()) {
            return self;
        }
        let origin = base_url(address);
        let origins = self.variables.0.iter_mut().find(|(name, _)| name == ORIGINS);
        match origins {
            Some((_, origins)) => *origins = format!("{origins},{origin}"),
            None => self.variables.0.push((ORIGINS.to_owned(), origin)),
        }
        self
    }

    fn checked(
        mut variables: BTreeMap<String, String>,
        store: StoreLocation,
        env_file: Option<PathBuf>,
    ) -> Result<Self, Refused> {
        variables.insert("KROGER_STORE".to_owned(), store.name.clone());
        let component = ComponentSettings::from_variables(variables.clone()).map_err(Refused::Settings)?;
        Ok(Self { component, variables: Variables(variables.into_iter().collect()), store, env_file })
    }

    /// The buckets by whose names the component may ask for the durable store.
    pub(crate) fn durable_buckets(&self) -> Vec<String> {
        let given = |name: &str| {
            let (_, value) = self.variables.0.iter().find(|(known, _)| known == name)?;
            Some(value.clone())
        };
        ComponentSettings::bucket_names(given)
    }
}

/// Where a server at `address` is found; by the name `localhost` if it can be,
/// as that is what redirect URIs are registered with.
pub(crate) fn base_url(address: SocketAddr) -> String {
    if has_a_name(address.ip()) {
        return format!("http://localhost:{}", address.port());
    }
    // Anew, because the zone of an address has no place in a URL.
    format!("http://{}", SocketAddr::new(address.ip(), address.port()))
}

/// Whether a listener there is reached by the name `localhost`.
fn has_a_name(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn others_may_read(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o044 != 0)
}

/// Settings that cannot be used.
#[derive(Debug)]
pub enum Refused {
    /// These, each with what is allowed.
    Settings(Vec<SettingError>),
    /// There is a `.env` file that cannot be read.
    Dotenv(io::ErrorKind),
    /// A setting stands in a line of `.env` that cannot be read.
    MalformedLine { line: usize, name: String },
    /// The value of this variable is not UTF-8.
    NoText(String),
    /// The name of the store is empty.
    StoreIsNameless,
    /// The store is a link to what is not there: perhaps a disk that is not mounted.
    StoreLeadsNowhere(String),
    /// Neither the working directory nor a home can take the store.
    NoHome,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(errors) => {
                f.write_str("Some settings cannot be used:")?;
                errors.iter().try_for_each(|error| write!(f, "\n  {error}"))
            }
            Self::Dotenv(kind) => write!(f, "The file .env cannot be read: {kind}."),
            Self::MalformedLine { line, name } => write!(
                f,
                "{name} cannot be read in .env, line {line}; allowed: {name}=value, with quotes that are closed and \
                 nothing after them."
            ),
            Self::NoText(name) => write!(f, "The value of {name} is not UTF-8."),
            Self::StoreIsNameless => f.write_str("--store is empty; allowed: a directory, such as --store .tokens"),
            Self::StoreLeadsNowhere(path) => {
                write!(f, "{path} is a link that leads nowhere; mount what it leads to, or remove it.")
            }
            Self::NoHome => f.write_str(
                "No store can be made in the working directory, and there is no home directory. \
                 Name a directory with --store.",
            ),
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_called_as_it_was_named_and_never_by_an_absolute_path() {
        assert_eq!(StoreLocation::named("data/tokens").name, "data/tokens");
        assert_eq!(StoreLocation::named("/srv/kroger/tokens").name, "tokens");
    }

    fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn given(environment: &[(&str, &str)], dotenv: &[(&str, &str)]) -> Given {
        Given {
            environment: owned(environment),
            dotenv: owned(dotenv),
            dotenv_path: Some(".env".into()),
            ..Given::default()
        }
    }

    fn guest(settings: &Settings, name: &str) -> Option<String> {
        let (_, value) = settings.variables.0.iter().find(|(known, _)| known == name)?;
        Some(value.clone())
    }

    #[test]
    fn the_env_file_fills_in_what_the_environment_lacks() {
        let given = given(
            &[("KROGER_CLIENT_ID", "from-environment"), ("HOME", "/root")],
            &[("KROGER_CLIENT_ID", "from-file"), ("KROGER_DEFAULT_ZIP_CODE", "45202")],
        );

        let settings = Settings::new(&given, StoreLocation::named(".tokens")).unwrap();

        assert_eq!(guest(&settings, "KROGER_CLIENT_ID").as_deref(), Some("from-environment"));
        assert_eq!(guest(&settings, "KROGER_DEFAULT_ZIP_CODE").as_deref(), Some("45202"));
        assert_eq!(guest(&settings, "HOME"), None);
        assert_eq!(guest(&settings, "KROGER_STORE").as_deref(), Some(".tokens"));
    }

    #[test]
    fn tokens_of_the_env_file_reach_the_component_through_its_bucket_only() {
        let given = given(
            &[("KROGER_USER_REFRESH_TOKEN", "of-environment")],
            &[("KROGER_USER_REFRESH_TOKEN", "of-file"), ("KROGER_USER_ACCESS_TOKEN", "of-file")],
        );

        let settings = Settings::new(&given, StoreLocation::named(".tokens")).unwrap();

        assert_eq!(guest(&settings, "KROGER_USER_REFRESH_TOKEN").as_deref(), Some("of-environment"));
        assert_eq!(guest(&settings, "KROGER_USER_ACCESS_TOKEN"), None);
    }

    #[test]
    fn a_sandbox_gets_neither_the_credentials_nor_the_tokens_nor_the_store_of_the_real_app() {
        let given = given(
            &[
                ("KROGER_CLIENT_SECRET", "real"),
                ("KROGER_USER_REFRESH_TOKEN", "real"),
                ("KROGER_SCOPE", "cart.basic:write"),
            ],
            &[],
        );
        let store = StoreLocation::choose(Some("kroger/"), &given, Purpose::Sandbox).unwrap();
        let sandbox = "127.0.0.1:4000".parse().unwrap();

        let settings = Settings::for_sandbox(&given, store, sandbox, "127.0.0.1:9004".parse().unwrap()).unwrap();

        assert!(settings.variables.0.iter().all(|(_, value)| value != "real"));
        assert_eq!(settings.store, StoreLocation::named("kroger-sandbox"));
        assert_eq!(settings.env_file, None);
        assert_eq!(guest(&settings, "KROGER_API_BASE_URL").as_deref(), Some("http://localhost:4000"));
        assert_eq!(guest(&settings, "KROGER_REDIRECT_URI").as_deref(), Some("http://localhost:9004/auth/callback"));
        assert_eq!(guest(&settings, "KROGER_SCOPE").as_deref(), Some("cart.basic:write"));
    }

    #[test]
    fn settings_that_cannot_be_used_are_named_without_a_secrets_value() {
        let given =
            given(&[("KROGER_CLIENT_SECRET", "canary with spaces"), ("KROGER_MAX_REFRESH_RETRIES", "many")], &[]);

        let refused = Settings::new(&given, StoreLocation::named(".tokens")).unwrap_err().to_string();

        assert!(refused.contains("KROGER_CLIENT_SECRET"), "{refused}");
        assert!(refused.contains("`many`"), "{refused}");
        assert!(!refused.contains("canary"), "{refused}");
    }

    #[test]
    fn debug_shows_no_value() {
        let given = given(&[("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "canary")], &[("X", "canary")]);
        let settings = Settings::new(&given, StoreLocation::named(".tokens")).unwrap();

        assert!(!format!("{given:?} {settings:?}").contains("canary"));
    }

    #[test]
    fn an_empty_variable_does_not_hide_the_env_file() {
        let given = given(&[("KROGER_CLIENT_ID", " "), ("PORT", "")], &[("KROGER_CLIENT_ID", "app"), ("PORT", "1")]);

        let settings = Settings::new(&given, StoreLocation::named(".tokens")).unwrap();

        assert!(given.has_credentials());
        assert_eq!(given.variable("PORT"), Some("1"));
        assert_eq!(guest(&settings, "KROGER_CLIENT_ID").as_deref(), Some("app"));
    }

    #[test]
    fn where_a_server_listens_it_may_be_called_by() {
        let given = given(&[("KROGER_ALLOWED_ORIGINS", "https://app.example")], &[]);
        let origins = |address: &str| {
            let settings = Settings::new(&given, StoreLocation::named(".tokens")).unwrap();
            guest(&settings.listening_on(address.parse().unwrap()), ORIGINS).unwrap()
        };

        assert_eq!(origins("192.168.1.5:80"), "https://app.example,http://192.168.1.5:80");
        assert_eq!(origins("[fe80::1%3]:80"), "https://app.example,http://[fe80::1]:80");
        for everywhere in ["127.0.0.1:80", "[::1]:80", "0.0.0.0:80", "[::]:80"] {
            assert_eq!(origins(everywhere), "https://app.example", "{everywhere}");
        }
    }

    #[test]
    fn a_redirect_to_another_path_is_told_with_what_to_set() {
        let told = |uri: &str| {
            let given = given(&[("KROGER_REDIRECT_URI", uri)], &[]);
            Settings::new(&given, StoreLocation::named(".tokens")).unwrap().unserved_redirect()
        };

        assert_eq!(told("https://kroger.example/behind/auth/callback"), None);
        for uri in ["http://localhost:9004/callback", "http://localhost:9004/auth/callback/"] {
            let words = told(uri).unwrap();
            assert!(words.contains("set KROGER_REDIRECT_URI=http://localhost:9004/auth/callback and"), "{words}");
        }
    }

    #[test]
    fn a_redirect_is_dead_where_this_machine_is_meant_and_the_server_not() {
        let dead = |uri: &str, address: &str| {
            let given = given(&[("KROGER_REDIRECT_URI", uri)], &[]);
            let settings = Settings::new(&given, StoreLocation::named(".tokens")).unwrap();
            settings.dead_redirect(address.parse().unwrap()).is_some()
        };

        assert!(dead("http://localhost:9004/auth/callback", "127.0.0.1:8123"));
        assert!(dead("http://localhost:9004/auth/callback", "192.168.1.5:9004"));
        assert!(!dead("http://localhost:9004/auth/callback", "0.0.0.0:9004"));
        assert!(!dead("http://127.0.0.2:9004/auth/callback", "127.0.0.2:9004"));
        assert!(!dead("http://kroger.example:80/auth/callback", "127.0.0.1:9004"));
        assert!(!dead("https://localhost/auth/callback", "127.0.0.1:9004"));
    }
}
