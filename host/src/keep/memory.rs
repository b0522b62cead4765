//! The bucket `rescue`: keys in memory, shared by all instances of the guest, gone when the host
//! ends.
//!
//! It takes what the durable store cannot take at the moment. It never touches a disk.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::keyvalue::{KEYS_PER_PAGE, KeyPage, KeyValueError, incremented};

/// The most keys the bucket takes, so that a store out of order for days cannot fill the memory.
const MAX_KEYS: usize = 10_000;

/// A handle on the one bucket that its clones share.
#[derive(Clone, Default)]
pub(crate) struct Bucket(Arc<Inner>);

#[derive(Default)]
struct Inner {
    entries: Mutex<Entries>,
    /// Told of each write.
    written: Notify,
}

#[derive(Default)]
struct Entries {
    numbers: HashMap<String, u64>,
    by_number: BTreeMap<u64, Entry>,
    last_number: u64,
}

struct Entry {
    key: String,
    value: Vec<u8>,
}

impl Bucket {
    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.entries().get(key).map(<[u8]>::to_vec)
    }

    pub(super) fn set(&self, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        self.entries().set(key, value)?;
        self.0.written.notify_one();
        Ok(())
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.entries().numbers.len()
    }

    /// Whether nothing waits here.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Resolves once something was written since it last did. For one task alone.
    pub(crate) async fn written(&self) {
        self.0.written.notified().await;
    }

    pub(super) fn delete(&self, key: &str) {
        let mut entries = self.entries();
        if let Some(number) = entries.numbers.remove(key) {
            entries.by_number.remove(&number);
        }
    }

    pub(super) fn list_keys(&self, cursor: Option<u64>) -> KeyPage {
        let after = (Bound::Excluded(cursor.unwrap_or(0)), Bound::Unbounded);
        let entries = self.entries();
        let page = entries.by_number.range(after).take(KEYS_PER_PAGE + 1);
        KeyPage::of(page.map(|(number, entry)| (*number, entry.key.clone())).collect())
    }

    pub(super) fn increment(&self, key: &str, delta: u64) -> Result<u64, KeyValueError> {
        let mut entries = self.entries();
        let value = incremented(entries.get(key), delta)?;
        if delta > 0 {
            entries.set(key, value.to_string().into_bytes())?;
        }
        Ok(value)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn get(&self, key: &str) -> Option<&[u8]> {
        let number = self.numbers.get(key)?;
        self.by_number.get(number).map(|entry| entry.value.as_slice())
    }

    fn set(&mut self, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        let number = self.number_of(key)?;
        let key = key.to_owned();
        self.by_number.insert(number, Entry { key, value });
        Ok(())
    }

    fn number_of(&mut self, key: &str) -> Result<u64, KeyValueError> {
        if let Some(number) = self.numbers.get(key) {
            return Ok(*number);
        }
        if self.numbers.len() >= MAX_KEYS {
            return Err(KeyValueError::other("the bucket rescue is full"));
        }
        self.last_number += 1;
        self.numbers.insert(key.to_owned(), self.last_number);
        Ok(self.last_number)
    }
}
