//! Copies of a store: a backup that is made while servers write, and a restored store that is put
//! in place at once.
//!
//! A copy is its owner's alone from its first byte, and is there whole or not at all. What a
//! restore replaces is kept.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::NamedTempFile;

use super::fault::Fault;
use super::open::{
    FILE, Obstacle, OpenError, check_integrity, create_directory, recognise, sync_directory, wait_for_locks,
};

/// How long to wait for another program's lock.
const WAIT: Duration = Duration::from_secs(5);

/// Whether a store is in use shows at once, but for one that is just being closed.
const IN_USE_WAIT: Duration = Duration::from_millis(500);

/// What `backup` does with a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Keep,
    Replace,
}

/// Why there is no copy; the store and the file are named as the user gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyError {
    /// There is nothing to copy.
    NoStore {
        store: String,
    },
    Store(OpenError),
    /// The backup's file is there already.
    Exists {
        file: String,
    },
    /// The backup's file would lie among the store's own.
    InTheStore {
        file: String,
    },
    /// The backup's file is there already, and is something else.
    NotReplaced {
        file: String,
    },
    /// The backup cannot be written there.
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
    /// A server, or some other program, has the store open.
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

/// Whether there is a store in `directory`.
///
/// # Errors
/// That cannot be told: the directory, or one above it, is closed to us.
pub fn is_store(directory: &Path) -> io::Result<bool> {
    match fs::metadata(directory.join(FILE)) {
        Ok(found) => Ok(found.is_file()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Copies the store in `directory` to `target`, as it is at one moment, and answers the copy's size
/// in bytes. Others may read and write the store meanwhile.
pub fn backup(directory: &Path, name: &str, target: &Path, existing: Existing) -> Result<u64, CopyError> {
    if directory.is_file() {
        return Err(CopyError::Store(OpenError::LegacyFile { store: name.to_owned() }));
    }
    let unreadable = |error: io::Error| OpenError::Failed { store: name.to_owned(), fault: error.into() };
    if !is_store(directory).map_err(|error| CopyError::Store(unreadable(error)))? {
        return Err(CopyError::NoStore { store: name.to_owned() });
    }
    let file = target.display().to_string();
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

/// Of what is there already only a backup is ever replaced; a store is none, though it looks like one.
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

/// A backup that was looked into and may be restored.
pub struct Verified {
    connection: Connection,
    file: String,
    /// When its file was written.
    pub made: Option<SystemTime>,
}

/// Looks whether `source` is a whole backup that this version can read.
pub fn verify(source: &Path) -> Result<Verified, CopyError> {
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
        // An empty file is no store yet, and no backup.
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

/// Puts a copy of `backup` in the place of the store in `directory`, which nobody may be using, and
/// answers the name under which the old one is kept.
pub fn restore(backup: &Verified, directory: &Path, name: &str) -> Result<Option<String>, CopyError> {
    let failed = |fault| CopyError::Store(OpenError::Failed { store: name.to_owned(), fault });
    if directory.is_file() {
        return Err(CopyError::Store(OpenError::LegacyFile { store: name.to_owned() }));
    }
    if !directory.is_dir() {
        create_directory(directory).map_err(|error| failed(error.into()))?;
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

/// Where nothing can be written, as on a full disk, a store that was closed is read as it lies.
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

/// Whether nothing of the store is in a log or journal beside it, which is so when whoever had it open
/// has closed it. An empty one may be ours, of the attempt that failed.
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

/// `SQLite` writes into a file that is there and empty, so that its mode is ours.
fn vacuum_into(source: &Connection, target: &Path) -> rusqlite::Result<()> {
    let Some(path) = target.to_str() else { return Err(rusqlite::Error::InvalidPath(target.to_owned())) };
    source.execute("VACUUM INTO ?1", [path]).map(drop)
}

/// A disk that is full is the copy's, damage the store's.
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

/// Holds the store at `file` while nobody else has it open: a write-ahead log can be given up only
/// then. None where it is too damaged to be held.
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

/// Gives the old store a second name, so that there is a store at every moment. What a crash left
/// beside it goes with it: in the new one's company it would be damage.
fn keep(file: &Path) -> io::Result<Option<String>> {
    if !file.exists() {
        return Ok(None);
    }
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let kept = with_end(file, &format!(".replaced-{seconds}"));
    fs::hard_link(file, &kept)?;
    for end in ["-wal", "-shm", "-journal"] {
        match fs::rename(with_end(file, end), with_end(&kept, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(kept.file_name().map(|name| name.to_string_lossy().into_owned()))
}

fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(end);
    path.into()
}

fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::{KeyValueError, Store};
    use super::*;
    use crate::keyvalue::temp_dir::TempDir;
    use crate::keyvalue::tests::wait;

    fn set(store: &Store, key: &str, value: &[u8]) -> Result<(), KeyValueError> {
        wait(store.bucket("b").set(key, value.to_vec()))
    }

    fn value(directory: &Path, key: &str) -> Option<Vec<u8>> {
        wait(Store::open(directory, ".tokens").unwrap().bucket("b").get(key)).unwrap()
    }

    struct Place {
        directory: TempDir,
    }

    impl Place {
        fn new() -> Self {
            Self { directory: TempDir::new() }
        }

        fn store(&self) -> PathBuf {
            self.directory.join("store")
        }

        fn file(&self) -> PathBuf {
            self.directory.join("backup")
        }

        fn open(&self) -> Store {
            Store::open(&self.store(), ".tokens").unwrap()
        }

        fn backup(&self) -> Result<u64, CopyError> {
            backup(&self.store(), ".tokens", &self.file(), Existing::Keep)
        }

        fn restore(&self) -> Result<Option<String>, CopyError> {
            restore(&verify(&self.file())?, &self.store(), ".tokens")
        }
    }

    #[test]
    fn a_backup_of_a_store_in_use_is_its_owners_alone_and_can_be_restored() {
        let place = Place::new();
        let store = place.open();
        set(&store, "k", b"then").unwrap();

        let size = place.backup().unwrap();
        set(&store, "k", b"now").unwrap();
        drop(store);
        let kept = place.restore().unwrap().expect("the old store is kept");

        let mode = fs::metadata(place.file()).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode, size), (0o600, fs::metadata(place.file()).unwrap().len()));
        assert_eq!(value(&place.store(), "k").as_deref(), Some(&b"then"[..]));
        let mode = fs::metadata(place.store().join(FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let old = place.directory.join("old");
        fs::create_dir(&old).unwrap();
        fs::rename(place.store().join(kept), old.join(FILE)).unwrap();
        assert_eq!(value(&old, "k").as_deref(), Some(&b"now"[..]));
    }

    #[test]
    fn a_backup_replaces_an_older_one_only_where_it_is_told_to() {
        let place = Place::new();
        drop(place.open());
        place.backup().unwrap();

        let error = place.backup().unwrap_err();
        assert_eq!(error, CopyError::Exists { file: place.file().display().to_string() });

        backup(&place.store(), ".tokens", &place.file(), Existing::Replace).unwrap();
        assert!(verify(&place.file()).is_ok());
        assert_eq!(fs::read_dir(place.directory.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn a_backup_replaces_nothing_but_a_backup_and_no_store_whatever_it_is_told() {
        let place = Place::new();
        let store = place.open();
        set(&store, "k", b"then").unwrap();
        let other = place.directory.join("other");
        drop(Store::open(&other, "other").unwrap());
        fs::write(place.file(), "KROGER_CLIENT_SECRET=hush").unwrap();
        let replaced = |target: &Path| backup(&place.store(), ".tokens", target, Existing::Replace).unwrap_err();
        let named = |target: &Path| target.display().to_string();

        for inside in ["store.sqlite3", "store.sqlite3-wal", "copy"] {
            let target = place.store().join(inside);
            assert_eq!(replaced(&target), CopyError::InTheStore { file: named(&target) });
        }
        for precious in [place.file(), other.join(FILE)] {
            assert_eq!(replaced(&precious), CopyError::NotReplaced { file: named(&precious) });
        }
        assert_eq!(fs::read(place.file()).unwrap(), b"KROGER_CLIENT_SECRET=hush");
        set(&store, "l", b"still").unwrap();
        drop(store);
        assert_eq!(value(&place.store(), "l").as_deref(), Some(&b"still"[..]));
    }

    #[test]
    fn a_store_in_use_is_not_replaced() {
        let place = Place::new();
        let store = place.open();
        set(&store, "k", b"then").unwrap();
        place.backup().unwrap();
        set(&store, "k", b"now").unwrap();

        assert_eq!(place.restore().unwrap_err(), CopyError::InUse { store: ".tokens".to_owned() });
        set(&store, "l", b"still").unwrap();
        drop(store);

        assert_eq!(value(&place.store(), "k").as_deref(), Some(&b"now"[..]));
        assert_eq!(value(&place.store(), "l").as_deref(), Some(&b"still"[..]));
    }

    #[test]
    fn a_damaged_store_is_replaced_with_all_that_belongs_to_it() {
        let place = Place::new();
        let store = place.open();
        set(&store, "k", b"then").unwrap();
        place.backup().unwrap();
        drop(store);
        fs::write(place.store().join(FILE), "nonsense ".repeat(1_000)).unwrap();
        fs::write(place.store().join("store.sqlite3-wal"), "nonsense").unwrap();

        let kept = place.restore().unwrap().unwrap();

        assert_eq!(value(&place.store(), "k").as_deref(), Some(&b"then"[..]));
        assert!(fs::read_to_string(place.store().join(&kept)).unwrap().starts_with("nonsense"));
        let log = fs::read(place.store().join("store.sqlite3-wal")).unwrap_or_default();
        assert!(!log.starts_with(b"nonsense"), "no log of the damaged store lies beside the new one");
    }

    #[test]
    fn what_is_no_whole_backup_is_refused_and_the_store_stays() {
        let place = Place::new();
        let store = place.open();
        let long = vec![7; 50_000];
        set(&store, "k", &long).unwrap();
        place.backup().unwrap();
        drop(store);
        let whole = fs::read(place.file()).unwrap();
        let name = place.file().display().to_string();
        let mut newer = whole.clone();
        newer[63] = 2;
        let mut damaged = whole.clone();
        damaged[4_096..20_000].fill(0xaa);

        for (bytes, expected) in [
            (&b""[..], CopyError::NotABackup { file: name.clone() }),
            (b"nonsense", CopyError::NotABackup { file: name.clone() }),
            (&newer, CopyError::NewerBackup { file: name.clone(), found: 2 }),
            (&damaged, CopyError::Source { file: name.clone(), fault: Fault::Damaged }),
        ] {
            fs::write(place.file(), bytes).unwrap();
            assert_eq!(place.restore().unwrap_err(), expected);
        }
        assert_eq!(value(&place.store(), "k").as_deref(), Some(&long[..]));
    }

    #[test]
    fn a_store_that_is_not_there_is_not_made_by_a_backup_but_is_by_a_restore() {
        let place = Place::new();
        let store = place.open();
        set(&store, "k", b"then").unwrap();
        place.backup().unwrap();
        drop(store);
        fs::remove_dir_all(place.store()).unwrap();

        let absent = backup(&place.store(), ".tokens", &place.directory.join("other"), Existing::Keep);
        assert_eq!(absent, Err(CopyError::NoStore { store: ".tokens".to_owned() }));
        assert!(!place.store().exists());
        assert_eq!(place.restore(), Ok(None));
        assert_eq!(value(&place.store(), "k").as_deref(), Some(&b"then"[..]));
    }
}
