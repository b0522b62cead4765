//! `wasi:keyvalue` for the guest, on the buckets of [`crate::keep`].

use wasmtime::component::Resource;

use crate::keep::{buckets::Bucket, keyvalue::KeyValueError};
use crate::run::component::State;
use crate::run::component::keyvalue::{atomics, store};

/// The outer error is a trap: the guest used a handle it does not have.
type Answer<T> = wasmtime::Result<Result<T, store::Error>>;

impl store::Host for State {
    async fn open(&mut self, identifier: String) -> Answer<Resource<Bucket>> {
        match self.buckets.open(&identifier) {
            Ok(bucket) => Ok(Ok(self.table.push(bucket)?)),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl store::HostBucket for State {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<Option<Vec<u8>>> {
        let bucket = self.table.get(&bucket)?;
        Ok(bucket.get(&key).await.map_err(Into::into))
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Answer<()> {
        let bucket = self.table.get(&bucket)?;
        Ok(bucket.set(&key, value).await.map_err(Into::into))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<()> {
        let bucket = self.table.get(&bucket)?;
        Ok(bucket.delete(&key).await.map_err(Into::into))
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<bool> {
        let bucket = self.table.get(&bucket)?;
        Ok(bucket.exists(&key).await.map_err(Into::into))
    }

    async fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> Answer<store::KeyResponse> {
        let bucket = self.table.get(&bucket)?;
        let page = bucket.list_keys(cursor).await;
        Ok(page.map(|page| store::KeyResponse { keys: page.keys, cursor: page.cursor }).map_err(Into::into))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for State {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Answer<u64> {
        let bucket = self.table.get(&bucket)?;
        Ok(bucket.increment(&key, delta).await.map_err(Into::into))
    }
}

impl From<KeyValueError> for store::Error {
    fn from(error: KeyValueError) -> Self {
        match error {
            KeyValueError::NoSuchStore => Self::NoSuchStore,
            KeyValueError::Other(words) => Self::Other(words),
        }
    }
}
