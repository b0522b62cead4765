//! Shows the witness everything that happens: starts and ends of calls, writes, answers,
//! and what Kroger does with tokens.
//!
//! It writes down what the witness sees, and checks what shows at once. The other checks
//! are in `invariants` and `rest`.

use std::collections::BTreeMap;

use kroger_core::ports::{Bucket, SendError, StoreError};

use crate::kroger::TokenVerdict;
use crate::network::Fate;
use crate::process::{CallId, Op, PortAnswer};
use crate::records::{self, RecordKind, StoredRecord, StoredValue};
use crate::simulation::Simulation;
use crate::witness::{Mint, Seen};
use crate::workload::{CallAnswer, Task};

impl Simulation {
    /// Counts a token as lost for a reason that the protocol cannot prevent.
    pub(crate) fn lose(&mut self, token: &str, why: &'static str, state: &'static str) {
        let mint = self.witness.mints.get_mut(token).expect("a token that was minted");
        mint.lost = Some(why);
        let (call, machine) = (mint.call, self.calls[mint.call].machine);
        self.counts.state(state);
        let token = token.to_owned();
        self.note(call, machine, || format!("  *** {token} is lost: {why}"));
    }

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

    pub(crate) fn witness_end(&mut self, call: CallId, done: &CallAnswer) {
        self.check_saved(call, done);
        self.check_acknowledgement(call, done);
        self.check_root(call, done);
        self.check_expiry(call, done);
        self.check_refusal(call, done);
        self.count_end(call, done);
    }

    /// Shows a write to the shared store: the values under `key` before and after.
    pub(crate) fn witness_store(
        &mut self,
        call: CallId,
        key: &str,
        old: Option<StoredValue>,
        new: Option<StoredValue>,
    ) {
        if new.is_none() && old.is_some() {
            self.witness.removed.insert(key.to_owned(), self.now);
        }
        let Some((user, ticket)) = records::grant_key(key) else {
            return self.witness_other(call, key, old.as_ref(), new);
        };
        let Some(user) = self.witness.user(user) else { return };
        let (Some(StoredValue::Bytes(_)) | None, Some(StoredValue::Bytes(_)) | None) = (&old, &new) else { return };
        if let (Some(StoredValue::Bytes(before)), Some(StoredValue::Bytes(after))) = (&old, &new)
            && before != after
        {
            // Only a record that was adopted has no single writer: two processes adopt
            // different pairs at one moment, and either pair may stay.
            if ticket.1 == 0 || ticket.2 > 0 {
                return self.witness.violate(1, format!("the record {key} was overwritten"));
            }
            self.counts.state("two pairs adopted at one moment");
        }
        let token_of = |value: &Option<StoredValue>| match value {
            Some(StoredValue::Bytes(bytes)) => records::token_in(bytes),
            _ => None,
        };
        self.witness.locate(token_of(&new).as_deref(), 1);
        self.witness.locate(token_of(&old).as_deref(), -1);
        if let Some(StoredValue::Bytes(bytes)) = &new {
            let Some(record) = records::read(ticket, bytes) else { return };
            self.count_record(call, user, &record);
            if record.kind == RecordKind::Deleted {
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

    /// Whether this call exists and runs.
    pub(crate) fn calls_alive(&self, call: CallId) -> bool {
        self.calls.get(call).is_some() && self.is_alive(call)
    }

    /// Shows a write to a key that is no grant's.
    fn witness_other(&mut self, call: CallId, key: &str, old: Option<&StoredValue>, new: Option<StoredValue>) {
        if key.starts_with("head.") {
            let number = |value: Option<&StoredValue>| match value {
                Some(StoredValue::Bytes(bytes)) => records::ticket(std::str::from_utf8(bytes).ok()?),
                _ => None,
            };
            if number(new.as_ref()) < number(old) {
                self.counts.state("hint moved back");
            }
        }
        if let (records::NOT_BEFORE, Some(StoredValue::Bytes(bytes))) = (key, &new) {
            self.witness.note = Some((records::not_before(bytes), self.now));
        }
        let Some((what, user, parent, number)) = records::try_key(key) else { return };
        let Some(user) = self.witness.user(user) else { return };
        match (what, new) {
            ("fold", Some(_)) => self.counts.state("tries folded"),
            ("claim", Some(StoredValue::Number(1))) => {
                self.witness.seen[call].claims.insert(((user, parent), number), self.now);
                self.count_claim(user, parent, number);
            }
            ("attempt", Some(StoredValue::Bytes(bytes))) if records::outcome(&bytes) == "refused" => {
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

    /// Shows a write to a rescue bucket.
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

    /// Shows that a host ended and its rescue bucket with it.
    pub(crate) fn witness_rescue_lost(&mut self, rescued: &BTreeMap<String, Vec<u8>>) {
        for token in rescued.values().filter_map(|value| records::token_in(value)) {
            self.counts.state("rescued pair lost with its host");
            self.witness.locate(Some(&token), -1);
            if !self.witness.is_located(&token) && self.witness.mints.contains_key(&token) {
                self.lose(&token, "its host died while it waited to be saved", "sign-in lost: rescue");
            }
        }
    }

    /// Shows the answer of a key-value operation to the process that waits for it.
    pub(crate) fn witness_answer(&mut self, call: CallId, op: &Op, answer: &PortAnswer) {
        match (op, answer) {
            (Op::Get(_, key), PortAnswer::Value(Ok(Some(bytes)))) if key == records::NOT_BEFORE => {
                self.count_note(call, bytes);
            }
            (Op::Get(_, key), PortAnswer::Value(Err(_))) if key == records::NOT_BEFORE => {
                self.witness.seen[call].missed_note = true;
            }
            (Op::Get(_, key), PortAnswer::Value(Ok(Some(bytes)))) => self.learn(call, key, bytes),
            (Op::Get(Bucket::Store, key), PortAnswer::Value(Ok(None))) => {
                let is_swept = self.witness.removed.get(key).is_some_and(|at| *at >= self.calls[call].began);
                if is_swept && key.starts_with("grant.") {
                    self.counts.state("record swept while being read");
                }
            }
            (Op::Set(Bucket::Store, key, bytes), PortAnswer::Written(Err(StoreError::Failed)))
                if key.starts_with("grant.") =>
            {
                if let Some(mint) = records::token_in(bytes).and_then(|token| self.witness.mints.get_mut(&token)) {
                    mint.was_save_refused = true;
                }
            }
            (Op::Set(Bucket::Rescue, _, bytes), PortAnswer::Written(Err(_))) => {
                if let Some(mint) = records::token_in(bytes).and_then(|token| self.witness.mints.get_mut(&token)) {
                    mint.was_rescue_refused = true;
                }
            }
            (Op::Set(Bucket::Store, key, _), PortAnswer::Written(Ok(()))) => {
                if let Some(("intent", user, parent, number)) = records::try_key(key)
                    && let Some(user) = self.witness.user(user)
                {
                    self.witness.seen[call].intent = Some(((user, parent), number, self.now));
                    self.witness.seen[call].looked = None;
                }
            }
            (Op::Increment(..) | Op::Get(..), PortAnswer::Number(Err(_)) | PortAnswer::Value(Err(_)))
                if matches!(self.calls[call].task, Task::Complete { .. }) =>
            {
                // Without a root there is no key to save the pair under.
                for token in self.witness.unsaved(call) {
                    let mint = self.witness.mints.get_mut(&token).expect("minted");
                    (mint.was_save_refused, mint.was_rescue_refused) = (true, true);
                }
            }
            (Op::Increment(key, 1), PortAnswer::Number(Ok(1))) if key.starts_with("claim.") => {
                self.witness.seen[call].won_claim = true;
            }
            _ => {}
        }
    }

    fn count_note(&mut self, call: CallId, bytes: &[u8]) {
        let now = self.wall(self.calls[call].machine);
        if now.0 < records::not_before(bytes) && self.is_timers(call) {
            self.counts.state("timer held back by a 429");
        }
    }

    /// 6: nothing but a look at the clock comes between the answer and the save, so that the
    /// window is as short as possible. A sign-in takes its root and reads the user's history
    /// there: the person is still at the screen, and is told if the store fails.
    pub(crate) fn witness_save(&mut self, call: CallId, op: &Op) {
        let is_sign_in = matches!(self.calls[call].task, Task::Complete { .. });
        let takes_root = match op {
            Op::Increment(key, by) => *by == 0 || key.starts_with("roots."),
            Op::Get(..) | Op::Sleep(_) => true,
            _ => false,
        };
        if matches!(op, Op::Wall | Op::Monotonic) || is_sign_in && takes_root {
            return;
        }
        if !self.witness.must_save.remove(&call) {
            return;
        }
        if !matches!(op, Op::Set(Bucket::Store, key, _) if key.starts_with("grant.")) {
            self.witness.violate(6, format!("a new pair was received, and {op:?} came before the save"));
        }
    }

    /// Notes a look at a clock after the intent was stored.
    pub(crate) fn witness_clock(&mut self, call: CallId) {
        let seen = &mut self.witness.seen[call];
        if seen.intent.is_some() {
            seen.looked.get_or_insert(self.now);
        }
    }

    /// Notes what a process reads about children and refusals.
    fn learn(&mut self, call: CallId, key: &str, bytes: &[u8]) {
        if let Some((user, ticket)) = records::grant_key(key) {
            let Some(user) = self.witness.user(user) else { return };
            if let Some(StoredRecord { kind: RecordKind::Refreshed { parent }, .. }) = records::read(ticket, bytes) {
                self.witness.seen[call].children.insert((user, parent));
            }
        }
        if let Some(("attempt", user, parent, _)) = records::try_key(key)
            && let Some(user) = self.witness.user(user)
            && records::outcome(bytes) == "refused"
        {
            self.witness.seen[call].refused_at = Some(self.now);
            self.witness.seen[call].refused.push(((user, parent), records::token_tried(bytes)));
        }
    }

    /// Shows Kroger's answer to a refresh token, before the network touches it.
    pub(crate) fn witness_refresh(
        &mut self,
        call: CallId,
        serial: u64,
        token: &str,
        verdict: &TokenVerdict,
        fate: Fate,
    ) {
        let hidden = fate.hides_the_answer();
        match verdict {
            TokenVerdict::Granted { refresh: Some(new), .. } if new != token => {
                self.mint(call, serial, Some(token), new, hidden);
            }
            TokenVerdict::Refused { revoked: true } => self.revoke(call, token, fate),
            TokenVerdict::Refused { .. } | TokenVerdict::Expired if self.now >= self.calm_since => {
                let count = self.witness.calm_refusals.entry(token.to_owned()).or_default();
                *count += 1;
                if *count > 3 {
                    self.witness.violate(5, format!("{token} is dead and was sent again and again"));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn witness_exchange(&mut self, call: CallId, verdict: &TokenVerdict, hidden: Option<&'static str>) {
        if let TokenVerdict::Granted { refresh: Some(new), .. } = verdict {
            self.mint(call, 0, None, new, hidden);
        }
    }

    /// Notes a new refresh token; `hidden` says why its caller does not receive it.
    pub(crate) fn mint(
        &mut self,
        call: CallId,
        serial: u64,
        parent: Option<&str>,
        new: &str,
        hidden: Option<&'static str>,
    ) {
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

    /// Shows the answer with which a process continues; only the network's count.
    pub(crate) fn witness_resume(&mut self, call: CallId, answer: &PortAnswer) {
        match answer {
            PortAnswer::Response(Err(SendError::Unknown)) => {
                for token in self.witness.unsaved(call) {
                    self.lose(&token, "its answer came too late", "sign-in lost: reply");
                }
            }
            PortAnswer::Response(Ok(response)) if records::token_in(&response.body).is_some() => {
                if records::is_whole(&response.body) {
                    self.witness.must_save.insert(call);
                }
                if let Some((parent, _, _)) = self.witness.seen[call].intent.filter(|_| self.witness.seen[call].sent) {
                    self.witness.seen[call].children.insert(parent);
                }
            }
            PortAnswer::Response(Ok(response))
                if response.status == 401 && matches!(self.calls[call].task, Task::Add(_)) =>
            {
                self.counts.state("rejected access token replaced");
            }
            _ => {}
        }
    }
}
