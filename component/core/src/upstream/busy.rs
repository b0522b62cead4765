//! What a 429 asks of everybody: Kroger counts an app's calls, not a user's.
//!
//! Whoever's refresh was answered 429 notes until when the token endpoint wants
//! to be left alone, and the timers of all processes on the store go by it. A
//! call that waits for a token does not: it is one request, a person waits for
//! it, and its own grant's pauses bound it. A note that is lost or wrong costs
//! requests, or a refresh that comes later, and never a token.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ports::{Bucket, Event, Timestamp};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::{CLOCK_SKEW, Context};

/// Where Kroger does not say how long.
const SHORTEST: Duration = Duration::from_secs(1);
/// A refresh window's length: longer than that, and one refresh asks again.
const LONGEST: Duration = Duration::from_secs(300);

#[derive(Serialize, Deserialize)]
pub(crate) struct Note {
    at: Timestamp,
    not_before: Timestamp,
}

impl Stored for Note {
    const KIND: Kind = Kind::RefreshesNotBefore;
    const VERSION: u32 = 1;
}

/// A refresh was answered 429, with this `Retry-After`.
pub fn note(cx: Context<'_>, retry_after: Option<Duration>) {
    let at = cx.ports.wall_now();
    let not_before = at + retry_after.unwrap_or_default().clamp(SHORTEST, LONGEST);
    if until(cx).is_some_and(|until| until >= not_before) {
        return;
    }
    let note = Note { at, not_before };
    if cx.ports.set(Bucket::Store, &Key::RefreshesNotBefore.to_string(), &codec::encode(&note)).is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "noting that Kroger asks for fewer refreshes" });
    }
}

/// Until when the timer leaves the token endpoint alone; none: it need not, or
/// nobody can tell. A note from the future is a stepped clock's.
pub fn until(cx: Context<'_>) -> Option<Timestamp> {
    let now = cx.ports.wall_now();
    let note: Note = codec::read(cx, Bucket::Store, &Key::RefreshesNotBefore.to_string()).ok()??;
    (now < note.not_before && note.at <= now + CLOCK_SKEW).then_some(note.not_before)
}
