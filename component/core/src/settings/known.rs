//! The table of all settings: their names, defaults and allowed values, and the
//! names of the first system that mean nothing now. Reads no variable.
//!
//! A test holds `docs/settings.md` against this table.

use std::fmt;

use crate::scope::Scope;
use crate::settings::IgnoredReason;
use crate::user::UserId;

/// One environment variable that sets something.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// As an operator would write it. None: the variable may be absent.
    pub(crate) default: Option<&'static str>,
    pub(crate) allowed: Allowed,
    /// True if no message may show the value.
    pub(crate) is_secret: bool,
}

/// The values that a setting may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Allowed {
    /// Those that this phrase describes.
    Described(&'static str),
    /// A whole number in this range, both ends included.
    Number { least: u32, most: u32 },
}

impl Setting {
    /// A setting without a default.
    const fn new(name: &'static str, allowed: &'static str) -> Self {
        let allowed = Allowed::Described(allowed);
        Self { name, default: None, allowed, is_secret: false }
    }

    const fn secret(name: &'static str) -> Self {
        Self { is_secret: true, ..Self::new(name, "printable ASCII without spaces") }
    }

    const fn number(name: &'static str, default: &'static str, least: u32, most: u32) -> Self {
        Self { default: Some(default), allowed: Allowed::Number { least, most }, ..Self::new(name, "") }
    }

    const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Described(phrase) => f.write_str(phrase),
            Self::Number { least, most } => write!(f, "a whole number from {least} to {most}"),
        }
    }
}

const PATH: &str = "a path below the base URL, such as /oauth2/token";
const MODALITY: &str = "PICKUP or DELIVERY";
const MOST_CALLS: u32 = 1_000_000_000;

/// All settings.
pub(crate) static KNOWN: [Setting; 33] = [
    Setting::new("KROGER_CLIENT_ID", "the id of the app's page at developer.kroger.com"),
    Setting::secret("KROGER_CLIENT_SECRET"),
    Setting::new(
        "KROGER_REDIRECT_URI",
        "an http or https URL without user and password, exactly as registered with Kroger",
    )
    .or("http://localhost:9004/auth/callback"),
    Setting::new(
        "KROGER_API_BASE_URL",
        "an https URL without a path, such as https://api.kroger.com; http only for this machine",
    )
    .or("https://api.kroger.com"),
    Setting::new("KROGER_AUTHORIZE_PATH", PATH).or("/v1/connect/oauth2/authorize"),
    Setting::new("KROGER_TOKEN_PATH", PATH).or("/v1/connect/oauth2/token"),
    Setting::new("KROGER_SCOPE", Scope::ALLOWED).or("profile.compact cart.basic:write"),
    Setting::secret("KROGER_USER_ACCESS_TOKEN"),
    Setting::secret("KROGER_USER_REFRESH_TOKEN"),
    Setting::new("KROGER_USER_TOKEN_EXPIRES_AT", "Unix seconds, such as 1755496304"),
    Setting::new("KROGER_HARDCODED_USER_ID", UserId::ALLOWED).or("user_default"),
    Setting::number("KROGER_TOKEN_REFRESH_BUFFER", "300", 10, 86_400),
    Setting::number("KROGER_TOKEN_CHECK_INTERVAL", "60", 1, 3_600),
    Setting::number("KROGER_MAX_REFRESH_RETRIES", "3", 1, 10),
    Setting::number("KROGER_REFRESH_PAUSE", "60", 0, 3_600),
    Setting::new("KROGER_DEFAULT_STORE_ID", "8 letters or digits, such as 01400376"),
    Setting::new("KROGER_DEFAULT_ZIP_CODE", "5 digits"),
    Setting::number("KROGER_DEFAULT_RADIUS_MILES", "10", 1, 100),
    Setting::new("KROGER_DEFAULT_MODALITY", MODALITY).or("PICKUP"),
    Setting::new("KROGER_DEFAULT_FULFILLMENT", MODALITY),
    Setting::new("KROGER_ALLOWED_ORIGINS", "origins separated by commas, such as https://app.example.com"),
    Setting::number("KROGER_RECENT_ADDS_HOURS", "0", 0, 168),
    Setting::number("KROGER_QUOTA_PRODUCTS", "10000", 1, MOST_CALLS),
    Setting::number("KROGER_QUOTA_CART", "5000", 1, MOST_CALLS),
    Setting::number("KROGER_QUOTA_IDENTITY", "5000", 1, MOST_CALLS),
    Setting::number("KROGER_QUOTA_LOCATIONS", "1600", 1, MOST_CALLS),
    Setting::number("KROGER_QUOTA_CHAINS", "1600", 1, MOST_CALLS),
    Setting::number("KROGER_QUOTA_DEPARTMENTS", "1600", 1, MOST_CALLS),
    Setting::number("KROGER_QUOTA_RESERVE_PERCENT", "5", 0, 50),
    // The host reads this, KROGER_LOG and PORT. The core only knows their names, so
    // that it can report a misspelt one.
    Setting::new("KROGER_STORE", "a directory"),
    Setting::new("KROGER_BUCKET", "the name of a key-value bucket").or("default"),
    Setting::new("KROGER_LOG", "a level, or target=level pairs"),
    Setting::new("PORT", "a port"),
];

/// Settings of the first system that mean nothing here, each with the reason.
pub(super) const IGNORED: [(&str, IgnoredReason); 3] = [
    ("KROGER_DEFAULT_DELIVERY_TYPE", IgnoredReason::EachItemSaysIt),
    ("KROGER_FORCE_KROGER_DELIVERY", IgnoredReason::DefaultModalitySaysIt),
    ("KROGER_DEV_MODE", IgnoredReason::SandboxReplacesIt),
];

/// True if `name` is the name of a setting.
pub fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|setting| setting.name == name)
}

/// Finds the setting called `name`.
///
/// # Panics
/// The table has no such setting: the caller's name is misspelt.
pub(super) fn setting(name: &str) -> &'static Setting {
    let found = KNOWN.iter().find(|known| known.name == name);
    found.unwrap_or_else(|| unreachable!("{name} is in the table"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../../docs/settings.md");
    /// The settings whose defaults the host chooses.
    const READ_BY_HOST: [&str; 3] = ["KROGER_STORE", "KROGER_LOG", "PORT"];

    /// The table's rows: the names in the first column, and the second column.
    fn rows() -> Vec<(Vec<&'static str>, &'static str)> {
        let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `"));
        let columns = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
        columns.map(|columns| (in_backticks(columns[0]), columns[1])).collect()
    }

    fn in_backticks(text: &str) -> Vec<&str> {
        text.split('`').skip(1).step_by(2).collect()
    }

    #[test]
    fn the_document_and_the_table_name_the_same_settings() {
        let mut documented: Vec<&str> = rows().into_iter().flat_map(|(names, _)| names).collect();
        let mut known = KNOWN.each_ref().map(|known| known.name);

        documented.sort_unstable();
        known.sort_unstable();

        assert_eq!(documented, known);
    }

    #[test]
    fn the_document_tells_each_default_of_the_core() {
        for (names, defaults) in rows() {
            let defaults: Vec<&str> = defaults.split(", ").map(|default| default.trim_matches('`')).collect();
            for (index, name) in names.into_iter().enumerate() {
                let setting = setting(name);
                let told = defaults.get(index).or(defaults.last()).copied();
                if !READ_BY_HOST.contains(&name) {
                    assert_eq!(told, Some(setting.default.unwrap_or("none")), "{name}");
                }
            }
        }
    }

    #[test]
    fn the_document_names_each_setting_that_is_ignored() {
        for (name, _) in IGNORED {
            assert!(DOCUMENT.contains(&format!("`{name}`")), "{name}");
        }
    }
}
