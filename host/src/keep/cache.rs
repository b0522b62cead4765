//! The bucket `cache`: values in memory that the guest can have again, shared by all its instances,
//! gone when the host ends.
//!
//! It takes everything and keeps what it has room for: the oldest make room for the newest. It
//! never touches a disk.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::keyvalue::{KEYS_PER_PAGE, KeyPage};

/// The room for keys and values, in bytes.
const ROOM: usize = 16 * 1024 * 1024;

/// What an entry costs besides its key, which is there twice, and its value.
const OVERHEAD: usize = 256;

/// A handle on the one bucket that its clones share.
#[derive(Clone, Default)]
pub(crate) struct Bucket(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    numbers: HashMap<String, u64>,
    /// By the time of writing, the oldest first.
    by_number: BTreeMap<u64, Entry>,
    last_number: u64,
    size: usize,
}

struct Entry {
    key: String,
    value: Vec<u8>,
}

impl Bucket {
    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let entries = self.entries();
        let number = entries.numbers.get(key)?;
        entries.by_number.get(number).map(|entry| entry.value.clone())
    }

    pub(super) fn set(&self, key: &str, value: Vec<u8>) {
        self.entries().set(key, value);
    }

    pub(super) fn delete(&self, key: &str) {
        self.entries().delete(key);
    }

    pub(super) fn list_keys(&self, cursor: Option<u64>) -> KeyPage {
        let after = (Bound::Excluded(cursor.unwrap_or(0)), Bound::Unbounded);
        let entries = self.entries();
        let page = entries.by_number.range(after).take(KEYS_PER_PAGE + 1);
        KeyPage::of(page.map(|(number, entry)| (*number, entry.key.clone())).collect())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn set(&mut self, key: &str, value: Vec<u8>) {
        self.delete(key);
        let entry = Entry { key: key.to_owned(), value };
        self.last_number += 1;
        self.size += entry.size();
        self.numbers.insert(key.to_owned(), self.last_number);
        self.by_number.insert(self.last_number, entry);
        while self.size > ROOM {
            let Some((_, oldest)) = self.by_number.pop_first() else { break };
            self.numbers.remove(&oldest.key);
            self.size -= oldest.size();
        }
    }

    fn delete(&mut self, key: &str) {
        let number = self.numbers.remove(key);
        if let Some(entry) = number.and_then(|number| self.by_number.remove(&number)) {
            self.size -= entry.size();
        }
    }
}

impl Entry {
    fn size(&self) -> usize {
        2 * self.key.len() + self.value.len() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_counts_and_a_deleted_one_is_gone() {
        let bucket = Bucket::default();
        bucket.set("a", vec![1]);
        bucket.set("a", vec![2, 2]);

        assert_eq!(bucket.get("a"), Some(vec![2, 2]));
        bucket.delete("a");
        assert_eq!(bucket.get("a"), None);
        assert_eq!(bucket.entries().size, 0);
    }

    #[test]
    fn the_oldest_make_room_for_the_newest_and_the_size_is_bounded() {
        let bucket = Bucket::default();
        for number in 0..40 {
            bucket.set(&format!("k{number}"), vec![0; 1024 * 1024]);
            assert!(bucket.entries().size <= ROOM);
        }

        assert_eq!(bucket.get("k0"), None);
        assert!(bucket.get("k39").is_some());
        assert_eq!(bucket.list_keys(None).keys.len(), bucket.entries().numbers.len());
        assert!((10..16).contains(&bucket.list_keys(None).keys.len()));
    }
}
