//! Copies a store: makes a backup while servers write, and puts a restored store in place in one
//! step.
//!
//! Only its owner can read a copy, from its first byte on. A copy is complete or absent. A restore
//! never deletes the store that it replaces.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::NamedTempFile;

use super::copy_error::CopyError;
use super::fault::Fault;
use super::in_place::with_end;
use super::open::{create_directory, sync_directory, wait_for_locks};
use super::open_error::{FILE, Obstacle, OpenError};
use super::replaced::MARK;
use super::safe;
use super::schema::{check_integrity, recognise};

/// How long to wait for another program's lock.
const WAIT: Duration = Duration::from_secs(5);

/// How long to wait for a store that is just being closed. A store in use is noticed at once.
const IN_USE_WAIT: Duration = Duration::from_millis(500);

/// What `backup` does if its target exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Keep,
    Replace,
}

/// Whether `directory` has a store.
///
/// # Errors
/// This process may not read the directory, or a directory above it.
pub(crate) fn is_store(directory: &Path) -> io::Result<bool> {
    match fs::metadata(directory.join(FILE)) {
        Ok(found) => Ok(found.is_file()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Copies the store in `directory` to `target`, as it is at one moment. Returns the copy's size in
/// bytes.
///
/// Other processes may read and write the store meanwhile.
pub(crate) fn backup(directory: &Path, name: &str, target: &Path, existing: Existing) -> Result<u64, CopyError> {
    if directory.is_file() {
        return Err(CopyError::Store(OpenError::LegacyFile { store: name.to_owned() }));
    }
    let unreadable = |error: io::Error| OpenError::Failed { store: name.to_owned(), fault: error.into() };
    if !is_store(directory).map_err(|error| CopyError::Store(unreadable(error)))? {
        return Err(CopyError::NoStore { store: name.to_owned() });
    }
    let file = target.display().to_string();
    safe::check(directory).map_err(|untrusted| CopyError::Store(Obstacle::from(untrusted).of(name)))?;
    check_target(directory, target, existing)?;
    let failed = |fault| CopyError::Target { file: file.clone(), fault };
    let store = |obstacle: Obstacle| CopyError::Store(obstacle.of(name));
    let source = connect(&directory.join(FILE)).map_err(store)?;
    let copy = NamedTempFile::new_in(parent(target)).map_err(|error| failed(error.into()))?;
    vacuum_into(&source, copy.path()).map_err(|error| whose(error, &failed, name))?;
    put(copy, target, existing).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CopyError::Exists { file: file.clone() },
        _ => failed(error.into()),
    })
}

/// Checks that `target` may be written. Only an older backup may be replaced. A store looks like a
/// backup, so its place is checked too, and it is never replaced.
fn check_target(directory: &Path, target: &Path, existing: Existing) -> Result<(), CopyError> {
    let file = || target.display().to_string();
    let is_in = |directory: PathBuf| fs::canonicalize(parent(target)).is_ok_and(|parent| parent.starts_with(directory));
    if fs::canonicalize(directory).is_ok_and(is_in) {
        return Err(CopyError::InTheStore { file: file() });
    }
    if target.symlink_metadata().is_err() {
        return Ok(());
    }
    let is_backup = || target.file_name().is_none_or(|name| name != FILE) && verify(target).is_ok();
    match existing {
        Existing::Keep => Err(CopyError::Exists { file: file() }),
        Existing::Replace if is_backup() => Ok(()),
        Existing::Replace => Err(CopyError::NotReplaced { file: file() }),
    }
}

/// A backup that was checked and may be restored.
pub(crate) struct Verified {
    connection: Connection,
    file: String,
    /// When its file was written.
    pub made: Option<SystemTime>,
}

/// Checks that `source` is a whole backup that this version can read.
pub(crate) fn verify(source: &Path) -> Result<Verified, CopyError> {
    let file = source.display().to_string();
    let unreadable = |fault| CopyError::Source { file: file.clone(), fault };
    let metadata = fs::metadata(source).map_err(|error| unreadable(error.into()))?;
    if !metadata.is_file() {
        return Err(unreadable(Fault::Io));
    }
    let read = || -> Result<Connection, Obstacle> {
        let connection = Connection::open_with_flags(source, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        recognise(&connection)?;
        check_integrity(&connection)?;
        // An empty file counts as a new store, but is no backup.
        connection.query_row("SELECT count(*) FROM entry", (), |row| row.get::<_, i64>(0))?;
        Ok(connection)
    };
    let connection = read().map_err(|obstacle| match obstacle.of("") {
        OpenError::NewerSchema { found, .. } => CopyError::NewerBackup { file: file.clone(), found },
        OpenError::Failed { fault: fault @ (Fault::Damaged | Fault::Denied | Fault::Io), .. } => unreadable(fault),
        _ => CopyError::NotABackup { file: file.clone() },
    })?;
    Ok(Verified { connection, file, made: metadata.modified().ok() })
}

/// Replaces the store in `directory` by a copy of `backup`. Returns the name under which the old
/// store is kept.
///
/// Fails if anybody uses the store.
pub(crate) fn restore(backup: &Verified, directory: &Path, name: &str) -> Result<Option<String>, CopyError> {
    let failed = |fault| CopyError::Store(OpenError::Failed { store: name.to_owned(), fault });
    if directory.is_file() {
        return Err(CopyError::Store(OpenError::LegacyFile { store: name.to_owned() }));
    }
    let check = || safe::check(directory).map_err(|untrusted| CopyError::Store(Obstacle::from(untrusted).of(name)));
    check()?;
    if !directory.is_dir() {
        create_directory(directory).map_err(|error| failed(error.into()))?;
        check()?;
    }
    let new = NamedTempFile::new_in(directory).map_err(|error| failed(error.into()))?;
    vacuum_into(&backup.connection, new.path()).map_err(|error| match Fault::from(error) {
        fault @ Fault::Damaged => CopyError::Source { file: backup.file.clone(), fault },
        fault => failed(fault),
    })?;
    let file = directory.join(FILE);
    let alone = if file.exists() { alone(&file, name)? } else { None };
    let kept = keep(&file).map_err(|error| failed(error.into()))?;
    put(new, &file, Existing::Replace).map_err(|error| failed(error.into()))?;
    drop(alone);
    Ok(kept)
}

/// Opens the store to copy it. If nothing can be written, as on a full disk, it opens a closed store
/// as an immutable file.
fn connect(file: &Path) -> Result<Connection, Obstacle> {
    let shared = || -> Result<Connection, Obstacle> {
        let mut connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        wait_for_locks(&mut connection, WAIT)?;
        recognise(&connection)?;
        Ok(connection)
    };
    match shared() {
        Err(Obstacle::Sqlite(error)) if needs_to_write(&error) && is_closed(file) => immutable(file),
        connected => connected,
    }
}

fn needs_to_write(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
}

/// Whether the store has no content in a log or journal beside it. This is so once every program has
/// closed the store. The failed attempt of this process may have left an empty log or journal.
fn is_closed(file: &Path) -> bool {
    let size = |end| fs::metadata(with_end(file, end)).map_or(0, |found| found.len());
    ["-wal", "-journal"].into_iter().all(|end| size(end) == 0)
}

fn immutable(file: &Path) -> Result<Connection, Obstacle> {
    let mut uri = url::Url::from_file_path(fs::canonicalize(file)?)
        .map_err(|()| io::Error::from(io::ErrorKind::InvalidFilename))?;
    uri.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri.as_str(), flags)?;
    recognise(&connection)?;
    Ok(connection)
}

/// Copies `source` into the file at `target`, which exists and is empty, so that it keeps its mode.
fn vacuum_into(source: &Connection, target: &Path) -> rusqlite::Result<()> {
    let Some(path) = target.to_str() else { return Err(rusqlite::Error::InvalidPath(target.to_owned())) };
    source.execute("VACUUM INTO ?1", [path]).map(drop)
}

/// Tells a fault of the store from a fault of the copy. Damage and locks are the store's fault, and a
/// full disk is the copy's.
fn whose(error: rusqlite::Error, target: &impl Fn(Fault) -> CopyError, name: &str) -> CopyError {
    match Fault::from(error) {
        fault @ (Fault::Damaged | Fault::Locked) => {
            CopyError::Store(OpenError::Failed { store: name.to_owned(), fault })
        }
        fault => target(fault),
    }
}

fn put(copy: NamedTempFile, target: &Path, existing: Existing) -> io::Result<u64> {
    copy.as_file().sync_all()?;
    let put = match existing {
        Existing::Keep => copy.persist_noclobber(target),
        Existing::Replace => copy.persist(target),
    };
    let size = put.map_err(|error| error.error)?.metadata()?.len();
    sync_directory(parent(target))?;
    Ok(size)
}

/// Locks the store at `file`, if nobody else has it open: only then can the write-ahead log be
/// removed. None: the store is too damaged to be locked.
fn alone(file: &Path, name: &str) -> Result<Option<Connection>, CopyError> {
    let hold = || -> rusqlite::Result<Connection> {
        let mut connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        wait_for_locks(&mut connection, IN_USE_WAIT)?;
        connection.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))?;
        connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
        connection.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(connection)
    };
    match hold() {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Ok(None),
        Err(error) => match Fault::from(error) {
            Fault::Damaged => Ok(None),
            Fault::Locked => Err(CopyError::InUse { store: name.to_owned() }),
            fault => Err(CopyError::Store(OpenError::Failed { store: name.to_owned(), fault })),
        },
    }
}

/// Gives the old store a second name, so that a store exists at every moment.
///
/// Renames the log and journal of a crash too: beside the new store they would damage it.
fn keep(file: &Path) -> io::Result<Option<String>> {
    if !file.exists() {
        return Ok(None);
    }
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let kept = with_end(file, &format!("{MARK}{seconds}"));
    fs::hard_link(file, &kept)?;
    for end in ["-wal", "-shm", "-journal"] {
        match fs::rename(with_end(file, end), with_end(&kept, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(kept.file_name().map(|name| name.to_string_lossy().into_owned()))
}

fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
