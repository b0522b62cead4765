//! Old tries that are over become one record for sixteen of them: a fold.
//!
//! While Kroger cannot be reached, each try at a grant leaves three keys and a ticket
//! that no record will ever have. Without folds a day of that would cost thousands of
//! reads for each look at the grant, and in the end more time than an owner has.
//! Nothing here folds a try that is open or was refused.
//!
//! A fold repeats what was written once and does not change. So it is true, whichever
//! caller writes it, and no caller writes a fold that is there. The fold is stored
//! before the tries are deleted: a reader that misses a try looks for the fold. The
//! counter of a folded try is deleted, so a caller can win its claim again. A caller
//! that wins a claim below a fold owns nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::grant::attempts::{Attempt, AttemptOutcome, Try};
use crate::grant::tries::{TriesAt, delete_try};
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::store::claim::{LEASE, read_try};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::store::ticket::Ticket;
use crate::user::UserKey;

/// The number of tries that one fold adds.
pub(crate) const BLOCK: u64 = 16;
/// The number of tries that stay. The last of them says when the next try is due, and
/// no caller still works on a try so far back.
const LEFT: u64 = 4;
/// An owner that has not come back from a send by then has vanished.
const VANISHED: Duration = Duration::from_secs(3_600);

/// The tries 1 to 16·k at one grant, all of them over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fold {
    /// Whether one of them may have spent the token.
    may_have_spent: bool,
    /// First and last of each run of steps that no record will ever have.
    dead: Vec<(u64, u64)>,
}

impl Stored for Fold {
    const KIND: Kind = Kind::Fold;
    const VERSION: u32 = 1;
}

fn fold_key(user: &UserKey, parent: Ticket, block: u64) -> String {
    Key::Fold { user: user.clone(), parent, block }.to_string()
}

/// The block of the try `number`, from 1 on.
fn block_of(number: u64) -> u64 {
    number.div_ceil(BLOCK)
}

/// Whether the try `number` is over and deleted.
pub(crate) fn covers(cx: Context<'_>, user: &UserKey, parent: Ticket, number: u64) -> Result<bool, StoreError> {
    Ok(cx.ports.get(Bucket::Store, &fold_key(user, parent, block_of(number)))?.is_some())
}

/// The fold that the try `number` went into, or the newest after it; and that
/// fold's last try.
pub(crate) fn over(
    cx: Context<'_>,
    user: &UserKey,
    parent: Ticket,
    number: u64,
) -> Result<Option<(u64, Fold)>, StoreError> {
    let found = newest(cx, user, parent, block_of(number))?;
    Ok(found.map(|(block, fold)| (block * BLOCK, fold)))
}

/// Each fold includes those before it, so the newest is found by leaps.
fn newest(cx: Context<'_>, user: &UserKey, parent: Ticket, from: u64) -> Result<Option<(u64, Fold)>, StoreError> {
    let fold = |block| codec::read::<Fold>(cx, Bucket::Store, &fold_key(user, parent, block));
    let Some(mut newest) = fold(from)? else { return Ok(None) };
    let (mut block, mut leap) = (from, 1);
    while leap > 0 {
        match fold(block + leap)? {
            Some(next) => (newest, block, leap) = (next, block + leap, leap * 2),
            None => leap /= 2,
        }
    }
    Ok(Some((block, newest)))
}

/// Folds the tries at `parent` that are over. Their last try is `last`. A failure costs
/// reads, nothing else.
pub(crate) fn fold(cx: Context<'_>, user: &UserKey, parent: Ticket, last: u64) {
    if last > BLOCK && last.is_multiple_of(LEFT) && fold_to(cx, user, parent, last.saturating_sub(LEFT)).is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "folding tries that are over" });
    }
}

fn fold_to(cx: Context<'_>, user: &UserKey, parent: Ticket, last: u64) -> Result<(), StoreError> {
    let (mut block, mut fold) = newest(cx, user, parent, 1)?.unwrap_or_default();
    while (block + 1) * BLOCK <= last {
        let Some(tries) = ended(cx, user, parent, block * BLOCK + 1)? else { return Ok(()) };
        block += 1;
        let key = fold_key(user, parent, block);
        if let Some(others) = codec::read(cx, Bucket::Store, &key)? {
            // The writer of this fold read all of its tries, and may be deleting them now.
            fold = others;
            continue;
        }
        fold = fold.with(&tries);
        let value = codec::encode(&fold);
        cx.ports.set(Bucket::Store, &key, &value)?;
        if cx.ports.read_back(&key)?.as_ref() != Some(&value) {
            return Err(StoreError::Failed);
        }
        for each in &tries {
            delete_try(cx, user, parent, each.number)?;
        }
    }
    Ok(())
}

/// The block of tries from `first` on, if all of them are over and none was
/// refused.
fn ended(cx: Context<'_>, user: &UserKey, parent: Ticket, first: u64) -> Result<Option<Vec<Try>>, StoreError> {
    let now = cx.ports.wall_now();
    let mut tries = Vec::new();
    for number in first..first + BLOCK {
        match read_try(cx, &TriesAt { user, parent }, number)? {
            Some(each) if is_over(&each, now) => tries.push(each),
            _ => return Ok(None),
        }
    }
    Ok(Some(tries))
}

fn is_over(each: &Try, now: Timestamp) -> bool {
    match (&each.intent, &each.conclusion) {
        (_, Some(attempt)) => attempt.outcome != AttemptOutcome::Refused,
        (Some(intent), None) => now > intent.lease_until + LEASE + VANISHED,
        // A claim without an intent. An owner that came back now would be too late.
        (None, None) => true,
    }
}

impl Fold {
    /// The folded tries as one try that is over. `number` is the last of them.
    pub(crate) fn as_try(&self, number: u64) -> Try {
        let outcome = if self.may_have_spent { AttemptOutcome::Unknown } else { AttemptOutcome::NotSent };
        let (at, not_before) = <(Timestamp, Timestamp)>::default();
        let attempt = Attempt { outcome, at, not_before, token: None, client: None };
        Try { number, intent: None, conclusion: Some(attempt) }
    }

    /// Whether no record will ever have a ticket with this step.
    pub(crate) fn is_dead(&self, step: u64) -> bool {
        self.dead.iter().any(|(first, last)| (*first..=*last).contains(&step))
    }

    /// Adds `tries` to the fold. Only a try that its owner concluded leaves a dead ticket:
    /// an owner that vanished may come back with a child.
    fn with(mut self, tries: &[Try]) -> Self {
        self.may_have_spent |= tries.iter().any(Try::may_have_spent);
        let concluded = tries.iter().filter(|each| each.conclusion.is_some());
        let steps = concluded.filter_map(|each| Some(each.intent.as_ref()?.ticket.step));
        self.dead.extend(steps.map(|step| (step, step)));
        self.dead.sort_unstable();
        self.dead.dedup_by(|next, run| {
            let is_near = next.0 <= run.1 + 1;
            if is_near {
                run.1 = run.1.max(next.1);
            }
            is_near
        });
        self
    }
}

#[cfg(test)]
mod tests;
