//! Explains why a store cannot be opened, and what the operator can do.

use std::fmt;
use std::io;

use rusqlite::ErrorCode;

use super::fault::Fault;
use crate::files::trusted::Untrusted;

/// The name of the store's file in its directory.
pub(super) const FILE: &str = "store.sqlite3";

/// The version of the newest schema that this program knows. A store has its version in the header's
/// `user_version`.
pub(super) const SCHEMA_VERSION: i32 = 1;

/// Why a store cannot be opened, and what to do next. Names the store as the user gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// A file is in the place of the store's directory. It may be the first system's token file.
    LegacyFile {
        store: String,
    },
    /// The file is not a store. It may be another program's database.
    NotAStore {
        store: String,
    },
    /// A newer version of this program wrote the store.
    NewerSchema {
        store: String,
        found: i32,
    },
    /// The directory is absent, and cannot be made.
    NotMade {
        store: String,
        why: String,
    },
    /// Strangers may write the store.
    Untrusted {
        store: String,
        why: String,
    },
    Failed {
        store: String,
        fault: Fault,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LegacyFile { store } => write!(
                f,
                "{store} is a file, not a directory; if it is the token file of the first system, `kroger-mcp serve` \
                 takes it in, else move it away, or name another store"
            ),
            Self::NotAStore { store } => {
                write!(f, "{FILE} in {store} is not a store of this program; move it away, or name another store")
            }
            Self::NewerSchema { store, found } => write!(
                f,
                "the store {store} was written by a newer version of this program (schema {found}, this version \
                 knows {SCHEMA_VERSION}); upgrade this program, or name another store"
            ),
            Self::NotMade { store, why } => {
                write!(f, "the store {store} cannot be made here: {why}; name a directory that can be")
            }
            Self::Untrusted { store, why } => {
                write!(f, "the store {store} is not used; correct this, or name another store: {why}")
            }
            Self::Failed { store, fault } => write!(f, "cannot open the store {store}: {fault}; {}", remedy(*fault)),
        }
    }
}

impl std::error::Error for OpenError {}

fn remedy(fault: Fault) -> &'static str {
    match fault {
        Fault::Full => "free some space, or name a store on another disk",
        Fault::ReadOnly => "make it writable, or name a store elsewhere",
        Fault::Denied => "give this user read and write access to the directory and the files in it",
        Fault::Locked => "close the program that holds it (a backup, a database browser), then start again",
        Fault::Damaged => "restore it from a backup, or move it away and sign in again",
        Fault::Moved | Fault::LogMoved | Fault::NotErased | Fault::Stopped => "start again",
        Fault::Io | Fault::Unconfirmed => "check the disk, then start again or name a store on another one",
        Fault::Internal => "start again; if it stays, move the store away and sign in again",
    }
}

/// An [`OpenError`] that does not know the store's name yet.
pub(super) enum Obstacle {
    LegacyFile,
    NotAStore,
    NotMade(String),
    Untrusted(Untrusted),
    NewerSchema(i32),
    Fault(Fault),
    Sqlite(rusqlite::Error),
}

impl Obstacle {
    /// Whether another program's lock is in the way.
    ///
    /// A reader that finds the log's index changing too often gets the second code.
    pub(super) fn is_lock(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::FileLockingProtocolFailed))
    }

    pub(super) fn of(self, name: &str) -> OpenError {
        let store = name.to_owned();
        match self {
            Self::LegacyFile => OpenError::LegacyFile { store },
            Self::NotAStore => OpenError::NotAStore { store },
            Self::NotMade(why) => OpenError::NotMade { store, why },
            Self::Untrusted(untrusted) => OpenError::Untrusted { store, why: untrusted.to_string() },
            Self::NewerSchema(found) => OpenError::NewerSchema { store, found },
            Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                OpenError::NotAStore { store }
            }
            Self::Sqlite(error) => OpenError::Failed { store, fault: error.into() },
            Self::Fault(fault) => OpenError::Failed { store, fault },
        }
    }
}

impl From<rusqlite::Error> for Obstacle {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Untrusted> for Obstacle {
    fn from(untrusted: Untrusted) -> Self {
        Self::Untrusted(untrusted)
    }
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Self::Fault(error.into())
    }
}
