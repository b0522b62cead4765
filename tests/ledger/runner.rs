//! Runs two calls by a schedule: it decides whose turn it is, and interrupts the call
//! whose turn it is at the steps that the schedule names.
//!
//! It judges nothing.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use kroger_core::Context;
use kroger_core::cart::ledger::IdempotencyKey;
use kroger_core::cart::{self, Added};
use kroger_core::failure::Failure;
use kroger_core::item::{Item, Modality, Quantity, Upc};
use kroger_core::secret::Secret;
use kroger_core::settings::Settings;
use kroger_core::sign_in::authorization;

use crate::ports::{CallProgress, KrogerBehavior, SharedState, SteppedPorts};

/// An interruption of the call whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// The call is held up until the other one waits or ends.
    HeldUp,
    /// The call is stopped until the other one has ended, and much time passes.
    Stopped,
    /// The call is stopped, and its own clocks miss the time that passes.
    Suspended,
    /// The call never continues.
    Killed,
}

pub(crate) const INTERRUPTIONS: [Interruption; 4] =
    [Interruption::HeldUp, Interruption::Stopped, Interruption::Suspended, Interruption::Killed];

pub(crate) type AddResult = Result<Added, Failure>;

/// The call that is made twice.
fn add(cx: Context<'_>) -> AddResult {
    let milk = Item {
        upc: Upc::parse("0001111041700").unwrap(),
        quantity: Quantity::new(2).unwrap(),
        modality: Modality::Pickup,
    };
    let key = IdempotencyKey::parse("buy-milk").unwrap();
    cart::add(cx, &cx.settings.default_user, &[milk], Some(&key))
}

fn settings() -> Rc<Settings> {
    let variables = [("KROGER_CLIENT_ID", "app")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    Rc::new(Settings::from_variables(variables).unwrap())
}

/// The beginning of each run: a store in which the user is signed in.
fn signed_in(settings: &Settings) -> SharedState {
    let (shared, progress) = (RefCell::default(), CallProgress::default());
    let ports =
        SteppedPorts { shared: &shared, progress: &progress, number: 0, kroger: KrogerBehavior::Adds, yielder: None };
    let cx = Context { settings, ports: &ports };
    let state = authorization::authorize(cx, &settings.default_user, None).unwrap().state;
    kroger_core::sign_in::exchange::complete(cx, &Secret::new("code"), &state).unwrap();
    shared.into_inner()
}

/// A call that runs, or the answer that it gave; `None` if it was killed.
enum ScheduledCall {
    Running(Coroutine<(), (), AddResult>),
    Ended(Option<AddResult>),
}

/// The end of a run.
pub(crate) struct ScheduleRun {
    pub(crate) told: [Option<AddResult>; 2],
    /// The answer to a third call, which repeats itself for as long as it is told to.
    pub(crate) at_last: AddResult,
    pub(crate) shared: SharedState,
    /// The number of steps of both calls, which are the places for an interruption.
    pub(crate) steps: usize,
}

/// Starts the calls of each run from one beginning, and reuses their stacks.
pub(crate) struct ScheduleRunner {
    settings: Rc<Settings>,
    beginning: SharedState,
    stacks: Vec<DefaultStack>,
}

impl ScheduleRunner {
    pub(crate) fn new() -> Self {
        let settings = settings();
        let beginning = signed_in(&settings);
        Self { settings, beginning, stacks: Vec::new() }
    }

    /// Starts call `number` at its first step.
    fn start(
        &mut self,
        number: usize,
        kroger: KrogerBehavior,
        shared: &Rc<RefCell<SharedState>>,
        progress: &Rc<CallProgress>,
    ) -> ScheduledCall {
        const STACK: usize = 1 << 19;

        let stack = self.stacks.pop().unwrap_or_else(|| DefaultStack::new(STACK).unwrap());
        let (settings, shared, progress) = (Rc::clone(&self.settings), Rc::clone(shared), Rc::clone(progress));
        ScheduledCall::Running(Coroutine::with_stack(stack, move |yielder, ()| {
            let ports = SteppedPorts { shared: &shared, progress: &progress, number, kroger, yielder: Some(yielder) };
            add(Context { settings: &settings, ports: &ports })
        }))
    }

    /// Ends a call where it is, and keeps its stack for the next.
    fn end(&mut self, call: &mut ScheduledCall, told: Option<AddResult>) {
        if let ScheduledCall::Running(mut coroutine) = std::mem::replace(call, ScheduledCall::Ended(told)) {
            coroutine.force_unwind();
            self.stacks.push(coroutine.into_stack());
        }
    }

    /// Runs two calls to their ends. `schedule` has the numbers of the steps at which the
    /// call whose turn it is is interrupted.
    pub(crate) fn run(&mut self, kroger: KrogerBehavior, schedule: &[(usize, Interruption)]) -> ScheduleRun {
        let shared = Rc::new(RefCell::new(self.beginning.clone()));
        let progress = [Rc::new(CallProgress::default()), Rc::new(CallProgress::default())];
        let mut calls = [0, 1].map(|number| self.start(number, kroger, &shared, &progress[number]));
        let mut turn = 0;
        let mut suspended: [Option<Duration>; 2] = [None; 2];
        let mut steps = 0;
        while let Some(next) = next_turn(turn, &calls, &progress, &shared) {
            turn = next;
            if let Some(since) = suspended[turn].take() {
                let missed = shared.borrow().elapsed.saturating_sub(since);
                progress[turn].missed.set(progress[turn].missed.get() + missed);
            }
            let ScheduledCall::Running(coroutine) = &mut calls[turn] else {
                unreachable!("a call that has ended gets no turn")
            };
            match coroutine.resume(()) {
                CoroutineResult::Return(told) => {
                    self.end(&mut calls[turn], Some(told));
                    continue;
                }
                CoroutineResult::Yield(()) => {}
            }
            let interruption = schedule.iter().find(|(at, _)| *at == steps).map(|(_, interruption)| *interruption);
            steps += 1;
            assert!(steps < 10_000, "{kroger:?} {schedule:?}: the calls never end");
            let Some(interruption) = interruption else { continue };
            match interruption {
                Interruption::HeldUp => {}
                Interruption::Stopped => progress[turn].stop(&shared),
                Interruption::Suspended => {
                    suspended[turn] = Some(shared.borrow().elapsed);
                    progress[turn].stop(&shared);
                }
                Interruption::Killed => self.end(&mut calls[turn], None),
            }
            turn = 1 - turn;
        }
        let told = calls.map(|call| match call {
            ScheduledCall::Ended(told) => told,
            ScheduledCall::Running(_) => unreachable!("a call is still running"),
        });
        let at_last = self.at_last(kroger, &shared);
        let shared = shared.borrow().clone();
        ScheduleRun { told, at_last, shared, steps }
    }

    /// Repeats the call, as a patient agent does, for as long as the answer says when to
    /// come again.
    fn at_last(&self, kroger: KrogerBehavior, shared: &RefCell<SharedState>) -> AddResult {
        let progress = CallProgress::default();
        let ports = SteppedPorts { shared, progress: &progress, number: 2, kroger, yielder: None };
        for _ in 0..60 {
            let told = add(Context { settings: &self.settings, ports: &ports });
            match &told {
                Err(failure) if failure.retry_after.is_some() => {
                    shared.borrow_mut().elapsed += failure.retry_after.unwrap_or_default();
                }
                _ => return told,
            }
        }
        add(Context { settings: &self.settings, ports: &ports })
    }
}

/// The call that continues; `None` if both have ended.
///
/// A call keeps its turn until it sleeps or ends. If all calls sleep, the time passes
/// until the first of them wakes. If all that are left are stopped, they continue.
fn next_turn(
    turn: usize,
    calls: &[ScheduledCall; 2],
    progress: &[Rc<CallProgress>; 2],
    shared: &RefCell<SharedState>,
) -> Option<usize> {
    let is_left = |number: &usize| matches!(calls[*number], ScheduledCall::Running(_));
    if ![0, 1].iter().any(|number| is_left(number) && !progress[*number].is_stopped.get()) {
        for progress in progress {
            progress.is_stopped.set(false);
        }
    }
    let is_running = |number: &usize| is_left(number) && !progress[*number].is_stopped.get();
    let is_awake = |number: &usize| progress[*number].wakes_at.get() <= shared.borrow().elapsed;
    let in_turn = [turn, 1 - turn];
    if let Some(next) = in_turn.iter().find(|number| is_running(number) && is_awake(number)) {
        return Some(*next);
    }
    let next = in_turn.into_iter().filter(is_running).min_by_key(|number| progress[*number].wakes_at.get())?;
    shared.borrow_mut().elapsed = progress[next].wakes_at.get();
    Some(next)
}
