//! The work of the timer, or of a cron job: refreshes due tokens and tidies up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::failure::Failure;
use crate::grant::due::{self, Minute};
use crate::grant::lineage::Current;
use crate::grant::refresh::{self, Need};
use crate::grant::trouble::{self, Trouble};
use crate::grant::{outside_pair, records};
use crate::ports::{Bucket, StoreError, Timestamp};
use crate::service::sweep;
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::store::rescue;
use crate::upstream::app_token;
use crate::user::UserId;

/// Entries that one pass clears at most, so that a pass stays short.
const ENTRIES_A_PASS: usize = 10_000;

/// The last pass, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tick {
    pub(crate) at: Timestamp,
    /// The first minute of the index that may still have entries.
    due_from: Minute,
    /// The start of the next sweep.
    sweep_from: Option<u64>,
}

impl Stored for Tick {
    const KIND: Kind = Kind::Tick;
    const VERSION: u32 = 1;
}

/// The outcome of one user's periodic refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    Refreshed,
    Fresh,
    Postponed,
    Reauthorize,
    NothingToRefresh,
}

/// The counts of one whole pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    pub looked_at: u32,
    pub refreshed: u32,
    pub postponed: u32,
    pub reauthorize: u32,
    pub swept: u32,
    pub more: bool,
}

/// The last pass that anyone made on this store.
pub(crate) fn last_tick(cx: Context<'_>) -> Result<Option<Tick>, StoreError> {
    codec::read(cx, Bucket::Store, &Key::Tick.to_string())
}

/// True if passes are being made: the last one is younger than two intervals.
pub fn is_running(cx: Context<'_>) -> Result<bool, StoreError> {
    let now = cx.ports.wall_now();
    Ok(last_tick(cx)?.is_some_and(|tick| now < tick.at + cx.settings.check_interval * 2))
}

/// The users whose tokens are due, and the default user wherever a pair lies
/// outside the store.
pub fn due(cx: Context<'_>, limit: usize) -> Result<Vec<UserId>, StoreError> {
    let mut users = due::users(cx, due_from(cx)?, limit)?;
    let default = &cx.settings.default_user;
    if !users.contains(default) && !outside_pair::offered(cx).is_empty() {
        users.insert(0, default.clone());
        users.truncate(limit);
    }
    Ok(users)
}

fn due_from(cx: Context<'_>) -> Result<Minute, StoreError> {
    let now = due::minute(cx.ports.wall_now());
    let from = last_tick(cx)?.map_or(now.saturating_sub(due::DAY), |tick| tick.due_from);
    // A clock that was set back must not hide what is due by now.
    Ok(from.min(now))
}

/// Refreshes the user's token if it is due.
pub fn refresh_user(cx: Context<'_>, user: &UserId) -> Result<RefreshOutcome, Failure> {
    let before = records::current(cx, &user.key()).map_err(|_| Failure::store_unavailable())?.grant();
    match refresh::grant(cx, user, Need::NotDue) {
        Ok(grant) if grant.parent.is_none() || before.is_some_and(|before| before.ticket == grant.ticket) => {
            Ok(RefreshOutcome::Fresh)
        }
        Ok(_) => Ok(RefreshOutcome::Refreshed),
        Err(Trouble::NotSignedIn | Trouble::NoRefreshToken | Trouble::OfAnotherApp(_)) => {
            Ok(RefreshOutcome::NothingToRefresh)
        }
        Err(Trouble::Refused { .. } | Trouble::Lost) => Ok(RefreshOutcome::Reauthorize),
        Err(Trouble::Unavailable { .. }) => Ok(RefreshOutcome::Postponed),
        Err(trouble @ (Trouble::ClientMissing | Trouble::ClientRefused | Trouble::Store | Trouble::StoreForgets)) => {
            Err(trouble::failure(cx, user, &trouble))
        }
    }
}

/// Moves rescued pairs into the store, keeps the app's own token, clears the
/// index, sweeps some pages, and notes that all this was done.
pub fn tidy(cx: Context<'_>) -> Result<u32, StoreError> {
    save_rescued(cx)?;
    let before = last_tick(cx)?;
    let (due_from, cleared) = due::clear(cx, due_from(cx)?, ENTRIES_A_PASS)?;
    let swept = sweep::pages(cx, before.and_then(|tick| tick.sweep_from), due_from)?;
    app_token::keep(cx);
    let tick = Tick { at: cx.ports.wall_now(), due_from, sweep_from: swept.cursor };
    cx.ports.set(Bucket::Store, &Key::Tick.to_string(), &codec::encode(&tick))?;
    Ok(cleared + swept.deleted)
}

fn save_rescued(cx: Context<'_>) -> Result<(), StoreError> {
    for key in rescue::waiting(cx)? {
        let Some(bytes) = cx.ports.get(Bucket::Rescue, &key)? else { continue };
        cx.ports.set(Bucket::Store, &key, &bytes)?;
        cx.ports.delete(Bucket::Rescue, &key)?;
        note_saved(cx, &key)?;
    }
    Ok(())
}

/// Writes what the store refused before: the hint, without which no list has the
/// user, the entry for the time when the token is due, and the mirror.
fn note_saved(cx: Context<'_>, key: &str) -> Result<(), StoreError> {
    let Some(Key::Grant { user, ticket }) = Key::parse(key) else { return Ok(()) };
    records::erase_if_deleted(cx, &user, ticket);
    if let Current::Grant(grant) = records::current(cx, &user)?
        && grant.ticket == ticket
    {
        records::move_head(cx, &user, ticket);
        due::enter(cx, &grant);
        outside_pair::export(cx, &grant);
    }
    Ok(())
}

/// All of a pass, for about `budget`; what is left stays due.
pub fn refresh_due(cx: Context<'_>, budget: Duration) -> Result<Pass, Failure> {
    const USERS_A_PASS: usize = 1_000;

    let deadline = cx.ports.monotonic_now() + budget;
    let users = due(cx, USERS_A_PASS).map_err(|_| Failure::store_unavailable())?;
    let mut pass = Pass { more: users.len() == USERS_A_PASS, ..Pass::default() };
    let mut first_failure = None;
    for user in &users {
        if cx.ports.monotonic_now() >= deadline {
            pass.more = true;
            break;
        }
        match refresh_user(cx, user) {
            Ok(outcome) => pass.count(outcome),
            // One user's trouble, or wrong credentials, keep nothing from being saved.
            Err(failure) => first_failure = first_failure.or(Some(failure)),
        }
    }
    pass.swept = tidy(cx).map_err(|_| Failure::store_unavailable())?;
    first_failure.map_or(Ok(pass), Err)
}

impl Pass {
    fn count(&mut self, outcome: RefreshOutcome) {
        self.looked_at += 1;
        match outcome {
            RefreshOutcome::Refreshed => self.refreshed += 1,
            RefreshOutcome::Postponed => self.postponed += 1,
            RefreshOutcome::Reauthorize => self.reauthorize += 1,
            RefreshOutcome::Fresh | RefreshOutcome::NothingToRefresh => {}
        }
    }
}
