//! Deleting keys that have served, some pages of the store at a time, and noting
//! again what a crash left out of the index of due tokens.
//!
//! A refresh deletes what its grandparent left; this finds the rest. It deletes
//! nothing that a correct reader could still need: no ticket counter, no hint,
//! no current grant, no try at one.

use std::collections::HashSet;
use std::time::Duration;

use crate::Context;
use crate::cart::{ledger, recent_adds};
use crate::catalog::preferred_location;
use crate::grant::due::{self, Minute};
use crate::grant::lineage::{Current, Grant};
use crate::grant::{records, served, success_rate};
use crate::ports::{Bucket, Event, StoreError};
use crate::sign_in::{former, used};
use crate::store::keys::Key;
use crate::store::ticket::Ticket;
use crate::upstream::quota;
use crate::user::UserKey;

/// The result of sweeping one page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub(crate) deleted: u32,
    /// The start of the next page. None: the next sweep starts from the beginning.
    pub(crate) cursor: Option<u64>,
}

/// The pages that one pass sweeps at most.
const PAGES: usize = 100;
/// A pass begins no further page after this time. The next pass is a minute later.
const TIME: Duration = Duration::from_secs(5);

/// Sweeps pages from `cursor` on, as many as a pass has time for. Stops at the end of the
/// store, so a small store is swept once.
pub(crate) fn pages(cx: Context<'_>, cursor: Option<u64>, due_from: Minute) -> Result<Swept, StoreError> {
    let until = cx.ports.monotonic_now() + TIME;
    let mut all = page(cx, cursor, due_from)?;
    for _ in 1..PAGES {
        if all.cursor.is_none() || cx.ports.monotonic_now() >= until {
            break;
        }
        let next = page(cx, all.cursor, due_from)?;
        all = Swept { deleted: all.deleted + next.deleted, cursor: next.cursor };
    }
    Ok(all)
}

/// Sweeps the page at `cursor`; `due_from` is where the index of due tokens
/// starts.
pub(crate) fn page(cx: Context<'_>, cursor: Option<u64>, due_from: Minute) -> Result<Swept, StoreError> {
    let page = cx.ports.list_keys(Bucket::Store, cursor)?;
    let mut overdue = Vec::new();
    let mut entries = HashSet::new();
    let mut swept = Swept { deleted: 0, cursor: page.cursor };
    let mut is_troubled = false;
    for key in &page.keys {
        // An error of one key must not stop the sweep of the others.
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
fn look(
    cx: Context<'_>,
    text: &str,
    due_from: Minute,
    entries: &mut HashSet<String>,
) -> Result<(u32, Option<Grant>), StoreError> {
    let Some(key) = Key::parse(text) else { return Ok((0, None)) };
    let overdue = match &key {
        Key::Grant { user, ticket } => mend(cx, user, *ticket)?,
        _ => None,
    };
    if let Key::AddClaim { entry, .. } | Key::AddIntent { entry, .. } | Key::AddOutcome { entry, .. } = &key {
        let deleted = if entries.insert(entry.clone()) { ledger::sweep(cx, entry)? } else { 0 };
        return Ok((deleted, overdue));
    }
    let is_over = has_served(cx, &key, due_from)?;
    if is_over {
        cx.ports.delete(Bucket::Store, text)?;
    }
    Ok((u32::from(is_over), overdue))
}

/// Asks the room that owns the key whether it is over. The ledger deletes its
/// entries itself, each as a whole.
fn has_served(cx: Context<'_>, key: &Key, due_from: Minute) -> Result<bool, StoreError> {
    match key {
        Key::Grant { user, ticket } => served::is_superseded(cx, user, *ticket),
        Key::Claim { user, parent, .. }
        | Key::Intent { user, parent, .. }
        | Key::Attempt { user, parent, .. }
        | Key::Fold { user, parent, .. } => served::is_spent(cx, user, *parent),
        Key::Seq { user, root } => served::is_superseded(cx, user, root.ticket()),
        Key::DueCount { minute } | Key::DueEntry { minute, .. } => Ok(due::is_over(*minute, due_from)),
        Key::KeptLifetimes { hour } | Key::LostLifetimes { hour } => Ok(success_rate::is_over(cx, *hour)),
        Key::QuotaCount { endpoint, window } | Key::QuotaShare { endpoint, window, .. } => {
            quota::is_over(cx, *endpoint, *window)
        }
        Key::SignInUsed { minute, .. } => Ok(used::is_over(cx, *minute)),
        Key::SignIn { .. } | Key::SignInLink { .. } | Key::Invitation { .. } | Key::InvitationOf { .. } => {
            former::is_over(cx, key)
        }
        Key::UsedSignIn { place, .. } => former::is_used_over(cx, *place),
        Key::RecentAdd { user, place } => recent_adds::is_over(cx, user, *place),
        Key::AddClaim { .. } | Key::AddIntent { .. } | Key::AddOutcome { .. } => Ok(false),
        Key::PreferredLocation { user } => preferred_location::is_over(cx, user),
        Key::Roots { .. } | Key::Head { .. } | Key::SignInEnded { .. } | Key::RecentAddPlaces { .. } => Ok(false),
        Key::SignInPlaces | Key::InvitationPlaces | Key::RequestStateSeal | Key::QuotaWindow { .. } => Ok(false),
        Key::ClientToken | Key::RefreshesNotBefore | Key::Tick | Key::Health => Ok(false),
        // Not in this bucket.
        Key::Catalog { .. } | Key::Mirror => Ok(false),
    }
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
