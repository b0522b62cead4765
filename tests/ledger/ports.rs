//! The ports of one call: a clock that is set by hand, a store that two calls share,
//! and a Kroger that answers adds in one way.
//!
//! Each operation stops before it takes effect, so that the other call can have its
//! turn. Nothing here knows what the ledger promises.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use corosensei::Yielder;
use kroger_connector::ports::{Bucket, Event, KeyPage, Ports, Request, Response, SendError, StoreError, Timestamp};

/// Longer than any lease.
const LONG: Duration = Duration::from_secs(40);
/// An owner sends within this of its claim, or not at all.
const CLAIM_LIFE: Duration = Duration::from_secs(2);

/// What Kroger makes of each add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KrogerBehavior {
    Adds,
    /// It is added, and the answer is lost.
    LosesAnswers,
    /// It is lost on the way there.
    LosesRequests,
    FailsAfterAdding,
    /// The first add is turned away, which is worth another try.
    IsBusyOnce,
    IsNotReachedOnce,
    Refuses,
}

pub(crate) const BEHAVIORS: [KrogerBehavior; 7] = [
    KrogerBehavior::Adds,
    KrogerBehavior::LosesAnswers,
    KrogerBehavior::LosesRequests,
    KrogerBehavior::FailsAfterAdding,
    KrogerBehavior::IsBusyOnce,
    KrogerBehavior::IsNotReachedOnce,
    KrogerBehavior::Refuses,
];

#[derive(Clone, Default)]
pub(crate) struct SharedState {
    values: BTreeMap<String, Vec<u8>>,
    counters: BTreeMap<String, u64>,
    pub(crate) elapsed: Duration,
    adds_received: usize,
    /// The calls whose add Kroger processed.
    pub(crate) added_by: Vec<usize>,
    /// Adds that were sent long after their claim, the clocks being right.
    pub(crate) late: Vec<usize>,
}

/// What the scheduler knows of one call.
#[derive(Default)]
pub(crate) struct CallProgress {
    pub(crate) wakes_at: Cell<Duration>,
    /// Until the other has ended.
    pub(crate) is_stopped: Cell<bool>,
    /// What its clocks have missed.
    pub(crate) missed: Cell<Duration>,
    claimed_at: Cell<Duration>,
    is_about_to_send: Cell<bool>,
}

impl CallProgress {
    pub(crate) fn stop(&self, shared: &RefCell<SharedState>) {
        self.is_stopped.set(true);
        shared.borrow_mut().elapsed += LONG;
    }
}

pub(crate) struct SteppedPorts<'a> {
    pub(crate) shared: &'a RefCell<SharedState>,
    pub(crate) progress: &'a CallProgress,
    pub(crate) number: usize,
    pub(crate) kroger: KrogerBehavior,
    pub(crate) yielder: Option<&'a Yielder<(), ()>>,
}

impl SteppedPorts<'_> {
    /// Others may have their turn, before what is asked for happens.
    fn step(&self) {
        if let Some(yielder) = self.yielder {
            yielder.suspend(());
        }
    }

    fn now(&self) -> Duration {
        self.shared.borrow().elapsed.saturating_sub(self.progress.missed.get())
    }

    fn answer(&self) -> (bool, Result<Response, SendError>) {
        let status = |status| Ok(Response { status, retry_after: None, date: None, body: Vec::new() });
        let is_first = self.shared.borrow().adds_received == 1;
        match self.kroger {
            KrogerBehavior::LosesAnswers => (true, Err(SendError::Unknown)),
            KrogerBehavior::LosesRequests => (false, Err(SendError::Unknown)),
            KrogerBehavior::FailsAfterAdding => (true, status(500)),
            KrogerBehavior::IsBusyOnce if is_first => (false, status(503)),
            KrogerBehavior::IsNotReachedOnce if is_first => (false, Err(SendError::NotSent)),
            KrogerBehavior::Refuses => {
                let body = br#"{"code":"API-4101-400","reason":"Cannot parse parameters"}"#.to_vec();
                (false, Ok(Response { status: 400, retry_after: None, date: None, body }))
            }
            KrogerBehavior::Adds | KrogerBehavior::IsBusyOnce | KrogerBehavior::IsNotReachedOnce => (true, status(204)),
        }
    }
}

impl Ports for SteppedPorts<'_> {
    fn log(&self, _event: &Event) {}

    fn wall_now(&self) -> Timestamp {
        self.step();
        self.progress.is_about_to_send.set(false);
        Timestamp::from_secs(1_737_201_600) + self.now()
    }

    fn monotonic_now(&self) -> Duration {
        self.step();
        let now = self.now();
        // The last look before a send, and nothing stands between the two.
        self.progress.is_about_to_send.set(true);
        now
    }

    fn sleep(&self, duration: Duration) {
        if self.yielder.is_none() {
            self.shared.borrow_mut().elapsed += duration;
        }
        self.progress.wakes_at.set(self.shared.borrow().elapsed + duration);
        self.step();
    }

    fn random_bytes(&self, bytes: &mut [u8]) {
        bytes.fill(128);
    }

    fn send(&self, request: &Request, _timeout: Duration) -> Result<Response, SendError> {
        if request.path != "/v1/cart/add" {
            let body = br#"{"access_token":"a","refresh_token":"r","expires_in":1800}"#.to_vec();
            return Ok(Response { status: 200, retry_after: None, date: None, body });
        }
        let asked_at = self.shared.borrow().elapsed;
        let was_about_to = self.progress.is_about_to_send.replace(false);
        self.step();
        let is_late = self.now() >= self.progress.claimed_at.get() + CLAIM_LIFE;
        // Whoever is stopped between its look at the clocks and its send cannot know.
        let was_held_at_the_door = was_about_to && self.shared.borrow().elapsed > asked_at;
        if is_late && !was_held_at_the_door {
            self.shared.borrow_mut().late.push(self.number);
        }
        self.shared.borrow_mut().adds_received += 1;
        let (is_added, answer) = self.answer();
        if is_added {
            self.shared.borrow_mut().added_by.push(self.number);
        }
        answer
    }

    fn get(&self, bucket: Bucket, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if bucket != Bucket::Store {
            return Err(StoreError::NoSuchBucket);
        }
        self.step();
        Ok(self.shared.borrow().values.get(key).cloned())
    }

    fn read_back(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(Bucket::Store, key)
    }

    fn set(&self, bucket: Bucket, key: &str, value: &[u8]) -> Result<(), StoreError> {
        if bucket != Bucket::Store {
            return Err(StoreError::NoSuchBucket);
        }
        self.step();
        self.shared.borrow_mut().values.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn delete(&self, _bucket: Bucket, key: &str) -> Result<(), StoreError> {
        self.step();
        self.shared.borrow_mut().values.remove(key);
        self.shared.borrow_mut().counters.remove(key);
        Ok(())
    }

    fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError> {
        self.step();
        let mut shared = self.shared.borrow_mut();
        let counter = shared.counters.entry(key.to_owned()).or_default();
        *counter += delta;
        if delta > 0 && key.starts_with("add_claim.") {
            drop(shared);
            self.progress.claimed_at.set(self.now());
            return Ok(self.shared.borrow().counters[key]);
        }
        Ok(*counter)
    }

    fn list_keys(&self, _bucket: Bucket, _cursor: Option<u64>) -> Result<KeyPage, StoreError> {
        Ok(KeyPage::default())
    }
}
