//! The tries at refreshing a grant, as the store has them: one by one. Nothing here
//! decides what they call for.

use crate::Context;
use crate::grant::attempts::{Attempt, Intent};
use crate::ports::{Bucket, StoreError};
use crate::store::claim::TryRecords;
use crate::store::keys::Key;
use crate::store::ticket::Ticket;
use crate::user::UserKey;

/// Where the tries at refreshing the grant of `parent` are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TriesAt<'a> {
    pub(crate) user: &'a UserKey,
    pub(crate) parent: Ticket,
}

impl TryRecords for TriesAt<'_> {
    type Intent = Intent;
    type Conclusion = Attempt;

    fn claim_key(&self, number: u64) -> String {
        Key::Claim { user: self.user.clone(), parent: self.parent, number }.to_string()
    }

    fn intent_key(&self, number: u64) -> String {
        Key::Intent { user: self.user.clone(), parent: self.parent, number }.to_string()
    }

    fn conclusion_key(&self, number: u64) -> String {
        Key::Attempt { user: self.user.clone(), parent: self.parent, number }.to_string()
    }
}

/// Deletes the claim last, so that a try is never half there and unclaimed.
pub(crate) fn delete_try(cx: Context<'_>, user: &UserKey, parent: Ticket, number: u64) -> Result<(), StoreError> {
    let tries = TriesAt { user, parent };
    for key in [tries.intent_key(number), tries.conclusion_key(number), tries.claim_key(number)] {
        cx.ports.delete(Bucket::Store, &key)?;
    }
    Ok(())
}
