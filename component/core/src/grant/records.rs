//! A user's records in the key-value store: the current grant, new records, and all
//! tries at refreshing a grant.
//!
//! Nothing here sends, and nothing here decides what the tries call for.

use std::time::Duration;

use crate::Context;
use crate::grant::attempts::Try;
use crate::grant::folded;
use crate::grant::lineage::{self, Current, Grant, Record};
use crate::grant::tries::{TriesAt, delete_try};
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::store::claim;
use crate::store::codec::{encode, read};
use crate::store::keys::Key;
use crate::store::ticket::{Root, Ticket};
use crate::user::UserKey;

/// How many times a reader looks, if the records that the hint leads to are swept
/// while it reads.
const READS: usize = 4;
/// A new pair that the store and the memory refuse is offered to the store for this
/// long at least.
pub(crate) const SAVE_TIME: Duration = Duration::from_secs(5);

/// No counter of tickets or roots comes near this number by counting. A counter beyond
/// it is damaged.
const CEILING: u64 = 1 << 48;
/// The most roots without a record that a reader looks at. More come only from a counter
/// that was damaged, and the reader would not end.
const ROOTS_LOOKED_AT: u64 = 1 << 16;
/// The most tickets that a reader looks at, likewise. A long outage uses up thousands.
const STEPS_LOOKED_AT: u64 = 1 << 18;

pub fn roots_key(user: &UserKey) -> String {
    Key::Roots { user: user.clone() }.to_string()
}

pub(crate) fn seq_key(user: &UserKey, root: Root) -> String {
    Key::Seq { user: user.clone(), root }.to_string()
}

pub(crate) fn head_key(user: &UserKey) -> String {
    Key::Head { user: user.clone() }.to_string()
}

pub(crate) fn grant_key(user: &UserKey, ticket: Ticket) -> String {
    Key::Grant { user: user.clone(), ticket }.to_string()
}

/// Reads the user's current grant: the newest record under the newest root. Looks
/// from the hint upwards.
pub fn current(cx: Context<'_>, user: &UserKey) -> Result<Current, StoreError> {
    for _ in 0..READS {
        let head = head(cx, user)?;
        let Some(root) = newest_root(cx, user, head)? else { return Ok(Current::Absent) };
        let first = head.filter(|head| head.root == root).map_or(0, |head| head.step);
        let newest = plausible(cx.ports.increment(&seq_key(user, root), 0)?, first, STEPS_LOOKED_AT)?;
        let current = lineage::current(records(cx, user, root, first..=newest)?);
        if current != Current::Absent {
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

/// Whether the user ever signed in. By the hint, so a sign-in of this moment may be
/// missing.
pub(crate) fn has_signed_in(cx: Context<'_>, user: &UserKey) -> Result<bool, StoreError> {
    Ok(cx.ports.get(Bucket::Store, &head_key(user))?.is_some())
}

/// The newest root that has a record. The hint may name an older root, because every
/// writer moves it. So this looks at the roots that may be newer, the newest first.
fn newest_root(cx: Context<'_>, user: &UserKey, head: Option<Ticket>) -> Result<Option<Root>, StoreError> {
    let hinted = head.map(|head| head.root);
    let oldest = hinted.map_or(0, |root| root.number);
    let newest = plausible(cx.ports.increment(&roots_key(user), 0)?, oldest, ROOTS_LOOKED_AT)?;
    let mut root = hinted;
    for number in (oldest.saturating_add(1)..=newest).rev() {
        if record(cx, user, Root::numbered(number).ticket())?.is_some() {
            root = Some(Root::numbered(number));
            break;
        }
    }
    if cx.settings.default_user.key() == *user { newest_adoption(cx, user, root) } else { Ok(root) }
}

/// Fails if the counter's `value` cannot come from counting on from `seen`. Reading all
/// numbers up to it would take minutes, or forever.
fn plausible(value: u64, seen: u64, most: u64) -> Result<u64, StoreError> {
    if value <= CEILING && value.saturating_sub(seen) <= most { Ok(value) } else { Err(StoreError::Failed) }
}

fn newest_adoption(cx: Context<'_>, user: &UserKey, root: Option<Root>) -> Result<Option<Root>, StoreError> {
    let mut newest = root;
    loop {
        let next = newest.unwrap_or_default().adopting();
        if record(cx, user, next.ticket())?.is_none() {
            return Ok(newest);
        }
        newest = Some(next);
    }
}

fn records(
    cx: Context<'_>,
    user: &UserKey,
    root: Root,
    steps: std::ops::RangeInclusive<u64>,
) -> Result<Vec<(Ticket, Record)>, StoreError> {
    let mut records = Vec::new();
    for step in alive(cx, user, root, steps)? {
        let ticket = Ticket { root, step };
        if let Some(record) = record(cx, user, ticket)? {
            records.push((ticket, record));
        }
    }
    Ok(records)
}

/// The `steps` under which there may be a record. They begin at the grant that the
/// hint names. If there are many, most belong to failed tries at that grant, and a
/// fold names those that are dead.
fn alive(
    cx: Context<'_>,
    user: &UserKey,
    root: Root,
    steps: std::ops::RangeInclusive<u64>,
) -> Result<impl Iterator<Item = u64>, StoreError> {
    let parent = Ticket { root, step: *steps.start() };
    let is_folded = steps.end().saturating_sub(parent.step) > folded::BLOCK;
    let fold = if is_folded { folded::over(cx, user, parent, 1)? } else { None };
    Ok(steps.filter(move |step| !fold.as_ref().is_some_and(|(_, fold)| fold.is_dead(*step))))
}

/// A record from the rescue bucket, else from the store. A rescued record is put into
/// the store before it is deleted from the bucket, so a look in this order finds it.
fn record(cx: Context<'_>, user: &UserKey, ticket: Ticket) -> Result<Option<Record>, StoreError> {
    let key = grant_key(user, ticket);
    match read(cx, Bucket::Rescue, &key) {
        Ok(None) | Err(StoreError::NoSuchBucket) => read(cx, Bucket::Store, &key),
        waiting => waiting,
    }
}

/// Whether `grant` is still its user's current grant, with nothing in between.
pub(crate) fn is_current(cx: Context<'_>, grant: &Grant) -> Result<bool, StoreError> {
    Ok(current(cx, &grant.user_id.key())?.is(grant))
}

/// Whether the record of `ticket` is in the durable store.
pub fn is_stored(cx: Context<'_>, user: &UserKey, ticket: Ticket) -> bool {
    matches!(cx.ports.get(Bucket::Store, &grant_key(user, ticket)), Ok(Some(_)))
}

/// A ticket that no other writer has, for what descends from `root`.
pub(crate) fn take_ticket(cx: Context<'_>, user: &UserKey, root: Root) -> Result<Ticket, StoreError> {
    let step = plausible(cx.ports.increment(&seq_key(user, root), 1)?, 0, CEILING)?;
    Ok(Ticket { root, step })
}

/// A root that no other writer has and that outranks all that came before.
pub(crate) fn take_root(cx: Context<'_>, user: &UserKey) -> Result<Root, StoreError> {
    plausible(cx.ports.increment(&roots_key(user), 1)?, 0, CEILING).map(Root::numbered)
}

/// Starts the counter of roots again if it is damaged, above every root of the user that
/// the counter can have given.
///
/// A counter must not go back, or an old root would outrank a new one. Here it goes back
/// only from a number that [`take_root`] refuses, so nobody has such a root.
pub(crate) fn mend_roots(cx: Context<'_>, user: &UserKey) -> Result<(), StoreError> {
    let key = roots_key(user);
    if cx.ports.increment(&key, 0)? < CEILING {
        return Ok(());
    }
    let mut above = 1;
    each_key(cx, Bucket::Store, user, |_, key| {
        if let Key::Grant { ticket: Ticket { root, .. }, .. } | Key::Seq { root, .. } = key
            && root.number < CEILING
        {
            above = above.max(root.number);
        }
        Ok(())
    })?;
    cx.ports.delete(Bucket::Store, &key)?;
    cx.ports.increment(&key, above).map(drop)
}

/// Deletes all records that hold tokens under roots before `root`, which is a stored
/// deletion, and all that a replaced store has. Answers when the last access token among them expires.
///
/// A record that is written during this look may be missed. Its writer sees the
/// deletion afterwards, and deletes the record itself: see [`write`].
pub(crate) fn erase_before(cx: Context<'_>, user: &UserKey, root: Root) -> Result<Option<Timestamp>, StoreError> {
    let mut last_expiry = None;
    for bucket in [Bucket::Rescue, Bucket::Store, Bucket::Replaced] {
        let erased = each_key(cx, bucket, user, |text, key| match key {
            Key::Grant { ticket, .. }
                if bucket == Bucket::Replaced || ticket.root < root || ticket.root.number > CEILING =>
            {
                // A record that cannot be read is deleted all the same.
                let record = read::<Record>(cx, bucket, text).ok().flatten();
                let grant = record.and_then(|record| Grant::of(ticket, record));
                last_expiry = last_expiry.max(grant.map(|grant| grant.tokens.expires_at));
                cx.ports.delete(bucket, text)
            }
            _ => Ok(()),
        });
        match erased {
            Err(StoreError::NoSuchBucket) if bucket != Bucket::Store => {}
            other => other?,
        }
    }
    Ok(last_expiry)
}

/// Does `what` with each key of `user` in `bucket`.
fn each_key(
    cx: Context<'_>,
    bucket: Bucket,
    user: &UserKey,
    mut what: impl FnMut(&str, Key) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut cursor = None;
    loop {
        let page = cx.ports.list_keys(bucket, cursor)?;
        for text in page.keys.iter().filter(|text| text.contains(user.as_str())) {
            if let Some(key) = Key::parse(text) {
                what(text, key)?;
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Whether nobody has taken a newer root than `root`.
pub(crate) fn is_newest_root(cx: Context<'_>, user: &UserKey, root: Root) -> Result<bool, StoreError> {
    Ok(cx.ports.increment(&roots_key(user), 0)? == root.number)
}

/// Writes `record` under the writer's own `ticket`, then moves the hint. Takes the record
/// away again if the user was deleted meanwhile.
pub(crate) fn write(cx: Context<'_>, user: &UserKey, ticket: Ticket, record: &Record) -> Result<(), StoreError> {
    cx.ports.set(Bucket::Store, &grant_key(user, ticket), &encode(record))?;
    move_head(cx, user, ticket);
    erase_if_deleted(cx, user, ticket);
    Ok(())
}

/// Deletes the record of `ticket` if a later deletion of the user is stored. The deletion
/// has looked for records before this one was written.
pub(crate) fn erase_if_deleted(cx: Context<'_>, user: &UserKey, ticket: Ticket) {
    let erased = match current(cx, user) {
        Ok(current) if current.buried() > Some(ticket.root) => cx.ports.delete(Bucket::Store, &grant_key(user, ticket)),
        other => other.map(drop),
    };
    if erased.is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "deleting the tokens of a user who signed out" });
    }
}

/// Where a new pair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKept {
    Stored,
    /// In the bucket `rescue`, until the store can take it.
    Rescued,
}

/// Saves a pair that Kroger gave and that is nowhere else yet:
/// 1. in the store;
/// 2. if that fails, in the rescue bucket: in memory, for all instances of this host;
/// 3. if that fails too, in the store again, which is asked until `deadline`.
pub(crate) fn keep(
    cx: Context<'_>,
    user: &UserKey,
    ticket: Ticket,
    record: &Record,
    deadline: Duration,
) -> Result<RecordKept, StoreError> {
    const PAUSE: Duration = Duration::from_millis(250);

    if write(cx, user, ticket, record).is_ok() {
        return Ok(RecordKept::Stored);
    }
    if rescue(cx, user, ticket, record).is_ok() {
        cx.ports.log(&Event::Rescued { user: user.short(), ticket: ticket.to_string() });
        return Ok(RecordKept::Rescued);
    }
    while cx.ports.monotonic_now() < deadline {
        cx.ports.sleep(PAUSE);
        if write(cx, user, ticket, record).is_ok() {
            return Ok(RecordKept::Stored);
        }
    }
    Err(StoreError::Failed)
}

fn rescue(cx: Context<'_>, user: &UserKey, ticket: Ticket, record: &Record) -> Result<(), StoreError> {
    cx.ports.set(Bucket::Rescue, &grant_key(user, ticket), &encode(record))
}

/// Whether the hint, by which a user is found in a list, names `ticket`.
pub(crate) fn is_head(cx: Context<'_>, user: &UserKey, ticket: Ticket) -> Result<bool, StoreError> {
    Ok(head(cx, user)? == Some(ticket))
}

/// Puts the record of `ticket` into the store, if it still waits in the rescue
/// bucket.
pub(crate) fn settle(cx: Context<'_>, user: &UserKey, ticket: Ticket) -> Result<(), StoreError> {
    let key = grant_key(user, ticket);
    if cx.ports.get(Bucket::Store, &key)?.is_some() {
        return Ok(());
    }
    let Some(rescued) = cx.ports.get(Bucket::Rescue, &key)? else { return Err(StoreError::Failed) };
    cx.ports.set(Bucket::Store, &key, &rescued)
}

/// Moves the hint to `ticket`. The hint may be old. Without it the grant is still
/// found, but the user is missing from lists until the sweep.
pub(crate) fn move_head(cx: Context<'_>, user: &UserKey, ticket: Ticket) {
    if cx.ports.set(Bucket::Store, &head_key(user), ticket.to_string().as_bytes()).is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "moving the hint to the current grant" });
    }
}

/// All tries at refreshing `grant`, in order.
///
/// If one of them is a refusal, they are read twice. The child that spent the token
/// was stored before the refusal was, and perhaps after the first look.
pub(crate) fn tries(cx: Context<'_>, grant: &Grant) -> Result<Vec<Try>, StoreError> {
    let client = cx.settings.credentials();
    let token = grant.fingerprint();
    let tries = tries_under(cx, &grant.user_id.key(), grant.ticket)?;
    Ok(tries.into_iter().map(|each| each.about(token.as_ref(), client.as_ref())).collect())
}

fn tries_under(cx: Context<'_>, user: &UserKey, parent: Ticket) -> Result<Vec<Try>, StoreError> {
    let tries = read_all(cx, user, parent)?;
    if tries.iter().any(Try::was_refused) { read_all(cx, user, parent) } else { Ok(tries) }
}

/// The tries at `parent`. The first of them stands for all that were folded.
fn read_all(cx: Context<'_>, user: &UserKey, parent: Ticket) -> Result<Vec<Try>, StoreError> {
    claim::read_tries(cx, &TriesAt { user, parent }, |number| {
        let fold = folded::over(cx, user, parent, number)?;
        Ok(fold.map(|(last, fold)| fold.as_try(last)))
    })
}

/// Deletes the grant of `parent` and the tries at it, once `child` and its own
/// child are stored: nobody asks for them any more.
pub(crate) fn sweep_parent(cx: Context<'_>, user: &UserKey, child: &Grant) -> Result<(), StoreError> {
    let Some(parent) = child.parent else { return Ok(()) };
    if !is_stored(cx, user, child.ticket) {
        return Ok(());
    }
    for each in read_all(cx, user, parent)? {
        delete_try(cx, user, parent, each.number)?;
    }
    if is_signpost(parent) {
        return Ok(());
    }
    cx.ports.delete(Bucket::Store, &grant_key(user, parent))
}

/// Whether `ticket` names a root's own record. It shows readers that the root exists,
/// so it stays until a newer sign-in or deletion is stored.
pub(crate) fn is_signpost(ticket: Ticket) -> bool {
    ticket.step == 0
}
