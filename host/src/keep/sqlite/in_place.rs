//! Notices when somebody removes, replaces or cuts short a file of the open store.
//!
//! `SQLite` goes on with the files that it has open, whatever lies at their paths. A restart would not
//! find what it writes to them, and another process would not see it. A file that is cut short is
//! worse: this process is killed when it looks at the part that is gone of the log's index, which it
//! maps into its memory.
//!
//! A check just before a use cannot see what happens during the use.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::Fault;

/// Identifies a file, so that a file that replaced it at the same path is noticed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|found| Self::of(&found))
    }

    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Fails with `moved` if another file, or none, is at `path`.
    pub(super) fn check(self, path: &Path, moved: Fault) -> Result<Metadata, Fault> {
        match fs::metadata(path) {
            Ok(found) if Self::of(&found) == self => Ok(found),
            Ok(_) => Err(moved),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(moved),
            Err(error) => Err(error.into()),
        }
    }
}

/// The write-ahead log and its index, as the store's connections have them open.
pub(super) struct LogFiles {
    log_path: PathBuf,
    index_path: PathBuf,
    /// `SQLite` holds no lock on this file, so that closing it drops none.
    log: File,
    log_identity: FileIdentity,
    index_identity: FileIdentity,
    /// The largest size that the index had. `SQLite` never makes it smaller while it is open.
    index_size: AtomicU64,
}

impl LogFiles {
    /// The files beside the store at `file`, or beside the target if that is a link. The caller has a
    /// connection that keeps them open.
    pub(super) fn beside(file: &Path) -> io::Result<Self> {
        let file = fs::canonicalize(file)?;
        let (log_path, index_path) = (with_end(&file, "-wal"), with_end(&file, "-shm"));
        let log = File::open(&log_path)?;
        let log_identity = FileIdentity::of(&log.metadata()?);
        let index = fs::metadata(&index_path)?;
        let (index_identity, index_size) = (FileIdentity::of(&index), AtomicU64::new(index.len()));
        Ok(Self { log_path, index_path, log, log_identity, index_identity, index_size })
    }

    /// Fails if one of the files is not in its place, or if the index was cut short.
    pub(super) fn check(&self) -> Result<(), Fault> {
        self.log_identity.check(&self.log_path, Fault::LogMoved)?;
        let size = self.index_identity.check(&self.index_path, Fault::LogMoved)?.len();
        if size < self.index_size.fetch_max(size, Ordering::Relaxed) {
            return Err(Fault::LogMoved);
        }
        Ok(())
    }

    /// Whether no file is in the place of the log: then no other process can have begun another one.
    pub(super) fn is_log_absent(&self) -> bool {
        matches!(fs::symlink_metadata(&self.log_path), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    pub(super) fn seen(&self) -> io::Result<LogSeen> {
        // The size first: a log that is begun anew after it has another salt.
        let size = self.log.metadata()?.len();
        let mut head = [0; HEAD];
        let has_head = match self.log.read_exact_at(&mut head, 0) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(error),
        };
        Ok(LogSeen { size, head: has_head.then_some(head) })
    }
}

/// The bytes at the start of a log that name it: a mark, and a salt that each new log changes.
const HEAD: usize = 24;

/// The bytes that each log begins with, except for the last bit.
const MARK: [u8; 3] = [0x37, 0x7f, 0x06];

/// The length of a log and its first bytes, at one moment.
#[derive(Clone, Copy, Default)]
pub(super) struct LogSeen {
    size: u64,
    head: Option<[u8; HEAD]>,
}

impl LogSeen {
    /// Whether the log was cut after it was seen as `before`. A log that somebody emptied looks as a
    /// log that `SQLite` emptied.
    pub(super) fn was_cut_since(&self, before: &Self) -> bool {
        self.size > 0 && self.size < before.size && self.head == before.head
    }

    pub(super) fn was_emptied_since(&self, before: &Self) -> bool {
        self.size == 0 && before.size > 0
    }

    /// Whether the log has lost its beginning: it was emptied, and written on behind the hole.
    pub(super) fn lacks_its_beginning(&self) -> bool {
        self.size > 0 && self.head.is_none_or(|head| !head.starts_with(&MARK))
    }
}

/// The path of a file beside `file`.
pub(super) fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(end);
    path.into()
}
