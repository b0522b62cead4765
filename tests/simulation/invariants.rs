//! The witness: sees everything that happens, knows the truth about each token,
//! and says which promise was broken.
//!
//! It shares no code with the core: it orders the records by itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use kroger_connector::core::lineage::Grant;
use kroger_connector::ports::{Bucket, SendError, StoreError};

use crate::kroger::{SECOND, State, Time, Verdict};
use crate::network::Wire;
use crate::process::{Answer, Op};
use crate::records::{self, Kind, Record, Ticket};
use crate::workload::{Done, Task, USERS, user_id};
use crate::world::{CallId, MachineId, Value, World};

/// A broken promise.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// 1 to 7, as `docs/protocol.md` numbers them.
    pub(crate) invariant: u8,
    pub(crate) text: String,
}

/// The parent whose refresh token a try sends.
type Parent = (usize, Ticket);

/// What one call is known to have done and read.
#[derive(Default)]
struct Seen {
    claims: HashMap<(Parent, u64), Time>,
    intent: Option<(Parent, u64, Time)>,
    sent: bool,
    /// Under which try each request was sent, by the operation's number.
    sends: HashMap<u64, (Parent, u64)>,
    won_claim: bool,
    children: HashSet<Parent>,
    refused: HashSet<Parent>,
    mints: Vec<String>,
    tombstone: Option<Ticket>,
    /// The acknowledged root of each user when it began.
    acked: [Option<Acked>; USERS.len()],
}

/// A refresh token that Kroger gave.
struct Mint {
    user: usize,
    call: CallId,
    parent_token: Option<String>,
    intent: Option<(Parent, u64)>,
    /// Why it may be nowhere.
    lost: Option<&'static str>,
    was_save_refused: bool,
    was_rescue_refused: bool,
    was_saved: bool,
}

/// The newest root that a caller was told of.
#[derive(Clone, Copy, Debug)]
struct Acked {
    root: Ticket,
    /// When the call that was told began.
    began: Time,
    is_deletion: bool,
}

#[derive(Default)]
pub(crate) struct Witness {
    pub(crate) violation: Option<Violation>,
    users: Vec<String>,
    records: [BTreeMap<Ticket, (Record, Time)>; USERS.len()],
    located: HashMap<String, i64>,
    mints: HashMap<String, Mint>,
    seen: Vec<Seen>,
    acked: [Option<Acked>; USERS.len()],
    deleted: [Option<Acked>; USERS.len()],
    /// Of which family the newest record is.
    current_family: [Option<usize>; USERS.len()],
    /// When the sign-in of a family was acknowledged.
    acked_families: HashMap<usize, Time>,
    removed: HashMap<String, Time>,
    sends: HashMap<(Parent, u64), u32>,
    calm_refusals: HashMap<String, u32>,
    refreshers: HashMap<(usize, Ticket), CallId>,
}

impl Witness {
    pub(crate) fn is_violated(&self) -> bool {
        self.violation.is_some()
    }

    fn user(&mut self, key: &str) -> Option<usize> {
        if self.users.is_empty() {
            self.users = (0..USERS.len()).map(|user| user_id(user).key().as_str().to_owned()).collect();
        }
        self.users.iter().position(|known| known == key)
    }

    fn violate(&mut self, invariant: u8, text: impl Into<String>) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, text: text.into() });
        }
    }

    /// The user's newest record in the store.
    fn current(&self, user: usize) -> Option<&(Record, Time)> {
        self.records[user].values().max_by_key(|(record, _)| (record.root, record.ticket))
    }

    fn is_located(&self, token: &str) -> bool {
        self.located.get(token).is_some_and(|count| *count > 0)
    }

    fn locate(&mut self, token: Option<&str>, change: i64) {
        if let Some(token) = token {
            if let Some(mint) = self.mints.get_mut(token) {
                mint.was_saved |= change > 0;
            }
            *self.located.entry(token.to_owned()).or_default() += change;
        }
    }

    /// Tokens that this call was given and that are nowhere.
    fn unsaved(&self, call: CallId) -> Vec<String> {
        let is_unsaved = |token: &&String| {
            let mint = &self.mints[*token];
            mint.call == call && mint.lost.is_none() && !mint.was_saved
        };
        self.seen[call].mints.iter().filter(is_unsaved).cloned().collect()
    }
}

impl World {
    fn lose(&mut self, token: &str, why: &'static str, state: &'static str) {
        let mint = self.witness.mints.get_mut(token).expect("a token that was minted");
        mint.lost = Some(why);
        let (call, machine) = (mint.call, self.calls[mint.call].machine);
        self.counts.state(state);
        let token = token.to_owned();
        self.note(call, machine, || format!("  *** {token} is lost: {why}"));
    }

    // Calls.

    pub(crate) fn witness_start(&mut self, call: CallId) {
        debug_assert_eq!(self.witness.seen.len(), call);
        let acked = self.witness.acked;
        self.witness.seen.push(Seen { acked, ..Seen::default() });
        self.counts.calls += 1;
    }

    pub(crate) fn witness_death(&mut self, call: CallId) {
        for token in self.witness.unsaved(call) {
            self.lose(&token, "its process died before it was saved", "sign-in lost: process");
        }
        if self.witness.seen[call].intent.is_some() {
            self.counts.state("host restarted with a request in flight");
        }
    }

    pub(crate) fn witness_end(&mut self, call: CallId, done: &Done) {
        self.check_saved(call, done);
        self.check_acknowledgement(call, done);
        self.check_root(call, done);
        self.check_expiry(call, done);
        self.check_refusal(call, done);
        self.count_end(call, done);
    }

    fn count_end(&mut self, call: CallId, done: &Done) {
        use kroger_connector::core::refresh::Trouble;
        let seen = &self.witness.seen[call];
        let task = self.calls[call].task.clone();
        if seen.won_claim && !seen.sent {
            self.counts.state("claim won and nothing sent");
        }
        match done {
            Done::Grant(Ok(grant)) => {
                let refresher = self.witness.refreshers.get(&(task.user().unwrap_or(0), ticket_of(grant)));
                if refresher.is_some_and(|other| *other != call) {
                    self.counts.state("refreshed by one, used by others");
                }
            }
            Done::Answered(Ok(_)) if matches!(task, Task::Refresh(_)) && !seen.sent => {
                self.counts.state("forced refresh shared");
            }
            Done::Grant(Err(Trouble::Unavailable { .. })) => self.counts.state("told: unavailable"),
            Done::Grant(Err(Trouble::StoreForgets)) => self.counts.state("told: store forgets"),
            Done::Complete(Ok(_)) => self.counts.state("signed in"),
            Done::Complete(Err(failure)) if failure.detail.contains("forgotten") => {
                self.counts.state("sign-in stopped by a deletion");
            }
            Done::Forget(Ok(())) => self.counts.state("deleted"),
            _ => {}
        }
        match done.refusal() {
            Some(true) => self.counts.state("told: probably spent"),
            Some(false) => self.counts.state("told: refused"),
            None => {}
        }
    }

    /// 1: what Kroger gave this call is somewhere, or was told to be lost.
    fn check_saved(&mut self, call: CallId, done: &Done) {
        for token in self.witness.unsaved(call) {
            if matches!(done, Done::Complete(Err(failure)) if failure.detail.contains("forgotten")) {
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
                Done::Grant(result) => matches!(result, Err(kroger_connector::core::refresh::Trouble::Lost)),
                Done::Answered(Err(failure)) => failure.detail.contains("could not keep them"),
                Done::Complete(Err(failure)) => failure.detail.contains("lost"),
                Done::Kept(_) | Done::Pass(_) => true,
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
                Some(Value::Bytes(bytes)) => matches!(records::outcome(bytes).as_str(), "unknown" | "failed"),
                _ => true,
            };
            if !is_open || !is_honest {
                let text =
                    format!("{token} is lost and the tries at its parent {} do not say that it may be", show(parent));
                return self.witness.violate(1, text);
            }
        }
    }

    /// 3: what was acknowledged is not undone.
    fn check_acknowledgement(&mut self, call: CallId, done: &Done) {
        let Some(user) = self.calls[call].task.user() else { return };
        let began = self.calls[call].began;
        if self.weather.store.forgets {
            return;
        }
        let acked = match done {
            Done::Complete(Ok(signed_in)) if signed_in.is_stored => {
                let root = root_of(&signed_in.grant);
                let token = signed_in.grant.tokens.refresh_token.as_ref().map(|token| token.expose().to_owned());
                if let Some(family) = token.and_then(|token| self.kroger.refresh.get(&token).map(|token| token.family))
                {
                    self.witness.acked_families.insert(family, self.now);
                }
                Acked { root, began, is_deletion: false }
            }
            Done::Forget(Ok(())) => {
                // Of a user without a history, who has no root either, nothing is written.
                let root = self.witness.seen[call].tombstone.unwrap_or_default();
                Acked { root, began, is_deletion: true }
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
    fn check_current(&mut self, user: usize) {
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
        if is_older && !is_known && !acked.is_deletion && self.is_alive_or_being_saved(user, acked) {
            self.witness.violate(3, format!("a newer sign-in was overwritten: {} is of an older one", show(ticket)));
        }
    }

    /// Whether the sign-in that was acknowledged last still has a good token, in
    /// the store or in the hands of a process in its lease.
    fn is_alive_or_being_saved(&self, user: usize, acked: Acked) -> bool {
        let of_root =
            self.witness.records[user].values().map(|(record, _)| record).filter(|record| record.root == acked.root);
        let Some(token) = of_root.max_by_key(|record| record.ticket).and_then(|record| record.token.as_deref()) else {
            return false;
        };
        self.kroger.is_good(Some(token), self.now) || self.is_being_saved(user, token)
    }

    /// 3: what a call is given is no older than what was acknowledged before it.
    fn check_root(&mut self, call: CallId, done: &Done) {
        if self.weather.store.forgets {
            return;
        }
        let Some(user) = self.calls[call].task.user() else { return };
        let Some(acked) = self.witness.seen[call].acked[user] else { return };
        let status = match done {
            Done::Status(Ok(Some(status))) => Some(&status.grant),
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
            .is_some_and(|(record, written)| record.kind != Kind::Deleted && *written < self.calls[call].began);
        if done.says_absent()
            && is_signed_in
            && !acked.is_deletion
            && self.witness.acked[user].is_some_and(|now| !now.is_deletion)
        {
            self.witness.violate(3, "a call was told that nobody is signed in");
        }
    }

    /// 4: nobody is given a token that has expired.
    fn check_expiry(&mut self, call: CallId, done: &Done) {
        let Call { machine, was_held_up, is_add } = self.facts(call);
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

    fn facts(&self, call: CallId) -> Call {
        let known = &self.calls[call];
        let machine = &self.machines[known.machine];
        let was_held_up = known.was_stalled || machine.disturbed >= known.began;
        Call { machine: known.machine, was_held_up, is_add: matches!(known.task, Task::Add(_)) }
    }

    /// 5 and 6: nobody is told to sign in again for nothing, and who is, is told why.
    fn check_refusal(&mut self, call: CallId, done: &Done) {
        let is_kept = matches!(done, Done::Kept(Ok(kroger_connector::core::maintenance::RefreshOutcome::Reauthorize)));
        let refusal = done.refusal();
        let Some(user) = self.calls[call].task.user().filter(|_| is_kept || refusal.is_some()) else { return };
        let Some((record, written)) = self.current_on(user, self.calls[call].machine) else { return };
        let Some(token) = record.token.clone() else { return };
        if self.kroger.is_good(Some(&token), self.now) {
            if written < self.calls[call].began && refusal.is_some() {
                let text = format!("told to sign in again, and {token} of grant {} is good", show(record.ticket));
                self.witness.violate(5, text);
            }
            return;
        }
        let clocks_agree = self.weather.machines.has_true_clocks();
        if refusal.is_some() && clocks_agree && self.is_being_saved(user, &token) {
            return self
                .witness
                .violate(5, format!("told to sign in again while the successor of {token} was being saved"));
        }
        // What was spent from a record that is gone, nobody can know.
        let is_spent_by_us = self.witness.mints.values().any(|mint| {
            mint.parent_token.as_ref() == Some(&token)
                && mint.intent.is_some_and(|(parent, _)| parent == (user, record.ticket))
        });
        let is_spent =
            self.kroger.refresh.get(&token).is_some_and(|known| known.state != State::Valid && self.now < known.ends);
        if refusal == Some(false) && is_spent && is_spent_by_us {
            self.witness.violate(
                6,
                format!("{token} was spent by a refresh, and the caller was told only that it was refused"),
            );
        }
    }

    /// The user's newest record in the store, or in the machine's rescue bucket.
    fn current_on(&self, user: usize, machine: MachineId) -> Option<(Record, Time)> {
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
        const LEASE: Time = 20 * SECOND;
        self.witness.mints.iter().any(|(new, mint)| {
            let intent = self.witness.seen[mint.call].intent;
            mint.user == user
                && mint.parent_token.as_deref() == Some(token)
                && mint.lost.is_none()
                && self.is_alive(mint.call)
                && !self.witness.is_located(new)
                && intent.is_some_and(|(_, _, at)| self.now < at + LEASE)
        })
    }

    // The store.

    pub(crate) fn witness_store(&mut self, call: CallId, key: &str, old: Option<Value>, new: Option<Value>) {
        if new.is_none() && old.is_some() {
            self.witness.removed.insert(key.to_owned(), self.now);
        }
        let Some((user, ticket)) = records::grant_key(key) else {
            return self.witness_other(call, key, old.as_ref(), new);
        };
        let Some(user) = self.witness.user(user) else { return };
        let (Some(Value::Bytes(_)) | None, Some(Value::Bytes(_)) | None) = (&old, &new) else { return };
        if let (Some(Value::Bytes(before)), Some(Value::Bytes(after))) = (&old, &new)
            && before != after
        {
            // Two pairs were offered at one moment; either is as good.
            if ticket.1 == 0 || ticket.2 > 0 {
                return self.witness.violate(1, format!("the record {key} was overwritten"));
            }
            self.counts.state("two pairs adopted at one moment");
        }
        let token_of = |value: &Option<Value>| match value {
            Some(Value::Bytes(bytes)) => records::token_in(bytes),
            _ => None,
        };
        self.witness.locate(token_of(&new).as_deref(), 1);
        self.witness.locate(token_of(&old).as_deref(), -1);
        if let Some(Value::Bytes(bytes)) = &new {
            let Some(record) = records::read(ticket, bytes) else { return };
            self.count_record(call, user, &record);
            if record.kind == Kind::Deleted {
                let seen = &mut self.witness.seen[call];
                seen.tombstone = seen.tombstone.max(Some(record.root));
            }
            self.witness.records[user].insert(ticket, (record, self.now));
        } else {
            self.witness.records[user].remove(&ticket);
            self.check_not_deleted(user, token_of(&old), key);
        }
        self.check_current(user);
    }

    fn count_record(&mut self, call: CallId, user: usize, record: &Record) {
        let current = self.witness.current(user).map(|(record, _)| (record.root, record.ticket));
        let is_in_flight = self.witness.seen.iter().enumerate().any(|(other, seen)| {
            other != call
                && seen.sent
                && seen.intent.is_some_and(|((of, _), _, _)| of == user)
                && self.calls_alive(other)
        });
        match record.kind {
            Kind::SignIn if is_in_flight => self.counts.state("signed in while a refresh was in flight"),
            Kind::Deleted if is_in_flight => self.counts.state("deleted while a refresh was in flight"),
            Kind::Adopted => {
                self.counts.state("pair adopted from outside");
                if current.is_some() {
                    self.counts.state("pair adopted after the store had grants");
                }
            }
            Kind::Refreshed { parent } => {
                self.counts.state("refreshed");
                self.witness.refreshers.insert((user, record.ticket), call);
                if current.is_some_and(|(root, _)| root > record.root) {
                    self.counts.state("late child of an older sign-in ignored");
                }
                let is_child = |kind: Kind| kind == Kind::Refreshed { parent };
                let sibling = self.witness.records[user]
                    .values()
                    .find(|(other, _)| other.ticket != record.ticket && is_child(other.kind));
                if let Some((sibling, _)) = sibling {
                    self.counts.state("two children of one grant");
                    let of_sibling = Kind::Refreshed { parent: sibling.ticket };
                    if self.witness.records[user].values().any(|(other, _)| other.kind == of_sibling) {
                        self.counts.state("child refreshed while a sibling was in flight");
                    }
                }
            }
            Kind::SignIn | Kind::Deleted => {}
        }
    }

    fn calls_alive(&self, call: CallId) -> bool {
        self.calls.get(call).is_some() && self.is_alive(call)
    }

    /// 1: the newest token that Kroger holds valid is not deleted.
    fn check_not_deleted(&mut self, user: usize, token: Option<String>, key: &str) {
        let Some(token) = token else { return };
        if self.witness.is_located(&token) || !self.kroger.is_good(Some(&token), self.now) {
            return;
        }
        let family = self.kroger.refresh[&token].family;
        let current = self.witness.current(user).and_then(|(record, _)| record.token.clone());
        let is_current =
            current.is_none_or(|other| self.kroger.refresh.get(&other).is_some_and(|other| other.family == family));
        let is_deleted = self.witness.current(user).is_some_and(|(record, _)| record.kind == Kind::Deleted);
        if is_current && !is_deleted {
            self.witness.violate(1, format!("{key} was deleted, and {token} is good and nowhere else"));
        }
    }

    fn witness_other(&mut self, call: CallId, key: &str, old: Option<&Value>, new: Option<Value>) {
        if key.starts_with("head.") {
            let number = |value: Option<&Value>| match value {
                Some(Value::Bytes(bytes)) => records::ticket(std::str::from_utf8(bytes).ok()?),
                _ => None,
            };
            if number(new.as_ref()) < number(old) {
                self.counts.state("hint moved back");
            }
        }
        let Some((what, user, parent, number)) = records::try_key(key) else { return };
        let Some(user) = self.witness.user(user) else { return };
        match (what, new) {
            ("claim", Some(Value::Number(1))) => {
                self.witness.seen[call].claims.insert(((user, parent), number), self.now);
                self.count_claim(user, parent, number);
            }
            ("attempt", Some(Value::Bytes(bytes))) if records::outcome(&bytes) == "refused" => {
                let others = self.witness.seen.iter().enumerate().any(|(other, seen)| {
                    other != call
                        && seen.sent
                        && self.calls_alive(other)
                        && seen.intent.is_some_and(|(of, _, _)| of == (user, parent))
                });
                if others {
                    self.counts.state("refused while another try was in flight");
                }
            }
            _ => {}
        }
    }

    fn count_claim(&mut self, user: usize, parent: Ticket, number: u64) {
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

    pub(crate) fn witness_rescue(&mut self, old: Option<&[u8]>, new: Option<&[u8]>) {
        if new.is_some() {
            self.counts.state("pair rescued");
        }
        if let Some(token) = new.and_then(records::token_in) {
            self.witness.locate(Some(&token), 1);
        }
        let Some(token) = old.and_then(records::token_in) else { return };
        self.counts.state("rescued pair saved");
        self.witness.locate(Some(&token), -1);
        if self.witness.is_located(&token) || !self.kroger.is_good(Some(&token), self.now) {
            return;
        }
        let user = self.witness.mints.get(&token).map(|mint| mint.user);
        let newest = user.and_then(|user| self.witness.current(user)).and_then(|(record, _)| record.token.clone());
        let family = self.kroger.refresh[&token].family;
        if newest.is_some_and(|newest| self.kroger.refresh.get(&newest).is_some_and(|newest| newest.family == family)) {
            self.witness.violate(1, format!("{token} was taken out of the rescue bucket and is nowhere else"));
        }
    }

    pub(crate) fn witness_rescue_lost(&mut self, rescued: &BTreeMap<String, Vec<u8>>) {
        for token in rescued.values().filter_map(|value| records::token_in(value)) {
            self.counts.state("rescued pair lost with its host");
            self.witness.locate(Some(&token), -1);
            if !self.witness.is_located(&token) && self.witness.mints.contains_key(&token) {
                self.lose(&token, "its host died while it waited to be saved", "sign-in lost: rescue");
            }
        }
    }

    /// What a process learns from its store.
    pub(crate) fn witness_answer(&mut self, call: CallId, op: &Op, answer: &Answer) {
        match (op, answer) {
            (Op::Get(_, key), Answer::Value(Ok(Some(bytes)))) => self.learn(call, key, bytes),
            (Op::Get(Bucket::Store, key), Answer::Value(Ok(None))) => {
                let is_swept = self.witness.removed.get(key).is_some_and(|at| *at >= self.calls[call].began);
                if is_swept && key.starts_with("grant.") {
                    self.counts.state("record swept while being read");
                }
            }
            (Op::Set(Bucket::Store, key, bytes), Answer::Written(Err(StoreError::Failed)))
                if key.starts_with("grant.") =>
            {
                if let Some(mint) = records::token_in(bytes).and_then(|token| self.witness.mints.get_mut(&token)) {
                    mint.was_save_refused = true;
                }
            }
            (Op::Set(Bucket::Rescue, _, bytes), Answer::Written(Err(_))) => {
                if let Some(mint) = records::token_in(bytes).and_then(|token| self.witness.mints.get_mut(&token)) {
                    mint.was_rescue_refused = true;
                }
            }
            (Op::Set(Bucket::Store, key, _), Answer::Written(Ok(()))) => {
                if let Some(("intent", user, parent, number)) = records::try_key(key)
                    && let Some(user) = self.witness.user(user)
                {
                    self.witness.seen[call].intent = Some(((user, parent), number, self.now));
                }
            }
            (Op::Increment(key, 1), Answer::Number(Ok(1))) if key.starts_with("claim.") => {
                self.witness.seen[call].won_claim = true;
            }
            _ => {}
        }
    }

    fn learn(&mut self, call: CallId, key: &str, bytes: &[u8]) {
        if let Some((user, ticket)) = records::grant_key(key) {
            let Some(user) = self.witness.user(user) else { return };
            if let Some(Record { kind: Kind::Refreshed { parent }, .. }) = records::read(ticket, bytes) {
                self.witness.seen[call].children.insert((user, parent));
            }
        }
        if let Some(("attempt", user, parent, _)) = records::try_key(key)
            && let Some(user) = self.witness.user(user)
            && records::outcome(bytes) == "refused"
        {
            self.witness.seen[call].refused.insert((user, parent));
        }
    }

    // Kroger.

    /// 2: nothing is sent that was read to be spent or refused, nothing without
    /// a claim and a durable intent of its own.
    pub(crate) fn witness_send(&mut self, call: CallId, serial: u64, wire: &Wire, stall: Time) {
        let Wire::Refresh(token) = wire else { return };
        if self.weather.store.forgets {
            return self.witness.violate(2, format!("{token} was sent, and the store forgets"));
        }
        let seen = &self.witness.seen[call];
        let Some((parent, number, at)) = seen.intent else {
            return self.witness.violate(2, format!("{token} was sent without an intent"));
        };
        if !seen.claims.contains_key(&(parent, number)) {
            return self.witness.violate(2, format!("{token} was sent without a claim"));
        }
        let rotates = !matches!(self.kroger.dialect, crate::kroger::Dialect::NoRotation(_));
        if seen.children.contains(&parent) && rotates {
            return self.witness.violate(2, format!("{token} was sent after a child of {} was read", show(parent.1)));
        }
        if seen.refused.contains(&parent) {
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
        let sends = self.witness.sends.entry((parent, number)).or_default();
        *sends += 1;
        if *sends > 1 {
            return self.witness.violate(2, format!("{token} was sent twice under one claim"));
        }
        self.witness.seen[call].sent = true;
        self.witness.seen[call].sends.insert(serial, (parent, number));
    }

    pub(crate) fn witness_refresh(
        &mut self,
        call: CallId,
        serial: u64,
        token: &str,
        verdict: &Verdict,
        hidden: Option<&'static str>,
    ) {
        match verdict {
            Verdict::Granted { refresh: Some(new), .. } if new != token => {
                self.mint(call, serial, Some(token), new, hidden);
            }
            Verdict::Refused { revoked: true } => self.revoke(call, token),
            Verdict::Refused { .. } | Verdict::Expired if self.now >= self.calm_since => {
                let count = self.witness.calm_refusals.entry(token.to_owned()).or_default();
                *count += 1;
                if *count > 3 {
                    self.witness.violate(5, format!("{token} is dead and was sent again and again"));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn witness_exchange(&mut self, call: CallId, verdict: &Verdict, hidden: Option<&'static str>) {
        if let Verdict::Granted { refresh: Some(new), .. } = verdict {
            self.mint(call, 0, None, new, hidden);
        }
    }

    fn mint(&mut self, call: CallId, serial: u64, parent: Option<&str>, new: &str, hidden: Option<&'static str>) {
        let is_alive = self.is_alive(call);
        let user = self.calls[call].task.user();
        let intent = self.witness.seen[call].sends.get(&serial).copied().filter(|_| parent.is_some());
        let user = intent.map(|((user, _), _)| user).or(user).expect("a user's call");
        let mint = Mint {
            user,
            call,
            parent_token: parent.map(str::to_owned),
            intent,
            lost: None,
            was_save_refused: false,
            was_rescue_refused: false,
            was_saved: false,
        };
        self.witness.mints.insert(new.to_owned(), mint);
        self.witness.seen[call].mints.push(new.to_owned());
        let is_refresh = parent.is_some();
        match hidden {
            Some(why) if is_refresh => self.lose(new, why, "sign-in lost: reply"),
            Some(why) => self.witness.mints.get_mut(new).expect("minted").lost = Some(why),
            None if !is_alive => self.lose(new, "its process was gone", "sign-in lost: process"),
            None => {}
        }
    }

    /// A family died of a reuse: the sign-in was lost already, or somebody was
    /// held up, or clocks differ; else two processes sent one token.
    fn revoke(&mut self, call: CallId, token: &str) {
        let family = self.kroger.refresh[token].family;
        let of_family = |new: &String, kroger: &crate::kroger::Kroger| {
            kroger.refresh.get(new).is_some_and(|known| known.family == family)
        };
        let mints: Vec<String> =
            self.witness.mints.keys().filter(|new| of_family(new, &self.kroger)).cloned().collect();
        let is_out_of_reach = |mint: &Mint| mint.lost.is_some() || mint.was_save_refused;
        let was_lost = mints.iter().any(|new| is_out_of_reach(&self.witness.mints[new]));
        let held_up =
            |call: CallId| self.calls[call].was_stalled || !self.is_alive(call) && self.calls[call].task == Task::Pass;
        let was_late =
            held_up(call) || !self.is_alive(call) || mints.iter().any(|new| held_up(self.witness.mints[new].call));
        let is_excused =
            was_lost || was_late || !self.weather.machines.has_true_clocks() || self.weather.store.late > 0;
        if !is_excused {
            return self.witness.violate(1, format!("{token} was sent twice, and its family was revoked"));
        }
        self.counts.state("sign-in lost: family revoked");
        for new in mints {
            self.witness.mints.get_mut(&new).expect("minted").lost.get_or_insert("family revoked");
        }
    }

    /// What a process learns from the network.
    pub(crate) fn witness_resume(&mut self, call: CallId, answer: &Answer) {
        match answer {
            Answer::Response(Err(SendError::Unknown)) => {
                for token in self.witness.unsaved(call) {
                    self.lose(&token, "its answer came too late", "sign-in lost: reply");
                }
            }
            Answer::Response(Ok(response)) if records::token_in(&response.body).is_some() => {
                if let Some((parent, _, _)) = self.witness.seen[call].intent.filter(|_| self.witness.seen[call].sent) {
                    self.witness.seen[call].children.insert(parent);
                }
            }
            Answer::Response(Ok(response))
                if response.status == 401 && matches!(self.calls[call].task, Task::Add(_)) =>
            {
                self.counts.state("rejected access token replaced");
            }
            _ => {}
        }
    }

    // The end.

    /// 7: when all is calm, each grant is fresh or says that it is not.
    /// Answers whether it is so.
    pub(crate) fn is_at_rest(&self, user: usize, done: &Done) -> bool {
        let Some((record, _)) = self.witness.current(user) else { return true };
        let is_good = self.kroger.is_good(record.token.as_deref(), self.now);
        let is_fresh = done.grant().is_some_and(|grant| {
            self.kroger.access_ends(grant.tokens.access_token.expose()).is_some_and(|ends| self.now < ends)
        });
        record.kind == Kind::Deleted || is_fresh || (done.refusal().is_some() && !is_good)
    }

    pub(crate) fn restless(&mut self, user: usize, told: &str) {
        self.witness.violate(7, format!("when all was calm, {} ended with {told}", USERS[user]));
    }

    /// 7: the timer alone keeps a grant fresh.
    pub(crate) fn check_kept(&mut self, user: usize) {
        let Some((record, written)) = self.witness.current(user).cloned() else { return };
        let Some(token) = record.token else { return };
        let is_good = self.kroger.is_good(Some(&token), self.now);
        if is_good && self.now > written + self.kroger.access_life {
            let text = format!(
                "the timer let the token of {} expire: {} is of {} s ago",
                USERS[user],
                show(record.ticket),
                (self.now - written) / SECOND
            );
            self.witness.violate(7, text);
        }
    }

    pub(crate) fn check_rescued(&mut self) {
        if self.machines.iter().any(|machine| machine.rescue.as_ref().is_some_and(|rescue| !rescue.is_empty())) {
            self.witness.violate(7, "when all was calm, a rescued pair was not saved");
        }
    }

    /// 7: what is left in the store is bounded: by the users, and by what the last
    /// day did.
    pub(crate) fn check_keys(&mut self) {
        let refreshes = self.counts.states.get("refreshed").copied().unwrap_or(0)
            + self.counts.states.get("signed in").copied().unwrap_or(0);
        let due = self.store.keys().filter(|key| key.starts_with("due.")).count() as u64;
        let left: Vec<String> = self.store.keys().filter(|key| !is_bounded_elsewhere(key)).cloned().collect();
        self.counts.most_keys = self.counts.most_keys.max(left.len());
        let unneeded = left.iter().filter(|key| !self.is_needed(key)).collect::<Vec<_>>();
        if !unneeded.is_empty() {
            let text = format!("keys that nobody needs are left: {unneeded:?}");
            return self.witness.violate(7, text);
        }
        if due > 2 * refreshes + 20 {
            self.witness.violate(7, format!("{due} entries of what is due are left"));
        }
    }

    /// A grant's keys are needed while it, or its child, is the current one; a
    /// root's, while there is no newer.
    fn is_needed(&mut self, key: &str) -> bool {
        let (what, rest) = key.split_once('.').unwrap_or((key, ""));
        let Some(user) = self.witness.user(rest.split('.').next().unwrap_or_default()) else {
            return matches!(what, "tick" | "client_token");
        };
        let Some((newest, _)) = self.witness.current(user).cloned() else { return what != "grant" };
        let parent = match newest.kind {
            Kind::Refreshed { parent } => parent,
            _ => newest.ticket,
        };
        let is_near = |ticket: Ticket| ticket == newest.ticket || ticket == parent;
        match what {
            "roots" | "head" => true,
            "seq" => rest.rsplit('.').nth(1).and_then(|number| number.parse().ok()) >= Some(newest.ticket.0),
            "grant" => records::grant_key(key)
                .is_some_and(|(_, ticket)| is_near(ticket) || ticket.0 == newest.ticket.0 && ticket.2 == 0),
            // What is newer waits in a rescue bucket, or was lost from one.
            _ => records::try_key(key).is_some_and(|(_, _, ticket, _)| is_near(ticket) || ticket > newest.ticket),
        }
    }
}

/// Sign-ins have a thousand places; hourly counts and what is due are kept for a
/// day.
fn is_bounded_elsewhere(key: &str) -> bool {
    ["signin", "used.", "lifetimes.", "due."].iter().any(|start| key.starts_with(start))
}

struct Call {
    machine: MachineId,
    was_held_up: bool,
    is_add: bool,
}

fn show(ticket: Ticket) -> String {
    format!("{}.{}.{}", ticket.0, ticket.1, ticket.2)
}

fn ticket_of(grant: &Grant) -> Ticket {
    records::ticket(&grant.ticket.to_string()).expect("a ticket as the keys have it")
}

fn root_of(grant: &Grant) -> Ticket {
    records::root(ticket_of(grant))
}
