//! The ledger of cart adds that carry an idempotency key: a caller who does not
//! know what became of a call repeats it with its key, and nothing is added twice.
//!
//! claim → store the intent → read it back → look whether anyone else is at it →
//! check both clocks → send once → store the outcome. What was sent and has no
//! outcome is unknown for good: it is told so, and never sent again. What
//! certainly did nothing leaves the key to the next try.
//!
//! Safety rests on order alone: an owner stores its intent and then looks for a
//! claim after its own, a later owner claims and then looks for intents before its
//! own, so of two one sees the other and sends nothing. Clocks only keep a
//! process that was stopped from sending what was told as unknown meanwhile.
//!
//! It holds hashes: of user and key in the names, of the items in the intents.
//! It is bounded by the cart's quota, since a call is counted there first, and
//! swept a day after the last try.
//!
//! | key | value |
//! |---|---|
//! | `add_claim.<entry>.<n>` | counter; who raises it to 1 owns try `n` |
//! | `add_intent.<entry>.<n>` | an `Intent`, written once by the owner |
//! | `add_outcome.<entry>.<n>` | a `Record` of what became of it, by the owner |

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cart::unknown::Unknown;
use crate::failure::{Cause, Failure, Undone};
use crate::grant::attempts::{CLAIM_DEATH, CLAIM_LIFE, LEASE};
use crate::grant::records;
use crate::item::Item;
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::secret::{Fingerprint, Secret, base32_sha256};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::user::UserId;
use crate::{CLOCK_SKEW, Context};

/// How long a key is remembered at least.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3_600);
/// Later than anyone still goes on with it, whatever their clock says.
const SWEPT_AFTER: Duration = Duration::from_secs(25 * 3_600);
/// More tries than a patient caller makes; each costs the next one some reads.
const MOST_TRIES: usize = 100;
/// An outcome that the store refuses is offered to it for this long.
const SAVE_TIME: Duration = Duration::from_secs(3);
const SHORTEST_POLL: Duration = Duration::from_millis(5);
const LONGEST_POLL: Duration = Duration::from_millis(500);

/// What a caller names one deed by: 1 to 255 printable ASCII characters.
/// `Debug` shows none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(Secret);

impl IdempotencyKey {
    pub const ALLOWED: &'static str = "1 to 255 printable ASCII characters, such as a UUID, bare or as a quoted string";

    /// Reads a bare key, or the quoted string of the IETF's draft (RFC 8941
    /// § 3.3.3).
    ///
    /// # Errors
    /// What is allowed.
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
pub enum Outcome {
    /// Certainly not added: the key is free for the next try.
    NothingDone,
    /// Told to whoever repeats the call.
    Ended(End),
}

/// How a call ended that is not made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Added,
    /// It may have been added.
    Unknown(Unknown),
    /// Something other than Kroger answered: most likely not added.
    Unintelligible,
}

/// Stored before the add is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    items: Fingerprint,
    at: Timestamp,
    lease_until: Timestamp,
}

/// Stored when its outcome is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    outcome: Outcome,
    at: Timestamp,
}

impl Stored for Intent {
    const KIND: Kind = Kind::AddIntent;
    const VERSION: u32 = 1;
}

impl Stored for Record {
    const KIND: Kind = Kind::AddOutcome;
    const VERSION: u32 = 1;
}

/// A claimed try, as far as its owner got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Try {
    intent: Option<Intent>,
    record: Option<Record>,
}

/// What the tries so far call for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// Claim this try.
    Free {
        number: u64,
    },
    /// This try was claimed and has no intent yet: alive or dead.
    Claimed {
        number: u64,
    },
    InFlight {
        left: Duration,
    },
    /// The key belongs to other items.
    Conflict,
    Ended(End),
    /// Nothing was done, and the sweep may be at it.
    Expired,
    TriedTooOften,
}

/// One key of one user's, for the items of one call.
pub struct Entry<'a> {
    cx: Context<'a>,
    name: String,
    items: Fingerprint,
}

/// The right to send once. Its owner concludes it.
#[derive(Debug)]
pub struct Permit {
    number: u64,
}

/// What a caller may do.
#[derive(Debug)]
pub enum Admission {
    Send(Permit),
    /// An earlier call with this key ended so.
    Replay(End),
}

impl<'a> Entry<'a> {
    /// Who is forgotten takes their keys along: another customer may sign in under
    /// the same name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(cx: Context<'a>, user: &UserId, key: &IdempotencyKey, items: &[Item]) -> Result<Self, Failure> {
        let current = records::current(cx, &user.key()).map_err(|_| Failure::store_unavailable())?;
        let life = current.buried().map(|root| format!("{root}.")).unwrap_or_default();
        let name = base32_sha256(&format!("{}.{life}{}", user.key(), key.0.expose()));
        Ok(Self { cx, name, items: fingerprint(items) })
    }

    /// How an earlier call with this key ended; none where a try may be made.
    ///
    /// # Errors
    /// What keeps the call from being made.
    pub fn earlier(&self) -> Result<Option<End>, Failure> {
        match self.standing()? {
            Standing::Free { .. } | Standing::Claimed { .. } => Ok(None),
            Standing::Ended(end) => Ok(Some(end)),
            standing => Err(refusal(&standing)),
        }
    }

    /// Gets the right to send, or what an earlier call ended with. The caller
    /// sends at once or not at all.
    ///
    /// # Errors
    /// What keeps the call from being made; nothing was sent.
    pub fn admit(&self) -> Result<Admission, Failure> {
        const ROUNDS: u32 = 3;

        let mut silent = None;
        let mut poll = SHORTEST_POLL;
        let mut lost = 0;
        while lost < ROUNDS {
            let number = match self.standing()? {
                Standing::Free { number } => number,
                Standing::Claimed { number } if self.seems_dead(&mut silent, number) => number + 1,
                Standing::Claimed { .. } => {
                    self.cx.ports.sleep(poll);
                    poll = (poll * 2).min(LONGEST_POLL);
                    continue;
                }
                Standing::Ended(end) => return Ok(Admission::Replay(end)),
                standing => return Err(refusal(&standing)),
            };
            if self.claim(number)? {
                return Ok(Admission::Send(Permit { number }));
            }
            lost += 1;
        }
        Err(refusal(&Standing::InFlight { left: Duration::ZERO }))
    }

    /// Stores what became of the one send.
    pub fn conclude(&self, permit: &Permit, outcome: Outcome) {
        let record = Record { outcome, at: self.cx.ports.wall_now() };
        let (key, value) = (outcome_key(&self.name, permit.number), codec::encode(&record));
        let deadline = self.cx.ports.monotonic_now() + SAVE_TIME;
        while self.cx.ports.set(Bucket::Store, &key, &value).is_err() {
            if self.cx.ports.monotonic_now() >= deadline {
                // Whoever asks later is told that it is unknown.
                self.cx.ports.log(&Event::StoreTrouble { doing: "storing what became of a cart add" });
                return;
            }
            self.cx.ports.sleep(LONGEST_POLL);
        }
    }

    fn standing(&self) -> Result<Standing, Failure> {
        let tries = tries(self.cx, &self.name).map_err(|_| Failure::store_unavailable())?;
        Ok(standing(&tries, &self.items, self.cx.ports.wall_now()))
    }

    /// An owner gives up well before others take its claim for dead.
    fn seems_dead(&self, silent: &mut Option<(u64, Duration)>, number: u64) -> bool {
        let now = self.cx.ports.monotonic_now();
        match *silent {
            Some((seen, since)) if seen == number => now >= since + CLAIM_DEATH,
            _ => {
                *silent = Some((number, now));
                false
            }
        }
    }

    /// Becomes the owner of try `number`. False: somebody else is at it, or this
    /// came too late; look again.
    fn claim(&self, number: u64) -> Result<bool, Failure> {
        let unavailable = |_| Failure::store_unavailable();
        let ports = self.cx.ports;
        let (claimed_at, claimed_at_wall) = (ports.monotonic_now(), ports.wall_now());
        if ports.increment(&claim_key(&self.name, number), 1).map_err(unavailable)? != 1 {
            return Ok(false);
        }
        self.store_intent(number)?;
        let is_alone = self.is_alone(number);
        let now = ports.wall_now();
        let is_in_time = ports.monotonic_now() < claimed_at + CLAIM_LIFE
            && now >= claimed_at_wall
            && now < claimed_at_wall + CLAIM_LIFE;
        if is_alone == Ok(true) && is_in_time {
            return Ok(true);
        }
        self.conclude(&Permit { number }, Outcome::NothingDone);
        is_alone.map(|_| false).map_err(unavailable)
    }

    /// Durable, and really there: a store that forgets would let the next caller
    /// add it again.
    fn store_intent(&self, number: u64) -> Result<(), Failure> {
        let at = self.cx.ports.wall_now();
        let intent = Intent { items: self.items.clone(), at, lease_until: at + LEASE };
        let (key, value) = (intent_key(&self.name, number), codec::encode(&intent));
        let stored = self.cx.ports.set(Bucket::Store, &key, &value).and_then(|()| self.cx.ports.read_back(&key));
        match stored {
            Ok(Some(stored)) if stored == value => Ok(()),
            Ok(_) => Err(forgets()),
            Err(_) => {
                self.conclude(&Permit { number }, Outcome::NothingDone);
                Err(Failure::store_unavailable())
            }
        }
    }

    /// Whether nobody claimed a later try, and none of the earlier ones was, or
    /// may yet be, sent. Asked when our own intent is stored.
    fn is_alone(&self, number: u64) -> Result<bool, StoreError> {
        if self.cx.ports.increment(&claim_key(&self.name, number + 1), 0)? > 0 {
            return Ok(false);
        }
        for earlier in 1..number {
            let earlier = read_try(self.cx, &self.name, earlier)?.unwrap_or_default();
            if earlier.open().is_some() || earlier.end().is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Of the items, whatever their order.
fn fingerprint(items: &[Item]) -> Fingerprint {
    let mut lines: Vec<String> = items
        .iter()
        .map(|item| format!("{} {} {}", item.upc.as_str(), item.quantity.get(), item.modality.as_str()))
        .collect();
    lines.sort_unstable();
    Secret::new(lines.join("\n")).fingerprint()
}

/// Pure.
fn standing(tries: &[Try], items: &Fingerprint, now: Timestamp) -> Standing {
    if tries.iter().filter_map(|each| each.intent.as_ref()).any(|intent| intent.items != *items) {
        return Standing::Conflict;
    }
    if let Some(end) = tries.iter().find_map(Try::end) {
        return Standing::Ended(end);
    }
    if let Some(open) = tries.iter().find_map(Try::open) {
        return match open.left(now) {
            Some(left) => Standing::InFlight { left },
            None => Standing::Ended(End::Unknown(Unknown::Abandoned)),
        };
    }
    if is_older_than(tries, LIFETIME, now) {
        return Standing::Expired;
    }
    if tries.len() >= MOST_TRIES {
        return Standing::TriedTooOften;
    }
    let number = tries.len() as u64;
    match tries.last() {
        Some(Try { intent: None, record: None }) => Standing::Claimed { number },
        Some(Try { .. }) | None => Standing::Free { number: number + 1 },
    }
}

/// Whether the last that is known of the tries lies so far from `now`.
fn is_older_than(tries: &[Try], age: Duration, now: Timestamp) -> bool {
    let newest = tries.iter().filter_map(Try::at).max();
    newest.is_some_and(|at| now.since(at).max(at.since(now)) >= age)
}

impl Try {
    fn end(&self) -> Option<End> {
        match self.record.as_ref()?.outcome {
            Outcome::Ended(end) => Some(end),
            Outcome::NothingDone => None,
        }
    }

    /// The intent, where nobody knows its outcome.
    fn open(&self) -> Option<&Intent> {
        self.intent.as_ref().filter(|_| self.record.is_none())
    }

    fn at(&self) -> Option<Timestamp> {
        let (intent, record) = (self.intent.as_ref(), self.record.as_ref());
        intent.map(|intent| intent.at).max(record.map(|record| record.at))
    }
}

impl Intent {
    /// What is left of its lease, which counts only if it ends little more than
    /// one lease ahead: a clock that was ahead must not hold a key.
    fn left(&self, now: Timestamp) -> Option<Duration> {
        let is_in_flight = now < self.lease_until && self.lease_until <= now + LEASE + CLOCK_SKEW;
        is_in_flight.then(|| self.lease_until.since(now))
    }
}

fn claim_key(entry: &str, number: u64) -> String {
    Key::AddClaim { entry: entry.to_owned(), number }.to_string()
}

fn intent_key(entry: &str, number: u64) -> String {
    Key::AddIntent { entry: entry.to_owned(), number }.to_string()
}

fn outcome_key(entry: &str, number: u64) -> String {
    Key::AddOutcome { entry: entry.to_owned(), number }.to_string()
}

/// All tries, in order.
fn tries(cx: Context<'_>, entry: &str) -> Result<Vec<Try>, StoreError> {
    let mut tries = Vec::new();
    for number in 1.. {
        let Some(found) = read_try(cx, entry, number)? else { break };
        tries.push(found);
    }
    Ok(tries)
}

/// Read backwards: an outcome that was found has its intent.
fn read_try(cx: Context<'_>, entry: &str, number: u64) -> Result<Option<Try>, StoreError> {
    let record: Option<Record> = codec::read(cx, Bucket::Store, &outcome_key(entry, number))?;
    let intent: Option<Intent> = codec::read(cx, Bucket::Store, &intent_key(entry, number))?;
    let is_claimed = record.is_some() || intent.is_some() || cx.ports.increment(&claim_key(entry, number), 0)? > 0;
    Ok(is_claimed.then_some(Try { intent, record }))
}

fn refusal(standing: &Standing) -> Failure {
    const LEAST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(2);

    match standing {
        Standing::InFlight { left } => Failure::from(Cause::KeyInFlight).retry_after((*left).clamp(LEAST, MOST)),
        Standing::Expired => Cause::KeyExpired.into(),
        Standing::TriedTooOften => Cause::KeyTriedTooOften.into(),
        Standing::Conflict | Standing::Free { .. } | Standing::Claimed { .. } | Standing::Ended(_) => {
            Cause::KeyConflict.into()
        }
    }
}

fn forgets() -> Failure {
    Cause::StoreForgets(Undone::CartAdd).into()
}

/// Deletes `entry` if it has served; answers the number of keys deleted. From
/// its last try down, and a try's outcome last, so that whoever reads meanwhile
/// never finds less than what was told.
pub fn sweep(cx: Context<'_>, entry: &str) -> Result<u32, StoreError> {
    let tries = tries(cx, entry)?;
    let now = cx.ports.wall_now();
    if matches!(tries.last(), Some(Try { intent: None, record: None })) {
        date(cx, entry, tries.len() as u64 + 1, now)?;
        return Ok(0);
    }
    if !is_older_than(&tries, SWEPT_AFTER, now) {
        return Ok(0);
    }
    let mut deleted = 0;
    for number in (1..=tries.len() as u64).rev() {
        for key in [claim_key, intent_key, outcome_key] {
            cx.ports.delete(Bucket::Store, &key(entry, number))?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// A claim whose owner vanished does not tell its age. The next try is taken and
/// nothing done with it, which tells: an owner that lives after all sees it and
/// gives up.
fn date(cx: Context<'_>, entry: &str, number: u64, now: Timestamp) -> Result<(), StoreError> {
    if cx.ports.increment(&claim_key(entry, number), 1)? != 1 {
        return Ok(());
    }
    let record = Record { outcome: Outcome::NothingDone, at: now };
    cx.ports.set(Bucket::Store, &outcome_key(entry, number), &codec::encode(&record))
}
