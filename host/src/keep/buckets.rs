//! The buckets that the host offers through `wasi:keyvalue`.
//!
//! There are five kinds: durable buckets in a [`sqlite`] store, the volatile [`rescue`] and [`cache`], the
//! [`env_file`] bucket, which is the `.env` file, and the stores that a restore replaced. A write answers only when it is in the file. This
//! module never knows what a value means, and no error text contains a value, a path or SQL.
//!
//! A write that was submitted is done, even if its future is dropped before it answers.

use std::path::PathBuf;

use super::keyvalue::{KeyPage, KeyValueError, check_key, check_value};
use super::memory::{self, Bound, WhenFull};
use super::{env_file, sqlite};

/// The bucket in memory that forgets nothing while the host runs.
pub(crate) const RESCUE: &str = "rescue";

/// The bucket in memory that may forget.
pub(crate) const CACHE: &str = "cache";

/// The bucket that is the `.env` file.
pub(crate) const ENV: &str = "env";

/// The bucket of the stores that a restore replaced and kept.
pub(crate) const REPLACED: &str = "replaced";

/// Bounds the bucket, so that a store that fails for days cannot fill the memory.
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
    /// Offers the buckets `rescue` and `cache`, and the buckets of `store` that `durable` names. Those need
    /// not exist yet.
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

    /// Offers the file at `path` as the bucket `env`, as long as the file exists.
    #[must_use]
    pub(crate) fn with_env_file(mut self, path: PathBuf) -> Self {
        self.env_file = Some(env_file::Bucket::at(path));
        self
    }

    /// Opens the bucket named `identifier`. Fails with [`KeyValueError::NoSuchStore`] if it is not offered.
    pub(crate) fn open(&self, identifier: &str) -> Result<Bucket, KeyValueError> {
        match identifier {
            RESCUE => Ok(Bucket::Rescue(self.rescue.clone())),
            CACHE => Ok(Bucket::Cache(self.cache.clone())),
            ENV => self.open_env_file(),
            REPLACED => self.open_replaced(),
            name if self.durable.iter().any(|offered| offered == name) => Ok(Bucket::Sqlite(self.store.bucket(name))),
            _ => Err(KeyValueError::NoSuchStore),
        }
    }

    /// Fails with [`KeyValueError::NoSuchStore`] if no restore kept a store.
    fn open_replaced(&self) -> Result<Bucket, KeyValueError> {
        let replaced = self.durable.first().map(|name| self.store.replaced(name));
        replaced.filter(sqlite::Replaced::is_there).map(Bucket::Replaced).ok_or(KeyValueError::NoSuchStore)
    }

    fn open_env_file(&self) -> Result<Bucket, KeyValueError> {
        self.env_file
            .as_ref()
            .filter(|bucket| bucket.is_there())
            .map(|bucket| Bucket::Env(bucket.clone()))
            .ok_or(KeyValueError::NoSuchStore)
    }
}

/// An open bucket: a cheap handle. Many handles may share one bucket.
///
/// Every operation refuses a key that does not match `[a-z0-9._-]{1,128}`.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum Bucket {
    Sqlite(sqlite::Bucket),
    Rescue(memory::Bucket),
    Cache(memory::Bucket),
    Env(env_file::Bucket),
    Replaced(sqlite::Replaced),
}

impl Bucket {
    /// The value under `key`. None: the key is absent. A counter's value is its decimal digits.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.get(key).await,
            Self::Rescue(bucket) | Self::Cache(bucket) => Ok(bucket.get(key)),
            Self::Env(bucket) => bucket.get(key).await,
            Self::Replaced(bucket) => bucket.get(key).await,
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
            Self::Replaced(_) => Err(KeyValueError::other("the bucket replaced takes no values")),
        }
    }

    /// Removes `key`. Does nothing if it is absent.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.delete(key).await,
            Self::Rescue(bucket) | Self::Cache(bucket) => {
                bucket.delete(key);
                Ok(())
            }
            Self::Env(bucket) => bucket.delete(key).await,
            Self::Replaced(bucket) => bucket.delete(key).await,
        }
    }

    pub(crate) async fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.exists(key).await,
            Self::Rescue(bucket) | Self::Cache(bucket) => Ok(bucket.get(key).is_some()),
            Self::Env(bucket) => Ok(bucket.get(key).await?.is_some()),
            Self::Replaced(bucket) => Ok(bucket.get(key).await?.is_some()),
        }
    }

    /// Lists up to [`KEYS_PER_PAGE`] keys in the order of their creation, from the first key or from the
    /// cursor of a page.
    ///
    /// A key that exists during the whole listing is listed once, even if other keys are created or deleted
    /// meanwhile.
    pub(crate) async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KeyValueError> {
        match self {
            Self::Sqlite(bucket) => bucket.list_keys(cursor).await,
            Self::Rescue(bucket) | Self::Cache(bucket) => Ok(bucket.list_keys(cursor)),
            Self::Env(bucket) => bucket.list_keys().await,
            Self::Replaced(bucket) => bucket.list_keys(cursor).await,
        }
    }

    /// Adds `delta` to the counter under `key` in one step, and returns its new value. An absent counter
    /// is 0.
    ///
    /// A counter is a value of decimal digits, as in other hosts. A `delta` of 0 only reads. Fails if the
    /// value is no number or the sum exceeds 64 bits. After a failure the value is unchanged.
    pub(crate) async fn increment(&self, key: &str, delta: u64) -> Result<u64, KeyValueError> {
        check_key(key)?;
        match self {
            Self::Sqlite(bucket) => bucket.increment(key, delta).await,
            Self::Rescue(bucket) => bucket.increment(key, delta),
            Self::Cache(_) => Err(KeyValueError::other("the bucket cache keeps no counters")),
            Self::Env(_) => Err(KeyValueError::other("the bucket env keeps no counters")),
            Self::Replaced(_) => Err(KeyValueError::other("the bucket replaced keeps no counters")),
        }
    }
}
