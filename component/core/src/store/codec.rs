//! How a value is written: JSON with the version of its kind in `schema_version`.
//!
//! The version is written and checked here, so no record carries it and nobody can
//! forget it. A value of a newer version, or one that does not parse, is a failure
//! of the store, never an absence: a caller that took it for absent would spend a
//! token, or send an add, a second time.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Context;
use crate::ports::{Bucket, StoreError};
use crate::store::keys::{Key, Kind};

/// A type whose values are kept under the keys of one kind.
pub(crate) trait Stored: Serialize + DeserializeOwned {
    const KIND: Kind;
    /// The version that this program writes, and the newest that it reads. Raise it
    /// when an older program would misread the new form.
    const VERSION: u32;
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    schema_version: u32,
    #[serde(flatten)]
    value: &'a T,
}

#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

pub(crate) fn encode<T: Stored>(value: &T) -> Vec<u8> {
    serde_json::to_vec(&Versioned { schema_version: T::VERSION, value })
        .expect("records have string keys and no failing parts")
}

pub(crate) fn decode<T: Stored>(bytes: &[u8]) -> Result<T, StoreError> {
    let Version { schema_version } = parse(bytes)?;
    if schema_version > T::VERSION { Err(StoreError::Failed) } else { parse(bytes) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| StoreError::Failed)
}

/// Reads the value of `key`, which must be a key of the value's kind.
pub(crate) fn read<T: Stored>(cx: Context<'_>, bucket: Bucket, key: &str) -> Result<Option<T>, StoreError> {
    debug_assert_eq!(Key::parse(key).map(|key| key.kind()), Some(T::KIND), "{key}");
    cx.ports.get(bucket, key)?.map(|bytes| decode(&bytes)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Mark {
        nonce: u64,
    }

    impl Stored for Mark {
        const KIND: Kind = Kind::Health;
        const VERSION: u32 = 2;
    }

    #[test]
    fn the_version_is_written_first_and_belongs_to_the_kind() {
        assert_eq!(encode(&Mark { nonce: 7 }), br#"{"schema_version":2,"nonce":7}"#);
    }

    #[test]
    fn older_versions_are_read_and_newer_ones_are_failures() {
        let with = |version| decode::<Mark>(format!(r#"{{"schema_version":{version},"nonce":7}}"#).as_bytes());

        assert_eq!([with(1), with(2)], [Ok(Mark { nonce: 7 }), Ok(Mark { nonce: 7 })]);
        assert_eq!(with(3), Err(StoreError::Failed));
    }

    #[test]
    fn a_value_that_does_not_parse_is_a_failure() {
        for broken in [&b""[..], b"{}", br#"{"nonce":7}"#, br#"{"schema_version":1}"#, br#"{"schema_version":1,"#] {
            assert_eq!(decode::<Mark>(broken), Err(StoreError::Failed));
        }
    }
}
