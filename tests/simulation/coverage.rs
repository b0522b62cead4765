//! Counts the states that a run reaches, to show that the search is a real one.
//!
//! It judges nothing.

use crate::process::CallId;
use crate::records::{RecordKind, StoredRecord, Ticket, show, ticket_of};
use crate::simulation::Simulation;
use crate::workload::{CallAnswer, Task};

impl Simulation {
    pub(crate) fn count_end(&mut self, call: CallId, done: &CallAnswer) {
        use kroger_core::failure::{Cause, GrantTrouble};
        use kroger_core::grant::trouble::Trouble;
        let seen = &self.witness.seen[call];
        let task = self.calls[call].task.clone();
        if seen.won_claim && !seen.sent {
            self.counts.state("claim won and nothing sent");
        }
        match done {
            CallAnswer::Grant(Ok(grant)) => {
                let refresher = self.witness.refreshers.get(&(task.user().unwrap_or(0), ticket_of(grant)));
                if refresher.is_some_and(|other| *other != call) {
                    self.counts.state("refreshed by one, used by others");
                }
            }
            CallAnswer::Answered(Ok(_)) if matches!(task, Task::Refresh(_)) && !seen.sent => {
                self.counts.state("forced refresh shared");
            }
            CallAnswer::Grant(Err(Trouble::Unavailable { .. })) => self.counts.state("told: unavailable"),
            CallAnswer::Grant(Err(Trouble::StoreForgets)) => self.counts.state("told: store forgets"),
            CallAnswer::Complete(Ok(_)) => self.counts.state("signed in"),
            CallAnswer::Complete(Err(failure)) if failure.cause == Cause::Grant(GrantTrouble::ForgottenMeanwhile) => {
                self.counts.state("sign-in stopped by a deletion");
            }
            CallAnswer::Forget(Ok(())) => self.counts.state("deleted"),
            _ => {}
        }
        match done.refusal() {
            Some(true) => self.counts.state("told: probably spent"),
            Some(false) => self.counts.state("told: refused"),
            None => {}
        }
    }

    pub(crate) fn count_record(&mut self, call: CallId, user: usize, record: &StoredRecord) {
        let current = self.witness.current(user).map(|(record, _)| (record.root, record.ticket));
        let is_in_flight = self.witness.seen.iter().enumerate().any(|(other, seen)| {
            other != call
                && seen.sent
                && seen.intent.is_some_and(|((of, _), _, _)| of == user)
                && self.calls_alive(other)
        });
        match record.kind {
            RecordKind::SignIn if is_in_flight => self.counts.state("signed in while a refresh was in flight"),
            RecordKind::Deleted if is_in_flight => self.counts.state("deleted while a refresh was in flight"),
            RecordKind::Adopted => {
                self.counts.state("pair adopted from outside");
                if current.is_some() {
                    self.counts.state("pair adopted after the store had grants");
                }
            }
            RecordKind::Refreshed { parent } => {
                self.counts.state("refreshed");
                self.witness.refreshers.insert((user, record.ticket), call);
                if current.is_some_and(|(root, _)| root > record.root) {
                    self.counts.state("late child of an older sign-in ignored");
                }
                let is_child = |kind: RecordKind| kind == RecordKind::Refreshed { parent };
                let sibling = self.witness.records[user]
                    .values()
                    .find(|(other, _)| other.ticket != record.ticket && is_child(other.kind));
                if let Some((sibling, _)) = sibling {
                    self.counts.state("two children of one grant");
                    let of_sibling = RecordKind::Refreshed { parent: sibling.ticket };
                    if self.witness.records[user].values().any(|(other, _)| other.kind == of_sibling) {
                        self.counts.state("child refreshed while a sibling was in flight");
                    }
                }
            }
            RecordKind::SignIn | RecordKind::Deleted => {}
        }
    }

    pub(crate) fn count_claim(&mut self, user: usize, parent: Ticket, number: u64) {
        if number < 2 {
            return;
        }
        let before = |what: &str| {
            self.store.contains_key(&format!("{what}.{}.{}.{}", self.witness.users[user], show(parent), number - 1))
        };
        match (before("intent"), before("attempt")) {
            (_, true) => self.counts.state("tried again after a failed try"),
            (true, false) => self.counts.state("lease of a vanished owner ran out"),
            (false, false) => self.counts.state("dead claim taken over"),
        }
    }
}
