//! The table of all settings: their names, defaults and allowed values, and the
//! names of the first system that mean nothing now. Reads no variable.
//!
//! A test holds `docs/settings.md` against this table.

use std::fmt;

use url::Url;

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
    /// What the value could do for a stranger who chose it.
    role: Role,
}

/// What a setting decides. A stranger may write the `.env` of a folder in which the server is
/// started, and must not steer the operator's secrets by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It is a secret, or the name of one.
    Credential,
    /// It says where secrets go, where they are kept, or who may call.
    Steers,
    /// Neither.
    Harmless,
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
        Self { name, default: None, allowed, role: Role::Harmless }
    }

    const fn secret(name: &'static str) -> Self {
        Self::new(name, "printable ASCII without spaces").with(Role::Credential)
    }

    const fn with(self, role: Role) -> Self {
        Self { role, ..self }
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
    Setting::new("KROGER_CLIENT_ID", "the id of the app's page at developer.kroger.com").with(Role::Credential),
    Setting::secret("KROGER_CLIENT_SECRET"),
    Setting::new(
        "KROGER_REDIRECT_URI",
        "an http or https URL without user and password, exactly as registered with Kroger",
    )
    .or("http://localhost:9004/auth/callback")
    .with(Role::Steers),
    Setting::new(
        "KROGER_API_BASE_URL",
        "an https URL without a path, such as https://api.kroger.com; http only for this machine",
    )
    .or("https://api.kroger.com")
    .with(Role::Steers),
    Setting::new("KROGER_AUTHORIZE_PATH", PATH).or("/v1/connect/oauth2/authorize").with(Role::Steers),
    Setting::new("KROGER_TOKEN_PATH", PATH).or("/v1/connect/oauth2/token").with(Role::Steers),
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
    Setting::new("KROGER_ALLOWED_ORIGINS", "origins separated by commas, such as https://app.example.com")
        .with(Role::Steers),
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
    Setting::new("KROGER_STORE", "a directory").with(Role::Steers),
    Setting::new("KROGER_BUCKET", "the name of a key-value bucket").or("default").with(Role::Steers),
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

/// True if the setting is a secret of the operator or of a user, or belongs to one. The settings that
/// [`steers`] names must come from the same source.
pub fn is_credential(name: &str) -> bool {
    has_role(name, Role::Credential)
}

/// True if the setting says where secrets go, where they are kept, or who may call.
pub fn steers(name: &str) -> bool {
    has_role(name, Role::Steers)
}

fn has_role(name: &str, role: Role) -> bool {
    KNOWN.iter().any(|setting| setting.name == name && setting.role == role)
}

/// Finds a setting that stands in the value of another one: `app1 KROGER_CLIENT_SECRET=hush`. Settings
/// that were written on one line, or joined by `;`, arrive like this.
pub fn another_in(value: &str) -> Option<&'static str> {
    let follows = |name: &str, at: usize| {
        let rest = value[at + name.len()..].trim_start_matches(['\'', '"', ' ', '\t']);
        rest.starts_with(['=', ':'])
    };
    let stands_in =
        |name: &str| name.starts_with("KROGER_") && value.match_indices(name).any(|(at, _)| follows(name, at));
    KNOWN.iter().map(|setting| setting.name).find(|name| stands_in(name))
}

/// The part of an unknown variable's name that may be shown. A secret may follow the name of its
/// setting: `KROGER_CLIENT_SECREThush`.
pub fn showable(name: &str) -> &str {
    let is_credential = |setting: &&Setting| setting.role == Role::Credential && name.starts_with(setting.name);
    KNOWN.iter().find(is_credential).map_or(name, |setting| setting.name)
}

/// True if `value` cannot be a secret, so that a message may show it. Any value may be a secret that
/// was put into the wrong setting.
///
/// Such a value is a number, has at most five characters, or is a URL without a user, a query and long
/// parts.
pub fn is_harmless(value: &str) -> bool {
    const SHORT: usize = 5;

    let is_number = value.len() <= 10 && value.bytes().all(|byte| byte.is_ascii_digit() || b".,+-".contains(&byte));
    let is_short = value.chars().count() <= SHORT && !value.chars().any(char::is_control);
    is_number || is_short || is_harmless_url(value, SHORT)
}

fn is_harmless_url(value: &str, longest: usize) -> bool {
    let Ok(url) = Url::parse(value) else { return false };
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let mut parts = url.path().split('/');
    is_web
        && !value.contains(['@', '?', '#', '=', '`'])
        && !value.contains(char::is_whitespace)
        && parts.all(|part| part.len() <= longest)
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
    fn what_could_send_secrets_elsewhere_or_let_others_call_is_known() {
        let of = |role| -> Vec<&str> {
            KNOWN.iter().filter(|setting| setting.role == role).map(|setting| setting.name).collect()
        };

        assert_eq!(
            of(Role::Credential),
            ["KROGER_CLIENT_ID", "KROGER_CLIENT_SECRET", "KROGER_USER_ACCESS_TOKEN", "KROGER_USER_REFRESH_TOKEN",]
        );
        assert_eq!(
            of(Role::Steers),
            [
                "KROGER_REDIRECT_URI",
                "KROGER_API_BASE_URL",
                "KROGER_AUTHORIZE_PATH",
                "KROGER_TOKEN_PATH",
                "KROGER_ALLOWED_ORIGINS",
                "KROGER_STORE",
                "KROGER_BUCKET",
            ]
        );
        // A new setting has one of these parts in its name, or its author decides which role it has.
        let suspicious = ["URL", "URI", "PATH", "HOST", "ORIGIN", "STORE", "TOKEN", "SECRET", "KEY", "ALLOW", "LISTEN"];
        let harmless = [
            "KROGER_USER_TOKEN_EXPIRES_AT",
            "KROGER_TOKEN_REFRESH_BUFFER",
            "KROGER_TOKEN_CHECK_INTERVAL",
            "KROGER_DEFAULT_STORE_ID",
        ];
        for name in of(Role::Harmless) {
            let is_suspicious = suspicious.iter().any(|part| name.contains(part));
            assert!(!is_suspicious || harmless.contains(&name), "{name}: who is harmed if a stranger chooses it?");
        }
    }

    #[test]
    fn a_setting_in_the_value_of_another_is_found_in_each_form() {
        for (value, found) in [
            ("app1 KROGER_CLIENT_SECRET=hush", Some("KROGER_CLIENT_SECRET")),
            ("app1;KROGER_CLIENT_SECRET=hush", Some("KROGER_CLIENT_SECRET")),
            ("app1,KROGER_CLIENT_SECRET='hush'", Some("KROGER_CLIENT_SECRET")),
            ("app1\rKROGER_CLIENT_SECRET=hush", Some("KROGER_CLIENT_SECRET")),
            ("app1\\nKROGER_CLIENT_SECRET = hush", Some("KROGER_CLIENT_SECRET")),
            ("app1 export KROGER_CLIENT_SECRET=hush", Some("KROGER_CLIENT_SECRET")),
            ("app1 KROGER_CLIENT_SECRET: hush", Some("KROGER_CLIENT_SECRET")),
            ("{\"KROGER_CLIENT_SECRET\": \"hush\"}", Some("KROGER_CLIENT_SECRET")),
            ("KROGER_CLIENT_ID=app1", Some("KROGER_CLIENT_ID")),
            ("app1", None),
            ("KROGER_CLIENT_SECRET", None),
            ("kroger_mcp=debug", None),
            ("https://api.kroger.com", None),
        ] {
            assert_eq!(another_in(value), found, "{value}");
        }
    }

    #[test]
    fn a_value_that_could_be_a_secret_is_not_harmless() {
        for harmless in ["often", "many", "-1", "5m", "1,600", "4294967296", "https://api.kroger.com/v1", ""] {
            assert!(is_harmless(harmless), "{harmless}");
        }
        for secret in [
            "s3cr3t",
            "canary",
            "hush hush",
            "A1b2C3d4E5f6G7h8I9j0",
            "12345678901",
            "https://u:canary@api.kroger.com",
            "https://api.kroger.com/canary",
            "https://api.kroger.com?canary",
            "https://api.kroger.com app canary",
            "ftp://canary",
            "a\u{1b}b",
        ] {
            assert!(!is_harmless(secret), "{secret}");
        }
    }

    #[test]
    fn what_follows_the_name_of_a_secret_is_not_shown() {
        assert_eq!(showable("KROGER_CLIENT_SECREThush"), "KROGER_CLIENT_SECRET");
        assert_eq!(showable("KROGER_CLIENTID"), "KROGER_CLIENTID");
        assert_eq!(showable("KROGER_LOG_LEVEL"), "KROGER_LOG_LEVEL");
    }

    #[test]
    fn the_document_names_each_setting_that_is_ignored() {
        for (name, _) in IGNORED {
            assert!(DOCUMENT.contains(&format!("`{name}`")), "{name}");
        }
    }
}
