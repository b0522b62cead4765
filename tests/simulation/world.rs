//! The world of one run: machines with clocks, processes on them, the store
//! that they share, and the scheduler that decides when each thing happens.
//!
//! Time jumps from event to event; what happens at one time happens in an order
//! of the seed's own. Nothing here knows what the protocol promises.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use corosensei::stack::DefaultStack;
use kroger_connector::core::settings::Settings;
use kroger_connector::ports::{Bucket, Event as Logged, KeyPage, Response, SendError, StoreError, Timestamp};

use crate::invariants::Witness;
use crate::kroger::{Kroger, SECOND, Time};
use crate::network::{Fate, Wire};
use crate::process::{Answer, Broken, Op, Process, Step};
use crate::random::Random;
use crate::report::{Counts, History};
use crate::weather::{DAY, HOUR, MINUTE, Weather, is_within};
use crate::workload::{self, Done, Task};

/// What the wall clocks show at the start, in Unix milliseconds.
pub(crate) const EPOCH: u64 = 1_700_000_000_000;

pub(crate) type CallId = usize;
pub(crate) type MachineId = usize;

/// A value of the store: bytes, or a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Bytes(Vec<u8>),
    Number(u64),
}

pub(crate) type Keys = BTreeMap<String, Value>;

pub(crate) struct Machine {
    /// What its wall clock is ahead of true time, in microseconds.
    pub(crate) offset: i64,
    /// What its monotonic clock missed while it was suspended.
    missed: Time,
    counts_suspension: bool,
    pub(crate) frozen_until: Time,
    pub(crate) down_until: Time,
    /// The volatile bucket, where its host has one.
    pub(crate) rescue: Option<BTreeMap<String, Vec<u8>>>,
    /// Which `.env` file it mirrors into.
    pub(crate) env: Option<usize>,
    pub(crate) settings: Rc<Settings>,
    /// When its wall clock was last set, or it was suspended.
    pub(crate) disturbed: Time,
}

/// A call under way.
pub(crate) struct Call {
    process: Option<Process>,
    pub(crate) machine: MachineId,
    pub(crate) task: Task,
    pub(crate) began: Time,
    /// What a store that forgets shows to this call alone.
    overlay: Keys,
    /// The operation that it waits for.
    serial: u64,
    /// Whether it was held up for longer than a moment.
    pub(crate) was_stalled: bool,
}

enum Event {
    Start(Task, MachineId),
    Resume {
        call: CallId,
        serial: u64,
        answer: Answer,
    },
    /// A key-value operation takes effect; `is_told`: its answer gets through.
    Effect {
        call: CallId,
        serial: u64,
        op: Op,
        answer_at: Time,
        is_told: bool,
        survives: bool,
    },
    Arrive {
        call: CallId,
        serial: u64,
        wire: Wire,
        fate: Fate,
        survives: bool,
    },
}

struct Scheduled {
    at: Time,
    tie: u64,
    event: Box<Event>,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.tie) == (other.at, other.tie)
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.tie).cmp(&(other.at, other.tie))
    }
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    pub(crate) store: Keys,
    /// The keys in the order in which they were made, which is that of a list.
    born: BTreeMap<u64, String>,
    births: HashMap<String, u64>,
    last_birth: u64,
    pub(crate) page_size: usize,
    /// The `.env` files; none: the file has no token variables.
    pub(crate) envs: Vec<Option<Vec<u8>>>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) calls: Vec<Call>,
    pub(crate) kroger: Kroger,
    pub(crate) witness: Witness,
    pub(crate) counts: Counts,
    pub(crate) history: History,
    pub(crate) broken: Option<Broken>,
    /// When the last of what the storm began had ended.
    pub(crate) calm_since: Time,
    /// What the last call was told, and whether it can stay so.
    pub(crate) last: Option<(bool, String)>,
    queue: BinaryHeap<Reverse<Scheduled>>,
    stacks: Vec<DefaultStack>,
    running: usize,
}

impl World {
    pub(crate) fn new(random: Random, weather: Weather, kroger: Kroger, history: History) -> Self {
        Self {
            now: 0,
            random,
            weather,
            store: Keys::new(),
            born: BTreeMap::new(),
            births: HashMap::new(),
            last_birth: 0,
            page_size: 50,
            envs: Vec::new(),
            machines: Vec::new(),
            calls: Vec::new(),
            kroger,
            witness: Witness::default(),
            counts: Counts::default(),
            history,
            broken: None,
            calm_since: Time::MAX,
            last: None,
            queue: BinaryHeap::new(),
            stacks: Vec::new(),
            running: 0,
        }
    }

    pub(crate) fn add_machine(&mut self, settings: Rc<Settings>, has_rescue: bool, env: Option<usize>) {
        let skew = i64::try_from(self.weather.machines.skew).expect("a skew fits");
        let offset =
            if skew == 0 { 0 } else { i64::try_from(self.random.range(0, 2 * skew as u64)).expect("fits") - skew };
        self.machines.push(Machine {
            offset,
            missed: 0,
            counts_suspension: self.random.chance(500),
            frozen_until: 0,
            down_until: 0,
            rescue: has_rescue.then(BTreeMap::new),
            env,
            settings,
            disturbed: 0,
        });
    }

    pub(crate) fn start_at(&mut self, at: Time, machine: MachineId, task: Task) {
        self.schedule(at.max(self.now), Event::Start(task, machine));
    }

    fn schedule(&mut self, at: Time, event: Event) {
        let tie = self.random.next();
        self.queue.push(Reverse(Scheduled { at, tie, event: Box::new(event) }));
    }

    /// Lets everything happen that happens before `end`.
    pub(crate) fn run_until(&mut self, end: Time) {
        while !self.witness.is_violated() {
            let Some(Reverse(next)) = self.queue.peek() else { break };
            if next.at > end {
                break;
            }
            let Some(Reverse(next)) = self.queue.pop() else { break };
            self.now = next.at;
            self.happen(*next.event);
        }
        self.now = self.now.max(end);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running == 0 && self.queue.is_empty()
    }

    pub(crate) fn wall(&self, machine: MachineId) -> Timestamp {
        let now = i64::try_from(self.now).expect("times fit") + self.machines[machine].offset;
        Timestamp(EPOCH.saturating_add_signed(now.div_euclid(1_000)))
    }

    fn monotonic(&self, machine: MachineId) -> Duration {
        // Far from zero, so that days missed in suspension never go below it.
        const ORIGIN: Time = 10_000 * HOUR;

        Duration::from_micros(self.now + ORIGIN - self.machines[machine].missed)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(task, machine) => self.start(task, machine),
            Event::Resume { call, serial, answer } => self.resume(call, serial, answer),
            Event::Effect { call, serial, op, answer_at, is_told, survives } => {
                let is_waiting = self.is_waiting(call, serial);
                if !is_waiting && !survives {
                    return;
                }
                let answer = self.apply(call, &op);
                let answer = if is_told { answer } else { failure_of(&op) };
                if is_waiting {
                    self.witness_answer(call, &op, &answer);
                    self.schedule(answer_at, Event::Resume { call, serial, answer });
                }
            }
            Event::Arrive { call, serial, wire, fate, survives } => {
                if self.is_waiting(call, serial) || survives || fate.outlives_the_caller() {
                    self.arrive(call, serial, &wire, fate);
                }
            }
        }
    }

    fn is_waiting(&self, call: CallId, serial: u64) -> bool {
        self.calls[call].process.is_some() && self.calls[call].serial == serial
    }

    pub(crate) fn is_alive(&self, call: CallId) -> bool {
        self.calls[call].process.is_some()
    }

    fn start(&mut self, task: Task, machine: MachineId) {
        let away = self.machines[machine].down_until.max(self.machines[machine].frozen_until);
        if away > self.now {
            let at = away + self.random.range(1, SECOND);
            return self.schedule(at, Event::Start(task, machine));
        }
        let id = self.calls.len();
        let settings = self.machines[machine].settings.clone();
        let process = Process::new(task.clone(), settings, self.broken, &mut self.stacks);
        self.note(id, machine, || format!("starts: {}", task.name()));
        self.calls.push(Call {
            process: Some(process),
            machine,
            task,
            began: self.now,
            overlay: Keys::new(),
            serial: 0,
            was_stalled: false,
        });
        self.running += 1;
        self.witness_start(id);
        self.drive(id, Answer::Go);
    }

    fn resume(&mut self, call: CallId, serial: u64, answer: Answer) {
        if !self.is_waiting(call, serial) {
            return;
        }
        let thaw = self.machines[self.calls[call].machine].frozen_until;
        if thaw > self.now {
            self.calls[call].was_stalled = true;
            let at = thaw + self.random.range(0, SECOND / 10);
            return self.schedule(at, Event::Resume { call, serial, answer });
        }
        self.calls[call].serial += 1;
        self.witness_resume(call, &answer);
        self.drive(call, answer);
    }

    /// Lets a process run until it has to wait.
    fn drive(&mut self, call: CallId, answer: Answer) {
        let mut answer = answer;
        loop {
            let Some(process) = &mut self.calls[call].process else { return };
            match process.resume(answer) {
                Step::Ends(done) => return self.end(call, &done),
                Step::Asks(op) => match self.ask(call, op) {
                    Some(now) => answer = now,
                    None => return,
                },
            }
            if self.witness.is_violated() {
                return;
            }
        }
    }

    fn end(&mut self, call: CallId, done: &Done) {
        let process = self.calls[call].process.take().expect("it just ended");
        process.kill(&mut self.stacks);
        self.running -= 1;
        self.note(call, self.calls[call].machine, || format!("ends: {}", done.text()));
        self.witness_end(call, done);
        if let Some(user) = self.calls[call].task.user() {
            self.last = Some((self.is_at_rest(user, done), done.text()));
        }
        workload::follow_up(self, call, done);
    }

    pub(crate) fn note(&mut self, call: CallId, machine: MachineId, text: impl FnOnce() -> String) {
        if self.history.is_kept() {
            self.history.push(self.now, machine, Some(call), text());
        }
    }

    // What machines suffer.

    fn is_stormy(&self) -> bool {
        self.now < self.weather.until
    }

    /// Lets something befall the machine or the process before an operation.
    /// Answers how long the process is held up; none: it is dead.
    fn strike(&mut self, call: CallId) -> Option<Time> {
        if !self.is_stormy() {
            return Some(0);
        }
        let machine = self.calls[call].machine;
        let rates = &self.weather.machines;
        let (killed, trapped, stalled, frozen, stepped) =
            (rates.killed, rates.trapped, rates.stalled, rates.frozen, rates.stepped);
        if self.random.chance(killed) {
            self.kill_machine(machine);
            return None;
        }
        if self.random.chance(trapped) {
            self.counts.fault("process killed");
            self.kill_call(call);
            return None;
        }
        if self.random.chance(stepped) {
            self.step_clock(machine);
        }
        if self.random.chance(frozen) {
            self.freeze(machine);
        }
        if !self.random.chance(stalled) {
            return Some(0);
        }
        self.counts.fault("process held up");
        self.calls[call].was_stalled = true;
        let stall = self.random.pick(&[SECOND / 2, 3 * SECOND, 8 * SECOND, 25 * SECOND, 40 * SECOND, 5 * MINUTE]);
        self.note(call, machine, || format!("  is held up for {:.1} s", stall as f64 / 1e6));
        Some(stall)
    }

    pub(crate) fn kill_call(&mut self, call: CallId) {
        if let Some(process) = self.calls[call].process.take() {
            process.kill(&mut self.stacks);
            self.running -= 1;
            self.note(call, self.calls[call].machine, || "is killed".to_owned());
            self.witness_death(call);
        }
    }

    pub(crate) fn kill_machine(&mut self, machine: MachineId) {
        self.counts.fault("host killed and restarted");
        for call in 0..self.calls.len() {
            if self.calls[call].machine == machine && self.is_alive(call) {
                self.kill_call(call);
            }
        }
        let down = self.random.range(SECOND / 10, 30 * SECOND);
        self.machines[machine].down_until = self.now + down;
        let rescued = self.machines[machine].rescue.as_mut().map(std::mem::take).unwrap_or_default();
        if self.history.is_kept() {
            self.history.push(self.now, machine, None, format!("host killed, {} rescued pairs lost", rescued.len()));
        }
        self.witness_rescue_lost(&rescued);
    }

    fn freeze(&mut self, machine: MachineId) {
        self.counts.fault("machine suspended");
        let length = self.random.pick(&[5 * SECOND, 40 * SECOND, 10 * MINUTE, 3 * HOUR, DAY]);
        let machine_state = &mut self.machines[machine];
        machine_state.frozen_until = self.now + length;
        machine_state.disturbed = self.now + length;
        if !machine_state.counts_suspension {
            machine_state.missed += length;
        }
        if self.history.is_kept() {
            self.history.push(self.now, machine, None, format!("is suspended for {} s", length / SECOND));
        }
    }

    fn step_clock(&mut self, machine: MachineId) {
        self.counts.fault("wall clock set");
        let step = self.random.pick(&[SECOND / 2, 30 * SECOND, HOUR, DAY]);
        let step = i64::try_from(step).expect("a step fits");
        let step = if self.random.chance(500) { step } else { -step };
        self.machines[machine].offset += step;
        self.machines[machine].disturbed = self.now;
        if self.history.is_kept() {
            self.history.push(self.now, machine, None, format!("clock set by {} s", step / 1_000_000));
        }
    }

    // What processes ask for.

    /// The answer, if it can be had at once.
    fn ask(&mut self, call: CallId, op: Op) -> Option<Answer> {
        let stall = self.strike(call)?;
        let machine = self.calls[call].machine;
        let at_once = match &op {
            Op::Wall => Answer::Wall(self.wall(machine)),
            Op::Monotonic => Answer::Monotonic(self.monotonic(machine)),
            Op::Random => Answer::Random(self.random.next()),
            Op::Log(event) => {
                self.log(call, event);
                Answer::Go
            }
            // A pass after a long sleep counts a minute after the other.
            Op::Increment(key, 0) if key.starts_with("due.") && self.random.chance(900) => {
                self.counts.operations += 1;
                self.apply(call, &op)
            }
            _ => {
                self.begin(call, op, stall);
                return None;
            }
        };
        if stall == 0 && self.machines[machine].frozen_until <= self.now {
            return Some(at_once);
        }
        let serial = self.calls[call].serial;
        self.schedule(self.now + stall, Event::Resume { call, serial, answer: at_once });
        None
    }

    fn log(&mut self, call: CallId, event: &Logged) {
        let machine = self.calls[call].machine;
        self.note(call, machine, || format!("  logs {event:?}"));
    }

    /// Starts an operation that takes time.
    fn begin(&mut self, call: CallId, op: Op, stall: Time) {
        let serial = self.calls[call].serial;
        match op {
            Op::Sleep(duration) => {
                let length = u64::try_from(duration.as_micros()).expect("a sleep fits");
                let at = self.now + stall + length + self.random.range(0, 500);
                self.schedule(at, Event::Resume { call, serial, answer: Answer::Go });
            }
            Op::Send(request, timeout) => {
                let machine = self.calls[call].machine;
                let wire = Wire::read(&request);
                self.note(call, machine, || format!("sends {}", wire.text()));
                self.witness_send(call, serial, &wire, stall);
                let fate = self.fate();
                self.send(call, serial, wire, fate, stall, timeout);
            }
            _ => self.begin_store(call, serial, op, stall),
        }
    }

    fn send(&mut self, call: CallId, serial: u64, wire: Wire, fate: Fate, stall: Time, timeout: Duration) {
        let leaves = self.now + stall;
        let gives_up = leaves + u64::try_from(timeout.as_micros()).expect("a timeout fits");
        let unknown = || Answer::Response(Err(SendError::Unknown));
        match fate {
            Fate::NotSent => {
                let answer = Answer::Response(Err(SendError::NotSent));
                return self.schedule(leaves + SECOND / 20, Event::Resume { call, serial, answer });
            }
            Fate::RequestLost | Fate::ReplyLost => {
                let soon = leaves + SECOND;
                let at = if self.random.chance(500) { soon } else { gives_up };
                self.schedule(at, Event::Resume { call, serial, answer: unknown() });
            }
            _ => self.schedule(gives_up, Event::Resume { call, serial, answer: unknown() }),
        }
        if fate == Fate::RequestLost {
            return;
        }
        let travel = match fate {
            Fate::RequestLate => self.random.range(11 * SECOND, 60 * SECOND),
            _ => self.random.range(SECOND / 50, SECOND / 5),
        };
        let survives = self.random.chance(500);
        self.schedule(leaves + travel, Event::Arrive { call, serial, wire, fate, survives });
    }

    pub(crate) fn deliver(&mut self, call: CallId, serial: u64, response: Response, fate: Fate) {
        let travel = match fate {
            Fate::Slow => self.random.range(2 * SECOND, 9 * SECOND),
            Fate::ReplyLate => self.random.range(11 * SECOND, 60 * SECOND),
            _ => self.random.range(SECOND / 50, SECOND / 5),
        };
        let at = self.now + travel;
        self.schedule(at, Event::Resume { call, serial, answer: Answer::Response(Ok(response)) });
    }

    fn begin_store(&mut self, call: CallId, serial: u64, op: Op, stall: Time) {
        self.counts.operations += 1;
        let before = self.now + stall + self.random.range(20, 2_000);
        let machine = self.calls[call].machine;
        if self.fails_before(call, &op) {
            self.note(call, machine, || format!("{} ✗ (no effect)", text_of(&op)));
            let answer = failure_of(&op);
            self.witness_answer(call, &op, &answer);
            return self.schedule(before, Event::Resume { call, serial, answer });
        }
        let rates = &self.weather.store;
        let (after, late) = (rates.error_after, rates.late);
        let is_stormy = self.is_stormy() && bucket_of(&op) == Bucket::Store;
        let is_told = !(is_stormy && self.random.chance(after));
        let mut effect_at = before;
        let mut answer_at = before + self.random.range(20, 2_000);
        if !is_told {
            self.counts.fault(if matches!(op, Op::Increment(..)) {
                "increment done, answer lost"
            } else {
                "store operation done, error answered"
            });
        }
        if is_stormy && self.random.chance(late) {
            self.counts.fault("store operation late");
            let delay = self.random.pick(&[SECOND, 3 * SECOND, 6 * SECOND, 22 * SECOND]);
            answer_at += delay;
            if self.random.chance(500) {
                effect_at += delay;
            }
        }
        let survives = self.random.chance(500);
        self.schedule(effect_at, Event::Effect { call, serial, op, answer_at, is_told, survives });
    }

    fn fails_before(&mut self, call: CallId, op: &Op) -> bool {
        if !self.is_stormy() {
            return false;
        }
        let machine = self.calls[call].machine;
        let rates = &self.weather.store;
        match bucket_of(op) {
            Bucket::Rescue => {
                self.machines[machine].rescue.is_some() && self.random.chance(rates.rescue_error) && {
                    self.counts.fault("rescue bucket fails");
                    true
                }
            }
            Bucket::Env => {
                self.machines[machine].env.is_some() && self.random.chance(rates.env_error) && {
                    self.counts.fault(".env file fails");
                    true
                }
            }
            Bucket::Store if writes(op) && is_within(rates.read_only, self.now) => {
                self.counts.fault("store read-only");
                true
            }
            Bucket::Store if saves(op) && self.random.chance(rates.save_refused) => {
                self.counts.fault("save of a grant refused");
                true
            }
            Bucket::Store => {
                self.random.chance(rates.error_before) && {
                    self.counts.fault("store operation fails");
                    true
                }
            }
        }
    }

    // What the operations do.

    fn apply(&mut self, call: CallId, op: &Op) -> Answer {
        let machine = self.calls[call].machine;
        let answer = match bucket_of(op) {
            Bucket::Store => self.apply_to_store(call, op),
            Bucket::Rescue => self.apply_to_rescue(machine, op),
            Bucket::Env => self.apply_to_env(machine, op),
        };
        self.note(call, machine, || format!("{} → {}", text_of(op), answer_text(&answer)));
        answer
    }

    fn apply_to_store(&mut self, call: CallId, op: &Op) -> Answer {
        let forgets = self.weather.store.forgets;
        match op {
            Op::ReadBack(key) => Answer::Value(Ok(bytes(self.store.get(key)))),
            Op::Get(_, key) => {
                let masked = forgets.then(|| self.calls[call].overlay.get(key)).flatten();
                Answer::Value(Ok(bytes(masked.or_else(|| self.store.get(key)))))
            }
            Op::Set(_, key, value) => {
                self.put(call, key, Some(Value::Bytes(value.clone())));
                Answer::Written(Ok(()))
            }
            Op::Delete(_, key) => {
                self.put(call, key, None);
                Answer::Written(Ok(()))
            }
            Op::Increment(key, delta) => {
                let masked = forgets.then(|| self.calls[call].overlay.get(key)).flatten();
                let before = match masked.or_else(|| self.store.get(key)) {
                    Some(Value::Number(number)) => *number,
                    Some(Value::Bytes(_)) => return Answer::Number(Err(StoreError::Failed)),
                    None => 0,
                };
                if *delta > 0 {
                    self.put(call, key, Some(Value::Number(before + delta)));
                }
                Answer::Number(Ok(before + delta))
            }
            Op::List(_, cursor) => Answer::Page(Ok(self.page(cursor.unwrap_or(0)))),
            other => unreachable!("{other:?} is no key-value operation"),
        }
    }

    /// Keys that come and go move no other key past the cursor.
    fn page(&self, cursor: u64) -> KeyPage {
        let mut rest = self.born.range(cursor + 1..);
        let keys: Vec<(&u64, &String)> = rest.by_ref().take(self.page_size).collect();
        let last = keys.last().map(|(number, _)| **number).filter(|_| rest.next().is_some());
        KeyPage { keys: keys.into_iter().map(|(_, key)| key.clone()).collect(), cursor: last }
    }

    fn put(&mut self, call: CallId, key: &str, value: Option<Value>) {
        if self.weather.store.forgets {
            if let Some(value) = value {
                self.calls[call].overlay.insert(key.to_owned(), value);
            } else {
                self.calls[call].overlay.remove(key);
            }
            return;
        }
        let old = match value.clone() {
            Some(value) => self.store.insert(key.to_owned(), value),
            None => self.store.remove(key),
        };
        match (&old, &value) {
            (None, Some(_)) => {
                self.last_birth += 1;
                self.births.insert(key.to_owned(), self.last_birth);
                self.born.insert(self.last_birth, key.to_owned());
            }
            (Some(_), None) => {
                let number = self.births.remove(key).expect("a key that was made");
                self.born.remove(&number);
            }
            _ => {}
        }
        self.witness_store(call, key, old, value);
    }

    fn apply_to_rescue(&mut self, machine: MachineId, op: &Op) -> Answer {
        let Some(rescue) = &mut self.machines[machine].rescue else { return no_bucket(op) };
        match op {
            Op::Get(_, key) => Answer::Value(Ok(rescue.get(key).cloned())),
            Op::Set(_, key, value) => {
                rescue.insert(key.clone(), value.clone());
                self.witness_rescue(None, Some(value));
                Answer::Written(Ok(()))
            }
            Op::Delete(_, key) => {
                let old = rescue.remove(key);
                self.witness_rescue(old.as_deref(), None);
                Answer::Written(Ok(()))
            }
            Op::List(..) => Answer::Page(Ok(KeyPage { keys: rescue.keys().cloned().collect(), cursor: None })),
            other => unreachable!("{other:?} on the rescue bucket"),
        }
    }

    fn apply_to_env(&mut self, machine: MachineId, op: &Op) -> Answer {
        let Some(file) = self.machines[machine].env else { return no_bucket(op) };
        match op {
            Op::Get(..) => Answer::Value(Ok(self.envs[file].clone())),
            Op::Set(_, _, value) => {
                self.envs[file] = Some(value.clone());
                Answer::Written(Ok(()))
            }
            Op::Delete(..) => {
                self.envs[file] = None;
                Answer::Written(Ok(()))
            }
            other => unreachable!("{other:?} on the .env file"),
        }
    }
}

fn bytes(value: Option<&Value>) -> Option<Vec<u8>> {
    match value {
        Some(Value::Bytes(bytes)) => Some(bytes.clone()),
        Some(Value::Number(number)) => Some(number.to_string().into_bytes()),
        None => None,
    }
}

fn bucket_of(op: &Op) -> Bucket {
    match op {
        Op::Get(bucket, _) | Op::Set(bucket, ..) | Op::Delete(bucket, _) | Op::List(bucket, _) => *bucket,
        _ => Bucket::Store,
    }
}

fn writes(op: &Op) -> bool {
    match op {
        Op::Set(..) | Op::Delete(..) => true,
        Op::Increment(_, delta) => *delta > 0,
        _ => false,
    }
}

fn saves(op: &Op) -> bool {
    matches!(op, Op::Set(_, key, _) if key.starts_with("grant."))
}

fn failed(op: &Op, error: StoreError) -> Answer {
    match op {
        Op::Get(..) | Op::ReadBack(_) => Answer::Value(Err(error)),
        Op::Set(..) | Op::Delete(..) => Answer::Written(Err(error)),
        Op::Increment(..) => Answer::Number(Err(error)),
        Op::List(..) => Answer::Page(Err(error)),
        other => unreachable!("{other:?} is no key-value operation"),
    }
}

fn failure_of(op: &Op) -> Answer {
    failed(op, StoreError::Failed)
}

fn no_bucket(op: &Op) -> Answer {
    failed(op, StoreError::NoSuchBucket)
}

fn text_of(op: &Op) -> String {
    let value = |value: &[u8]| crate::report::shortened(&String::from_utf8_lossy(value));
    match op {
        Op::Get(bucket, key) => format!("get {bucket:?} {key}"),
        Op::ReadBack(key) => format!("read back {key}"),
        Op::Set(bucket, key, bytes) => format!("set {bucket:?} {key} = {}", value(bytes)),
        Op::Delete(bucket, key) => format!("delete {bucket:?} {key}"),
        Op::Increment(key, 0) => format!("count {key}"),
        Op::Increment(key, delta) => format!("increment {key} by {delta}"),
        Op::List(bucket, cursor) => format!("list {bucket:?} from {}", cursor.unwrap_or(0)),
        other => format!("{other:?}"),
    }
}

fn answer_text(answer: &Answer) -> String {
    match answer {
        Answer::Value(Ok(Some(value))) => crate::report::shortened(&String::from_utf8_lossy(value)),
        Answer::Value(Ok(None)) => "absent".to_owned(),
        Answer::Written(Ok(())) => "ok".to_owned(),
        Answer::Number(Ok(number)) => number.to_string(),
        Answer::Page(Ok(page)) => format!("{} keys", page.keys.len()),
        other => format!("{other:?}"),
    }
}
