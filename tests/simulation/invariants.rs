//! Checks the invariants of `docs/protocol.md`, by their numbers there, whenever
//! something happens that could break one.
//!
//! These checks read the state of the run and what the witness saw. They never change
//! what happens.

mod kept;
mod order;
mod sends;
mod told;

use crate::machine::MachineId;
use crate::process::CallId;
use crate::simulation::Simulation;
use crate::time::{SECOND, Time};
use crate::workload::Task;

/// The difference of two clocks up to which both machines respect a lease.
const CLOSE: Time = 6 * SECOND;
/// The part of a lease that every such machine respects: 20 s without `CLOSE`.
const LEASE: Time = 14 * SECOND;
/// The time after its claim within which an owner must look at the clock. Later it sends
/// nothing.
const CLAIM_LIFE: Time = 2 * SECOND;

impl Simulation {
    fn facts(&self, call: CallId) -> CallFacts {
        let known = &self.calls[call];
        let machine = &self.machines[known.machine];
        let was_held_up = known.was_stalled || machine.disturbed >= known.began;
        CallFacts { machine: known.machine, was_held_up, is_add: matches!(known.task, Task::Add(_)) }
    }
}

/// The machine of a call, and the facts that excuse it.
struct CallFacts {
    machine: MachineId,
    /// Whether the call was held up, or its clock was set or its machine suspended since
    /// it began.
    was_held_up: bool,
    is_add: bool,
}
