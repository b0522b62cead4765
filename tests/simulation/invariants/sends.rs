//! Invariants 2 and 8: who may send a refresh token, and when.
//!
//! Every send is checked before the network decides its fate.

use kroger_core::secret::Secret;

use super::{CLAIM_LIFE, CallFacts, LEASE};
use crate::kroger::Dialect;
use crate::network::Wire;
use crate::process::CallId;
use crate::records::show;
use crate::simulation::Simulation;
use crate::time::{SECOND, Time};
use crate::witness::Parent;
use crate::workload::Task;

impl Simulation {
    /// 2 and 8: a token is sent only under a claim and a durable intent of the caller's own,
    /// at most once each, and not by a call that read that it was spent or refused.
    pub(crate) fn witness_send(&mut self, call: CallId, serial: u64, wire: &Wire, stall: Time) {
        let Wire::Refresh(token) = wire else { return };
        if self.weather.store.forgets {
            return self.witness.violate(2, format!("{token} was sent although the store forgets"));
        }
        let Some((parent, number, at)) = self.witness.seen[call].intent else {
            return self.witness.violate(2, format!("{token} was sent without an intent"));
        };
        let seen = &self.witness.seen[call];
        let Some(claimed) = seen.claims.get(&(parent, number)) else {
            return self.witness.violate(2, format!("{token} was sent without a claim"));
        };
        let came_too_late = seen.looked.is_none_or(|looked| looked > claimed + CLAIM_LIFE);
        if came_too_late && self.weather.machines.stepped == 0 {
            return self.witness.violate(2, format!("{token} was sent by an owner that was too late"));
        }
        if self.is_in_flight_elsewhere(call, parent) {
            return self.witness.violate(2, format!("{token} was sent while another process was sending it"));
        }
        let rotates = !matches!(self.kroger.dialect, Dialect::NoRotation(_));
        if seen.children.contains(&parent) && rotates {
            return self.witness.violate(2, format!("{token} was sent after a child of {} was read", show(parent.1)));
        }
        // The refusal of another pair under the same ticket says nothing of this token.
        if seen.refused.contains(&(parent, Some(Secret::new(token.as_str()).fingerprint()))) {
            return self.witness.violate(2, format!("{token} was sent after its refusal was read"));
        }
        let key = format!("intent.{}.{}.{number}", self.witness.users[parent.0], show(parent.1));
        let is_superseded = self.witness.current(parent.0).is_none_or(|(record, _)| record.ticket != parent.1);
        if !self.store.contains_key(&key) && !is_superseded {
            return self.witness.violate(2, format!("{token} was sent although its intent is not in the store"));
        }
        if self.now + stall > at + 20 * SECOND {
            self.counts.state("token sent after its owner was held up past the lease");
        }
        if self.was_asked_to_wait(call) {
            return self.witness.violate(8, format!("the timer sent {token} although a 429 asked it to wait"));
        }
        let sends = self.witness.sends.entry((parent, number)).or_default();
        *sends += 1;
        if *sends > 1 {
            return self.witness.violate(2, format!("{token} was sent twice under one claim"));
        }
        self.witness.seen[call].sent = true;
        self.witness.seen[call].sends.insert(serial, (parent, number));
        self.witness.flights.entry(parent).or_default().push((call, number, at));
    }

    /// 8: whether this is the timer's call, and it had to know of a 429 that still counts.
    fn was_asked_to_wait(&self, call: CallId) -> bool {
        let Some((not_before, since)) = self.witness.note else { return false };
        let CallFacts { machine, was_held_up, .. } = self.facts(call);
        self.is_timers(call)
            && since < self.calls[call].began
            && self.wall(machine).0 < not_before
            && self.weather.machines.has_true_clocks()
            && !was_held_up
            && !self.witness.seen[call].missed_note
    }

    /// Whether the timer makes this call.
    pub(crate) fn is_timers(&self, call: CallId) -> bool {
        matches!(self.calls[call].task, Task::Keep(_) | Task::Pass)
    }

    /// Whether another live process has an open try at the grant, in its lease.
    ///
    /// Answers no where that is excused: a caller was held up, or the clocks differ.
    fn is_in_flight_elsewhere(&self, call: CallId, parent: Parent) -> bool {
        let (user, ticket) = parent;
        let key = |what: &str, number: u64| format!("{what}.{}.{}.{number}", self.witness.users[user], show(ticket));
        let is_current = self.witness.current(user).is_some_and(|(record, _)| record.ticket == ticket);
        let is_open = |(other, number, at): &(CallId, u64, Time)| {
            let is_undecided = !self.store.contains_key(&key("attempt", *number));
            let has_saved = self.witness.seen[*other].mints.iter().any(|new| self.witness.mints[new].was_saved);
            *other != call && is_undecided && !has_saved && self.is_alive(*other) && self.now < at + LEASE
        };
        let was_held_up = |call: CallId| self.facts(call).was_held_up;
        is_current
            && self.weather.machines.has_close_clocks()
            && !was_held_up(call)
            && self
                .witness
                .flights
                .get(&parent)
                .into_iter()
                .flatten()
                .any(|flight| is_open(flight) && !was_held_up(flight.0))
    }
}
