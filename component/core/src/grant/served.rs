//! When a user's records are no longer needed, so that the sweep may delete them.

use crate::Context;
use crate::grant::lineage::{Current, Grant};
use crate::grant::records;
use crate::ports::StoreError;
use crate::store::ticket::Ticket;
use crate::user::UserKey;

/// Whether the record of `ticket` is no longer needed: a descendant, or a newer sign-in
/// or deletion, is safely stored.
pub(crate) fn is_superseded(cx: Context<'_>, user: &UserKey, ticket: Ticket) -> Result<bool, StoreError> {
    let Some(newest) = newest(cx, user)? else { return Ok(false) };
    let is_needed = records::is_signpost(ticket) && ticket.root.number == newest.root.number;
    Ok(ticket < newest && !is_needed)
}

/// Whether the tries at the grant of `parent` are no longer needed: a newer record is
/// safely stored.
pub(crate) fn is_spent(cx: Context<'_>, user: &UserKey, parent: Ticket) -> Result<bool, StoreError> {
    Ok(newest(cx, user)?.is_some_and(|newest| parent < newest))
}

/// The ticket of the user's newest record, if that is safely stored.
fn newest(cx: Context<'_>, user: &UserKey) -> Result<Option<Ticket>, StoreError> {
    let newest = match records::current(cx, user)? {
        Current::Absent => return Ok(None),
        Current::Deleted { root } => root.ticket(),
        Current::Grant(Grant { ticket, .. }) => ticket,
    };
    Ok(records::is_stored(cx, user, newest).then_some(newest))
}
