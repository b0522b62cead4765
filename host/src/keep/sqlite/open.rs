//! Opens a store: its directory and file, the journal that its filesystem allows, and its schema.
//!
//! Each file gets its mode when it is created. A file that is not a store of this program is never
//! changed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::fault::Fault;
use super::in_place::{FileIdentity, LogFiles};
use super::open_error::{FILE, Obstacle, OpenError};
use super::reserve::Reserve;
use super::safe;
use super::schema::{check_integrity, create_schema, recognise};

/// How long to wait for another program's lock, and two settings that only tests change.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) wait: Duration,
    /// The name of another way of file access that is built into `SQLite`. None: the usual one.
    pub(super) vfs: Option<&'static str>,
    /// How many pages `SQLite` takes the disk to have. None: no limit.
    pub(super) max_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { wait: Duration::from_secs(5), vfs: None, max_pages: None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    /// Readers never wait for a writer.
    WriteAhead,
    /// For a filesystem without shared memory. Readers wait while a commit is written.
    Rollback,
}

pub(super) struct Opened {
    pub(super) location: Location,
    pub(super) connection: Connection,
    /// Keeps the write-ahead log and its index open, so that both stay the same files as long as the
    /// store is open. None: the store has a rollback journal.
    pub(super) anchor: Option<Connection>,
    pub(super) journal: Journal,
}

/// Opens the store in `directory`. Creates the directory and the file if they are absent.
pub(super) fn open(directory: &Path, name: &str, options: Options) -> Result<Opened, OpenError> {
    let named = |obstacle: Obstacle| obstacle.of(name);
    let mut location = place(directory, options).map_err(named)?;
    location.reserve.release_if_full();
    // Nobody waits for an answer yet, so an open waits longer than a write.
    let patience = location.options.wait * 3;
    let (connection, journal) = patiently(patience, || prepare(&location)).map_err(named)?;
    let anchor = match journal {
        Journal::WriteAhead => Some(patiently(patience, || location.hold_log()).map_err(named)?),
        Journal::Rollback => None,
    };
    if anchor.is_some() {
        location.log = Some(LogFiles::beside(&location.file).map_err(|error| named(error.into()))?);
    }
    Ok(Opened { location, connection, anchor, journal })
}

/// Where the store's file is, and how to connect to it.
pub(super) struct Location {
    file: PathBuf,
    /// Whether the file existed before this open.
    was_there: bool,
    identity: FileIdentity,
    /// None: the store has a rollback journal.
    log: Option<LogFiles>,
    pub(super) reserve: Reserve,
    options: Options,
}

impl Location {
    /// Fails if an opened file is no longer at its path, or was cut short. A restart would not find
    /// what is written to such a file.
    pub(super) fn check_in_place(&self) -> Result<(), Fault> {
        self.identity.check(&self.file, Fault::Moved)?;
        self.log.as_ref().map_or(Ok(()), LogFiles::check)
    }

    /// The write-ahead log and its index. None: the store has a rollback journal.
    pub(super) fn log(&self) -> Option<&LogFiles> {
        self.log.as_ref()
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// A connection that has the log and its index open.
    fn hold_log(&self) -> Result<Connection, Obstacle> {
        let connection = self.connect_for_reading()?;
        recognise(&connection)?;
        Ok(connection)
    }

    /// Opens a connection that cannot write.
    ///
    /// It does not use `SQLite`'s read-only flag, because such a connection could not recover the
    /// file after a crash.
    pub(super) fn connect_for_reading(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect()?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    pub(super) fn connect_for_writing(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect()?;
        self.prepare_for_writing(&connection)?;
        Ok(connection)
    }

    fn prepare_for_writing(&self, connection: &Connection) -> rusqlite::Result<()> {
        // FULL: a commit returns only when it is flushed. On macOS a plain flush reaches only the
        // drive's cache.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        // Overwrites deleted values, so that they do not stay in the file.
        connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
        // Lets a new store shrink. An older one needs a VACUUM for that: see `shrink`.
        if connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))? == 0 {
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        if let Some(pages) = self.options.max_pages {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        Ok(())
    }

    /// Opens the file, and never creates it: `SQLite` would choose the mode.
    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = match self.options.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.file, flags, vfs)?,
            None => Connection::open_with_flags(&self.file, flags)?,
        };
        wait_for_locks(&mut connection, self.options.wait)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    }
}

/// Makes `connection` ask for a lock again every millisecond.
///
/// `SQLite`'s own waiting slows down to ten times a second. Beside a process that writes without
/// pause, it never gets the lock.
pub(super) fn wait_for_locks(connection: &mut Connection, wait: Duration) -> rusqlite::Result<()> {
    let mut since = Instant::now();
    connection.busy_handler(Some(move |asked: i32| {
        if asked == 0 {
            since = Instant::now();
        }
        thread::sleep(Duration::from_millis(1));
        since.elapsed() < wait
    }))
}

/// Creates the directory and an empty file if they are absent, so that only their owner can read
/// them. Refuses a place that strangers may write.
fn place(directory: &Path, options: Options) -> Result<Location, Obstacle> {
    safe::check(directory)?;
    match fs::metadata(directory) {
        Ok(metadata) if metadata.is_file() => return Err(Obstacle::LegacyFile),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_directory(directory).map_err(|error| not_made(&error))?;
        }
        Err(error) => return Err(not_made(&error)),
    }
    let file = fs::canonicalize(directory)?.join(FILE);
    let was_there = file.try_exists()?;
    if !was_there {
        create_file(&file)?;
    }
    // Again: another user may have made one of them since.
    safe::check(directory)?;
    safe::close_to_others(&file);
    Ok(Location {
        identity: FileIdentity::at(&file)?,
        was_there,
        log: None,
        reserve: Reserve::beside(&file),
        file,
        options,
    })
}

/// Explains why the directory cannot be made. Some places cannot have files, such as `/proc`.
fn not_made(error: &io::Error) -> Obstacle {
    match Fault::of(error) {
        Fault::Io => Obstacle::NotMade(error.to_string()),
        fault => Obstacle::Fault(fault),
    }
}

pub(super) fn create_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let created = fs::canonicalize(directory)?;
    created.parent().map_or(Ok(()), sync_directory)
}

/// Creates the file, and never opens an existing one: closing it again would drop the locks that
/// this process has on the store.
fn create_file(file: &Path) -> io::Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    match created {
        Ok(_) => file.parent().map_or(Ok(()), sync_directory),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Repeats `attempt` while another program holds the lock, because `SQLite` does not wait for some
/// of its locks.
fn patiently<T>(wait: Duration, attempt: impl Fn() -> Result<T, Obstacle>) -> Result<T, Obstacle> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(obstacle) if obstacle.is_lock() && start.elapsed() < wait => thread::sleep(Duration::from_millis(5)),
            result => return result,
        }
    }
}

fn prepare(location: &Location) -> Result<(Connection, Journal), Obstacle> {
    let (mut connection, journal) =
        unless_refused_for_good(|| with_write_ahead_log(location), || with_rollback_journal(location))?;
    check_integrity(&connection)?;
    if create_schema(&mut connection)? && location.was_there {
        tracing::warn!(
            file = %location.file.display(),
            "the store's file was empty, and a new store is made in it; where people had signed in, something emptied \
             it: restore a backup (kroger-mcp restore), or they sign in again"
        );
    }
    Ok((connection, journal))
}

/// Runs `otherwise` if shared memory is refused again and again.
///
/// A filesystem without shared memory refuses it each time. A machine that is short of resources
/// refuses it once, and then the log must stay, because other processes use it.
fn unless_refused_for_good<T>(
    attempt: impl Fn() -> Result<T, Obstacle>,
    otherwise: impl FnOnce() -> Result<T, Obstacle>,
) -> Result<T, Obstacle> {
    const REFUSALS: u32 = 4;

    for _ in 0..REFUSALS {
        match attempt() {
            Err(Obstacle::Sqlite(error)) if refuses_shared_memory(&error) => thread::sleep(Duration::from_millis(5)),
            result => return result,
        }
    }
    otherwise()
}

fn with_write_ahead_log(location: &Location) -> Result<(Connection, Journal), Obstacle> {
    let connection = location.connect()?;
    // If SQLite may not write a file, it opens the file for reading only, without an error.
    if connection.is_readonly("main")? {
        return Err(Obstacle::Fault(Fault::ReadOnly));
    }
    location.prepare_for_writing(&connection)?;
    recognise(&connection)?;
    if journal_mode(&connection, "wal")? != "wal" {
        return Ok((connection, Journal::Rollback));
    }
    // The first read opens the log and its shared memory.
    recognise(&connection)?;
    Ok((connection, Journal::WriteAhead))
}

/// Opens the store with a rollback journal, and converts a store that has a write-ahead log.
///
/// Without shared memory, only a connection that locks out all others can convert it.
fn with_rollback_journal(location: &Location) -> Result<(Connection, Journal), Obstacle> {
    let mut alone = location.connect()?;
    // This fails while other processes use the log. Then the caller tries shared memory again.
    wait_for_locks(&mut alone, location.options.wait.min(Duration::from_millis(100)))?;
    alone.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
    location.prepare_for_writing(&alone)?;
    recognise(&alone)?;
    journal_mode(&alone, "delete")?;
    drop(alone);
    Ok((location.connect_for_writing()?, Journal::Rollback))
}

fn journal_mode(connection: &Connection, mode: &str) -> rusqlite::Result<String> {
    connection.pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))
}

fn refuses_shared_memory(error: &rusqlite::Error) -> bool {
    let shared_memory =
        [ffi::SQLITE_IOERR_SHMOPEN, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_SHMLOCK, ffi::SQLITE_IOERR_SHMMAP];
    error.sqlite_error_code() == Some(ErrorCode::CannotOpen)
        || error.sqlite_extended_error_code().is_some_and(|code| shared_memory.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::Cell;

    fn failure(code: i32) -> Obstacle {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    /// An attempt that fails `times` times, then succeeds.
    fn failing(times: u32, code: i32) -> impl Fn() -> Result<Journal, Obstacle> {
        let left = Cell::new(times);
        move || match left.get() {
            0 => Ok(Journal::WriteAhead),
            more => {
                left.set(more - 1);
                Err(failure(code))
            }
        }
    }

    #[test]
    fn an_open_waits_for_every_kind_of_lock_and_for_nothing_else() {
        let patience = Duration::from_secs(10);
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_RECOVERY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_PROTOCOL] {
            assert!(patiently(patience, failing(3, code)).is_ok(), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_FULL, ffi::SQLITE_READONLY, ffi::SQLITE_CANTOPEN] {
            assert!(patiently(patience, failing(1, code)).is_err(), "{code}");
        }
    }

    #[test]
    fn one_refusal_of_shared_memory_does_not_remove_the_log() {
        let otherwise = || Ok(Journal::Rollback);
        for code in [ffi::SQLITE_CANTOPEN, ffi::SQLITE_IOERR_SHMMAP, ffi::SQLITE_IOERR_SHMOPEN] {
            let once = unless_refused_for_good(failing(1, code), otherwise);
            let always = unless_refused_for_good(failing(u32::MAX, code), otherwise);

            assert!(matches!(once, Ok(Journal::WriteAhead)), "{code}");
            assert!(matches!(always, Ok(Journal::Rollback)), "{code}");
        }
    }
}
