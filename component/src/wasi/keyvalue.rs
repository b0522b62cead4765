//! `wasi:keyvalue` for the ports. Opens a bucket at its first use and keeps it for the call. Never repeats an
//! operation.

use std::sync::OnceLock;

use super::bindings::wasi::keyvalue::{atomics, store};
use kroger_core::ports::{Bucket, KeyPage, StoreError};

/// The buckets that one call has opened.
pub(super) struct Buckets {
    /// The names to try for the durable bucket, in order.
    names: &'static [String],
    store: OnceLock<store::Bucket>,
    rescue: OnceLock<store::Bucket>,
    env: OnceLock<store::Bucket>,
    cache: OnceLock<store::Bucket>,
    replaced: OnceLock<store::Bucket>,
}

impl Buckets {
    pub(super) fn new(names: &'static [String]) -> Self {
        Self {
            names,
            store: OnceLock::new(),
            rescue: OnceLock::new(),
            env: OnceLock::new(),
            cache: OnceLock::new(),
            replaced: OnceLock::new(),
        }
    }

    pub(super) fn get(&self, bucket: Bucket, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.bucket(bucket)?.get(key).map_err(sort)
    }

    pub(super) fn read_back(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        open_first(self.names)?.get(key).map_err(sort)
    }

    pub(super) fn set(&self, bucket: Bucket, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.bucket(bucket)?.set(key, value).map_err(sort)
    }

    pub(super) fn delete(&self, bucket: Bucket, key: &str) -> Result<(), StoreError> {
        self.bucket(bucket)?.delete(key).map_err(sort)
    }

    pub(super) fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError> {
        atomics::increment(self.bucket(Bucket::Store)?, key, delta).map_err(sort)
    }

    pub(super) fn list_keys(&self, bucket: Bucket, cursor: Option<u64>) -> Result<KeyPage, StoreError> {
        let page = self.bucket(bucket)?.list_keys(cursor).map_err(sort)?;
        Ok(KeyPage { keys: page.keys, cursor: page.cursor })
    }

    fn bucket(&self, bucket: Bucket) -> Result<&store::Bucket, StoreError> {
        match bucket {
            Bucket::Store => opened(&self.store, || open_first(self.names)),
            Bucket::Rescue => opened(&self.rescue, || store::open("rescue").map_err(sort)),
            Bucket::Env => opened(&self.env, || store::open("env").map_err(sort)),
            Bucket::Cache => opened(&self.cache, || store::open("cache").map_err(sort)),
            Bucket::Replaced => opened(&self.replaced, || store::open("replaced").map_err(sort)),
        }
    }
}

/// Opens a bucket at its first use. Keeps no failure: the next operation tries again.
fn opened(
    kept: &OnceLock<store::Bucket>,
    open: impl FnOnce() -> Result<store::Bucket, StoreError>,
) -> Result<&store::Bucket, StoreError> {
    if kept.get().is_none() {
        let _ = kept.set(open()?);
    }
    kept.get().ok_or(StoreError::Failed)
}

/// Opens the first of `names` that the host knows.
fn open_first(names: &[String]) -> Result<store::Bucket, StoreError> {
    for name in names {
        match store::open(name) {
            Err(store::Error::NoSuchStore) => {}
            other => return other.map_err(sort),
        }
    }
    Err(StoreError::NoSuchBucket)
}

/// Sorts an error. Drops the host's own words, because they may contain a path.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn sort(error: store::Error) -> StoreError {
    match error {
        store::Error::NoSuchStore => StoreError::NoSuchBucket,
        store::Error::AccessDenied | store::Error::Other(_) => StoreError::Failed,
    }
}
