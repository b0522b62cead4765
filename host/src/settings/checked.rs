//! Settings that can be used, checked at start.
//!
//! The component has the rules for each setting. They are called here, so that the host refuses a
//! wrong setting at start. Nothing here reads the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use kroger_core::settings::Settings as ComponentSettings;

use super::given::{self, Given};
use super::ignored;
use super::redirect::{self, CALLBACK, base_url, is_named_localhost};
use super::refused::Refused;
use super::store_place::StoreLocation;

/// The settings that a sandbox replaces.
const REPLACED_BY_SANDBOX: [&str; 4] =
    ["KROGER_CLIENT_ID", "KROGER_CLIENT_SECRET", "KROGER_API_BASE_URL", "KROGER_REDIRECT_URI"];

const ORIGINS: &str = "KROGER_ALLOWED_ORIGINS";

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
    /// Checks the given variables by the component's rules.
    ///
    /// # Errors
    /// [`Refused::Settings`] names each setting that cannot be used.
    pub fn new(given: &Given, store: StoreLocation) -> Result<Self, Refused> {
        Self::checked(given.for_component(), store, given.dotenv_path.clone())
    }

    /// Settings for a command that only looks. If a sandbox made the store, they are the settings that
    /// its sign-ins were made with.
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

    /// Settings for the sandbox at `sandbox` and this server, which listens on `own`. Tokens in the
    /// environment or `.env` are not used, and none are written there.
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
        variables.insert("KROGER_REDIRECT_URI".to_owned(), format!("{}{CALLBACK}", base_url(own)));
        Self::checked(variables, store, None)
    }

    /// Warnings for the operator, a sentence each: settings without a meaning, a `.env` that others may
    /// read.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.component.ignored.iter().map(ignored::sentence).collect();
        warnings.extend(self.unserved_redirect());
        if self.env_file.as_deref().is_some_and(others_may_read) {
            warnings.push("others may read .env: chmod 600 .env".to_owned());
        }
        warnings
    }

    /// A sentence if sign-ins return to a path that nobody serves.
    pub fn unserved_redirect(&self) -> Option<String> {
        redirect::unserved(&self.component.redirect_uri)
    }

    /// A sentence if sign-ins return to this machine, but not to `address`, where the server
    /// listens.
    pub fn dead_redirect(&self, address: SocketAddr) -> Option<String> {
        redirect::dead(&self.component.redirect_uri, address)
    }

    /// Allows calls that name `address`, where the server listens. An address that stands for all
    /// addresses of the machine allows nothing.
    #[must_use]
    pub fn listening_on(mut self, address: SocketAddr) -> Self {
        if is_named_localhost(address.ip()) {
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

    /// The names under which the component may open the durable store.
    pub(crate) fn durable_buckets(&self) -> Vec<String> {
        let given = |name: &str| {
            let (_, value) = self.variables.0.iter().find(|(known, _)| known == name)?;
            Some(value.clone())
        };
        ComponentSettings::bucket_names(given)
    }
}

fn others_may_read(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o044 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::store_place::Purpose;

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
