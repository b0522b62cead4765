//! One call of the core as a coroutine, which stops at each operation of its ports.
//!
//! The simulation decides the answer and when the coroutine continues. To drop the
//! coroutine is to kill the process. Nothing here decides an answer, except for ports
//! that are broken on purpose.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use kroger_core::Context;
use kroger_core::ports::{Bucket, Event, KeyPage, Ports, Request, Response, SendError, StoreError, Timestamp};
use kroger_core::settings::Settings;

use crate::workload::{CallAnswer, Task};

/// The number of a call. Calls are numbered in the order in which they start.
pub(crate) type CallId = usize;

/// The size of a stack: enough for the core in an unoptimised build.
const STACK: usize = 1 << 20;

/// An operation that a process asks for.
#[derive(Debug)]
pub(crate) enum Op {
    Get(Bucket, String),
    ReadBack(String),
    Set(Bucket, String, Vec<u8>),
    Delete(Bucket, String),
    Increment(String, u64),
    List(Bucket, Option<u64>),
    Send(Request, Duration),
    Sleep(Duration),
    Wall,
    Monotonic,
    Random,
    Log(Event),
}

impl Op {
    /// Answers this key-value operation with `error`.
    pub(crate) fn failure(&self, error: StoreError) -> PortAnswer {
        match self {
            Self::Get(..) | Self::ReadBack(_) => PortAnswer::Value(Err(error)),
            Self::Set(..) | Self::Delete(..) => PortAnswer::Written(Err(error)),
            Self::Increment(..) => PortAnswer::Number(Err(error)),
            Self::List(..) => PortAnswer::Page(Err(error)),
            other => unreachable!("{other:?} is no key-value operation"),
        }
    }
}

/// The simulation's answer to an operation.
#[derive(Debug)]
pub(crate) enum PortAnswer {
    /// No value: the call starts, a sleep ends, or an event is logged.
    Go,
    Value(Result<Option<Vec<u8>>, StoreError>),
    Written(Result<(), StoreError>),
    Number(Result<u64, StoreError>),
    Page(Result<KeyPage, StoreError>),
    Response(Result<Response, SendError>),
    Wall(Timestamp),
    Monotonic(Duration),
    Random(u64),
}

/// The next step of a process.
pub(crate) enum ProcessStep {
    Asks(Op),
    Ends(CallAnswer),
}

pub(crate) struct Process(Coroutine<PortAnswer, Op, CallAnswer>);

impl Process {
    pub(crate) fn new(
        task: Task,
        settings: Rc<Settings>,
        broken: Option<BrokenPort>,
        stacks: &mut Vec<DefaultStack>,
    ) -> Self {
        let stack = stacks.pop().unwrap_or_else(|| DefaultStack::new(STACK).expect("memory for a stack"));
        Self(Coroutine::with_stack(stack, move |yielder, _| {
            let ports = SimulatedPorts { yielder, broken, swallowed: RefCell::default() };
            task.run(Context { settings: &settings, ports: &ports })
        }))
    }

    pub(crate) fn resume(&mut self, answer: PortAnswer) -> ProcessStep {
        match self.0.resume(answer) {
            CoroutineResult::Yield(op) => ProcessStep::Asks(op),
            CoroutineResult::Return(done) => ProcessStep::Ends(done),
        }
    }

    /// Ends the process wherever it is, and keeps its stack for another one.
    pub(crate) fn kill(mut self, stacks: &mut Vec<DefaultStack>) {
        self.0.force_unwind();
        stacks.push(self.0.into_stack());
    }
}

/// A port that is broken on purpose, to show that the simulation notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrokenPort {
    /// Every caller that claims a try is told that it owns it.
    EveryClaimIsWon,
    /// Intents are acknowledged and can be read back, and are never stored.
    IntentsAreNotStored,
    /// Reading back shows the call's own writes even if the store forgets them.
    ReadBackIsBelieved,
    /// New grants are acknowledged and never stored.
    GrantsAreNotStored,
    /// The rescue bucket acknowledges pairs and keeps none.
    RescueForgets,
    /// A lost reply is reported as a request that was not sent.
    LostRepliesAreNotSent,
    /// A server error is reported as a refusal of the token.
    ServerErrorsAreRefusals,
    /// The wall clock stands still, so that nothing ever expires.
    ClockStandsStill,
}

struct SimulatedPorts<'a> {
    yielder: &'a Yielder<PortAnswer, Op>,
    broken: Option<BrokenPort>,
    swallowed: RefCell<Option<Vec<u8>>>,
}

impl SimulatedPorts<'_> {
    fn is(&self, broken: BrokenPort) -> bool {
        self.broken == Some(broken)
    }

    /// Whether this write is acknowledged and not made.
    fn swallows(&self, bucket: Bucket, key: &str) -> bool {
        let is_grant = bucket == Bucket::Store && key.starts_with("grant.");
        (self.is(BrokenPort::IntentsAreNotStored) && key.starts_with("intent."))
            || (self.is(BrokenPort::GrantsAreNotStored) && is_grant)
            || (self.is(BrokenPort::RescueForgets) && bucket == Bucket::Rescue)
    }
}

const REFUSAL: &str = r#"{"error":"invalid_grant"}"#;

impl Ports for SimulatedPorts<'_> {
    fn log(&self, event: &Event) {
        self.yielder.suspend(Op::Log(event.clone()));
    }

    fn wall_now(&self) -> Timestamp {
        if self.is(BrokenPort::ClockStandsStill) {
            return Timestamp::from_secs(1_700_000_000);
        }
        match self.yielder.suspend(Op::Wall) {
            PortAnswer::Wall(now) => now,
            other => unreachable!("{other:?}"),
        }
    }

    fn monotonic_now(&self) -> Duration {
        match self.yielder.suspend(Op::Monotonic) {
            PortAnswer::Monotonic(now) => now,
            other => unreachable!("{other:?}"),
        }
    }

    fn sleep(&self, duration: Duration) {
        self.yielder.suspend(Op::Sleep(duration));
    }

    fn random_bytes(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let PortAnswer::Random(number) = self.yielder.suspend(Op::Random) else { unreachable!("not a number") };
            chunk.copy_from_slice(&number.to_le_bytes()[..chunk.len()]);
        }
    }

    fn send(&self, request: &Request, timeout: Duration) -> Result<Response, SendError> {
        let PortAnswer::Response(answer) = self.yielder.suspend(Op::Send(request.clone(), timeout)) else {
            unreachable!("not a response")
        };
        match answer {
            Err(SendError::Unknown) if self.is(BrokenPort::LostRepliesAreNotSent) => Err(SendError::NotSent),
            Ok(response) if response.status >= 500 && self.is(BrokenPort::ServerErrorsAreRefusals) => {
                Ok(Response { status: 400, body: REFUSAL.as_bytes().to_vec(), ..response })
            }
            other => other,
        }
    }

    fn get(&self, bucket: Bucket, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.yielder.suspend(Op::Get(bucket, key.to_owned())) {
            PortAnswer::Value(value) => value,
            other => unreachable!("{other:?}"),
        }
    }

    fn read_back(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if self.is(BrokenPort::IntentsAreNotStored) && key.starts_with("intent.") {
            return Ok(self.swallowed.borrow().clone());
        }
        if self.is(BrokenPort::ReadBackIsBelieved) {
            return self.get(Bucket::Store, key);
        }
        match self.yielder.suspend(Op::ReadBack(key.to_owned())) {
            PortAnswer::Value(value) => value,
            other => unreachable!("{other:?}"),
        }
    }

    fn set(&self, bucket: Bucket, key: &str, value: &[u8]) -> Result<(), StoreError> {
        if self.swallows(bucket, key) {
            self.swallowed.replace(Some(value.to_vec()));
            return Ok(());
        }
        match self.yielder.suspend(Op::Set(bucket, key.to_owned(), value.to_vec())) {
            PortAnswer::Written(written) => written,
            other => unreachable!("{other:?}"),
        }
    }

    fn delete(&self, bucket: Bucket, key: &str) -> Result<(), StoreError> {
        match self.yielder.suspend(Op::Delete(bucket, key.to_owned())) {
            PortAnswer::Written(written) => written,
            other => unreachable!("{other:?}"),
        }
    }

    fn increment(&self, key: &str, delta: u64) -> Result<u64, StoreError> {
        let answer = match self.yielder.suspend(Op::Increment(key.to_owned(), delta)) {
            PortAnswer::Number(number) => number,
            other => unreachable!("{other:?}"),
        };
        match answer {
            Ok(_) if delta > 0 && key.starts_with("claim.") && self.is(BrokenPort::EveryClaimIsWon) => Ok(1),
            other => other,
        }
    }

    fn list_keys(&self, bucket: Bucket, cursor: Option<u64>) -> Result<KeyPage, StoreError> {
        match self.yielder.suspend(Op::List(bucket, cursor)) {
            PortAnswer::Page(page) => page,
            other => unreachable!("{other:?}"),
        }
    }
}
