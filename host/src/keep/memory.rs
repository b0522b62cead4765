//! Keeps a bucket in memory. All instances of the guest share it, and it ends with the host.
//!
//! It is bounded, and never touches a disk. `rescue` and `cache` are such buckets. `rescue` holds
//! values that the durable store cannot take at the moment; when it is full, it refuses new ones.
//! `cache` forgets its oldest entries.

use std::collections::{BTreeMap, HashMap};
use std::ops;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::keyvalue::{KEYS_PER_PAGE, KeyPage, KeyValueError, incremented};

/// How much a bucket holds, and what it does when it is full.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    /// The most keys.
    pub(super) keys: usize,
    /// The most bytes of all entries, with an [`OVERHEAD`] for each.
    pub(super) bytes: usize,
    pub(super) when_full: WhenFull,
}

/// What a full bucket does with a new entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// Refuses the new entry. An overwritten key keeps its place in the list of keys.
    Refuse,
    /// Drops the oldest entries. An overwritten key counts as the newest.
    DropOldest,
}

/// The bytes of an entry besides its value and its key, which is kept twice.
const OVERHEAD: usize = 256;

/// A handle on one bucket. Its clones share the bucket.
#[derive(Clone)]
pub(crate) struct Bucket(Arc<Inner>);

struct Inner {
    name: &'static str,
    entries: Mutex<Entries>,
    /// Notified of each write.
    written: Notify,
}

struct Entries {
    bound: Bound,
    numbers: HashMap<String, u64>,
    by_number: BTreeMap<u64, Entry>,
    last_number: u64,
    size: usize,
}

struct Entry {
    key: String,
    value: Vec<u8>,
}

impl Bucket {
    /// Makes an empty bucket. Errors call it `name`.
    pub(super) fn new(name: &'static str, bound: Bound) -> Self {
        let entries = Mutex::new(Entries::within(bound));
        Self(Arc::new(Inner { name, entries, written: Notify::new() }))
    }

    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.entries().value(key).map(<[u8]>::to_vec)
    }

    pub(super) fn set(&self, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        self.put(&mut self.entries(), key, value)?;
        self.0.written.notify_one();
        Ok(())
    }

    pub(super) fn delete(&self, key: &str) {
        self.entries().take(key);
    }

    pub(super) fn list_keys(&self, cursor: Option<u64>) -> KeyPage {
        let after = (ops::Bound::Excluded(cursor.unwrap_or(0)), ops::Bound::Unbounded);
        let entries = self.entries();
        let page = entries.by_number.range(after).take(KEYS_PER_PAGE + 1);
        KeyPage::of(page.map(|(number, entry)| (*number, entry.key.clone())).collect())
    }

    pub(super) fn increment(&self, key: &str, delta: u64) -> Result<u64, KeyValueError> {
        let mut entries = self.entries();
        let value = incremented(entries.value(key), delta)?;
        if delta > 0 {
            self.put(&mut entries, key, value.to_string().into_bytes())?;
        }
        Ok(value)
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.entries().numbers.len()
    }

    /// Whether there is no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Resolves after the next write, or at once if there was a write since it last resolved. Only one
    /// task may wait.
    pub(crate) async fn written(&self) {
        self.0.written.notified().await;
    }

    fn put(&self, entries: &mut Entries, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        entries.set(key, value).map_err(|Full| KeyValueError::Other(format!("the bucket {} is full", self.0.name)))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bucket has no room, and nothing was written.
struct Full;

impl Entries {
    fn within(bound: Bound) -> Self {
        Self { bound, numbers: HashMap::new(), by_number: BTreeMap::new(), last_number: 0, size: 0 }
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.by_number.get(self.numbers.get(key)?)
    }

    fn value(&self, key: &str) -> Option<&[u8]> {
        self.entry(key).map(|entry| entry.value.as_slice())
    }

    fn set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Full> {
        let entry = Entry { key: key.to_owned(), value };
        if self.bound.when_full == WhenFull::Refuse && !self.has_room_for(&entry) {
            return Err(Full);
        }
        let number = self.number_for(key);
        self.take(key);
        self.size += entry.size();
        self.numbers.insert(key.to_owned(), number);
        self.by_number.insert(number, entry);
        self.drop_oldest();
        Ok(())
    }

    fn has_room_for(&self, entry: &Entry) -> bool {
        let replaced = self.entry(&entry.key);
        let keys = self.numbers.len() + usize::from(replaced.is_none());
        let size = self.size - replaced.map_or(0, Entry::size) + entry.size();
        keys <= self.bound.keys && size <= self.bound.bytes
    }

    fn number_for(&mut self, key: &str) -> u64 {
        if let (Some(number), WhenFull::Refuse) = (self.numbers.get(key), self.bound.when_full) {
            return *number;
        }
        self.last_number += 1;
        self.last_number
    }

    fn drop_oldest(&mut self) {
        while self.size > self.bound.bytes || self.numbers.len() > self.bound.keys {
            let Some((_, oldest)) = self.by_number.pop_first() else { return };
            self.numbers.remove(&oldest.key);
            self.size -= oldest.size();
        }
    }

    fn take(&mut self, key: &str) {
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

    const ROOM: usize = 16 << 20;

    fn cache() -> Bucket {
        Bucket::new("cache", Bound { keys: usize::MAX, bytes: ROOM, when_full: WhenFull::DropOldest })
    }

    #[test]
    fn the_newest_value_counts_and_a_deleted_one_is_gone() {
        let bucket = cache();
        bucket.set("a", vec![1]).unwrap();
        bucket.set("a", vec![2, 2]).unwrap();

        assert_eq!(bucket.get("a"), Some(vec![2, 2]));
        bucket.delete("a");
        assert_eq!(bucket.get("a"), None);
        assert_eq!(bucket.entries().size, 0);
    }

    #[test]
    fn the_oldest_entries_make_room_for_the_newest_and_the_size_is_bounded() {
        let bucket = cache();
        for number in 0..40 {
            bucket.set(&format!("k{number}"), vec![0; 1 << 20]).unwrap();
            assert!(bucket.entries().size <= ROOM);
        }

        assert_eq!(bucket.get("k0"), None);
        assert!(bucket.get("k39").is_some());
        assert_eq!(bucket.list_keys(None).keys.len(), bucket.len());
        assert!((10..16).contains(&bucket.len()));
    }

    #[test]
    fn a_refused_entry_leaves_the_old_value_in_place() {
        let bucket = Bucket::new("small", Bound { keys: 1, bytes: 1_000, when_full: WhenFull::Refuse });
        bucket.set("a", vec![1]).unwrap();

        assert!(bucket.set("b", vec![2]).is_err());
        assert!(bucket.set("a", vec![0; 1_000]).is_err());
        assert_eq!((bucket.get("a"), bucket.len()), (Some(vec![1]), 1));
    }
}
