//! The buckets that the host offers through `wasi:keyvalue`.
//!
//! Four kinds: durable ones in a [`sqlite`] store, the volatile [`rescue`] and [`cache`], and the
//! [`env_file`] bucket, which is the `.env` file. A write that has answered is in the file, not on its way
//! there. Nothing here knows what a value means, and no error text carries a value, a path or SQL.
//!
//! A future dropped before it answers does not take its write back: what was submitted is done.

use std::path::PathBuf;

use super::keyvalue::{KeyPage, KeyValueError, check_key, check_value};
use super::memory::{self, Bound, WhenFull};
use super::{env_file, sqlite};

/// The bucket that lives in memory.
pub(crate) const RESCUE: &str = "rescue";

/// The bucket in memory that may forget.
pub(crate) const CACHE: &str = "cache";

/// The bucket that is the `.env` file.
pub(crate) const ENV: &str = "env";

/// So many keys that a store which fails for days cannot fill the memory.
const RESCUE_BOUND: Bound = Bound { keys: 10_000, bytes: usize::MAX, when_full: WhenFull::Refuse };

const CACHE_BOUND: Bound = Bound { keys: usize::MAX, bytes: 16 << 20, when_full: WhenFull::DropOldest };

/// All buckets that a guest may open, shared by all its instances.
pub(crate) struct Buckets {
    store: sqlite::Store,
    durable: Vec<String>,
    rescue: memory::Bucket,
    cache: memory::Bucket,
    env_file: Option<env_file::Bucket>,
}

impl Buckets {
    /// Offers the buckets `rescue` and `cache`, and in `store` the buckets named by `durable`, which need not
    /// exist yet.
    pub(crate) fn new(store: sqlite::Store, durable: impl IntoIterator<Item = String>) -> Self {
        Self {
            store,
            durable: durable.into_iter().collect(),
            rescue: memory::Bucket::new(RESCUE, RESCUE_BOUND),
            cache: memory::Bucket::new(CACHE, CACHE_BOUND),
            env_file: None,
        }
    }

    /// The bucket `rescue` itself.
    pub(crate) fn rescue(&self) -> &memory::Bucket {
        &self.rescue
    }

    /// Offers the file at `path` as the bucket `env`, for as long as there is such a file.
    #[must_use]
    pub(crate) fn with_env_file(mut self, path: PathBuf) -> Self {
        self.env_file = Some(env_file::Bucket::at(path));
        self
    }

    /// Opens the bucket named `identifier`; [`KeyValueError::NoSuchStore`] for any that is not
    /// offered.
    pub(crate) fn open(&self, identifier: &str) -> Result<Bucket, KeyValueError> {
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
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum Bucket {
    Sqlite(sqlite::Bucket),
    Rescue(memory::Bucket),
    Cache(memory::Bucket),
    Env(env_file::Bucket),
}

impl Bucket {
    /// The value under `key`, or none; a counter's value is its decimal digits.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.get(key).await,
            Self::Rescue(bucket) | Self::Cache(bucket) => Ok(bucket.get(key)),
            Self::Env(bucket) => bucket.get(key).await,
        }
    }

    /// Writes `value`, of at most 1 MiB, under `key`.
    pub(crate) async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        check_key(key)?;
        check_value(&value)?;
        match self {
            Self::Sqlite(bucket) => bucket.set(key, value).await,
            Self::Rescue(bucket) | Self::Cache(bucket) => bucket.set(key, value),
            Self::Env(bucket) => bucket.set(key, value).await,
        }
    }

    /// Removes `key`; does nothing if it is absent.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.delete(key).await,
            Self::Rescue(bucket) | Self::Cache(bucket) => {
                bucket.delete(key);
                Ok(())
            }
            Self::Env(bucket) => bucket.delete(key).await,
        }
    }

    pub(crate) async fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.exists(key).await,
            Self::Rescue(bucket) | Self::Cache(bucket) => Ok(bucket.get(key).is_some()),
            Self::Env(bucket) => Ok(bucket.get(key).await?.is_some()),
        }
    }

    /// Up to [`KEYS_PER_PAGE`] keys in the order of their creation, from the first or from a page's
    /// cursor on.
    ///
    /// A key that is there all the while is listed once, whatever is created or deleted meanwhile.
    pub(crate) async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KeyValueError> {
        match self {
            Self::Sqlite(bucket) => bucket.list_keys(cursor).await,
            Self::Rescue(bucket) | Self::Cache(bucket) => Ok(bucket.list_keys(cursor)),
            Self::Env(bucket) => bucket.list_keys().await,
        }
    }

    /// Adds `delta` to the counter under `key` (absent: 0) in one step, and answers with its new
    /// value.
    ///
    /// A counter is a value of decimal digits, as in other hosts. A `delta` of 0 is a read: nothing
    /// is written. Refused for a value that is no number, and for a sum beyond 64 bits; the value
    /// is then unchanged.
    pub(crate) async fn increment(&self, key: &str, delta: u64) -> Result<u64, KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.increment(key, delta).await,
            Self::Rescue(bucket) => bucket.increment(key, delta),
            Self::Cache(_) => Err(KeyValueError::other("the bucket cache keeps no counters")),
            Self::Env(_) => Err(KeyValueError::other("the bucket env keeps no counters")),
        }
    }
}
