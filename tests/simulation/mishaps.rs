//! Sets clocks, suspends machines, and holds up and kills processes.
//!
//! It also reads the machines' clocks. It never changes the store or a message.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use kroger_core::ports::Timestamp;
use kroger_core::settings::Settings;

use crate::machine::{MachineId, SimulatedMachine};
use crate::process::CallId;
use crate::simulation::Simulation;
use crate::time::{DAY, EPOCH, HOUR, MINUTE, SECOND, Time, YEAR};

impl Simulation {
    pub(crate) fn add_machine(&mut self, settings: Rc<Settings>, has_rescue: bool, env: Option<usize>) {
        let skew = i64::try_from(self.weather.machines.skew).expect("a skew fits");
        let offset =
            if skew == 0 { 0 } else { i64::try_from(self.random.range(0, 2 * skew as u64)).expect("fits") - skew };
        self.machines.push(SimulatedMachine {
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

    pub(crate) fn wall(&self, machine: MachineId) -> Timestamp {
        let now = i64::try_from(self.now).expect("times fit") + self.machines[machine].offset;
        Timestamp(EPOCH.saturating_add_signed(now.div_euclid(1_000)))
    }

    pub(crate) fn monotonic(&self, machine: MachineId) -> Duration {
        // So far from zero that days of suspension never bring the clock below zero.
        const ORIGIN: Time = 10_000 * HOUR;

        Duration::from_micros(self.now + ORIGIN - self.machines[machine].missed)
    }

    pub(crate) fn is_stormy(&self) -> bool {
        self.now < self.weather.until
    }

    /// Injects faults of the machine and the process before an operation.
    ///
    /// Answers how long the process is held up; `None` if it was killed.
    pub(crate) fn strike(&mut self, call: CallId) -> Option<Time> {
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
        let step = self.random.pick(&[SECOND / 2, 30 * SECOND, HOUR, DAY, 20 * YEAR]);
        let step = i64::try_from(step).expect("a step fits");
        // No clock shows a time before 1970.
        let is_forward = self.random.chance(500) || self.wall(machine).as_secs() < 25 * YEAR / SECOND;
        let step = if is_forward { step } else { -step };
        self.machines[machine].offset += step;
        self.machines[machine].disturbed = self.now;
        if self.history.is_kept() {
            self.history.push(self.now, machine, None, format!("clock set by {} s", step / 1_000_000));
        }
    }
}
