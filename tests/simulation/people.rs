//! Does what people do after a call ends: they consent at Kroger, change their mind, or
//! delete the user.
//!
//! It starts calls and never answers one.

use crate::kroger::Origin;
use crate::process::CallId;
use crate::simulation::Simulation;
use crate::time::SECOND;
use crate::workload::{CallAnswer, Task};

/// The time that a person takes from the link to the consent.
const CONSENT: std::ops::Range<u64> = SECOND..500 * SECOND;

impl Simulation {
    /// Takes a person's next steps after `call` answered `done`.
    pub(crate) fn follow_up(&mut self, call: CallId, done: &CallAnswer) {
        let CallAnswer::Authorize(Ok(request)) = done else { return };
        let Some(user) = self.calls[call].task.user() else { return };
        if self.random.chance(100) {
            // The person changes their mind.
            return;
        }
        let began = self.now;
        let code = self.kroger.agree(Origin { user, began, is_from_outside: false });
        let state = request.state.clone();
        let at = began + self.random.range(CONSENT.start, CONSENT.end);
        let machine = self.random.index(self.machines.len());
        let complete = Task::Complete { user, code, state, began };
        if self.random.chance(100) {
            // The browser loads the page twice.
            self.start_at(at, machine, complete.clone());
        }
        self.start_at(at, machine, complete);
        if self.random.chance(50) {
            // Somebody deletes the user at that moment.
            let machine = self.random.index(self.machines.len());
            let just_then = at + self.random.range(0, SECOND / 2);
            self.start_at(just_then, machine, Task::Forget(user));
        }
    }
}
