//! Implements [`Ports`] by WASI 0.2. Translates each operation of the core, and decides nothing.

use std::time::Duration;

use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use super::bindings::wasi::random::random;
use super::clock::{monotonic_now, nanos};
use super::instance::instance;
use super::{keyvalue, outgoing};
use kroger_core::Context;
use kroger_core::ports::{Bucket, Event, KeyPage, Ports, Request, Response, SendError, StoreError, Timestamp};
use kroger_core::settings::SettingError;

/// The ports of one call. A bucket is opened at its first use and kept until the call ends.
pub(super) struct Wasi {
    buckets: keyvalue::Buckets,
}

impl Wasi {
    pub(super) fn new() -> Self {
        Self { buckets: keyvalue::Buckets::new(&instance().bucket_names) }
    }
}

impl Ports for Wasi {
    /// Writes one line of JSON to standard error, where hosts look for logs.
    fn log(&self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            eprintln!("{line}");
        }
    }

    fn wall_now(&self) -> Timestamp {
        let now = wall_clock::now();
        Timestamp(now.seconds * 1_000 + u64::from(now.nanoseconds / 1_000_000))
    }

    fn monotonic_now(&self) -> Duration {
        monotonic_now()
    }

    fn sleep(&self, duration: Duration) {
        monotonic_clock::subscribe_duration(nanos(duration)).block();
    }

    fn random_bytes(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&random::get_random_bytes(bytes.len() as u64));
    }

    fn send(&self, request: &Request, timeout: Duration) -> Result<Response, SendError> {
        let settings = instance().settings.as_ref().map_err(|_| SendError::NotSent)?;
        outgoing::send(&settings.api_base_url, request, timeout)
    }

    fn get(&self, bucket: Bucket, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.buckets.get(bucket, key)
    }

    fn read_back(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.buckets.read_back(key)
    }

    fn set(&self, bucket: Bucket, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.buckets.set(bucket, key, value)
    }

    fn delete(&self, bucket: Bucket, key: &str) -> Result<(), StoreError> {
        self.buckets.delete(bucket, key)
    }

    fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError> {
        self.buckets.increment(key, delta)
    }

    fn list_keys(&self, bucket: Bucket, cursor: Option<u64>) -> Result<KeyPage, StoreError> {
        self.buckets.list_keys(bucket, cursor)
    }
}

/// Runs `call` with the settings and with ports of its own. Answers the wrong settings if there are any.
pub(super) fn with_context<T>(call: impl FnOnce(Context<'_>) -> T) -> Result<T, &'static [SettingError]> {
    let settings = instance().settings.as_ref().map_err(Vec::as_slice)?;
    Ok(call(Context { settings, ports: &Wasi::new() }))
}
