//! What the operator set: the environment, the `.env` file, and where the store
//! lies.
//!
//! The rules for the single settings are the component's, called here so that a
//! wrong one is refused at start. Nothing here reads the environment behind the
//! caller's back but [`Given::here`].

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use etcetera::app_strategy::{AppStrategy, AppStrategyArgs, choose_native_strategy};
use kroger_connector::core::settings::{SettingError, Settings as ComponentSettings};

use crate::keyvalue::dotenv::read_dotenv;

/// The three that the mirror in `.env` owns. The component reads that mirror as
/// a bucket, where it sees later changes too.
const TOKENS: [&str; 3] = ["KROGER_USER_ACCESS_TOKEN", "KROGER_USER_REFRESH_TOKEN", "KROGER_USER_TOKEN_EXPIRES_AT"];

/// What a sandbox replaces.
const REPLACED_BY_SANDBOX: [&str; 4] =
    ["KROGER_CLIENT_ID", "KROGER_CLIENT_SECRET", "KROGER_API_BASE_URL", "KROGER_REDIRECT_URI"];

const DOTENV: &str = ".env";
const STORE: &str = ".tokens";
const PLATFORM_STORE: &str = "kroger-mcp data directory";

/// The variables as they were found. `Debug` shows names alone.
#[derive(Default)]
pub struct Given {
    /// The process environment; it wins.
    pub environment: Vec<(String, String)>,
    /// The `.env` file; it fills in.
    pub dotenv: Vec<(String, String)>,
    /// Where that file is, or would be.
    pub dotenv_path: Option<PathBuf>,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |variables: &[(String, String)]| -> Vec<String> {
            variables.iter().map(|(name, _)| name.clone()).collect()
        };
        f.debug_struct("Given")
            .field("environment", &names(&self.environment))
            .field("dotenv", &names(&self.dotenv))
            .finish_non_exhaustive()
    }
}

impl Given {
    /// This process's environment and the `.env` file of its working directory.
    ///
    /// # Errors
    /// There is a `.env` that cannot be read.
    pub fn here() -> Result<Self, Refused> {
        let path = PathBuf::from(DOTENV);
        let dotenv = read_dotenv(&path).map_err(|error| Refused::Dotenv(error.kind()))?;
        if !dotenv.malformed.is_empty() {
            tracing::warn!(lines = ?dotenv.malformed, "lines of .env are not `NAME=value` and are ignored");
        }
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Self { environment, dotenv: dotenv.variables, dotenv_path: Some(path) })
    }

    /// The value of `name`, the environment's first.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let in_order = self.environment.iter().chain(self.dotenv.iter().rev());
        in_order
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .next()
            .filter(|value| !value.is_empty())
    }

    /// True where Kroger can be told who is calling.
    pub fn has_credentials(&self) -> bool {
        self.variable("KROGER_CLIENT_ID").is_some()
    }

    /// The `KROGER_*` variables that the component gets to see.
    fn for_component(&self) -> BTreeMap<String, String> {
        let dotenv = self.dotenv.iter().filter(|(name, _)| !TOKENS.contains(&name.as_str()));
        dotenv.chain(&self.environment).filter(|(name, _)| name.starts_with("KROGER_")).cloned().collect()
    }
}

/// A directory for the store, and the name by which people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLocation {
    /// Where it is; it need not exist yet.
    pub directory: PathBuf,
    /// What answers and errors call it; never an absolute path that nobody gave.
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
        if let Some(name) = option.or_else(|| given.variable("KROGER_STORE")) {
            return Ok(Self::named(&purpose.name(name)));
        }
        let local = Self::named(&purpose.name(STORE));
        match local.directory.metadata() {
            Ok(found) if found.is_dir() => Ok(local),
            Ok(_) => Err(Refused::StoreIsFile(local.name)),
            Err(_) if crate::private_directory(&local.directory).is_ok() => Ok(local),
            Err(_) => Self::of_platform(purpose),
        }
    }

    fn of_platform(purpose: Purpose) -> Result<Self, Refused> {
        let platform = choose_native_strategy(platform_names()).map_err(|_| Refused::NoHome)?;
        let directory = platform.data_dir().join(purpose.name("store"));
        Ok(Self { directory, name: PLATFORM_STORE.to_owned() })
    }
}

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
            Self::Sandbox => format!("{}-sandbox", of_kroger.trim_end_matches(['/', '\\'])),
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

    /// Settings for the sandbox at `sandbox`, signing in to this server at
    /// `http://localhost:<port>`. No token of the environment or `.env` is used,
    /// and none is written there.
    ///
    /// # Errors
    /// As for [`Settings::new`].
    pub fn for_sandbox(given: &Given, store: StoreLocation, sandbox: SocketAddr, port: u16) -> Result<Self, Refused> {
        let app = kroger_sandbox::App::sandbox();
        let mut variables = given.for_component();
        for name in TOKENS.iter().chain(&REPLACED_BY_SANDBOX) {
            variables.remove(*name);
        }
        variables.insert("KROGER_CLIENT_ID".to_owned(), app.client_id);
        variables.extend(app.client_secret.map(|secret| ("KROGER_CLIENT_SECRET".to_owned(), secret)));
        variables.insert("KROGER_API_BASE_URL".to_owned(), format!("http://localhost:{}", sandbox.port()));
        variables.insert("KROGER_REDIRECT_URI".to_owned(), format!("http://localhost:{port}/auth/callback"));
        Self::checked(variables, store, None)
    }

    /// Settings that are there and mean nothing now, a sentence each.
    pub fn ignored(&self) -> &[String] {
        &self.component.ignored
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

/// Settings that cannot be used.
#[derive(Debug)]
pub enum Refused {
    /// These, each with what is allowed.
    Settings(Vec<SettingError>),
    /// There is a `.env` file that cannot be read.
    Dotenv(io::ErrorKind),
    /// This store is a file, as the first system had it.
    StoreIsFile(String),
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
            Self::StoreIsFile(name) => {
                write!(f, "`{name}` is a file here, not a directory. Move it away, or name another with --store.")
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
        Given { environment: owned(environment), dotenv: owned(dotenv), dotenv_path: Some(DOTENV.into()) }
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

        let settings = Settings::for_sandbox(&given, store, sandbox, 9004).unwrap();

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
    fn an_empty_value_is_as_good_as_none() {
        assert_eq!(given(&[("PORT", "")], &[]).variable("PORT"), None);
        assert_eq!(given(&[], &[("PORT", "1"), ("PORT", "2")]).variable("PORT"), Some("2"));
    }
}
