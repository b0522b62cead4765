//! Invariants 4, 5 and 6: the tokens that a caller is given, and the refusals that it is
//! told.
//!
//! A call is judged when it ends, by the truth at that time.

use super::{CLOSE, CallFacts, LEASE};
use crate::kroger::TokenState;
use crate::machine::MachineId;
use crate::process::CallId;
use crate::records::{self, StoredRecord, show};
use crate::simulation::Simulation;
use crate::time::Time;
use crate::workload::CallAnswer;

impl Simulation {
    /// 4: no caller is given a token that has expired.
    ///
    /// A call that was held up is excused. If the clocks differ, the caller's own counts.
    pub(crate) fn check_expiry(&mut self, call: CallId, done: &CallAnswer) {
        let CallFacts { machine, was_held_up, is_add } = self.facts(call);
        let Some(grant) = done.grant() else { return };
        if was_held_up || is_add {
            return;
        }
        let access = grant.tokens.access_token.expose();
        if self.weather.machines.has_true_clocks() {
            if self.kroger.access_ends(access).is_none_or(|ends| self.now >= ends) {
                self.witness.violate(4, format!("{access} had expired when it was handed out"));
            }
        } else if self.wall(machine) >= grant.tokens.expires_at {
            self.witness.violate(4, format!("{access} had expired by the caller's own clock"));
        }
    }

    /// 5 and 6: no caller is told to sign in again while the grant is alive, and a caller
    /// whose token was spent is told so.
    pub(crate) fn check_refusal(&mut self, call: CallId, done: &CallAnswer) {
        let is_kept =
            matches!(done, CallAnswer::Kept(Ok(kroger_core::service::maintenance::RefreshOutcome::Reauthorize)));
        let refusal = done.refusal();
        let Some(user) = self.calls[call].task.user().filter(|_| is_kept || refusal.is_some()) else { return };
        let Some((record, written)) = self.current_on(user, self.calls[call].machine) else { return };
        let Some(token) = record.token.clone() else { return };
        let was_there = self.had_to_see(call, done, written);
        if self.kroger.is_good(Some(&token), self.now) {
            if was_there && refusal.is_some() {
                let text = format!(
                    "a caller was told to sign in again although {token} of grant {} is good",
                    show(record.ticket)
                );
                self.witness.violate(5, text);
            }
            return;
        }
        if refusal.is_some() && was_there && self.is_being_saved_in_sight_of(self.calls[call].machine, user, &token) {
            return self.witness.violate(
                5,
                format!("a caller was told to sign in again while the successor of {token} was being saved"),
            );
        }
        // A caller cannot know that the token was spent under another record that is gone.
        let is_spent_by_us = self.witness.mints.values().any(|mint| {
            mint.parent_token.as_ref() == Some(&token)
                && mint.intent.is_some_and(|(parent, _)| parent == (user, record.ticket))
        });
        let is_spent = self
            .kroger
            .refresh
            .get(&token)
            .is_some_and(|known| known.state != TokenState::Valid && self.now < known.ends);
        if refusal == Some(false) && was_there && is_spent && is_spent_by_us {
            self.witness.violate(
                6,
                format!("{token} was spent by a refresh, and the caller was told only that it was refused"),
            );
        }
    }

    /// Whether a call had to see a record that was written at `written`.
    ///
    /// It had to if the record was there when the call began, or when the call read a
    /// refusal, because it looks again after that.
    fn had_to_see(&self, call: CallId, done: &CallAnswer, written: Time) -> bool {
        let is_status = matches!(done, CallAnswer::Status(_));
        let refused_at = self.witness.seen[call].refused_at.filter(|_| !is_status);
        written < refused_at.unwrap_or_default().max(self.calls[call].began)
    }

    /// The user's newest record in the store, or in the machine's rescue bucket.
    fn current_on(&self, user: usize, machine: MachineId) -> Option<(StoredRecord, Time)> {
        let rescue = self.machines[machine].rescue.iter().flatten();
        let rescued = rescue.filter_map(|(key, bytes)| {
            let (of, ticket) = records::grant_key(key)?;
            let record = records::read(ticket, bytes).filter(|_| of == self.witness.users[user])?;
            Some((record, self.now))
        });
        rescued.chain(self.witness.current(user).cloned()).max_by_key(|(record, _)| record.ticket)
    }

    /// Whether such a process runs on a machine whose clock agrees with that of `machine`,
    /// so that a caller there respects its lease.
    fn is_being_saved_in_sight_of(&self, machine: MachineId, user: usize, token: &str) -> bool {
        let offset = |machine: MachineId| self.machines[machine].offset;
        let agrees = |call: CallId| offset(machine).abs_diff(offset(self.calls[call].machine)) <= CLOSE;
        self.weather.machines.stepped == 0 && self.savers(user, token).any(agrees)
    }

    /// Whether a live process, in its lease, holds the successor of `token`.
    pub(super) fn is_being_saved(&self, user: usize, token: &str) -> bool {
        self.savers(user, token).next().is_some()
    }

    /// The live processes that are in their lease and hold the unsaved successor of `token`.
    fn savers<'a>(&'a self, user: usize, token: &'a str) -> impl Iterator<Item = CallId> + 'a {
        let holders = self.witness.mints.iter().filter(move |(new, mint)| {
            mint.user == user
                && mint.parent_token.as_deref() == Some(token)
                && mint.lost.is_none()
                && self.is_alive(mint.call)
                && !self.witness.is_located(new)
        });
        holders.map(|(_, mint)| mint.call).filter(|call| {
            let intent = self.witness.seen[*call].intent;
            intent.is_some_and(|(_, _, at)| self.now < at + LEASE)
        })
    }
}
