//! The promises, as `docs/protocol.md` numbers them, each checked whenever
//! something happens that could break it.

mod kept;
mod order;
mod sends;
mod told;

use crate::machine::MachineId;
use crate::process::CallId;
use crate::simulation::Simulation;
use crate::time::{SECOND, Time};
use crate::workload::Task;

/// What clocks may differ by so that a lease is still one for everybody.
const CLOSE: Time = 6 * SECOND;
/// The lease, less that.
const LEASE: Time = 14 * SECOND;
/// An owner that looks at the clock later than this after its claim sends nothing.
const CLAIM_LIFE: Time = 2 * SECOND;

impl Simulation {
    fn facts(&self, call: CallId) -> CallFacts {
        let known = &self.calls[call];
        let machine = &self.machines[known.machine];
        let was_held_up = known.was_stalled || machine.disturbed >= known.began;
        CallFacts { machine: known.machine, was_held_up, is_add: matches!(known.task, Task::Add(_)) }
    }
}

struct CallFacts {
    machine: MachineId,
    was_held_up: bool,
    is_add: bool,
}
