//! Keeps the durable store: named buckets in one `SQLite` file, `store.sqlite3`, in a directory of
//! its own.
//!
//! A write answers when it is committed and flushed to the disk. Every read asks the file, through
//! `SQLite`, so it sees each answered write of this process and of other processes on the same file.
//! Writes wait for one another in `writer`. Reads use connections that cannot write. If somebody
//! removes the file of an open store, the store never creates a new one in its place.

mod copy;
mod copy_error;
mod fault;
mod in_place;
mod open;
mod open_error;
mod reading;
mod replaced;
mod reserve;
pub(crate) mod safe;
mod schema;
mod shrink;
mod writer;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::keyvalue::{KeyPage, KeyValueError, incremented};
pub(crate) use copy::{Existing, backup, is_store, restore, verify};
pub use fault::Fault;
use open::Options;
pub use open_error::OpenError;
use reading::{Readers, entries, exists, value};
pub(crate) use replaced::Replaced;
use writer::{Change, Write, Writer};

/// An open store. Its clones share it. Dropping the last clone waits for the submitted writes.
#[derive(Clone)]
pub(crate) struct Store(Arc<Shared>);

// The readers are dropped first. Then the writer's connection is the last to close, and removes the
// write-ahead log.
struct Shared {
    readers: Readers,
    writer: Writer,
    #[cfg(test)]
    journal: open::Journal,
}

impl Store {
    /// Opens the store in `directory`. Creates the store and the directory if they are absent, so that
    /// only their owner can read them.
    ///
    /// Errors call the store `name`, as the user gave it. Blocks for up to 20 s while another program
    /// holds the file.
    pub(crate) fn open(directory: &Path, name: &str) -> Result<Self, OpenError> {
        Self::open_with(directory, name, Options::default())
    }

    fn open_with(directory: &Path, name: &str, options: Options) -> Result<Self, OpenError> {
        let opened = open::open(directory, name, options)?;
        tracing::debug!(journal = ?opened.journal, "the store is open");
        let location = Arc::new(opened.location);
        Ok(Self(Arc::new(Shared {
            readers: Readers::at(Arc::clone(&location)),
            writer: Writer::start(location, opened.connection, opened.anchor),
            #[cfg(test)]
            journal: opened.journal,
        })))
    }

    /// The bucket `name`. It exists as soon as it has a key.
    pub(crate) fn bucket(&self, name: &str) -> Bucket {
        Bucket { store: self.clone(), name: name.into() }
    }

    /// The bucket `name` of the stores that a restore replaced and kept.
    pub(crate) fn replaced(&self, name: &str) -> Replaced {
        Replaced::beside(self.0.readers.file(), name)
    }

    #[cfg(test)]
    /// How many transactions have been committed. One commit serves all writes that waited for it.
    pub(crate) fn commits(&self) -> u64 {
        self.0.writer.commits()
    }

    async fn write(&self, bucket: &Arc<str>, key: &str, change: Change) -> Result<u64, KeyValueError> {
        let (answer, answered) = oneshot::channel();
        self.0.writer.submit(Write { bucket: Arc::clone(bucket), key: key.to_owned(), change, answer });
        answered.await.unwrap_or_else(|_| Err(Fault::Stopped.into()))
    }

    /// Runs `query` on a connection that cannot write, on a thread that may block: a slow disk delays
    /// its own readers only.
    async fn read<T, Q>(&self, query: Q) -> Result<T, KeyValueError>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let store = self.clone();
        let reading = tokio::task::spawn_blocking(move || store.0.readers.read(query));
        let answer = reading.await.map_err(|_| Fault::Stopped)?;
        if matches!(answer, Err(Fault::LogMoved)) {
            // The writer finds the same, and saves at once what it still has. There is no such key.
            _ = self.write(&Arc::from(""), "", Change::Delete).await;
        }
        Ok(answer?)
    }
}

/// One bucket of a [`Store`].
#[derive(Clone)]
pub(crate) struct Bucket {
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

#[cfg(test)]
mod tests;
