//! Deleting keys that have served, one page of the store at a time, and noting
//! again what a crash left out of the index of due tokens.
//!
//! A refresh deletes what its grandparent left; this finds the rest. It deletes
//! nothing that a correct reader could still need: no ticket counter, no hint,
//! no current grant, no try at one.

use std::collections::HashSet;

use crate::Context;
use crate::cart::{ledger, recent_adds};
use crate::grant::due::{self, Minute};
use crate::grant::lineage::{Current, Grant, Ticket};
use crate::grant::{records, success_rate};
use crate::ports::{Bucket, Event, StoreError};
use crate::sign_in::pending;
use crate::upstream::quota;
use crate::user::UserKey;

/// A day, in which nobody looks at a count or an entry any more.
const DAY_IN_HOURS: u64 = 25;

/// What a page gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub deleted: u32,
    /// Where the next page starts; none: from the beginning again.
    pub cursor: Option<u64>,
}

/// Sweeps the page at `cursor`; `due_from` is where the index of due tokens
/// starts.
pub fn page(cx: Context<'_>, cursor: Option<u64>, due_from: Minute) -> Result<Swept, StoreError> {
    let page = cx.ports.list_keys(Bucket::Store, cursor)?;
    let mut overdue = Vec::new();
    let mut entries = HashSet::new();
    let mut swept = Swept { deleted: 0, cursor: page.cursor };
    let mut is_troubled = false;
    for key in &page.keys {
        // What one key's records say must not keep the others waiting.
        let seen = look(cx, key, due_from, &mut entries);
        is_troubled |= seen.is_err();
        let (deleted, forgotten) = seen.unwrap_or_default();
        swept.deleted += deleted;
        overdue.extend(forgotten);
    }
    if is_troubled {
        cx.ports.log(&Event::StoreTrouble { doing: "looking through the records; some cannot be read" });
    }
    note_forgotten(cx, due_from, &overdue)?;
    Ok(swept)
}

/// Deletes what has served. Answers how many keys, and the grant whose entry is
/// missing.
fn look<'a>(
    cx: Context<'_>,
    key: &'a str,
    due_from: Minute,
    entries: &mut HashSet<&'a str>,
) -> Result<(u32, Option<Grant>), StoreError> {
    let overdue = match records::parse_grant_key(key) {
        Some((user, ticket)) => mend(cx, &user, ticket)?,
        None => None,
    };
    if let Some(entry) = ledger::entry_of(key) {
        let deleted = if entries.insert(entry) { ledger::sweep(cx, entry)? } else { 0 };
        return Ok((deleted, overdue));
    }
    let is_over = has_served(cx, key, due_from)?;
    if is_over {
        cx.ports.delete(Bucket::Store, key)?;
    }
    Ok((u32::from(is_over), overdue))
}

fn has_served(cx: Context<'_>, key: &str, due_from: Minute) -> Result<bool, StoreError> {
    let parts: Vec<&str> = key.split('.').collect();
    let now = cx.ports.wall_now();
    Ok(match parts.as_slice() {
        ["grant", user, number, adoption, step] => is_superseded(cx, user, [number, adoption, step])?,
        ["claim" | "intent" | "attempt" | "fold", user, number, adoption, step, _] => {
            is_spent(cx, user, [number, adoption, step])?
        }
        ["seq", user, number, adoption] => is_superseded(cx, user, [number, adoption, "0"])?,
        ["due", minute, ..] => is_before(minute, due_from.saturating_sub(due::DAY)),
        ["lifetimes", hour, _] => is_before(hour, success_rate::hour(now).saturating_sub(DAY_IN_HOURS)),
        ["quota", endpoint, number] => quota::is_over(cx, endpoint, number)?,
        ["signin", place] if *place != "places" => pending::is_long_over(cx, key)?,
        ["signin_link", _] => pending::is_long_over(cx, key)?,
        ["invitation", place] if *place != "places" => pending::is_long_over(cx, key)?,
        ["invitation_of", _] => pending::is_long_over(cx, key)?,
        ["recent_add", _, _] => recent_adds::is_over(cx, key)?,
        ["used", slot, hash] => !pending::is_pending(cx, slot, hash)?,
        _ => false,
    })
}

fn is_before(number: &str, first: u64) -> bool {
    number.parse::<u64>().is_ok_and(|number| number < first)
}

/// Whether a grant has served: one that descends from it, or a newer sign-in or
/// deletion, is safely stored.
fn is_superseded(cx: Context<'_>, user: &str, ticket: [&str; 3]) -> Result<bool, StoreError> {
    let Some((ticket, newest)) = with_newest(cx, user, ticket)? else { return Ok(false) };
    let is_needed = records::is_signpost(ticket) && ticket.root.number == newest.root.number;
    Ok(ticket < newest && !is_needed)
}

/// Whether nobody asks for the tries at a grant any more.
fn is_spent(cx: Context<'_>, user: &str, ticket: [&str; 3]) -> Result<bool, StoreError> {
    Ok(with_newest(cx, user, ticket)?.is_some_and(|(ticket, newest)| ticket < newest))
}

/// `ticket`, and that of the user's newest record if it is safely stored.
fn with_newest(cx: Context<'_>, user: &str, ticket: [&str; 3]) -> Result<Option<(Ticket, Ticket)>, StoreError> {
    let Ok(ticket) = ticket.join(".").parse::<Ticket>() else { return Ok(None) };
    let user = UserKey::from_stored(user);
    let newest = match records::current(cx, &user)? {
        Current::Absent => return Ok(None),
        Current::Deleted { root } => root.ticket(),
        Current::Grant(Grant { ticket, .. }) => ticket,
    };
    Ok(records::is_stored(cx, &user, newest).then_some((ticket, newest)))
}

/// Does again for the user's current grant what a crash after it was stored may
/// have left undone: the hint, without which no list has the user, and by which
/// old tries are passed over. Answers the
/// grant if it has been due for minutes and time could mend it.
fn mend(cx: Context<'_>, user: &UserKey, ticket: Ticket) -> Result<Option<Grant>, StoreError> {
    const PATIENCE: Minute = 2;

    let Current::Grant(grant) = records::current(cx, user)? else { return Ok(None) };
    if grant.ticket != ticket {
        return Ok(None);
    }
    if !records::is_head(cx, user, ticket)? {
        records::move_head(cx, user, ticket);
    }
    let is_overdue = due::minute(due::refresh_at(cx, &grant)) + PATIENCE < due::minute(cx.ports.wall_now());
    let is_worth_it = is_overdue && grant.is_of(&cx.settings.app) && !due::is_refused(cx, &grant)?;
    Ok(is_worth_it.then_some(grant))
}

/// Enters again those of `overdue` whose entry a crash kept from being made.
fn note_forgotten(cx: Context<'_>, due_from: Minute, overdue: &[Grant]) -> Result<(), StoreError> {
    if overdue.is_empty() {
        return Ok(());
    }
    let entered = due::users(cx, due_from, usize::MAX)?;
    for grant in overdue.iter().filter(|grant| !entered.contains(&grant.user_id)) {
        due::enter(cx, grant);
    }
    Ok(())
}
