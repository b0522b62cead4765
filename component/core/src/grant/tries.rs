//! The tries at refreshing a grant, as the store has them: one by one.

use crate::Context;
use crate::grant::attempts::{Attempt, Intent, Try};
use crate::ports::{Bucket, StoreError};
use crate::store::codec;
use crate::store::keys::Key;
use crate::store::ticket::Ticket;
use crate::user::UserKey;

pub(crate) fn claim_key(user: &UserKey, parent: Ticket, number: u64) -> String {
    Key::Claim { user: user.clone(), parent, number }.to_string()
}

pub(crate) fn intent_key(user: &UserKey, parent: Ticket, number: u64) -> String {
    Key::Intent { user: user.clone(), parent, number }.to_string()
}

pub(crate) fn attempt_key(user: &UserKey, parent: Ticket, number: u64) -> String {
    Key::Attempt { user: user.clone(), parent, number }.to_string()
}

/// None: nobody has claimed it, or it was folded.
pub(crate) fn read_try(
    cx: Context<'_>,
    user: &UserKey,
    parent: Ticket,
    number: u64,
) -> Result<Option<Try>, StoreError> {
    let attempt: Option<Attempt> = codec::read(cx, Bucket::Store, &attempt_key(user, parent, number))?;
    let intent: Option<Intent> = codec::read(cx, Bucket::Store, &intent_key(user, parent, number))?;
    let is_claimed =
        attempt.is_some() || intent.is_some() || cx.ports.increment(&claim_key(user, parent, number), 0)? > 0;
    Ok(is_claimed.then_some(Try { number, intent, attempt }))
}

/// The claim goes last: a try is never half there and unclaimed.
pub(crate) fn delete_try(cx: Context<'_>, user: &UserKey, parent: Ticket, number: u64) -> Result<(), StoreError> {
    for key in [intent_key, attempt_key, claim_key] {
        cx.ports.delete(Bucket::Store, &key(user, parent, number))?;
    }
    Ok(())
}
