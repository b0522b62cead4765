//! The ledger of cart adds that carry an idempotency key. A caller that does not
//! know what became of a call repeats it with its key, and nothing is added twice.
//!
//! An add follows `store::claim`, with one more check before it is sent: the
//! owner looks whether another owner is at the same entry. If an add was sent and has
//! no outcome, the outcome is unknown for good. It is told as unknown and never sent
//! again. If a try certainly did nothing, the next try may use the key.
//!
//! Safety rests on order alone. An owner stores its intent and then looks for a
//! later claim. A later owner claims and then looks for earlier intents. So one of
//! the two sees the other and sends nothing. Clocks only keep a process that was
//! stopped from sending an add that was told as unknown meanwhile.
//!
//! The ledger never holds an item, a user or a key, only hashes: of user and key in
//! the names, of the items in the intents. The cart's quota bounds its size, because
//! each call is counted there first. An entry is swept 25 hours after its last try.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::failure::{Cause, Failure, KeyTrouble, StoreTrouble, Undone};
use crate::grant::records;
use crate::item::Item;
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::secret::{Fingerprint, Secret, base32_sha256};
use crate::store::claim::{
    self, Admission, Deed, LEASE, Leased, Obstacle, Try, TryRecords, Watch, Withdrawal, next_number, read_try,
};
use crate::store::codec::Stored;
use crate::store::keys::{Key, Kind};
use crate::unknown_add::UnknownAdd;
use crate::user::UserId;

/// The least time for which a key is remembered.
pub(crate) const LIFETIME: Duration = Duration::from_secs(24 * 3_600);
/// The age at which an entry is swept: no caller goes on with it by then, whatever
/// its clock says.
const SWEPT_AFTER: Duration = Duration::from_secs(25 * 3_600);
/// More tries than a patient caller makes. Each try costs the next one some reads.
const MOST_TRIES: usize = 100;
/// An outcome that the store refuses is offered to it for this long.
const SAVE_TIME: Duration = Duration::from_secs(3);
const SHORTEST_POLL: Duration = Duration::from_millis(5);
const LONGEST_POLL: Duration = Duration::from_millis(500);

/// The name that a caller gives to one add: 1 to 255 printable ASCII characters.
/// `Debug` shows none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(Secret);

impl IdempotencyKey {
    pub(crate) const ALLOWED: &'static str =
        "1 to 255 printable ASCII characters, such as a UUID, bare or as a quoted string";

    /// Reads a bare key, or the quoted string of the IETF's draft (RFC 8941
    /// § 3.3.3).
    ///
    /// # Errors
    /// The form that is allowed.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let key = if text.starts_with('"') { unquoted(text).ok_or(Self::ALLOWED)? } else { text.to_owned() };
        let is_printable = key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if (1..=255).contains(&key.len()) && is_printable { Ok(Self(Secret::new(key))) } else { Err(Self::ALLOWED) }
    }
}

fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"').filter(|_| text.len() > 1)?;
    let mut key = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => key.push(characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            other => key.push(other),
        }
    }
    Some(key)
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AddOutcome {
    /// Certainly not added: the key is free for the next try.
    NothingDone,
    /// The call ended so. A caller that repeats it is told the same.
    Ended(End),
}

/// The end of a call that is not made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    Added,
    /// It may have been added.
    Unknown(UnknownAdd),
    /// Something other than Kroger answered: most likely not added.
    Unintelligible,
}

/// Stored before the add is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddIntent {
    items: Fingerprint,
    at: Timestamp,
    lease_until: Timestamp,
}

impl Leased for AddIntent {
    fn lease_until(&self) -> Timestamp {
        self.lease_until
    }
}

/// Stored when the outcome of an add is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddRecord {
    outcome: AddOutcome,
    at: Timestamp,
}

impl Stored for AddIntent {
    const KIND: Kind = Kind::AddIntent;
    const VERSION: u32 = 1;
}

impl Stored for AddRecord {
    const KIND: Kind = Kind::AddOutcome;
    const VERSION: u32 = 1;
}

/// A claimed try at an add, as far as its owner came.
type AddTry = Try<AddIntent, AddRecord>;

/// What the tries so far call for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum EntryState {
    /// Claim this try.
    Free {
        number: u64,
    },
    /// This try was claimed and has no intent yet: its owner is alive or dead.
    Claimed {
        number: u64,
    },
    InFlight {
        left: Duration,
    },
    /// The key belongs to other items.
    Conflict,
    Ended(End),
    /// Nothing was done, and the sweep may be deleting the entry.
    Expired,
    TriedTooOften,
}

/// The name of an entry: a hash of the user and the key.
pub(crate) struct EntryName(String);

impl TryRecords for EntryName {
    type Intent = AddIntent;
    type Conclusion = AddRecord;

    fn claim_key(&self, number: u64) -> String {
        Key::AddClaim { entry: self.0.clone(), number }.to_string()
    }

    fn intent_key(&self, number: u64) -> String {
        Key::AddIntent { entry: self.0.clone(), number }.to_string()
    }

    fn conclusion_key(&self, number: u64) -> String {
        Key::AddOutcome { entry: self.0.clone(), number }.to_string()
    }
}

/// The entry of one user's key, for the items of one call.
pub(crate) struct Entry<'a> {
    cx: Context<'a>,
    name: EntryName,
    items: Fingerprint,
}

/// The right to send once. The caller concludes it.
#[derive(Debug)]
pub(crate) struct Permit {
    number: u64,
}

/// What a caller may do.
#[derive(Debug)]
pub(crate) enum Passage {
    Send(Permit),
    /// An earlier call with this key ended so.
    Replay(End),
}

impl<'a> Entry<'a> {
    /// The entry of `key`. Its name depends on the user's newest deletion. So after a
    /// user is forgotten, all keys are unused: another customer may sign in under the
    /// same name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn new(cx: Context<'a>, user: &UserId, key: &IdempotencyKey, items: &[Item]) -> Result<Self, Failure> {
        let current = records::current(cx, &user.key()).map_err(|_| Failure::store_unavailable())?;
        let life = current.buried().map(|root| format!("{root}.")).unwrap_or_default();
        let name = base32_sha256(&format!("{}.{life}{}", user.key(), key.0.expose()));
        Ok(Self { cx, name: EntryName(name), items: fingerprint(items) })
    }

    /// The end of an earlier call with this key. None: a try may be made.
    ///
    /// # Errors
    /// The reason that keeps the call from being made.
    pub(crate) fn earlier(&self) -> Result<Option<End>, Failure> {
        match self.state()? {
            EntryState::Free { .. } | EntryState::Claimed { .. } => Ok(None),
            EntryState::Ended(end) => Ok(Some(end)),
            state => Err(refusal(&state)),
        }
    }

    /// Gets the right to send, or the end of an earlier call. The caller sends at once
    /// or not at all.
    ///
    /// # Errors
    /// The reason that keeps the call from being made; nothing was sent.
    pub(crate) fn admit(&self) -> Result<Passage, Failure> {
        const ROUNDS: u32 = 3;

        let mut silent = Watch::default();
        let mut poll = SHORTEST_POLL;
        let mut lost = 0;
        while lost < ROUNDS {
            let asked_at = self.cx.ports.monotonic_now();
            let number = match self.state()? {
                EntryState::Free { number } => number,
                EntryState::Claimed { number } if silent.is_dead(self.cx, number, asked_at) => number + 1,
                EntryState::Claimed { .. } => {
                    self.cx.ports.sleep(poll);
                    poll = (poll * 2).min(LONGEST_POLL);
                    continue;
                }
                EntryState::Ended(end) => return Ok(Passage::Replay(end)),
                state => return Err(refusal(&state)),
            };
            match claim::admit(self.cx, self, number).map_err(obstructed)? {
                Admission::Act(_) => return Ok(Passage::Send(Permit { number })),
                Admission::Lost | Admission::Withdrawn => lost += 1,
            }
        }
        Err(refusal(&EntryState::InFlight { left: Duration::ZERO }))
    }

    /// Stores what became of the one send. A store that refuses it is asked again for
    /// a while: without the outcome every repeat is told that it is unknown.
    pub(crate) fn conclude(&self, permit: &Permit, outcome: AddOutcome) {
        let record = AddRecord { outcome, at: self.cx.ports.wall_now() };
        let deadline = self.cx.ports.monotonic_now() + SAVE_TIME;
        while claim::conclude(self.cx, &self.name, permit.number, &record).is_err() {
            if self.cx.ports.monotonic_now() >= deadline {
                self.cx.ports.log(&Event::StoreTrouble { doing: "storing what became of a cart add" });
                return;
            }
            self.cx.ports.sleep(LONGEST_POLL);
        }
    }

    fn state(&self) -> Result<EntryState, Failure> {
        let tries = read_tries(self.cx, &self.name).map_err(|_| Failure::store_unavailable())?;
        Ok(state(&tries, &self.items, self.cx.ports.wall_now()))
    }
}

impl Deed for Entry<'_> {
    type Records = EntryName;

    fn records(&self) -> &EntryName {
        &self.name
    }

    fn intent(&self, _number: u64) -> Result<Option<AddIntent>, StoreError> {
        let at = self.cx.ports.wall_now();
        let items = self.items.clone();
        Ok(Some(AddIntent { items, at, lease_until: at + LEASE }))
    }

    /// Whether nobody claimed a later try, and no earlier try was sent or may still be
    /// sent.
    fn is_alone(&self, number: u64) -> Result<bool, StoreError> {
        if self.cx.ports.increment(&self.name.claim_key(number + 1), 0)? > 0 {
            return Ok(false);
        }
        for number in 1..number {
            let earlier = read_try(self.cx, &self.name, number)?;
            if earlier.is_some_and(|earlier| earlier.is_open() || earlier.end().is_some()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn withdraw(&self, number: u64, _why: Withdrawal) {
        self.conclude(&Permit { number }, AddOutcome::NothingDone);
    }
}

/// The hash of the items, whatever their order.
fn fingerprint(items: &[Item]) -> Fingerprint {
    let mut lines: Vec<String> = items
        .iter()
        .map(|item| format!("{} {} {}", item.upc.as_str(), item.quantity.get(), item.modality.as_str()))
        .collect();
    lines.sort_unstable();
    Secret::new(lines.join("\n")).fingerprint()
}

/// All tries, in order. None of them was folded.
fn read_tries(cx: Context<'_>, name: &EntryName) -> Result<Vec<AddTry>, StoreError> {
    claim::read_tries(cx, name, |_| Ok(None))
}

/// What the tries call for, given all of them in order. Reads no clock and no store.
fn state(tries: &[AddTry], items: &Fingerprint, now: Timestamp) -> EntryState {
    if tries.iter().filter_map(|each| each.intent.as_ref()).any(|intent| intent.items != *items) {
        return EntryState::Conflict;
    }
    if let Some(end) = tries.iter().find_map(AddTry::end) {
        return EntryState::Ended(end);
    }
    if let Some(open) = tries.iter().find(|each| each.is_open()) {
        return match open.lease_left(now) {
            Some(left) => EntryState::InFlight { left },
            None => EntryState::Ended(End::Unknown(UnknownAdd::Abandoned)),
        };
    }
    if is_older_than(tries, LIFETIME, now) {
        return EntryState::Expired;
    }
    if tries.len() >= MOST_TRIES {
        return EntryState::TriedTooOften;
    }
    match tries.last() {
        Some(last) if last.is_silent() => EntryState::Claimed { number: last.number },
        Some(_) | None => EntryState::Free { number: next_number(tries) },
    }
}

/// Whether the newest record of the tries is at least `age` away from `now`, earlier
/// or later: a clock may have been set.
fn is_older_than(tries: &[AddTry], age: Duration, now: Timestamp) -> bool {
    let newest = tries.iter().filter_map(AddTry::at).max();
    newest.is_some_and(|at| now.since(at).max(at.since(now)) >= age)
}

impl AddTry {
    fn end(&self) -> Option<End> {
        match self.conclusion.as_ref()?.outcome {
            AddOutcome::Ended(end) => Some(end),
            AddOutcome::NothingDone => None,
        }
    }

    fn at(&self) -> Option<Timestamp> {
        let (intent, record) = (self.intent.as_ref(), self.conclusion.as_ref());
        intent.map(|intent| intent.at).max(record.map(|record| record.at))
    }
}

fn refusal(state: &EntryState) -> Failure {
    const LEAST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(2);

    match state {
        EntryState::InFlight { left } => {
            Failure::from(Cause::Key(KeyTrouble::InFlight)).retry_after((*left).clamp(LEAST, MOST))
        }
        EntryState::Expired => Cause::Key(KeyTrouble::Expired).into(),
        EntryState::TriedTooOften => Cause::Key(KeyTrouble::TriedTooOften).into(),
        EntryState::Conflict | EntryState::Free { .. } | EntryState::Claimed { .. } | EntryState::Ended(_) => {
            Cause::Key(KeyTrouble::Conflict).into()
        }
    }
}

fn obstructed(obstacle: Obstacle) -> Failure {
    match obstacle {
        Obstacle::StoreFailed => Failure::store_unavailable(),
        Obstacle::StoreForgets => Cause::Store(StoreTrouble::Forgets(Undone::CartAdd)).into(),
    }
}

/// Deletes `entry` if it is old enough. Answers the number of keys deleted.
///
/// The last try is deleted first, and within a try its outcome last. So whoever
/// finds any key of a try also finds its outcome.
pub(crate) fn sweep(cx: Context<'_>, entry: &str) -> Result<u32, StoreError> {
    let name = EntryName(entry.to_owned());
    let tries = read_tries(cx, &name)?;
    let now = cx.ports.wall_now();
    if tries.last().is_some_and(AddTry::is_silent) {
        date(cx, &name, next_number(&tries), now)?;
        return Ok(0);
    }
    if !is_older_than(&tries, SWEPT_AFTER, now) {
        return Ok(0);
    }
    let mut deleted = 0;
    for Try { number, .. } in tries.into_iter().rev() {
        for key in [name.claim_key(number), name.intent_key(number), name.conclusion_key(number)] {
            cx.ports.delete(Bucket::Store, &key)?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// Gives an age to a claim whose owner vanished: takes the next try and does nothing
/// with it. If the owner lives after all, it sees that try and gives up.
fn date(cx: Context<'_>, name: &EntryName, number: u64, now: Timestamp) -> Result<(), StoreError> {
    if cx.ports.increment(&name.claim_key(number), 1)? != 1 {
        return Ok(());
    }
    let record = AddRecord { outcome: AddOutcome::NothingDone, at: now };
    claim::conclude(cx, name, number, &record)
}
