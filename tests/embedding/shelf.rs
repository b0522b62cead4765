//! A key-value store in memory, which keeps what it acknowledged.

use std::collections::BTreeMap;

use wasmtime::component::Resource;

use super::bindings::wasi::keyvalue::{atomics, store};

/// The bucket `default`, the only one.
#[derive(Default)]
pub struct Shelf(BTreeMap<String, Vec<u8>>);

/// A handle of the one bucket.
pub struct Bucket;

impl Shelf {
    pub fn keys(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl store::Host for Shelf {
    fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, store::Error> {
        if identifier == "default" { Ok(Resource::new_own(0)) } else { Err(store::Error::NoSuchStore) }
    }
}

impl store::HostBucket for Shelf {
    fn get(&mut self, _: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, store::Error> {
        Ok(self.0.get(&key).cloned())
    }

    fn set(&mut self, _: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), store::Error> {
        self.0.insert(key, value);
        Ok(())
    }

    fn delete(&mut self, _: Resource<Bucket>, key: String) -> Result<(), store::Error> {
        self.0.remove(&key);
        Ok(())
    }

    fn exists(&mut self, _: Resource<Bucket>, key: String) -> Result<bool, store::Error> {
        Ok(self.0.contains_key(&key))
    }

    fn list_keys(&mut self, _: Resource<Bucket>, _: Option<u64>) -> Result<store::KeyResponse, store::Error> {
        Ok(store::KeyResponse { keys: self.keys(), cursor: None })
    }

    fn drop(&mut self, _: Resource<Bucket>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl atomics::Host for Shelf {
    fn increment(&mut self, _: Resource<Bucket>, key: String, delta: u64) -> Result<u64, store::Error> {
        let number = self.0.get(&key).map_or(0, |value| String::from_utf8_lossy(value).parse().unwrap());
        // As with every store of the host, a read creates no key.
        if delta > 0 {
            self.0.insert(key, (number + delta).to_string().into_bytes());
        }
        Ok(number + delta)
    }
}
