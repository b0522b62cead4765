//! Reads the store's records by their keys and bytes.
//!
//! The witness uses this in place of the core's code, which it checks. Only a token's
//! fingerprint is taken from the core.

use std::collections::BTreeMap;

use kroger_core::grant::lineage::Grant;
use kroger_core::secret::Fingerprint;
use serde_json::Value as Json;

/// A value in the store: bytes or a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoredValue {
    Bytes(Vec<u8>),
    Number(u64),
}

pub(crate) type StoredValues = BTreeMap<String, StoredValue>;

/// The order of a user's records: the number of the sign-in or deletion, the number of the
/// pair that was adopted over it, and the step.
pub(crate) type Ticket = (u64, u64, u64);

/// Reads a ticket as it is in a key.
pub(crate) fn ticket(text: &str) -> Option<Ticket> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let ticket = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(ticket)
}

/// Answers the ticket of the root from which `ticket` descends.
pub(crate) fn root(ticket: Ticket) -> Ticket {
    (ticket.0, ticket.1, 0)
}

/// How a record came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    SignIn,
    Adopted,
    Refreshed { parent: Ticket },
    Deleted,
}

/// A stored grant or tombstone.
#[derive(Clone, Debug)]
pub(crate) struct StoredRecord {
    pub(crate) ticket: Ticket,
    pub(crate) root: Ticket,
    pub(crate) kind: RecordKind,
    pub(crate) token: Option<String>,
}

/// Splits `grant.<user>.<ticket>` into the user's part and the ticket.
pub(crate) fn grant_key(key: &str) -> Option<(&str, Ticket)> {
    let (user, text) = key.strip_prefix("grant.")?.split_once('.')?;
    Some((user, ticket(text)?))
}

/// Splits the key of a `claim`, an `intent` or an `attempt` into that word, the user's part,
/// the parent and the number of the try; or the key of a `fold` with the fold's own number.
pub(crate) fn try_key(key: &str) -> Option<(&str, &str, Ticket, u64)> {
    let (what, rest) = key.split_once('.')?;
    let (user, rest) = rest.split_once('.')?;
    let (parent, number) = rest.rsplit_once('.')?;
    let is_try = matches!(what, "claim" | "intent" | "attempt" | "fold");
    is_try.then_some((what, user, ticket(parent)?, number.parse().ok()?))
}

/// The number of tries in one block of a fold.
const FOLDED: u64 = 16;

/// Answers the key of the fold into which try `number` goes.
pub(crate) fn fold_key(user: &str, parent: Ticket, number: u64) -> String {
    format!("fold.{user}.{}.{}", show(parent), number.div_ceil(FOLDED))
}

/// Whether a fold's bytes say that the token may be spent.
pub(crate) fn may_have_spent(bytes: &[u8]) -> bool {
    let json: Json = serde_json::from_slice(bytes).unwrap_or_default();
    json["may_have_spent"] == true
}

/// Reads the record under ticket `place`.
pub(crate) fn read(place: Ticket, bytes: &[u8]) -> Option<StoredRecord> {
    let json: Json = serde_json::from_slice(bytes).ok()?;
    let token = json["tokens"]["refresh_token"].as_str().map(str::to_owned);
    let kind = match json["kind"].as_str()? {
        "sign_in" if json["source"] == "env_file" => RecordKind::Adopted,
        "sign_in" => RecordKind::SignIn,
        "refreshed" => RecordKind::Refreshed { parent: ticket(json["parent"].as_str()?)? },
        "deleted" => RecordKind::Deleted,
        _ => return None,
    };
    Some(StoredRecord { ticket: place, root: root(place), kind, token })
}

/// Reads the outcome of an attempt.
pub(crate) fn outcome(bytes: &[u8]) -> String {
    let json: Json = serde_json::from_slice(bytes).unwrap_or_default();
    json["outcome"].as_str().unwrap_or_default().to_owned()
}

/// Reads the refresh token that an attempt is about.
pub(crate) fn token_tried(bytes: &[u8]) -> Option<Fingerprint> {
    let json: Json = serde_json::from_slice(bytes).ok()?;
    serde_json::from_value(json["token"].clone()).ok()
}

/// The key under which a 429 asks the timers to wait.
pub(crate) const NOT_BEFORE: &str = "refreshes_not_before";

/// Reads until when a 429 asks the timers to wait, in Unix milliseconds.
pub(crate) fn not_before(bytes: &[u8]) -> u64 {
    let json: Json = serde_json::from_slice(bytes).unwrap_or_default();
    json["not_before"].as_u64().unwrap_or_default()
}

/// Whether a token response can be understood.
pub(crate) fn is_whole(body: &[u8]) -> bool {
    serde_json::from_slice::<Json>(body).is_ok_and(|json| json["access_token"].is_string())
}

/// Finds the refresh token in the bytes of a record or an answer.
pub(crate) fn token_in(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once("\"refresh_token\":\"")?;
    rest.split('"').next().map(str::to_owned)
}

/// Writes a ticket as it is in a key.
pub(crate) fn show(ticket: Ticket) -> String {
    format!("{}.{}.{}", ticket.0, ticket.1, ticket.2)
}

/// Answers the ticket of a grant that the core answered.
pub(crate) fn ticket_of(grant: &Grant) -> Ticket {
    ticket(&grant.ticket.to_string()).expect("a ticket as the keys have it")
}

/// Answers the ticket of the root from which a grant descends.
pub(crate) fn root_of(grant: &Grant) -> Ticket {
    root(ticket_of(grant))
}
