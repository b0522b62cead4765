//! What follows a refresh: the mirror, hints and counts. The refresh depends on none
//! of them, and nothing here fails a call.

use crate::Context;
use crate::grant::lineage::Grant;
use crate::grant::success_rate::{self, Lifetime};
use crate::grant::{due, outside_pair, records};
use crate::ports::Event;
use crate::user::UserKey;

/// Mirrors `child`, notes when it is due, counts the refresh, and deletes what the
/// grandparent left. `child` is already saved.
pub(crate) fn follow_up(cx: Context<'_>, user: &UserKey, parent: &Grant, child: &Grant) {
    outside_pair::export(cx, child);
    due::enter(cx, child);
    let was_kept = child.tokens.obtained_at <= parent.tokens.expires_at;
    success_rate::count(cx, if was_kept { Lifetime::Kept } else { Lifetime::Lost });
    if records::sweep_parent(cx, user, parent).is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "deleting what an older grant left" });
    }
}
