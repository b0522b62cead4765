//! Two calls with one idempotency key, at every progress where one can be held up,
//! stopped for long, or killed: nothing is added twice, and nobody is told what is
//! not so.
//!
//! Each call is a coroutine that stops before whatever it asks of the ports. A
//! schedule says at which of these steps something happens. All schedules with
//! one interruption are run; `KROGER_LEDGER=2` runs those with two.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use kroger_connector::core::cart::{self, Added};
use kroger_connector::core::failure::{Code, Failure};
use kroger_connector::core::item::{Item, Modality, Quantity, Upc};
use kroger_connector::core::ledger::IdempotencyKey;
use kroger_connector::core::secret::Secret;
use kroger_connector::core::settings::Settings;
use kroger_connector::core::{Context, authorization};
use kroger_connector::ports::{Bucket, Event, KeyPage, Ports, Request, Response, SendError, StoreError, Timestamp};

/// Longer than any lease.
const LONG: Duration = Duration::from_secs(40);
/// An owner sends within this of its claim, or not at all.
const CLAIM_LIFE: Duration = Duration::from_secs(2);
/// A call that takes more steps than this is waiting; what happens to it then
/// has happened to it before.
const MOST_STEPS: usize = 90;

/// What happens to the call whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interruption {
    /// It is held up until the other waits or ends.
    HeldUp,
    /// It is stopped until the other has ended, and much time passes.
    Stopped,
    /// The same, and its own clocks do not notice.
    Suspended,
    Killed,
}

const INTERRUPTIONS: [Interruption; 4] =
    [Interruption::HeldUp, Interruption::Stopped, Interruption::Suspended, Interruption::Killed];

/// What Kroger makes of each add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KrogerBehavior {
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

const BEHAVIORS: [KrogerBehavior; 7] = [
    KrogerBehavior::Adds,
    KrogerBehavior::LosesAnswers,
    KrogerBehavior::LosesRequests,
    KrogerBehavior::FailsAfterAdding,
    KrogerBehavior::IsBusyOnce,
    KrogerBehavior::IsNotReachedOnce,
    KrogerBehavior::Refuses,
];

#[derive(Clone, Default)]
struct SharedState {
    values: BTreeMap<String, Vec<u8>>,
    counters: BTreeMap<String, u64>,
    elapsed: Duration,
    adds_received: usize,
    /// The calls whose add Kroger processed.
    added_by: Vec<usize>,
    /// Adds that were sent long after their claim, the clocks being right.
    late: Vec<usize>,
}

/// What the scheduler knows of one call.
#[derive(Default)]
struct CallProgress {
    wakes_at: Cell<Duration>,
    /// Until the other has ended.
    is_stopped: Cell<bool>,
    /// What its clocks have missed.
    missed: Cell<Duration>,
    claimed_at: Cell<Duration>,
    is_about_to_send: Cell<bool>,
}

impl CallProgress {
    fn stop(&self, shared: &RefCell<SharedState>) {
        self.is_stopped.set(true);
        shared.borrow_mut().elapsed += LONG;
    }
}

struct SteppedPorts<'a> {
    shared: &'a RefCell<SharedState>,
    progress: &'a CallProgress,
    number: usize,
    kroger: KrogerBehavior,
    yielder: Option<&'a Yielder<(), ()>>,
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

type AddResult = Result<Added, Failure>;

fn add(cx: Context<'_>) -> AddResult {
    let milk = Item {
        upc: Upc::parse("0001111041700").unwrap().upc,
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

/// A store in which the user is signed in.
fn signed_in(settings: &Settings) -> SharedState {
    let (shared, progress) = (RefCell::default(), CallProgress::default());
    let ports =
        SteppedPorts { shared: &shared, progress: &progress, number: 0, kroger: KrogerBehavior::Adds, yielder: None };
    let cx = Context { settings, ports: &ports };
    let state = authorization::authorize(cx, &settings.default_user, None).unwrap().state;
    authorization::complete(cx, &Secret::new("code"), &state).unwrap();
    shared.into_inner()
}

/// One call under way, or what it was told; nothing, if it was killed.
enum ScheduledCall {
    Running(Coroutine<(), (), AddResult>),
    Ended(Option<AddResult>),
}

/// What a run came to.
struct ScheduleRun {
    told: [Option<AddResult>; 2],
    /// What a patient caller is told in the end.
    at_last: AddResult,
    shared: SharedState,
    /// How many steps there were at which something could have happened.
    steps: usize,
}

struct ScheduleRunner {
    settings: Rc<Settings>,
    beginning: SharedState,
    stacks: Vec<DefaultStack>,
}

impl ScheduleRunner {
    fn new() -> Self {
        let settings = settings();
        let beginning = signed_in(&settings);
        Self { settings, beginning, stacks: Vec::new() }
    }

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

    fn end(&mut self, call: &mut ScheduledCall, told: Option<AddResult>) {
        if let ScheduledCall::Running(mut coroutine) = std::mem::replace(call, ScheduledCall::Ended(told)) {
            coroutine.force_unwind();
            self.stacks.push(coroutine.into_stack());
        }
    }

    fn run(&mut self, kroger: KrogerBehavior, schedule: &[(usize, Interruption)]) -> ScheduleRun {
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
            let ScheduledCall::Running(coroutine) = &mut calls[turn] else { unreachable!("it is its turn") };
            match coroutine.resume(()) {
                CoroutineResult::Return(told) => {
                    self.end(&mut calls[turn], Some(told));
                    continue;
                }
                CoroutineResult::Yield(()) => {}
            }
            let interruption = schedule.iter().find(|(at, _)| *at == steps).map(|(_, interruption)| *interruption);
            steps += 1;
            assert!(steps < 10_000, "{kroger:?} {schedule:?}: never ends");
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
            ScheduledCall::Running(_) => unreachable!("nobody is left to run"),
        });
        let at_last = self.at_last(kroger, &shared);
        let shared = shared.borrow().clone();
        ScheduleRun { told, at_last, shared, steps }
    }

    /// An agent repeats its call for as long as it is told to come again.
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

/// Who goes on: whoever had the turn, unless it sleeps or has ended; where all
/// sleep, the first that wakes.
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

/// What is wrong with a run; none: nothing.
fn violation(kroger: KrogerBehavior, run: &ScheduleRun) -> Option<String> {
    let added_by = &run.shared.added_by;
    if added_by.len() > 1 {
        return Some(format!("added twice, by {added_by:?}"));
    }
    if !run.shared.late.is_empty() {
        return Some("sent by an owner that came too late".to_owned());
    }
    let told = run.told.iter().map(Option::as_ref).chain([Some(&run.at_last)]);
    for (number, told) in told.enumerate() {
        let has_added = added_by.contains(&number);
        let is_true = match told {
            None => true,
            Some(Ok(Added::Now(_))) => has_added,
            Some(Ok(Added::Before)) => !added_by.is_empty() && !has_added,
            Some(Err(failure)) if failure.code == Code::OutcomeUnknown => true,
            Some(Err(_)) => !has_added,
        };
        if !is_true {
            return Some(format!("call {number} was told {told:?}, added by {added_by:?}"));
        }
    }
    is_stuck(kroger, run).then(|| format!("in the end it is {:?}", run.at_last))
}

/// In the end the key says what became of it, and a Kroger that adds has added.
fn is_stuck(kroger: KrogerBehavior, run: &ScheduleRun) -> bool {
    match (&run.at_last, kroger) {
        (Ok(_), _) => run.shared.added_by.is_empty(),
        (Err(failure), KrogerBehavior::Refuses) if failure.code == Code::UpstreamRejected => false,
        (Err(failure), _) => failure.code != Code::OutcomeUnknown,
    }
}

/// Runs all schedules that go on from `schedule` with up to `more` happenings;
/// answers how many.
fn search(
    runner: &mut ScheduleRunner,
    kroger: KrogerBehavior,
    schedule: &mut Vec<(usize, Interruption)>,
    more: usize,
) -> usize {
    let run = runner.run(kroger, schedule);
    if let Some(violation) = violation(kroger, &run) {
        panic!("{kroger:?} {schedule:?}: {violation}");
    }
    let mut runs = 1;
    if more == 0 {
        return runs;
    }
    let first = schedule.last().map_or(0, |(at, _)| at + 1);
    for at in first..run.steps.min(MOST_STEPS) {
        for interruption in INTERRUPTIONS {
            schedule.push((at, interruption));
            runs += search(runner, kroger, schedule, more - 1);
            schedule.pop();
        }
    }
    runs
}

#[test]
fn no_schedule_of_two_calls_with_one_key_adds_twice_or_tells_what_is_not_so() {
    let most = std::env::var("KROGER_LEDGER").map_or(1, |most| most.parse().expect("a number"));
    for kroger in BEHAVIORS {
        let runs = search(&mut ScheduleRunner::new(), kroger, &mut Vec::new(), most);
        println!("{:<20} {runs:>8} schedules of up to {most} happenings", format!("{kroger:?}"));
    }
}
