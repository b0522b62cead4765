//! A user's records in the key-value store: reading the current grant, writing
//! a new record, and the tries at refreshing one.
//!
//! Keys, `<user>` being [`UserKey`]:
//!
//! | key | value |
//! |---|---|
//! | `seq.<user>` | counter of tickets, never deleted |
//! | `head.<user>` | a ticket at or before the current grant's: a hint |
//! | `grant.<user>.<ticket>` | a [`Record`], written once |
//! | `claim.<user>.<parent>.<n>` | counter; who raises it to 1 owns try `n` |
//! | `intent.<user>.<parent>.<n>` | an [`Intent`], written once by the owner |
//! | `attempt.<user>.<parent>.<n>` | an [`Attempt`], written once by the owner |

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Context;
use super::attempts::{Attempt, Intent, Try};
use super::lineage::{self, Current, Grant, Record, SCHEMA_VERSION, Ticket};
use super::user::UserKey;
use crate::ports::{Bucket, Event, StoreError};

/// How often a reader starts again when the records that it was led to were
/// swept under its eyes.
const READS: usize = 4;

pub fn seq_key(user: &UserKey) -> String {
    format!("seq.{user}")
}

pub fn head_key(user: &UserKey) -> String {
    format!("head.{user}")
}

pub fn grant_key(user: &UserKey, ticket: Ticket) -> String {
    format!("grant.{user}.{ticket}")
}

pub fn claim_key(user: &UserKey, parent: Ticket, number: u64) -> String {
    format!("claim.{user}.{parent}.{number}")
}

pub fn intent_key(user: &UserKey, parent: Ticket, number: u64) -> String {
    format!("intent.{user}.{parent}.{number}")
}

pub fn attempt_key(user: &UserKey, parent: Ticket, number: u64) -> String {
    format!("attempt.{user}.{parent}.{number}")
}

/// Reads the user's current grant: from the hint up to the newest ticket.
pub fn current(cx: Context<'_>, user: &UserKey) -> Result<Current, StoreError> {
    for _ in 0..READS {
        let head = head(cx, user)?;
        let newest = cx.ports.increment(&seq_key(user), 0)?;
        let current = lineage::current(records(cx, user, head.unwrap_or(1)..=newest)?);
        if current != Current::Absent || head.is_none() {
            return Ok(current);
        }
    }
    Err(StoreError::Failed)
}

fn head(cx: Context<'_>, user: &UserKey) -> Result<Option<Ticket>, StoreError> {
    let Some(text) = cx.ports.get(Bucket::Store, &head_key(user))? else { return Ok(None) };
    let ticket = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
    ticket.map(Some).ok_or(StoreError::Failed)
}

fn records(
    cx: Context<'_>,
    user: &UserKey,
    tickets: std::ops::RangeInclusive<Ticket>,
) -> Result<Vec<(Ticket, Record)>, StoreError> {
    let mut records = Vec::new();
    for ticket in tickets {
        if let Some(record) = record(cx, user, ticket)? {
            records.push((ticket, record));
        }
    }
    Ok(records)
}

/// A record from the store, or one that waits to be saved there.
fn record(cx: Context<'_>, user: &UserKey, ticket: Ticket) -> Result<Option<Record>, StoreError> {
    let key = grant_key(user, ticket);
    if let Some(record) = read(cx, Bucket::Store, &key)? {
        return Ok(Some(record));
    }
    match read(cx, Bucket::Rescue, &key) {
        Err(StoreError::NoSuchBucket) => Ok(None),
        other => other,
    }
}

/// Whether the record of `ticket` is in the durable store.
pub fn is_stored(cx: Context<'_>, user: &UserKey, ticket: Ticket) -> bool {
    matches!(cx.ports.get(Bucket::Store, &grant_key(user, ticket)), Ok(Some(_)))
}

/// A ticket: a number that no other writer of this user's records has.
pub fn take_ticket(cx: Context<'_>, user: &UserKey) -> Result<Ticket, StoreError> {
    cx.ports.increment(&seq_key(user), 1)
}

/// Writes `record` under the writer's own `ticket`, then moves the hint.
pub fn write(cx: Context<'_>, user: &UserKey, ticket: Ticket, record: &Record) -> Result<(), StoreError> {
    cx.ports.set(Bucket::Store, &grant_key(user, ticket), &encode(record))?;
    move_head(cx, user, ticket);
    Ok(())
}

/// Keeps `record` where the instances of this host find it until the store can
/// take it.
pub fn rescue(cx: Context<'_>, user: &UserKey, ticket: Ticket, record: &Record) -> Result<(), StoreError> {
    cx.ports.set(Bucket::Rescue, &grant_key(user, ticket), &encode(record))
}

/// The hint may be behind, never needed: its loss costs reads, no grant.
pub fn move_head(cx: Context<'_>, user: &UserKey, ticket: Ticket) {
    if cx.ports.set(Bucket::Store, &head_key(user), ticket.to_string().as_bytes()).is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "moving the hint to the current grant" });
    }
}

/// All tries at refreshing the grant of `parent`, in order.
pub fn tries(cx: Context<'_>, user: &UserKey, parent: Ticket) -> Result<Vec<Try>, StoreError> {
    let mut tries = Vec::new();
    for number in 1.. {
        let attempt: Option<Attempt> = read(cx, Bucket::Store, &attempt_key(user, parent, number))?;
        let intent: Option<Intent> = read(cx, Bucket::Store, &intent_key(user, parent, number))?;
        let is_claimed =
            attempt.is_some() || intent.is_some() || cx.ports.increment(&claim_key(user, parent, number), 0)? > 0;
        if !is_claimed {
            break;
        }
        tries.push(Try { number, intent, attempt });
    }
    Ok(tries)
}

/// Deletes the grant of `parent` and the tries at it, once `child` and its own
/// child are stored: nobody asks for them any more.
pub fn sweep_parent(cx: Context<'_>, user: &UserKey, child: &Grant) -> Result<(), StoreError> {
    let Some(parent) = child.parent else { return Ok(()) };
    if !is_stored(cx, user, child.ticket) {
        return Ok(());
    }
    for each in tries(cx, user, parent)? {
        for key in [intent_key, attempt_key, claim_key] {
            cx.ports.delete(Bucket::Store, &key(user, parent, each.number))?;
        }
    }
    cx.ports.delete(Bucket::Store, &grant_key(user, parent))
}

pub fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("records have string keys and no failing parts")
}

/// Reads one stored value. What does not parse, or was written by a newer
/// version, is a failure of the store, never an absence.
pub fn read<T: DeserializeOwned>(cx: Context<'_>, bucket: Bucket, key: &str) -> Result<Option<T>, StoreError> {
    let Some(bytes) = cx.ports.get(bucket, key)? else { return Ok(None) };
    decode(&bytes).map(Some).ok_or(StoreError::Failed)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        schema_version: u32,
    }
    let Versioned { schema_version } = serde_json::from_slice(bytes).ok()?;
    (schema_version <= SCHEMA_VERSION).then(|| serde_json::from_slice(bytes).ok())?
}
