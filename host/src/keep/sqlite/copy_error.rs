//! Why a store cannot be copied or restored, in words for the operator.

use std::fmt;

use super::fault::Fault;
use super::open_error::OpenError;

/// Why there is no copy. Names the store and the file as the user gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CopyError {
    /// There is nothing to copy.
    NoStore {
        store: String,
    },
    Store(OpenError),
    /// The backup's file exists already.
    Exists {
        file: String,
    },
    /// The backup's file would lie in the store's directory.
    InTheStore {
        file: String,
    },
    /// The backup's file exists already, and is no backup.
    NotReplaced {
        file: String,
    },
    /// The backup's file cannot be written.
    Target {
        file: String,
        fault: Fault,
    },
    /// The file to restore from is no backup of a store that this version reads.
    NotABackup {
        file: String,
    },
    NewerBackup {
        file: String,
        found: i32,
    },
    /// The file to restore from cannot be read, or is damaged.
    Source {
        file: String,
        fault: Fault,
    },
    /// A server or another program has the store open.
    InUse {
        store: String,
    },
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore { store } => write!(f, "there is no store at {store}; name it with --store"),
            Self::Store(error) => error.fmt(f),
            Self::Exists { file } => {
                write!(f, "{file} is there already; name another file, or replace it with --force")
            }
            Self::InTheStore { file } => {
                write!(f, "{file} is in the store's own directory; name a file elsewhere, best on another disk")
            }
            Self::NotReplaced { file } => {
                write!(f, "{file} is there already, and is not a backup that could be replaced; name another file")
            }
            Self::Target { file, fault: Fault::Full } => {
                write!(f, "{file} cannot be written: its disk is full; name a file on another one")
            }
            Self::Target { file, .. } => {
                write!(f, "{file} cannot be written; name a file in a directory that is there and can be written")
            }
            Self::NotABackup { file } => write!(f, "{file} is not a backup of a store; name a file that `backup` made"),
            Self::NewerBackup { file, found } => write!(
                f,
                "{file} is of a newer version of this program (schema {found}); upgrade this program, then restore"
            ),
            Self::Source { file, fault: Fault::Damaged } => write!(f, "{file} is damaged; take an older backup"),
            Self::Source { file, .. } => write!(f, "{file} cannot be read; name a file that is there and can be read"),
            Self::InUse { store } => {
                write!(f, "the store {store} is in use; stop every kroger-mcp that uses it, then restore")
            }
        }
    }
}

impl std::error::Error for CopyError {}
