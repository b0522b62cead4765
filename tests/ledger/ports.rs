//! The ports of one call: a clock that is set by hand, a store that two calls share,
//! and a Kroger that answers adds in one way.
//!
//! A step is one operation: it stops before it takes effect, so that the other call can
//! have its turn. Nothing here knows what the ledger promises.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use corosensei::Yielder;
use kroger_core::ports::{Bucket, Event, KeyPage, Ports, Request, Response, SendError, StoreError, Timestamp};

/// The time for which a call is stopped: longer than any lease.
const LONG: Duration = Duration::from_secs(40);
/// The time after its claim within which an owner sends. Later it never sends.
const CLAIM_LIFE: Duration = Duration::from_secs(2);

/// How Kroger treats each add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KrogerBehavior {
    Adds,
    /// The add is made, and the answer is lost.
    LosesAnswers,
    /// The request is lost on its way to Kroger.
    LosesRequests,
    /// The add is made, and the answer is a 500.
    FailsAfterAdding,
    /// The first add is turned away with a 503; the next one is made.
    IsBusyOnce,
    /// The first add is never sent; the next one is made.
    IsNotReachedOnce,
    /// Every add is refused with a 400.
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

/// The store, the time, and what Kroger received: everything that two calls share.
#[derive(Clone, Default)]
pub(crate) struct SharedState {
    values: BTreeMap<String, Vec<u8>>,
    counters: BTreeMap<String, u64>,
    pub(crate) elapsed: Duration,
    adds_received: usize,
    /// The calls whose add Kroger made, in its order.
    pub(crate) added_by: Vec<usize>,
    /// The calls that sent their add too long after their claim, although their clocks
    /// could have told them.
    pub(crate) late: Vec<usize>,
}

/// The progress of one call: what its ports noted, and how the schedule interrupts it.
#[derive(Default)]
pub(crate) struct CallProgress {
    pub(crate) wakes_at: Cell<Duration>,
    /// Whether the call is stopped until the other one has ended.
    pub(crate) is_stopped: Cell<bool>,
    /// The time that the call's own clocks have missed.
    pub(crate) missed: Cell<Duration>,
    claimed_at: Cell<Duration>,
    /// Whether its last step was the look at the monotonic clock, which comes right before
    /// a send.
    is_about_to_send: Cell<bool>,
}

impl CallProgress {
    /// Stops the call until the other one has ended, and lets much time pass.
    pub(crate) fn stop(&self, shared: &RefCell<SharedState>) {
        self.is_stopped.set(true);
        shared.borrow_mut().elapsed += LONG;
    }
}

/// The ports of call `number`. Without a yielder no operation stops.
pub(crate) struct SteppedPorts<'a> {
    pub(crate) shared: &'a RefCell<SharedState>,
    pub(crate) progress: &'a CallProgress,
    pub(crate) number: usize,
    pub(crate) kroger: KrogerBehavior,
    pub(crate) yielder: Option<&'a Yielder<(), ()>>,
}

impl SteppedPorts<'_> {
    /// Lets the other call have its turn before the operation takes effect.
    fn step(&self) {
        if let Some(yielder) = self.yielder {
            yielder.suspend(());
        }
    }

    fn now(&self) -> Duration {
        self.shared.borrow().elapsed.saturating_sub(self.progress.missed.get())
    }

    /// Answers whether Kroger makes the add, and what the caller receives.
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
        // An owner looks at this clock last, and sends right after it.
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
        // A call that is stopped between its look at the clock and its send cannot know.
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
