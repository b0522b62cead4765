//! The buckets that the host offers through `wasi:keyvalue`.
//!
//! Four kinds: durable ones in a [`sqlite`] store, the volatile [`rescue`] and [`cache`], and the
//! [`env_file`] bucket, which is the `.env` file. A write that has answered is in the file, not on its way
//! there. Nothing here knows what a value means, and no error text carries a value, a path or SQL.
//!
//! A future dropped before it answers does not take its write back: what was submitted is done.

pub mod cache;
pub mod dotenv;
pub mod env_file;
pub mod rescue;
pub mod sqlite;

use std::fmt;
use std::path::PathBuf;

/// The longest value, in bytes.
pub const MAX_VALUE: usize = 1024 * 1024;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 128;

/// The most keys on one page of [`Bucket::list_keys`].
pub const KEYS_PER_PAGE: usize = 1000;

/// The bucket that lives in memory.
pub const RESCUE: &str = "rescue";

/// The bucket in memory that may forget.
pub const CACHE: &str = "cache";

/// The bucket that is the `.env` file.
pub const ENV: &str = "env";

/// Everything a guest may open, shared by all its instances.
pub struct Buckets {
    store: sqlite::Store,
    durable: Vec<String>,
    rescue: rescue::Bucket,
    cache: cache::Bucket,
    env_file: Option<env_file::Bucket>,
}

impl Buckets {
    /// Offers the buckets `rescue` and `cache`, and in `store` the buckets named by `durable`, which need not
    /// exist yet.
    pub fn new(store: sqlite::Store, durable: impl IntoIterator<Item = String>) -> Self {
        Self {
            store,
            durable: durable.into_iter().collect(),
            rescue: rescue::Bucket::default(),
            cache: cache::Bucket::default(),
            env_file: None,
        }
    }

    /// The bucket `rescue` itself.
    pub fn rescue(&self) -> &rescue::Bucket {
        &self.rescue
    }

    /// Offers the file at `path` as the bucket `env`, for as long as there is such a file.
    #[must_use]
    pub fn with_env_file(mut self, path: PathBuf) -> Self {
        self.env_file = Some(env_file::Bucket::at(path));
        self
    }

    /// Opens the bucket named `identifier`; [`KeyValueError::NoSuchStore`] for any that is not
    /// offered.
    pub fn open(&self, identifier: &str) -> Result<Bucket, KeyValueError> {
        match identifier {
            RESCUE => Ok(Bucket::Rescue(self.rescue.clone())),
            CACHE => Ok(Bucket::Cache(self.cache.clone())),
            ENV => self.open_env_file(),
            name if self.durable.iter().any(|offered| offered == name) => Ok(Bucket::Sqlite(self.store.bucket(name))),
            _ => Err(KeyValueError::NoSuchStore),
        }
    }

    fn open_env_file(&self) -> Result<Bucket, KeyValueError> {
        self.env_file
            .as_ref()
            .filter(|bucket| bucket.is_there())
            .map(|bucket| Bucket::Env(bucket.clone()))
            .ok_or(KeyValueError::NoSuchStore)
    }
}

/// An open bucket: a cheap handle, one of many on the same keys.
///
/// Every operation refuses a key that does not match `[a-z0-9._-]{1,128}`.
#[derive(Clone)]
pub enum Bucket {
    Sqlite(sqlite::Bucket),
    Rescue(rescue::Bucket),
    Cache(cache::Bucket),
    Env(env_file::Bucket),
}

impl Bucket {
    /// The value under `key`, or none; a counter's value is its decimal digits.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.get(key).await,
            Self::Rescue(bucket) => Ok(bucket.get(key)),
            Self::Cache(bucket) => Ok(bucket.get(key)),
            Self::Env(bucket) => bucket.get(key).await,
        }
    }

    /// Writes `value`, of at most 1 MiB, under `key`.
    pub async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        check_key(key)?;
        check_value(&value)?;
        match self {
            Self::Sqlite(bucket) => bucket.set(key, value).await,
            Self::Rescue(bucket) => bucket.set(key, value),
            Self::Cache(bucket) => {
                bucket.set(key, value);
                Ok(())
            }
            Self::Env(bucket) => bucket.set(key, value).await,
        }
    }

    /// Removes `key`; does nothing if it is absent.
    pub async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.delete(key).await,
            Self::Rescue(bucket) => {
                bucket.delete(key);
                Ok(())
            }
            Self::Cache(bucket) => {
                bucket.delete(key);
                Ok(())
            }
            Self::Env(bucket) => bucket.delete(key).await,
        }
    }

    pub async fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.exists(key).await,
            Self::Rescue(bucket) => Ok(bucket.get(key).is_some()),
            Self::Cache(bucket) => Ok(bucket.get(key).is_some()),
            Self::Env(bucket) => Ok(bucket.get(key).await?.is_some()),
        }
    }

    /// Up to [`KEYS_PER_PAGE`] keys in the order of their creation, from the first or from a page's
    /// cursor on.
    ///
    /// A key that is there all the while is listed once, whatever is created or deleted meanwhile.
    pub async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KeyValueError> {
        match self {
            Self::Sqlite(bucket) => bucket.list_keys(cursor).await,
            Self::Rescue(bucket) => Ok(bucket.list_keys(cursor)),
            Self::Cache(bucket) => Ok(bucket.list_keys(cursor)),
            Self::Env(bucket) => bucket.list_keys().await,
        }
    }

    /// Adds `delta` to the counter under `key` (absent: 0) in one step, and answers with its new
    /// value.
    ///
    /// A counter is a value of decimal digits, as in other hosts. A `delta` of 0 is a read: nothing
    /// is written. Refused for a value that is no number, and for a sum beyond 64 bits; the value
    /// is then unchanged.
    pub async fn increment(&self, key: &str, delta: u64) -> Result<u64, KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.increment(key, delta).await,
            Self::Rescue(bucket) => bucket.increment(key, delta),
            Self::Cache(_) => Err(KeyValueError::other("the bucket cache keeps no counters")),
            Self::Env(_) => Err(KeyValueError::other("the bucket env keeps no counters")),
        }
    }
}

/// One page of a bucket's keys; `cursor` asks for the next one, and is none on the last.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    pub keys: Vec<String>,
    pub cursor: Option<u64>,
}

impl KeyPage {
    /// The page of `entries`, which are sorted by number and one more than fit if there is a
    /// further page.
    fn of(mut entries: Vec<(u64, String)>) -> Self {
        let more = entries.len() > KEYS_PER_PAGE;
        entries.truncate(KEYS_PER_PAGE);
        let cursor = entries.last().map(|(number, _)| *number).filter(|_| more);
        let keys = entries.into_iter().map(|(_, key)| key).collect();
        Self { keys, cursor }
    }
}

/// Why an operation failed, as `wasi:keyvalue` tells it to the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValueError {
    NoSuchStore,
    AccessDenied,
    /// A sentence in plain words.
    Other(String),
}

impl KeyValueError {
    fn other(words: &str) -> Self {
        Self::Other(words.to_owned())
    }
}

impl fmt::Display for KeyValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchStore => f.write_str("there is no such bucket"),
            Self::AccessDenied => f.write_str("access to the bucket is denied"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for KeyValueError {}

/// What the counter `stored` becomes by `delta`.
fn incremented(stored: Option<&[u8]>, delta: u64) -> Result<u64, KeyValueError> {
    let current = stored.map_or(Ok(0), counter)?;
    current.checked_add(delta).ok_or_else(|| KeyValueError::other("the counter would exceed 64 bits"))
}

fn counter(stored: &[u8]) -> Result<u64, KeyValueError> {
    std::str::from_utf8(stored)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| KeyValueError::other("the value under this key is not a counter"))
}

fn check_key(key: &str) -> Result<(), KeyValueError> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(allowed) {
        return Ok(());
    }
    Err(KeyValueError::other("a key is 1 to 128 of the characters a-z, 0-9, '.', '_' and '-'"))
}

fn check_value(value: &[u8]) -> Result<(), KeyValueError> {
    if value.len() <= MAX_VALUE {
        return Ok(());
    }
    Err(KeyValueError::other("a value is at most 1 MiB"))
}

#[cfg(test)]
mod temp_dir;

#[cfg(test)]
mod tests;
