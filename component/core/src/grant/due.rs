//! An index of due tokens by minute. The cost of finding the due users depends on how
//! many are due, not on how many users the store has.
//!
//! An entry is a hint. It stays while the user's current token is due in its minute or earlier, so
//! a failed refresh or a crash needs no new entry. If a crash left an entry out, the sweep
//! adds it.

use std::collections::HashSet;

use crate::Context;
use crate::grant::lineage::{Current, Grant};
use crate::grant::records;
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::store::keys::Key;
use crate::user::{UserId, UserKey};

/// Minutes since the Unix epoch.
pub(crate) type Minute = u64;

pub(crate) const DAY: Minute = 1_440;

pub(crate) fn minute(at: Timestamp) -> Minute {
    at.as_secs() / 60
}

/// When the timer refreshes `grant`. At once if its token was obtained in the future:
/// a clock was set, and nobody knows when the token expires.
pub(crate) fn refresh_at(cx: Context<'_>, grant: &Grant) -> Timestamp {
    if grant.tokens.are_of_the_future(cx.ports.wall_now()) {
        return Timestamp::default();
    }
    grant.tokens.refresh_at(cx.settings.refresh_buffer, spread(&grant.user_id.key()))
}

/// A number from 0 to 1 that is always the same for a user.
fn spread(user: &UserKey) -> f64 {
    let digits = user.as_str().bytes().take(4);
    let place = digits.fold(0_u32, |sum, digit| {
        sum * 32 + u32::from(if digit.is_ascii_digit() { digit - b'2' + 26 } else { digit - b'a' })
    });
    f64::from(place) / f64::from(32_u32.pow(4))
}

fn counter_key(minute: Minute) -> String {
    Key::DueCount { minute }.to_string()
}

fn entry_key(minute: Minute, index: u64) -> String {
    Key::DueEntry { minute, index }.to_string()
}

/// Enters the grant's user under the minute in which it will be due.
pub(crate) fn enter(cx: Context<'_>, grant: &Grant) {
    if grant.tokens.refresh_token.is_none() {
        return;
    }
    let minute = minute(refresh_at(cx, grant).max(cx.ports.wall_now()));
    let entered = cx
        .ports
        .increment(&counter_key(minute), 1)
        .and_then(|index| cx.ports.set(Bucket::Store, &entry_key(minute, index), grant.user_id.as_str().as_bytes()));
    if entered.is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "noting when a token is due" });
    }
}

/// The minutes from `from` until now. Of more than two days these are only the first
/// day and the last: the timer was off or a clock was set, so there are few entries in
/// between, or none. The sweep enters again each user that the index lacks.
fn minutes(from: Minute, now: Minute) -> impl Iterator<Item = Minute> {
    let first_end = now.min(from.saturating_add(DAY));
    let last_begin = now.saturating_sub(DAY).max(first_end + 1);
    (from..=first_end).chain(last_begin..=now)
}

/// The users entered from minute `from` until now, each once, `limit` at most.
pub(crate) fn users(cx: Context<'_>, from: Minute, limit: usize) -> Result<Vec<UserId>, StoreError> {
    let mut users = Vec::new();
    let mut seen = HashSet::new();
    for minute in minutes(from, minute(cx.ports.wall_now())) {
        for index in 1..=entered_in(cx, minute)?.unwrap_or(0) {
            if users.len() >= limit {
                return Ok(users);
            }
            let user = entry(cx, minute, index)?;
            users.extend(user.filter(|user| seen.insert(user.clone())));
        }
    }
    Ok(users)
}

/// How many entries `minute` got. None: its counter is damaged, and reading up to it would
/// not end. The sweep enters again each user that the index lacks.
fn entered_in(cx: Context<'_>, minute: Minute) -> Result<Option<u64>, StoreError> {
    const MOST: u64 = 1 << 22;

    let entries = cx.ports.increment(&counter_key(minute), 0)?;
    Ok((entries <= MOST).then_some(entries))
}

fn entry(cx: Context<'_>, minute: Minute, index: u64) -> Result<Option<UserId>, StoreError> {
    let bytes = cx.ports.get(Bucket::Store, &entry_key(minute, index))?;
    Ok(bytes.and_then(|bytes| UserId::parse(std::str::from_utf8(&bytes).ok()?).ok()))
}

/// Deletes the entries that have served. Answers the first minute that still
/// has some, and the number of keys deleted.
pub(crate) fn clear(cx: Context<'_>, from: Minute, limit: usize) -> Result<(Minute, u32), StoreError> {
    let now = minute(cx.ports.wall_now());
    let mut first_left = None;
    let mut deleted = 0;
    for minute in minutes(from, now) {
        let Some(entries) = entered_in(cx, minute)? else {
            cx.ports.delete(Bucket::Store, &counter_key(minute))?;
            deleted += 1;
            continue;
        };
        let mut is_empty = true;
        for index in 1..=entries {
            if deleted as usize >= limit {
                return Ok((first_left.unwrap_or(minute), deleted));
            }
            match entry(cx, minute, index)? {
                // A user whose record cannot be read loses this entry. The sweep enters
                // the user again.
                Some(user) if is_due_by(cx, &user, minute).unwrap_or(false) => is_empty = false,
                Some(_) => {
                    cx.ports.delete(Bucket::Store, &entry_key(minute, index))?;
                    deleted += 1;
                }
                None => {}
            }
        }
        // A minute that may still get entries is not over.
        if !is_empty || minute + 1 >= now {
            first_left.get_or_insert(minute);
        } else if entries > 0 {
            cx.ports.delete(Bucket::Store, &counter_key(minute))?;
            deleted += 1;
        }
    }
    Ok((first_left.unwrap_or(now), deleted))
}

/// Whether the timer still has work that the entry of `minute` stands for.
fn is_due_by(cx: Context<'_>, user: &UserId, minute: Minute) -> Result<bool, StoreError> {
    let Current::Grant(grant) = records::current(cx, &user.key())? else { return Ok(false) };
    let is_due = self::minute(refresh_at(cx, &grant)) <= minute;
    let can_be_refreshed = grant.tokens.refresh_token.is_some() && grant.is_of(&cx.settings.app);
    Ok(is_due && can_be_refreshed && !is_refused(cx, &grant)?)
}

/// Whether no pass looks at `minute` any more; `from` is where the index starts.
pub(crate) fn is_over(minute: Minute, from: Minute) -> bool {
    minute < from.saturating_sub(DAY)
}

/// Whether only a person can bring this grant back.
pub(crate) fn is_refused(cx: Context<'_>, grant: &Grant) -> Result<bool, StoreError> {
    use super::attempts::{Step, next_step};

    let tries = records::tries(cx, grant)?;
    Ok(matches!(next_step(&tries, cx.ports.wall_now()), Step::Refused { .. }))
}

#[cfg(test)]
mod tests;
