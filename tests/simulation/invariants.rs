//! The promises, as `docs/protocol.md` numbers them, each checked whenever
//! something happens that could break it.

use kroger_connector::core::lineage::Grant;
use kroger_connector::core::secret::Secret;

use crate::kroger::{SECOND, Time, TokenState};
use crate::network::{Fate, Wire};
use crate::records::{self, RecordKind, StoredRecord, Ticket, show};
use crate::simulation::{CallId, MachineId, Simulation, StoredValue};
use crate::witness::{AckedRoot, Mint, Parent};
use crate::workload::{CallAnswer, Task};

/// What clocks may differ by so that a lease is still one for everybody.
const CLOSE: Time = 6 * SECOND;
/// The lease, less that.
const LEASE: Time = 14 * SECOND;
/// An owner that looks at the clock later than this after its claim sends nothing.
const CLAIM_LIFE: Time = 2 * SECOND;

impl Simulation {
    /// 1: what Kroger gave this call is somewhere, or was told to be lost.
    pub(crate) fn check_saved(&mut self, call: CallId, done: &CallAnswer) {
        for token in self.witness.unsaved(call) {
            if matches!(done, CallAnswer::Complete(Err(failure)) if failure.detail.contains("forgotten")) {
                self.witness.mints.get_mut(&token).expect("minted").lost = Some("the user was deleted meanwhile");
                continue;
            }
            let mint = &self.witness.mints[&token];
            if !mint.was_save_refused {
                return self
                    .witness
                    .violate(1, format!("{token} was received and is nowhere, and no save was refused"));
            }
            if !mint.was_rescue_refused {
                return self
                    .witness
                    .violate(1, format!("{token} could not be saved, and was not put into the rescue bucket"));
            }
            let is_told = match done {
                CallAnswer::Grant(result) => matches!(result, Err(kroger_connector::core::refresh::Trouble::Lost)),
                CallAnswer::Answered(Err(failure)) => failure.detail.contains("could not keep them"),
                CallAnswer::Complete(Err(failure)) => failure.detail.contains("lost"),
                CallAnswer::Kept(_) | CallAnswer::Pass(_) => true,
                _ => false,
            };
            if !is_told {
                return self
                    .witness
                    .violate(6, format!("{token} could not be saved, and the caller was told {}", done.text()));
            }
            self.counts.state("told: could not be saved");
            self.lose(&token, "the store refused it", "sign-in lost: store");
        }
        self.check_lost_are_told();
    }

    /// 1: a lost token's parent has an open intent that says so.
    fn check_lost_are_told(&mut self) {
        for (token, mint) in &self.witness.mints {
            let Some(((user, parent), number)) = mint.intent else { continue };
            let is_relevant = mint.lost.is_some() && !self.witness.is_located(token) && !self.is_alive(mint.call);
            let is_parent_current = self.witness.current(user).is_some_and(|(record, _)| {
                record.token.is_some() && record.token == mint.parent_token && record.ticket == parent
            });
            if !is_relevant || !is_parent_current {
                continue;
            }
            let key = |what: &str| format!("{what}.{}.{}.{number}", self.witness.users[user], show(parent));
            let is_open = self.store.contains_key(&key("intent"));
            let is_honest = match self.store.get(&key("attempt")) {
                Some(StoredValue::Bytes(bytes)) => matches!(records::outcome(bytes).as_str(), "unknown" | "failed"),
                _ => true,
            };
            let folded = self.store.get(&records::fold_key(&self.witness.users[user], parent, number));
            let is_told_by_fold = matches!(folded, Some(StoredValue::Bytes(bytes)) if records::may_have_spent(bytes));
            if (!is_open || !is_honest) && !is_told_by_fold {
                let text =
                    format!("{token} is lost and the tries at its parent {} do not say that it may be", show(parent));
                return self.witness.violate(1, text);
            }
        }
    }

    /// 3: what was acknowledged is not undone.
    pub(crate) fn check_acknowledgement(&mut self, call: CallId, done: &CallAnswer) {
        let Some(user) = self.calls[call].task.user() else { return };
        let began = self.calls[call].began;
        if self.weather.store.forgets {
            return;
        }
        let acked = match done {
            CallAnswer::Complete(Ok(signed_in)) if signed_in.is_stored => {
                let root = root_of(&signed_in.grant);
                let token = signed_in.grant.tokens.refresh_token.as_ref().map(|token| token.expose().to_owned());
                if let Some(family) = token.and_then(|token| self.kroger.refresh.get(&token).map(|token| token.family))
                {
                    self.witness.acked_families.insert(family, self.now);
                }
                AckedRoot { root, began, is_deletion: false }
            }
            CallAnswer::Forget(Ok(())) => {
                // Of a user without a history, who has no root either, nothing is written.
                let root = self.witness.seen[call].tombstone.unwrap_or_default();
                AckedRoot { root, began, is_deletion: true }
            }
            _ => return,
        };
        if self.witness.acked[user].is_none_or(|before| before.root < acked.root) {
            self.witness.acked[user] = Some(acked);
        } else if self.witness.seen[call].acked[user].is_some_and(|before| before.root > acked.root) {
            self.witness
                .violate(3, format!("{} was acknowledged and is older than what it followed", show(acked.root)));
        }
        if acked.is_deletion && self.witness.deleted[user].is_none_or(|before| before.root <= acked.root) {
            self.witness.deleted[user] = Some(acked);
        }
        self.check_current(user);
    }

    /// 3: the user's newest record in the store is no older than what was
    /// acknowledged, nor of an origin that it replaced.
    pub(crate) fn check_current(&mut self, user: usize) {
        let Some((record, _)) = self.witness.current(user) else { return };
        let (root, ticket, token) = (record.root, record.ticket, record.token.clone());
        let Some(acked) = self.witness.acked[user] else { return };
        if root < acked.root {
            return self.witness.violate(
                3,
                format!("the current record is {}, and {} was acknowledged", show(ticket), show(acked.root)),
            );
        }
        let Some(family) = token.and_then(|token| self.kroger.refresh.get(&token).map(|token| token.family)) else {
            return;
        };
        let origin = self.kroger.families[family];
        if let Some(deletion) = self.witness.deleted[user]
            && origin.began < deletion.began
        {
            return self.witness.violate(
                3,
                format!("a deleted user is back: {} is of a sign-in from before the deletion", show(ticket)),
            );
        }
        let is_older = match self.witness.acked_families.get(&family) {
            Some(at) => *at < acked.began,
            None => origin.is_from_outside && origin.began < acked.began,
        };
        let is_known = self.witness.current_family[user].replace(family) == Some(family);
        // A pair from outside may stand in for a sign-in that is dead.
        if is_older && !is_known && !acked.is_deletion && self.is_alive_or_being_saved(user, acked, root) {
            self.witness.violate(3, format!("a newer sign-in was overwritten: {} is of an older one", show(ticket)));
        }
    }

    /// Whether the sign-in that was acknowledged last still has a good token, in
    /// the store or in the hands of a process in its lease.
    /// One that was never acknowledged may have taken its place.
    fn is_alive_or_being_saved(&self, user: usize, acked: AckedRoot, current: Ticket) -> bool {
        let records = || self.witness.records[user].values().map(|(record, _)| record);
        let before = records().map(|record| record.root).filter(|root| *root < current).max();
        let root = before.map_or(acked.root, |before| before.max(acked.root));
        let of_root = records().filter(|record| record.root == root);
        let Some(token) = of_root.max_by_key(|record| record.ticket).and_then(|record| record.token.as_deref()) else {
            return false;
        };
        self.kroger.is_good(Some(token), self.now) || self.is_being_saved(user, token)
    }

    /// 3: what a call is given is no older than what was acknowledged before it.
    pub(crate) fn check_root(&mut self, call: CallId, done: &CallAnswer) {
        if self.weather.store.forgets {
            return;
        }
        let Some(user) = self.calls[call].task.user() else { return };
        let Some(acked) = self.witness.seen[call].acked[user] else { return };
        let status = match done {
            CallAnswer::Status(Ok(Some(status))) => Some(&status.grant),
            _ => None,
        };
        if let Some(grant) = done.grant().or(status)
            && root_of(grant) < acked.root
        {
            let text = format!("a call was given {}, older than {}", show(ticket_of(grant)), show(acked.root));
            return self.witness.violate(3, text);
        }
        let is_signed_in = self
            .witness
            .current(user)
            .is_some_and(|(record, written)| record.kind != RecordKind::Deleted && *written < self.calls[call].began);
        if done.says_absent()
            && is_signed_in
            && !acked.is_deletion
            && self.witness.acked[user].is_some_and(|now| !now.is_deletion)
        {
            self.witness.violate(3, "a call was told that nobody is signed in");
        }
    }

    /// 4: nobody is given a token that has expired.
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

    fn facts(&self, call: CallId) -> CallFacts {
        let known = &self.calls[call];
        let machine = &self.machines[known.machine];
        let was_held_up = known.was_stalled || machine.disturbed >= known.began;
        CallFacts { machine: known.machine, was_held_up, is_add: matches!(known.task, Task::Add(_)) }
    }

    /// 5 and 6: nobody is told to sign in again for nothing, and who is, is told why.
    pub(crate) fn check_refusal(&mut self, call: CallId, done: &CallAnswer) {
        let is_kept =
            matches!(done, CallAnswer::Kept(Ok(kroger_connector::core::maintenance::RefreshOutcome::Reauthorize)));
        let refusal = done.refusal();
        let Some(user) = self.calls[call].task.user().filter(|_| is_kept || refusal.is_some()) else { return };
        let Some((record, written)) = self.current_on(user, self.calls[call].machine) else { return };
        let Some(token) = record.token.clone() else { return };
        let was_there = self.had_to_see(call, done, written);
        if self.kroger.is_good(Some(&token), self.now) {
            if was_there && refusal.is_some() {
                let text = format!("told to sign in again, and {token} of grant {} is good", show(record.ticket));
                self.witness.violate(5, text);
            }
            return;
        }
        if refusal.is_some() && was_there && self.is_being_saved_in_sight_of(self.calls[call].machine, user, &token) {
            return self
                .witness
                .violate(5, format!("told to sign in again while the successor of {token} was being saved"));
        }
        // What was spent from a record that is gone, nobody can know.
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

    /// Whether a call knows of a record that was written at `written`: it was there
    /// when the call began, or when it read a refusal, after which it looks again.
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

    /// Whether a live process, in its lease, holds the successor of `token`.
    fn is_being_saved(&self, user: usize, token: &str) -> bool {
        self.savers(user, token).next().is_some()
    }

    /// The same, on a machine whose clock agrees with that of `machine`.
    fn is_being_saved_in_sight_of(&self, machine: MachineId, user: usize, token: &str) -> bool {
        let offset = |machine: MachineId| self.machines[machine].offset;
        let agrees = |call: CallId| offset(machine).abs_diff(offset(self.calls[call].machine)) <= CLOSE;
        self.weather.machines.stepped == 0 && self.savers(user, token).any(agrees)
    }

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

    /// 1: the newest token that Kroger holds valid is not deleted.
    pub(crate) fn check_not_deleted(&mut self, user: usize, token: Option<String>, key: &str) {
        let Some(token) = token else { return };
        if self.witness.is_located(&token) || !self.kroger.is_good(Some(&token), self.now) {
            return;
        }
        let family = self.kroger.refresh[&token].family;
        let current = self.witness.current(user).and_then(|(record, _)| record.token.clone());
        let is_current =
            current.is_none_or(|other| self.kroger.refresh.get(&other).is_some_and(|other| other.family == family));
        let is_deleted = self.witness.current(user).is_some_and(|(record, _)| record.kind == RecordKind::Deleted);
        // What a newer sign-in superseded is nobody's, whatever came in its place since.
        let is_superseded = self
            .witness
            .current(user)
            .is_some_and(|(record, _)| records::grant_key(key).is_some_and(|(_, ticket)| ticket.0 < record.root.0));
        if is_current && !is_deleted && !is_superseded {
            self.witness.violate(1, format!("{key} was deleted, and {token} is good and nowhere else"));
        }
    }

    /// 2: nothing is sent that was read to be spent or refused, nothing without
    /// a claim and a durable intent of its own.
    pub(crate) fn witness_send(&mut self, call: CallId, serial: u64, wire: &Wire, stall: Time) {
        let Wire::Refresh(token) = wire else { return };
        if self.weather.store.forgets {
            return self.witness.violate(2, format!("{token} was sent, and the store forgets"));
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
            return self.witness.violate(2, format!("{token} was sent by an owner that had come too late"));
        }
        if self.is_in_flight_elsewhere(call, parent) {
            return self.witness.violate(2, format!("{token} was sent while another process was sending it"));
        }
        let rotates = !matches!(self.kroger.dialect, crate::kroger::Dialect::NoRotation(_));
        if seen.children.contains(&parent) && rotates {
            return self.witness.violate(2, format!("{token} was sent after a child of {} was read", show(parent.1)));
        }
        // Another pair under the same ticket is another matter.
        if seen.refused.contains(&(parent, Some(Secret::new(token.as_str()).fingerprint()))) {
            return self.witness.violate(2, format!("{token} was sent after it was read to be refused"));
        }
        let key = format!("intent.{}.{}.{number}", self.witness.users[parent.0], show(parent.1));
        let is_superseded = self.witness.current(parent.0).is_none_or(|(record, _)| record.ticket != parent.1);
        if !self.store.contains_key(&key) && !is_superseded {
            return self.witness.violate(2, format!("{token} was sent and its intent is not in the store"));
        }
        if self.now + stall > at + 20 * SECOND {
            self.counts.state("token sent after its owner was held up past the lease");
        }
        if self.was_asked_to_wait(call) {
            return self.witness.violate(8, format!("the timer sent {token}, and a 429 had asked it to wait"));
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

    /// 8: whether the timer should have known that Kroger wants to be left alone.
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

    pub(crate) fn is_timers(&self, call: CallId) -> bool {
        matches!(self.calls[call].task, Task::Keep(_) | Task::Pass)
    }

    /// Whether another try at the grant is open and in its lease, though nobody
    /// was held up and the clocks agree.
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

    /// A family died of a reuse: the sign-in was lost already, or somebody or the
    /// request itself was held up, or clocks differ; else two processes sent one
    /// token.
    pub(crate) fn revoke(&mut self, call: CallId, token: &str, fate: Fate) {
        let family = self.kroger.refresh[token].family;
        let of_family = |new: &String, kroger: &crate::kroger::SimulatedKroger| {
            kroger.refresh.get(new).is_some_and(|known| known.family == family)
        };
        let mints: Vec<String> =
            self.witness.mints.keys().filter(|new| of_family(new, &self.kroger)).cloned().collect();
        let is_out_of_reach = |mint: &Mint| mint.lost.is_some() || mint.was_save_refused;
        let was_lost = mints.iter().any(|new| is_out_of_reach(&self.witness.mints[new]));
        let held_up =
            |call: CallId| self.calls[call].was_stalled || !self.is_alive(call) && self.calls[call].task == Task::Pass;
        let was_late = fate == Fate::RequestLate
            || held_up(call)
            || !self.is_alive(call)
            || mints.iter().any(|new| held_up(self.witness.mints[new].call));
        let is_excused =
            was_lost || was_late || !self.weather.machines.has_close_clocks() || self.weather.store.late > 0;
        if !is_excused {
            return self.witness.violate(1, format!("{token} was sent twice, and its family was revoked"));
        }
        self.counts.state("sign-in lost: family revoked");
        for new in mints {
            self.witness.mints.get_mut(&new).expect("minted").lost.get_or_insert("family revoked");
        }
    }
}

struct CallFacts {
    machine: MachineId,
    was_held_up: bool,
    is_add: bool,
}

pub(crate) fn ticket_of(grant: &Grant) -> Ticket {
    records::ticket(&grant.ticket.to_string()).expect("a ticket as the keys have it")
}

fn root_of(grant: &Grant) -> Ticket {
    records::root(ticket_of(grant))
}
