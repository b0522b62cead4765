//! The durable store: named buckets in one `SQLite` file, `store.sqlite3`, in a directory of its
//! own.
//!
//! An answered write has been committed and flushed to the disk; every read asks the file, through
//! `SQLite`, so it sees each answered write of this process and of others on the same file. Writes
//! wait for one another in `writer`, reads use connections that cannot write. It never creates a
//! file anew in place of one that was removed under it.

mod copy;
mod fault;
mod open;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::oneshot;

use super::{KEYS_PER_PAGE, KeyPage, KeyValueError, incremented};
pub use copy::{CopyError, Existing, Verified, backup, is_store, restore, verify};
pub use fault::Fault;
pub use open::OpenError;
use open::{Journal, Location, Options};
use writer::{Change, Write, Writer};

/// Idle connections kept for reading; more are opened while more reads run at once.
const IDLE_READERS: usize = 8;

/// An open store; its clones share it. The last one to go waits for the writes that were submitted.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

// The readers go first, so that the writer's connection is the last and tidies the write-ahead log
// away.
struct Shared {
    readers: Readers,
    writer: Writer,
    journal: Journal,
}

impl Store {
    /// Opens the store in `directory`, and creates both if they are absent, for their owner alone.
    ///
    /// `name` is what the errors call it: the store as the user gave it. Blocks for up to 20 s
    /// while another program holds the file.
    pub fn open(directory: &Path, name: &str) -> Result<Self, OpenError> {
        Self::open_with(directory, name, Options::default())
    }

    fn open_with(directory: &Path, name: &str, options: Options) -> Result<Self, OpenError> {
        let opened = open::open(directory, name, options)?;
        let location = Arc::new(opened.location);
        Ok(Self(Arc::new(Shared {
            readers: Readers::at(Arc::clone(&location)),
            writer: Writer::start(location, opened.connection),
            journal: opened.journal,
        })))
    }

    /// The bucket `name`, which exists as soon as it has a key.
    pub fn bucket(&self, name: &str) -> Bucket {
        Bucket { store: self.clone(), name: name.into() }
    }

    /// How many transactions have been committed; one commit serves all writes that waited for it.
    pub fn commits(&self) -> u64 {
        self.0.writer.commits()
    }

    async fn write(&self, bucket: &Arc<str>, key: &str, change: Change) -> Result<u64, KeyValueError> {
        let (answer, answered) = oneshot::channel();
        self.0.writer.submit(Write { bucket: Arc::clone(bucket), key: key.to_owned(), change, answer });
        answered.await.unwrap_or_else(|_| Err(Fault::Stopped.into()))
    }

    /// Runs `query` on a connection that cannot write: here, if it cannot be made to wait for a
    /// writer.
    async fn read<T, Q>(&self, query: Q) -> Result<T, KeyValueError>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        if self.0.journal == Journal::WriteAhead {
            return Ok(self.0.readers.read(query)?);
        }
        let store = self.clone();
        let reading = tokio::task::spawn_blocking(move || store.0.readers.read(query));
        Ok(reading.await.map_err(|_| Fault::Stopped)??)
    }
}

/// One bucket of a [`Store`].
#[derive(Clone)]
pub struct Bucket {
    store: Store,
    name: Arc<str>,
}

impl Bucket {
    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        let (bucket, key) = (Arc::clone(&self.name), key.to_owned());
        self.store.read(move |connection| value(connection, &bucket, &key)).await
    }

    pub(super) async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        self.store.write(&self.name, key, Change::Set(value)).await.map(drop)
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.store.write(&self.name, key, Change::Delete).await.map(drop)
    }

    pub(super) async fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        let (bucket, key) = (Arc::clone(&self.name), key.to_owned());
        self.store.read(move |connection| exists(connection, &bucket, &key)).await
    }

    pub(super) async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KeyValueError> {
        let bucket = Arc::clone(&self.name);
        let after = i64::try_from(cursor.unwrap_or(0)).unwrap_or(i64::MAX);
        let entries = self.store.read(move |connection| entries(connection, &bucket, after)).await?;
        Ok(KeyPage::of(entries))
    }

    pub(super) async fn increment(&self, key: &str, delta: u64) -> Result<u64, KeyValueError> {
        if delta == 0 {
            return incremented(self.get(key).await?.as_deref(), 0);
        }
        self.store.write(&self.name, key, Change::Increment(delta)).await
    }
}

fn value(connection: &Connection, bucket: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT value FROM entry WHERE bucket = ?1 AND key = ?2")?
        .query_row((bucket, key), |row| row.get(0))
        .optional()
}

fn exists(connection: &Connection, bucket: &str, key: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM entry WHERE bucket = ?1 AND key = ?2")?.exists((bucket, key))
}

fn entries(connection: &Connection, bucket: &str, after: i64) -> rusqlite::Result<Vec<(u64, String)>> {
    // NOT INDEXED: by number, in their order, rather than by name and then sorted.
    let mut statement = connection.prepare_cached(
        "SELECT number, key FROM entry NOT INDEXED WHERE number > ?2 AND bucket = ?1 ORDER BY number",
    )?;
    let rows = statement.query_map((bucket, after), |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
    rows.take(KEYS_PER_PAGE + 1).collect()
}

struct Readers {
    location: Arc<Location>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn at(location: Arc<Location>) -> Self {
        let idle = Mutex::default();
        Self { location, idle }
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Fault> {
        self.location.check_in_place()?;
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| self.location.connect_for_reading(), Ok)?;
        let answer = query(&connection)?;
        self.keep(connection);
        Ok(answer)
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
