//! Everything the core can reach, as one trait.
//!
//! The rules in [`crate`] never touch a socket, a clock or a store: they
//! ask a [`Ports`]. One implementation is for production: the WASI one of the
//! component. The others are for tests, above all the simulated world that tries to
//! break the refresh protocol.
//!
//! No method panics, and none retries. If an answer did not come, a method says that
//! it is unknown, and the core decides what that means.

use std::fmt;
use std::time::Duration;

/// Wall-clock time: milliseconds since the Unix epoch. May step either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// RFC 3339, UTC, whole seconds.
    pub fn readable(self) -> String {
        let at = i64::try_from(self.as_secs()).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        at.map_or_else(|| "beyond the year 9999".to_owned(), |at| at.to_string())
    }

    /// Time from `earlier` to `self`, zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The key-value buckets that the core knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// The durable store: grants, claims, counters.
    Store,
    /// Volatile, shared by the instances of one host: token pairs that could
    /// not be saved. Optional.
    Rescue,
    /// The `.env` file as a bucket with the one key `mirror`. Optional.
    Env,
    /// Volatile, bounded, shared by the instances of one host: answers that
    /// would cost quota to have again. May forget anything. Optional.
    Cache,
    /// The stores that a restore replaced and kept, so that a sign-out deletes the
    /// user's tokens there, too. Optional.
    Replaced,
}

/// An outgoing HTTP request, always to the configured API base URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// Path and query, from the API base URL on: `/v1/cart/add`.
    pub path: String,
    /// Lower-case names.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
}

impl fmt::Debug for Request {
    /// Headers and body carry credentials, so neither is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

/// A complete answer: status line, the headers that the core reads, whole body.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// `Retry-After`, as it was sent.
    pub retry_after: Option<String>,
    /// `Date`, as it was sent: what an HTTP-date `Retry-After` is relative to.
    pub date: Option<String>,
    pub body: Vec<u8>,
}

impl fmt::Debug for Response {
    /// The body of a token response is a secret, so it is never shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why there is no [`Response`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The request never left: name resolution, connect or TLS failure, or the
    /// host's egress rules refused it. Nothing was processed.
    NotSent,
    /// The request may have left, and no complete answer came back: a timeout,
    /// a closed connection, a broken or oversized body. It may have been
    /// processed.
    Unknown,
}

/// Why a key-value operation gave no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// This host does not offer that bucket.
    NoSuchBucket,
    /// The operation failed, or its answer was lost: it may have happened.
    Failed,
}

/// What `list_keys` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    pub keys: Vec<String>,
    /// Where the next page starts; none after the last page.
    pub cursor: Option<u64>,
}

/// Something an operator wants to see in the log. Carries no secret: a user
/// appears as the first characters of the user's key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// One refresh request was decided: sent and answered, or given up.
    Refresh {
        user: String,
        /// What asked for it: `expired`, `due`, `rejected`, `forced`.
        why: &'static str,
        /// An `AttemptOutcome`, [`Event::REFRESHED`] or [`Event::UNSAVED`].
        outcome: &'static str,
        duration_ms: u64,
        /// The ticket under which a new grant was, or would have been, stored.
        ticket: String,
    },
    SignedIn {
        user: String,
        ticket: String,
    },
    Forgotten {
        user: String,
        ticket: String,
    },
    /// A new pair could not be saved; it waits in the rescue bucket.
    Rescued {
        user: String,
        ticket: String,
    },
    /// A cart add was sent, and nobody knows whether it was done.
    AddUnknown {
        user: String,
        items: usize,
    },
    /// Kroger rejects the app's id or secret, and did not before.
    CredentialsRejected,
    /// The store failed in a way that no caller was told of.
    StoreTrouble {
        doing: &'static str,
    },
}

impl Event {
    /// The outcome of a refresh that gave new tokens.
    pub const REFRESHED: &str = "refreshed";
    /// The outcome of a refresh whose new tokens were lost: nothing could store them.
    pub const UNSAVED: &str = "unsaved";
}

/// Everything the core can reach.
pub trait Ports {
    /// Hands `event` to the log.
    fn log(&self, event: &Event);

    fn wall_now(&self) -> Timestamp;

    /// Time since an arbitrary origin, never going back; it may or may not
    /// advance while the machine is suspended.
    fn monotonic_now(&self) -> Duration;

    fn sleep(&self, duration: Duration);

    /// Cryptographically secure random bytes.
    fn random_bytes(&self, bytes: &mut [u8]);

    /// Sends `request` once and waits for the whole answer, `timeout` at most.
    ///
    /// # Errors
    /// [`SendError`] says whether the request may have been processed.
    fn send(&self, request: &Request, timeout: Duration) -> Result<Response, SendError>;

    /// # Errors
    /// [`StoreError`], as for each method below.
    fn get(&self, bucket: Bucket, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Reads `key` of the durable store through a newly opened bucket, which
    /// unmasks a store that forgets its writes.
    ///
    /// # Errors
    /// [`StoreError`].
    fn read_back(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes `value`; durable when it returns, if the bucket is.
    ///
    /// # Errors
    /// [`StoreError::Failed`]: the value may or may not have been written.
    fn set(&self, bucket: Bucket, key: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Removes `key`; an absent key is no error.
    ///
    /// # Errors
    /// [`StoreError`].
    fn delete(&self, bucket: Bucket, key: &str) -> Result<(), StoreError>;

    /// Adds `delta` to the counter `key` of the durable store, which starts at
    /// 0, and answers the new value. Atomic among all callers of the store.
    ///
    /// # Errors
    /// [`StoreError::Failed`]: the counter may or may not have been raised.
    fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError>;

    /// One page of the keys of `bucket`, in an order of the store's own.
    ///
    /// # Errors
    /// [`StoreError`].
    fn list_keys(&self, bucket: Bucket, cursor: Option<u64>) -> Result<KeyPage, StoreError>;
}
