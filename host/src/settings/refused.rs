//! Why the settings cannot be used, in words for the operator.

use std::fmt;
use std::io;

use kroger_core::settings::SettingError;

/// Settings that cannot be used.
#[derive(Debug)]
pub enum Refused {
    /// These, each with what is allowed.
    Settings(Vec<SettingError>),
    /// There is a `.env` file that cannot be read.
    Dotenv(io::ErrorKind),
    /// A setting stands in a line of `.env` that cannot be read.
    MalformedLine { line: usize, name: String },
    /// Strangers may write the `.env` file.
    UntrustedDotenv(String),
    /// A setting in `.env` says where secrets go or who may call, and the credentials are not from
    /// there.
    ForeignSetting { line: usize, name: String, credential: String },
    /// In the value of one setting stands another. The line is that of `.env`.
    Joined { line: Option<usize>, name: String, other: &'static str },
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
            Self::UntrustedDotenv(why) => write!(f, "The file .env is not read: {why}"),
            Self::ForeignSetting { line, name, credential } => write!(
                f,
                "{name} in .env, line {line}, is refused: it says where secrets go or who may call, and {credential} is \
                 in the environment. If you wrote that line, set {name} in the environment too, or put the credentials \
                 into .env; if you did not, remove it, or start in another directory."
            ),
            Self::Joined { line, name, other } => {
                let place =
                    line.map_or_else(|| " in the environment".to_owned(), |line| format!(" in .env, line {line}"));
                write!(
                    f,
                    "The value of {name}{place} holds another setting, {other}; put each setting on a line of its own."
                )
            }
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
