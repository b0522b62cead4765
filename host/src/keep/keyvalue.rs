//! The rules that all buckets share: for keys, values, pages of keys, counters and errors.
//!
//! This module never knows what a value means, and no error text contains a value, a path or SQL.

use std::fmt;

/// The longest value, in bytes.
pub(crate) const MAX_VALUE: usize = 1024 * 1024;

/// The longest key, in bytes.
pub(crate) const MAX_KEY: usize = 128;

/// The most keys on one page of [`Bucket::list_keys`].
pub(crate) const KEYS_PER_PAGE: usize = 1000;

/// One page of a bucket's keys. `cursor` asks for the next page, and is none on the last page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyPage {
    pub keys: Vec<String>,
    pub cursor: Option<u64>,
}

impl KeyPage {
    /// Makes a page of `entries`, which are sorted by number. If there is a further page, they are one more
    /// than the page holds.
    pub(in crate::keep) fn of(mut entries: Vec<(u64, String)>) -> Self {
        let more = entries.len() > KEYS_PER_PAGE;
        entries.truncate(KEYS_PER_PAGE);
        let cursor = entries.last().map(|(number, _)| *number).filter(|_| more);
        let keys = entries.into_iter().map(|(_, key)| key).collect();
        Self { keys, cursor }
    }
}

/// Why an operation failed, in the form that `wasi:keyvalue` gives the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyValueError {
    NoSuchStore,
    /// A sentence in plain words.
    Other(String),
}

impl KeyValueError {
    pub(in crate::keep) fn other(words: &str) -> Self {
        Self::Other(words.to_owned())
    }
}

impl fmt::Display for KeyValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchStore => f.write_str("there is no such bucket"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for KeyValueError {}

/// Returns the counter `stored` plus `delta`.
pub(in crate::keep) fn incremented(stored: Option<&[u8]>, delta: u64) -> Result<u64, KeyValueError> {
    let current = stored.map_or(Ok(0), counter)?;
    current.checked_add(delta).ok_or_else(|| KeyValueError::other("the counter would exceed 64 bits"))
}

fn counter(stored: &[u8]) -> Result<u64, KeyValueError> {
    std::str::from_utf8(stored)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| KeyValueError::other("the value under this key is not a counter"))
}

pub(super) fn check_key(key: &str) -> Result<(), KeyValueError> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(allowed) {
        return Ok(());
    }
    Err(KeyValueError::other("a key is 1 to 128 of the characters a-z, 0-9, '.', '_' and '-'"))
}

pub(super) fn check_value(value: &[u8]) -> Result<(), KeyValueError> {
    if value.len() <= MAX_VALUE {
        return Ok(());
    }
    Err(KeyValueError::other("a value is at most 1 MiB"))
}
