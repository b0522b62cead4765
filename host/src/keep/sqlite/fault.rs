//! Names the faults of a store, in words for the operator.

use std::fmt;
use std::io;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::keep::keyvalue::KeyValueError;

/// Why the store could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk, or the user's share of it, is full.
    Full,
    ReadOnly,
    /// The permissions keep this process from the file or its directory.
    Denied,
    /// Another program held the file for longer than this process waits.
    Locked,
    Damaged,
    /// The file was removed or replaced while it was open.
    Moved,
    /// The write-ahead log or its index was removed, replaced or cut short while it was open.
    LogMoved,
    /// A value was deleted, and the write-ahead log still has it.
    NotErased,
    /// The disk failed.
    Io,
    /// The disk failed while a write was made durable. The write may or may not be kept.
    Unconfirmed,
    /// Memory ran out, or `SQLite` gave an answer that should not happen.
    Internal,
    /// The store is being closed.
    Stopped,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the store's disk is full; nothing was written",
            Self::ReadOnly => "the store is read-only",
            Self::Denied => "access to the store's files is denied",
            Self::Locked => "the store is locked by another program",
            Self::Damaged => "the store's file is damaged",
            Self::Moved => "the store's file was removed or replaced while it was in use",
            Self::LogMoved => "the store's log was removed, replaced or cut short while it was in use",
            Self::NotErased => {
                "the value is deleted, and its bytes are still in the store's log, because another program reads the \
                 store or the disk is full"
            }
            Self::Io => "the store's disk failed",
            Self::Unconfirmed => "the store's disk failed during a write, which may or may not be kept",
            Self::Internal => "the store failed in an unexpected way",
            Self::Stopped => "the store is closed",
        })
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for KeyValueError {
    fn from(fault: Fault) -> Self {
        Self::Other(fault.to_string())
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        error.sqlite_error().copied().map_or(Self::Internal, of_sqlite)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::of(&error)
    }
}

impl Fault {
    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Io,
        }
    }
}

fn of_sqlite(error: ffi::Error) -> Fault {
    match error.code {
        ErrorCode::DiskFull => Fault::Full,
        ErrorCode::ReadOnly if error.extended_code == ffi::SQLITE_READONLY_DBMOVED => Fault::Moved,
        ErrorCode::ReadOnly => Fault::ReadOnly,
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Fault::Denied,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => Fault::Locked,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Fault::Damaged,
        ErrorCode::SystemIoFailure => Fault::Io,
        _ => Fault::Internal,
    }
}
