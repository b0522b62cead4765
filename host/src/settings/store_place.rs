//! Where the store lies, and by which name people know it.

use std::path::{Path, PathBuf};

use etcetera::app_strategy::{AppStrategy, AppStrategyArgs, choose_native_strategy};

use super::given::Given;
use super::refused::Refused;

const STORE: &str = ".tokens";
const PLATFORM_STORE: &str = "kroger-mcp data directory";

/// The directory of the store, and the name by which people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLocation {
    /// Where it is; it need not exist yet.
    pub directory: PathBuf,
    /// The name in answers. Never an absolute path: callers must not learn paths of this machine.
    pub name: String,
}

impl StoreLocation {
    /// The directory that the operator named. An absolute path is named by its last part: callers must
    /// not learn paths of this machine.
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
        let Err(error) = crate::files::private_directory::create(&store.directory) else { return Ok(store) };
        let of_platform = Self::of_platform(purpose)?;
        tracing::warn!(
            store = of_platform.path(),
            "{} cannot be made ({error}), so the store is elsewhere",
            store.path()
        );
        Ok(of_platform)
    }

    /// The existing store, for a command that only looks: the named one, or `.tokens` in the working
    /// directory, or the one in the platform's data directory. If there is none, the one that would be
    /// made.
    ///
    /// # Errors
    /// The named directory cannot be a store.
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

    /// Whether `--sandbox` made the store, as its name says.
    pub(super) fn is_a_sandboxes(&self) -> bool {
        self.directory.file_name().is_some_and(|name| name.to_string_lossy().ends_with(OF_SANDBOX))
    }

    fn of_platform(purpose: Purpose) -> Result<Self, Refused> {
        let platform = choose_native_strategy(platform_names()).map_err(|_| Refused::NoHome)?;
        let directory = platform.data_dir().join(purpose.name("store"));
        Ok(Self { directory, name: PLATFORM_STORE.to_owned() })
    }
}

/// The end of the name of a sandbox's store.
const OF_SANDBOX: &str = "-sandbox";

/// The kind of sign-ins that a store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The sign-ins of people at Kroger.
    Kroger,
    /// The sign-ins at a sandbox. They have a store of their own, because Kroger's tokens must not
    /// reach a sandbox.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_called_as_it_was_named_and_never_by_an_absolute_path() {
        assert_eq!(StoreLocation::named("data/tokens").name, "data/tokens");
        assert_eq!(StoreLocation::named("/srv/kroger/tokens").name, "tokens");
    }
}
