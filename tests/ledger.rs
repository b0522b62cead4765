//! Two calls with one idempotency key, at every place where one can be held up,
//! stopped for long, or killed: nothing is added twice, and nobody is told what is
//! not so.
//!
//! Each call is a coroutine that stops before whatever it asks of the world. A
//! schedule says at which of these steps something happens. All schedules with
//! one happening are run; `KROGER_LEDGER=2` runs those with two.

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
enum Happening {
    /// It is held up until the other waits or ends.
    HeldUp,
    /// It is stopped until the other has ended, and much time passes.
    Stopped,
    /// The same, and its own clocks do not notice.
    Suspended,
    Killed,
}

const HAPPENINGS: [Happening; 4] = [Happening::HeldUp, Happening::Stopped, Happening::Suspended, Happening::Killed];

/// What Kroger makes of each add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kroger {
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

const KROGERS: [Kroger; 7] = [
    Kroger::Adds,
    Kroger::LosesAnswers,
    Kroger::LosesRequests,
    Kroger::FailsAfterAdding,
    Kroger::IsBusyOnce,
    Kroger::IsNotReachedOnce,
    Kroger::Refuses,
];

#[derive(Clone, Default)]
struct Shared {
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
struct Place {
    wakes_at: Cell<Duration>,
    /// Until the other has ended.
    is_stopped: Cell<bool>,
    /// What its clocks have missed.
    missed: Cell<Duration>,
    claimed_at: Cell<Duration>,
    is_about_to_send: Cell<bool>,
}

impl Place {
    fn stop(&self, shared: &RefCell<Shared>) {
        self.is_stopped.set(true);
        shared.borrow_mut().elapsed += LONG;
    }
}

struct World<'a> {
    shared: &'a RefCell<Shared>,
    place: &'a Place,
    number: usize,
    kroger: Kroger,
    yielder: Option<&'a Yielder<(), ()>>,
}

impl World<'_> {
    /// Others may have their turn, before what is asked for happens.
    fn step(&self) {
        if let Some(yielder) = self.yielder {
            yielder.suspend(());
        }
    }

    fn now(&self) -> Duration {
        self.shared.borrow().elapsed.saturating_sub(self.place.missed.get())
    }

    fn answer(&self) -> (bool, Result<Response, SendError>) {
        let status = |status| Ok(Response { status, retry_after: None, date: None, body: Vec::new() });
        let is_first = self.shared.borrow().adds_received == 1;
        match self.kroger {
            Kroger::LosesAnswers => (true, Err(SendError::Unknown)),
            Kroger::LosesRequests => (false, Err(SendError::Unknown)),
            Kroger::FailsAfterAdding => (true, status(500)),
            Kroger::IsBusyOnce if is_first => (false, status(503)),
            Kroger::IsNotReachedOnce if is_first => (false, Err(SendError::NotSent)),
            Kroger::Refuses => {
                let body = br#"{"code":"API-4101-400","reason":"Cannot parse parameters"}"#.to_vec();
                (false, Ok(Response { status: 400, retry_after: None, date: None, body }))
            }
            Kroger::Adds | Kroger::IsBusyOnce | Kroger::IsNotReachedOnce => (true, status(204)),
        }
    }
}

impl Ports for World<'_> {
    fn log(&self, _event: &Event) {}

    fn wall_now(&self) -> Timestamp {
        self.step();
        self.place.is_about_to_send.set(false);
        Timestamp::from_secs(1_737_201_600) + self.now()
    }

    fn monotonic_now(&self) -> Duration {
        self.step();
        let now = self.now();
        // The last look before a send, and nothing stands between the two.
        self.place.is_about_to_send.set(true);
        now
    }

    fn sleep(&self, duration: Duration) {
        if self.yielder.is_none() {
            self.shared.borrow_mut().elapsed += duration;
        }
        self.place.wakes_at.set(self.shared.borrow().elapsed + duration);
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
        let was_about_to = self.place.is_about_to_send.replace(false);
        self.step();
        let is_late = self.now() >= self.place.claimed_at.get() + CLAIM_LIFE;
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
            self.place.claimed_at.set(self.now());
            return Ok(self.shared.borrow().counters[key]);
        }
        Ok(*counter)
    }

    fn list_keys(&self, _bucket: Bucket, _cursor: Option<u64>) -> Result<KeyPage, StoreError> {
        Ok(KeyPage::default())
    }
}

type Told = Result<Added, Failure>;

fn add(cx: Context<'_>) -> Told {
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
fn signed_in(settings: &Settings) -> Shared {
    let (shared, place) = (RefCell::default(), Place::default());
    let world = World { shared: &shared, place: &place, number: 0, kroger: Kroger::Adds, yielder: None };
    let cx = Context { settings, ports: &world };
    let state = authorization::authorize(cx, &settings.default_user, None).unwrap().state;
    authorization::complete(cx, &Secret::new("code"), &state).unwrap();
    shared.into_inner()
}

/// One call under way, or what it was told; nothing, if it was killed.
enum Call {
    Running(Coroutine<(), (), Told>),
    Ended(Option<Told>),
}

/// What a run came to.
struct Run {
    told: [Option<Told>; 2],
    /// What a patient caller is told in the end.
    at_last: Told,
    shared: Shared,
    /// How many steps there were at which something could have happened.
    steps: usize,
}

struct Runner {
    settings: Rc<Settings>,
    beginning: Shared,
    stacks: Vec<DefaultStack>,
}

impl Runner {
    fn new() -> Self {
        let settings = settings();
        let beginning = signed_in(&settings);
        Self { settings, beginning, stacks: Vec::new() }
    }

    fn start(&mut self, number: usize, kroger: Kroger, shared: &Rc<RefCell<Shared>>, place: &Rc<Place>) -> Call {
        const STACK: usize = 1 << 19;

        let stack = self.stacks.pop().unwrap_or_else(|| DefaultStack::new(STACK).unwrap());
        let (settings, shared, place) = (Rc::clone(&self.settings), Rc::clone(shared), Rc::clone(place));
        Call::Running(Coroutine::with_stack(stack, move |yielder, ()| {
            let world = World { shared: &shared, place: &place, number, kroger, yielder: Some(yielder) };
            add(Context { settings: &settings, ports: &world })
        }))
    }

    fn end(&mut self, call: &mut Call, told: Option<Told>) {
        if let Call::Running(mut coroutine) = std::mem::replace(call, Call::Ended(told)) {
            coroutine.force_unwind();
            self.stacks.push(coroutine.into_stack());
        }
    }

    fn run(&mut self, kroger: Kroger, schedule: &[(usize, Happening)]) -> Run {
        let shared = Rc::new(RefCell::new(self.beginning.clone()));
        let places = [Rc::new(Place::default()), Rc::new(Place::default())];
        let mut calls = [0, 1].map(|number| self.start(number, kroger, &shared, &places[number]));
        let mut turn = 0;
        let mut suspended: [Option<Duration>; 2] = [None; 2];
        let mut steps = 0;
        while let Some(next) = next_turn(turn, &calls, &places, &shared) {
            turn = next;
            if let Some(since) = suspended[turn].take() {
                let missed = shared.borrow().elapsed.saturating_sub(since);
                places[turn].missed.set(places[turn].missed.get() + missed);
            }
            let Call::Running(coroutine) = &mut calls[turn] else { unreachable!("it is its turn") };
            match coroutine.resume(()) {
                CoroutineResult::Return(told) => {
                    self.end(&mut calls[turn], Some(told));
                    continue;
                }
                CoroutineResult::Yield(()) => {}
            }
            let happening = schedule.iter().find(|(at, _)| *at == steps).map(|(_, happening)| *happening);
            steps += 1;
            assert!(steps < 10_000, "{kroger:?} {schedule:?}: never ends");
            let Some(happening) = happening else { continue };
            match happening {
                Happening::HeldUp => {}
                Happening::Stopped => places[turn].stop(&shared),
                Happening::Suspended => {
                    suspended[turn] = Some(shared.borrow().elapsed);
                    places[turn].stop(&shared);
                }
                Happening::Killed => self.end(&mut calls[turn], None),
            }
            turn = 1 - turn;
        }
        let told = calls.map(|call| match call {
            Call::Ended(told) => told,
            Call::Running(_) => unreachable!("nobody is left to run"),
        });
        let at_last = self.at_last(kroger, &shared);
        let shared = shared.borrow().clone();
        Run { told, at_last, shared, steps }
    }

    /// An agent repeats its call for as long as it is told to come again.
    fn at_last(&self, kroger: Kroger, shared: &RefCell<Shared>) -> Told {
        let place = Place::default();
        let world = World { shared, place: &place, number: 2, kroger, yielder: None };
        for _ in 0..60 {
            let told = add(Context { settings: &self.settings, ports: &world });
            match &told {
                Err(failure) if failure.retry_after.is_some() => {
                    shared.borrow_mut().elapsed += failure.retry_after.unwrap_or_default();
                }
                _ => return told,
            }
        }
        add(Context { settings: &self.settings, ports: &world })
    }
}

/// Who goes on: whoever had the turn, unless it sleeps or has ended; where all
/// sleep, the first that wakes.
fn next_turn(turn: usize, calls: &[Call; 2], places: &[Rc<Place>; 2], shared: &RefCell<Shared>) -> Option<usize> {
    let is_left = |number: &usize| matches!(calls[*number], Call::Running(_));
    if ![0, 1].iter().any(|number| is_left(number) && !places[*number].is_stopped.get()) {
        for place in places {
            place.is_stopped.set(false);
        }
    }
    let is_running = |number: &usize| is_left(number) && !places[*number].is_stopped.get();
    let is_awake = |number: &usize| places[*number].wakes_at.get() <= shared.borrow().elapsed;
    let in_turn = [turn, 1 - turn];
    if let Some(next) = in_turn.iter().find(|number| is_running(number) && is_awake(number)) {
        return Some(*next);
    }
    let next = in_turn.into_iter().filter(is_running).min_by_key(|number| places[*number].wakes_at.get())?;
    shared.borrow_mut().elapsed = places[next].wakes_at.get();
    Some(next)
}

/// What is wrong with a run; none: nothing.
fn violation(kroger: Kroger, run: &Run) -> Option<String> {
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
fn is_stuck(kroger: Kroger, run: &Run) -> bool {
    match (&run.at_last, kroger) {
        (Ok(_), _) => run.shared.added_by.is_empty(),
        (Err(failure), Kroger::Refuses) if failure.code == Code::UpstreamRejected => false,
        (Err(failure), _) => failure.code != Code::OutcomeUnknown,
    }
}

/// Runs all schedules that go on from `schedule` with up to `more` happenings;
/// answers how many.
fn search(runner: &mut Runner, kroger: Kroger, schedule: &mut Vec<(usize, Happening)>, more: usize) -> usize {
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
        for happening in HAPPENINGS {
            schedule.push((at, happening));
            runs += search(runner, kroger, schedule, more - 1);
            schedule.pop();
        }
    }
    runs
}

#[test]
fn no_schedule_of_two_calls_with_one_key_adds_twice_or_tells_what_is_not_so() {
    let most = std::env::var("KROGER_LEDGER").map_or(1, |most| most.parse().expect("a number"));
    for kroger in KROGERS {
        let runs = search(&mut Runner::new(), kroger, &mut Vec::new(), most);
        println!("{:<20} {runs:>8} schedules of up to {most} happenings", format!("{kroger:?}"));
    }
}
