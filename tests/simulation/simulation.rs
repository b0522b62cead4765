//! The state of one run, and the scheduler that decides when each event happens.
//!
//! The state is machines with clocks, processes on them, and the store that they share.
//! Time jumps from event to event. The seed decides the order of events at one time.
//! Nothing here knows what the protocol promises.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use corosensei::stack::DefaultStack;
use kroger_core::ports::{Event as Logged, StoreError};

use crate::kroger::SimulatedKroger;
use crate::machine::{MachineId, SimulatedMachine};
use crate::network::{Fate, Wire};
use crate::process::{BrokenPort, CallId, Op, PortAnswer, Process, ProcessStep};
use crate::random::Random;
use crate::records::StoredValues;
use crate::report::{Counts, History};
use crate::time::{SECOND, Time};
use crate::weather::Weather;
use crate::witness::Witness;
use crate::workload::{CallAnswer, Task};

/// One call of the core, from its start on.
pub(crate) struct SimulatedCall {
    /// `None` after the call has ended or was killed.
    pub(crate) process: Option<Process>,
    pub(crate) machine: MachineId,
    pub(crate) task: Task,
    pub(crate) began: Time,
    /// The values that a store that forgets shows to this call alone.
    pub(crate) overlay: StoredValues,
    /// The number of the operation that the call waits for.
    pub(crate) serial: u64,
    /// Whether the call was ever held up, by itself or with its suspended machine.
    pub(crate) was_stalled: bool,
}

/// An event that will happen at a known time.
pub(crate) enum ScheduledEvent {
    Start(Task, MachineId),
    Resume {
        call: CallId,
        serial: u64,
        answer: PortAnswer,
    },
    /// A key-value operation takes effect.
    ///
    /// `is_told`: the caller receives the answer. `survives`: the operation takes effect
    /// although its caller is gone.
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

struct QueueEntry {
    at: Time,
    tie: u64,
    event: Box<ScheduledEvent>,
}

impl PartialEq for QueueEntry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.tie) == (other.at, other.tie)
    }
}
impl Eq for QueueEntry {}
impl PartialOrd for QueueEntry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for QueueEntry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.tie).cmp(&(other.at, other.tie))
    }
}

pub(crate) struct Simulation {
    pub(crate) now: Time,
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    pub(crate) store: StoredValues,
    /// The keys in the order in which they were created, which is the order of a list.
    pub(crate) born: BTreeMap<u64, String>,
    pub(crate) births: HashMap<String, u64>,
    pub(crate) last_birth: u64,
    pub(crate) page_size: usize,
    /// The `.env` files; `None` for a file without token variables.
    pub(crate) envs: Vec<Option<Vec<u8>>>,
    pub(crate) machines: Vec<SimulatedMachine>,
    pub(crate) calls: Vec<SimulatedCall>,
    pub(crate) kroger: SimulatedKroger,
    pub(crate) witness: Witness,
    pub(crate) counts: Counts,
    pub(crate) history: History,
    pub(crate) broken: Option<BrokenPort>,
    /// The time at which the storm was over and the last of its calls had ended.
    pub(crate) calm_since: Time,
    /// Whether the user's grant is at rest after the last call for one user, and what that
    /// call answered.
    pub(crate) last: Option<(bool, String)>,
    queue: BinaryHeap<Reverse<QueueEntry>>,
    pub(crate) stacks: Vec<DefaultStack>,
    pub(crate) running: usize,
}
impl Simulation {
    pub(crate) fn new(random: Random, weather: Weather, kroger: SimulatedKroger, history: History) -> Self {
        Self {
            now: 0,
            random,
            weather,
            store: StoredValues::new(),
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

    pub(crate) fn start_at(&mut self, at: Time, machine: MachineId, task: Task) {
        self.schedule(at.max(self.now), ScheduledEvent::Start(task, machine));
    }

    pub(crate) fn schedule(&mut self, at: Time, event: ScheduledEvent) {
        let tie = self.random.next();
        self.queue.push(Reverse(QueueEntry { at, tie, event: Box::new(event) }));
    }

    /// Lets every event happen that is due by `end`, and moves the time there.
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

    fn happen(&mut self, event: ScheduledEvent) {
        match event {
            ScheduledEvent::Start(task, machine) => self.start(task, machine),
            ScheduledEvent::Resume { call, serial, answer } => self.resume(call, serial, answer),
            ScheduledEvent::Effect { call, serial, op, answer_at, is_told, survives } => {
                let is_waiting = self.is_waiting(call, serial);
                if !is_waiting && !survives {
                    return;
                }
                let answer = self.apply(call, &op);
                let answer = if is_told { answer } else { op.failure(StoreError::Failed) };
                if is_waiting {
                    self.witness_answer(call, &op, &answer);
                    self.schedule(answer_at, ScheduledEvent::Resume { call, serial, answer });
                }
            }
            ScheduledEvent::Arrive { call, serial, wire, fate, survives } => {
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
            return self.schedule(at, ScheduledEvent::Start(task, machine));
        }
        let id = self.calls.len();
        let settings = self.machines[machine].settings.clone();
        let process = Process::new(task.clone(), settings, self.broken, &mut self.stacks);
        self.note(id, machine, || format!("starts: {}", task.name()));
        self.calls.push(SimulatedCall {
            process: Some(process),
            machine,
            task,
            began: self.now,
            overlay: StoredValues::new(),
            serial: 0,
            was_stalled: false,
        });
        self.running += 1;
        self.witness_start(id);
        self.drive(id, PortAnswer::Go);
    }

    fn resume(&mut self, call: CallId, serial: u64, answer: PortAnswer) {
        if !self.is_waiting(call, serial) {
            return;
        }
        let thaw = self.machines[self.calls[call].machine].frozen_until;
        if thaw > self.now {
            self.calls[call].was_stalled = true;
            let at = thaw + self.random.range(0, SECOND / 10);
            return self.schedule(at, ScheduledEvent::Resume { call, serial, answer });
        }
        self.calls[call].serial += 1;
        self.witness_resume(call, &answer);
        self.drive(call, answer);
    }

    /// Lets a process run until it has to wait for an event.
    fn drive(&mut self, call: CallId, answer: PortAnswer) {
        let mut answer = answer;
        loop {
            let Some(process) = &mut self.calls[call].process else { return };
            match process.resume(answer) {
                ProcessStep::Ends(done) => return self.end(call, &done),
                ProcessStep::Asks(op) => match self.ask(call, op) {
                    Some(now) => answer = now,
                    None => return,
                },
            }
            if self.witness.is_violated() {
                return;
            }
        }
    }

    fn end(&mut self, call: CallId, done: &CallAnswer) {
        let process = self.calls[call].process.take().expect("it just ended");
        process.kill(&mut self.stacks);
        self.running -= 1;
        self.note(call, self.calls[call].machine, || format!("ends: {}", done.text()));
        self.witness_end(call, done);
        if let Some(user) = self.calls[call].task.user() {
            self.last = Some((self.is_at_rest(user, done), done.text()));
        }
        self.follow_up(call, done);
    }

    pub(crate) fn note(&mut self, call: CallId, machine: MachineId, text: impl FnOnce() -> String) {
        if self.history.is_kept() {
            self.history.push(self.now, machine, Some(call), text());
        }
    }

    /// Answers an operation that takes no time. Starts any other, and answers `None`.
    fn ask(&mut self, call: CallId, op: Op) -> Option<PortAnswer> {
        let stall = self.strike(call)?;
        let machine = self.calls[call].machine;
        if matches!(op, Op::Wall | Op::Monotonic) {
            self.witness_clock(call);
        }
        self.witness_save(call, &op);
        let at_once = match &op {
            Op::Wall => PortAnswer::Wall(self.wall(machine)),
            Op::Monotonic => PortAnswer::Monotonic(self.monotonic(machine)),
            Op::Random => PortAnswer::Random(self.random.next()),
            Op::Log(event) => {
                self.log(call, event);
                PortAnswer::Go
            }
            // After a long sleep a pass of the timer counts minute after minute. Most of
            // these counts take no time, because there are so many.
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
        self.schedule(self.now + stall, ScheduledEvent::Resume { call, serial, answer: at_once });
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
                self.schedule(at, ScheduledEvent::Resume { call, serial, answer: PortAnswer::Go });
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
}
