//! The store's records as the witness reads them: by their keys and bytes, not
//! by the code that it checks.

use std::collections::BTreeMap;

use kroger_connector::core::lineage::Grant;
use kroger_connector::core::secret::Fingerprint;
use serde_json::Value as Json;

/// A value of the store: bytes, or a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoredValue {
    Bytes(Vec<u8>),
    Number(u64),
}

pub(crate) type StoredValues = BTreeMap<String, StoredValue>;

/// What orders a user's records: a sign-in's or deletion's number, the number of
/// the pair adopted over it, the step.
pub(crate) type Ticket = (u64, u64, u64);

pub(crate) fn ticket(text: &str) -> Option<Ticket> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let ticket = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(ticket)
}

/// The ticket of the root that `ticket` descends from.
pub(crate) fn root(ticket: Ticket) -> Ticket {
    (ticket.0, ticket.1, 0)
}

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

/// `grant.<user>.<ticket>` as its user's part and its ticket.
pub(crate) fn grant_key(key: &str) -> Option<(&str, Ticket)> {
    let (user, text) = key.strip_prefix("grant.")?.split_once('.')?;
    Some((user, ticket(text)?))
}

/// A try: `claim`, `intent` or `attempt`, its user's part, its parent, its number; or
/// a `fold` of many, and its own.
pub(crate) fn try_key(key: &str) -> Option<(&str, &str, Ticket, u64)> {
    let (what, rest) = key.split_once('.')?;
    let (user, rest) = rest.split_once('.')?;
    let (parent, number) = rest.rsplit_once('.')?;
    let is_try = matches!(what, "claim" | "intent" | "attempt" | "fold");
    is_try.then_some((what, user, ticket(parent)?, number.parse().ok()?))
}

/// As many tries go into one fold.
const FOLDED: u64 = 16;

/// The key of the fold that a try goes into, by the key's last parts.
pub(crate) fn fold_key(user: &str, parent: Ticket, number: u64) -> String {
    format!("fold.{user}.{}.{}", show(parent), number.div_ceil(FOLDED))
}

/// Whether a fold says that the token may be spent.
pub(crate) fn may_have_spent(bytes: &[u8]) -> bool {
    let json: Json = serde_json::from_slice(bytes).unwrap_or_default();
    json["may_have_spent"] == true
}

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

/// The outcome that an attempt's bytes tell.
pub(crate) fn outcome(bytes: &[u8]) -> String {
    let json: Json = serde_json::from_slice(bytes).unwrap_or_default();
    json["outcome"].as_str().unwrap_or_default().to_owned()
}

/// Which refresh token an attempt's bytes are about.
pub(crate) fn token_tried(bytes: &[u8]) -> Option<Fingerprint> {
    let json: Json = serde_json::from_slice(bytes).ok()?;
    serde_json::from_value(json["token"].clone()).ok()
}

/// The key under which a 429 asks the timers to wait.
pub(crate) const NOT_BEFORE: &str = "refreshes_not_before";

/// Until when, in Unix milliseconds.
pub(crate) fn not_before(bytes: &[u8]) -> u64 {
    let json: Json = serde_json::from_slice(bytes).unwrap_or_default();
    json["not_before"].as_u64().unwrap_or_default()
}

/// Whether an answer can be understood.
pub(crate) fn is_whole(body: &[u8]) -> bool {
    serde_json::from_slice::<Json>(body).is_ok_and(|json| json["access_token"].is_string())
}

/// The refresh token in a record's bytes, wherever they lie.
pub(crate) fn token_in(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once("\"refresh_token\":\"")?;
    rest.split('"').next().map(str::to_owned)
}

/// A ticket as the keys have it.
pub(crate) fn show(ticket: Ticket) -> String {
    format!("{}.{}.{}", ticket.0, ticket.1, ticket.2)
}

pub(crate) fn ticket_of(grant: &Grant) -> Ticket {
    ticket(&grant.ticket.to_string()).expect("a ticket as the keys have it")
}

pub(crate) fn root_of(grant: &Grant) -> Ticket {
    root(ticket_of(grant))
}
