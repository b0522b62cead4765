//! Ports for tests: a store in memory, a clock set by hand, scripted answers of
//! Kroger's, and a record of what was sent and logged. Never sleeps or sends.

pub mod facts;
pub mod hidden;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::ports::{Bucket, Event, KeyPage, Ports, Request, Response, SendError, StoreError, Timestamp};

/// The wall time at which each world begins: 2025-01-18T12:00:00Z.
pub const BEGINNING: Timestamp = Timestamp::from_secs(1_737_201_600);

/// How the durable store of a world behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreMood {
    #[default]
    Good,
    /// Every operation fails.
    Failing,
    /// A bucket that is opened again has lost what was written.
    Forgetful,
}

#[derive(Default)]
pub struct TestWorld {
    state: Mutex<Contents>,
    interruption: Mutex<Option<(Moment, Interruption)>>,
}

type Interruption = Box<dyn FnOnce() + Send>;

/// The moment at which another process acts.
#[derive(PartialEq, Eq)]
enum Moment {
    BeforeRaising(String),
    AfterRaising(String),
    AfterReading(String),
}

/// An answer of Kroger's, and what another process does before it arrives.
struct Scripted {
    meanwhile: Option<Interruption>,
    answer: Result<Response, SendError>,
}

#[derive(Default)]
struct Contents {
    elapsed: Duration,
    buckets: BTreeMap<(&'static str, String), Vec<u8>>,
    counters: BTreeMap<String, u64>,
    mood: StoreMood,
    // A host may lack these buckets.
    has_rescue: bool,
    has_env: bool,
    has_cache: bool,
    answers: VecDeque<Scripted>,
    operations: u64,
    sent: Vec<Request>,
    logged: Vec<Event>,
    drawn: u64,
}

impl TestWorld {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the buckets `rescue`, `replaced` and `env`, which our host has.
    #[must_use]
    pub fn with_optional_buckets(self) -> Self {
        {
            let mut state = self.state();
            state.has_rescue = true;
            state.has_env = true;
        }
        self
    }

    /// Adds the bucket `cache`, which our host has.
    #[must_use]
    pub fn with_cache(self) -> Self {
        self.state().has_cache = true;
        self
    }

    fn state(&self) -> MutexGuard<'_, Contents> {
        self.state.lock().expect("no test panics while it holds the world")
    }

    pub fn set_store_mood(&self, mood: StoreMood) {
        self.state().mood = mood;
    }

    pub fn advance(&self, duration: Duration) {
        self.state().elapsed += duration;
    }

    /// Scripts the next answer. Each serves one request.
    pub fn answer(&self, status: u16, body: impl Into<Vec<u8>>) {
        self.script(Ok(Response { status, retry_after: None, date: None, body: body.into() }));
    }

    /// Scripts the next answer. Another process does `what` before it arrives.
    pub fn answer_while(&self, status: u16, body: impl Into<Vec<u8>>, what: impl FnOnce() + Send + 'static) {
        let answer = Ok(Response { status, retry_after: None, date: None, body: body.into() });
        self.state().answers.push_back(Scripted { meanwhile: Some(Box::new(what)), answer });
    }

    fn script(&self, answer: Result<Response, SendError>) {
        self.state().answers.push_back(Scripted { meanwhile: None, answer });
    }

    /// Scripts the next answer, without a body and with `retry_after`.
    pub fn answer_later(&self, status: u16, retry_after: Option<&str>) {
        let retry_after = retry_after.map(str::to_owned);
        self.script(Ok(Response { status, retry_after, date: None, body: Vec::new() }));
    }

    /// Lets the next request fail with `error`.
    pub fn lose_answer(&self, error: SendError) {
        self.script(Err(error));
    }

    /// Scripts a grant of `access_token`, for 1,800 seconds, and `refresh_token`.
    pub fn answer_with_tokens(&self, access_token: &str, refresh_token: &str) {
        self.answer(
            200,
            format!(
                r#"{{"access_token":"{access_token}","refresh_token":"{refresh_token}","expires_in":1800,"token_type":"bearer"}}"#
            ),
        );
    }

    /// Lets another process do `what` just before the counter `key` is raised.
    pub fn interrupt_before(&self, key: String, what: impl FnOnce() + Send + 'static) {
        self.interrupt_at(Moment::BeforeRaising(key), what);
    }

    /// Lets another process do `what` just after the counter `key` was raised.
    pub fn interrupt_after_raising(&self, key: String, what: impl FnOnce() + Send + 'static) {
        self.interrupt_at(Moment::AfterRaising(key), what);
    }

    /// Lets another process do `what` just after `key` was read, in any bucket.
    pub fn interrupt_after_reading(&self, key: String, what: impl FnOnce() + Send + 'static) {
        self.interrupt_at(Moment::AfterReading(key), what);
    }

    fn interrupt_at(&self, moment: Moment, what: impl FnOnce() + Send + 'static) {
        *self.interruption.lock().expect("no test panics while it interrupts") = Some((moment, Box::new(what)));
    }

    fn interrupt(&self, now: &Moment) {
        let what = self.interruption.lock().expect("no test panics while it interrupts").take_if(|(at, _)| at == now);
        if let Some((_, what)) = what {
            what();
        }
    }

    /// Drops the scripted answers that are left.
    pub fn forget_answers(&self) {
        self.state().answers.clear();
    }

    pub fn has_counter(&self, key: &str) -> bool {
        self.state().counters.contains_key(key)
    }

    /// Raises the counter `key`, as other processes would.
    pub fn increment_by(&self, key: &str, delta: u64) {
        *self.state().counters.entry(key.to_owned()).or_default() += delta;
    }

    pub fn sent(&self) -> Vec<Request> {
        self.state().sent.clone()
    }

    pub fn logged(&self) -> Vec<Event> {
        self.state().logged.clone()
    }

    /// The number of key-value operations so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The keys of the durable store, of records and counters.
    pub fn keys(&self) -> Vec<String> {
        self.list_keys(Bucket::Store, None).expect("the store is good").keys
    }

    /// All values of `bucket`.
    pub fn stored(&self, bucket: Bucket) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        let of_bucket = state.buckets.iter().filter(|((name, _), _)| *name == name_of(bucket));
        of_bucket.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }
}

fn name_of(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Store => "store",
        Bucket::Rescue => "rescue",
        Bucket::Env => "env",
        Bucket::Cache => "cache",
        Bucket::Replaced => "replaced",
    }
}

impl Contents {
    /// Counts a key-value operation, and fails it if the bucket does.
    fn check(&mut self, bucket: Bucket) -> Result<(), StoreError> {
        self.operations += 1;
        match bucket {
            Bucket::Store if self.mood == StoreMood::Failing => Err(StoreError::Failed),
            Bucket::Rescue | Bucket::Replaced if !self.has_rescue => Err(StoreError::NoSuchBucket),
            Bucket::Env if !self.has_env => Err(StoreError::NoSuchBucket),
            Bucket::Cache if !self.has_cache => Err(StoreError::NoSuchBucket),
            _ => Ok(()),
        }
    }
}

impl Ports for TestWorld {
    fn log(&self, event: &Event) {
        self.state().logged.push(event.clone());
    }

    fn wall_now(&self) -> Timestamp {
        BEGINNING + self.state().elapsed
    }

    fn monotonic_now(&self) -> Duration {
        self.state().elapsed
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }

    /// Differs at each call, and is the same in each run.
    fn random_bytes(&self, bytes: &mut [u8]) {
        let mut state = self.state();
        for byte in bytes {
            state.drawn = state.drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.drawn.to_be_bytes()[0];
        }
    }

    fn send(&self, request: &Request, _timeout: Duration) -> Result<Response, SendError> {
        let scripted = {
            let mut state = self.state();
            state.sent.push(request.clone());
            state.answers.pop_front()
        };
        let Some(Scripted { meanwhile, answer }) = scripted else { return Err(SendError::NotSent) };
        if let Some(what) = meanwhile {
            what();
        }
        answer
    }

    fn get(&self, bucket: Bucket, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let found = {
            let mut state = self.state();
            state.check(bucket)?;
            state.buckets.get(&(name_of(bucket), key.to_owned())).cloned()
        };
        self.interrupt(&Moment::AfterReading(key.to_owned()));
        Ok(found)
    }

    fn read_back(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if self.state().mood == StoreMood::Forgetful {
            return Ok(None);
        }
        self.get(Bucket::Store, key)
    }

    fn set(&self, bucket: Bucket, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let mut state = self.state();
        state.check(bucket)?;
        state.buckets.insert((name_of(bucket), key.to_owned()), value.to_owned());
        Ok(())
    }

    fn delete(&self, bucket: Bucket, key: &str) -> Result<(), StoreError> {
        let mut state = self.state();
        state.check(bucket)?;
        state.buckets.remove(&(name_of(bucket), key.to_owned()));
        if bucket == Bucket::Store {
            state.counters.remove(key);
        }
        Ok(())
    }

    fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError> {
        if delta > 0 {
            self.interrupt(&Moment::BeforeRaising(key.to_owned()));
        }
        let raised = {
            let mut state = self.state();
            state.check(Bucket::Store)?;
            if delta == 0 {
                return Ok(state.counters.get(key).copied().unwrap_or(0));
            }
            let counter = state.counters.entry(key.to_owned()).or_default();
            *counter = counter.checked_add(delta).ok_or(StoreError::Failed)?;
            *counter
        };
        self.interrupt(&Moment::AfterRaising(key.to_owned()));
        Ok(raised)
    }

    fn list_keys(&self, bucket: Bucket, _cursor: Option<u64>) -> Result<KeyPage, StoreError> {
        let mut state = self.state();
        state.check(bucket)?;
        let values = state.buckets.keys().filter(|(name, _)| *name == name_of(bucket)).map(|(_, key)| key.clone());
        let counters = state.counters.keys().filter(|_| bucket == Bucket::Store).cloned();
        Ok(KeyPage { keys: values.chain(counters).collect(), cursor: None })
    }
}
