//! Where the component meets its host: the generated bindings, the exports,
//! and the [`Ports`] of WASI 0.2. Built for wasm only.
//!
//! It translates and decides nothing. What lasts as long as the instance is
//! here: the settings, and the routes.

mod catalog;
mod incoming;
mod keyvalue;
mod outgoing;
mod typed;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bindings::wasi::clocks::{monotonic_clock, wall_clock};
use bindings::wasi::random::random;

use crate::http::Service;
use kroger_core::Context;
use kroger_core::ports::{Bucket, Event, KeyPage, Ports, Request, Response, SendError, StoreError, Timestamp};
use kroger_core::settings::{SettingError, Settings};

#[expect(unsafe_code, clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "service",
        generate_all,
    });

    use super::Component;

    export!(Component);
}

/// What implements the exports.
struct Component;

/// What an instance is told at its start and keeps.
struct Instance {
    settings: Result<Arc<Settings>, Vec<SettingError>>,
    service: Service,
    /// The names to try for the durable bucket.
    bucket_names: Vec<String>,
}

fn instance() -> &'static Instance {
    static INSTANCE: OnceLock<Instance> = OnceLock::new();
    INSTANCE.get_or_init(|| {
        let settings = Settings::from_variables(std::env::vars()).map(Arc::new);
        Instance {
            service: Service::new(settings.clone()),
            settings,
            bucket_names: Settings::bucket_names(|name| std::env::var(name).ok()),
        }
    })
}

/// The ports for one call: a bucket is opened when it is first needed and kept
/// until the call ends.
struct Wasi {
    buckets: keyvalue::Buckets,
}

impl Wasi {
    fn new() -> Self {
        Self { buckets: keyvalue::Buckets::new(&instance().bucket_names) }
    }
}

/// Gives `call` the settings and ports of its own; where the settings do not
/// parse, answers those that are wrong.
fn with_context<T>(call: impl FnOnce(Context<'_>) -> T) -> Result<T, &'static [SettingError]> {
    let settings = instance().settings.as_ref().map_err(Vec::as_slice)?;
    Ok(call(Context { settings, ports: &Wasi::new() }))
}

fn monotonic_now() -> Duration {
    Duration::from_nanos(monotonic_clock::now())
}

/// Nanoseconds, as WASI counts a duration.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Ports for Wasi {
    /// One line of JSON on standard error, which is where hosts look for logs.
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
