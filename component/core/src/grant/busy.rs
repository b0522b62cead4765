//! A 429 slows the timers of all processes: Kroger counts an app's calls, not a user's.
//!
//! If a refresh is answered 429, its caller notes until when the token endpoint wants
//! no calls. The timers of all processes on the store obey the note. A call that waits
//! for a token ignores it: the call is one request, a person waits for it, and the
//! pauses of its own grant limit it. A note that is lost or wrong costs requests, or a
//! later refresh. It never costs a token.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ports::{Bucket, Event, Timestamp};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::{CLOCK_SKEW, Context};

/// The wait if Kroger does not say how long.
const SHORTEST: Duration = Duration::from_secs(1);
/// The length of a refresh window. After that time one refresh asks again.
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

/// Notes that a refresh was answered 429 with this `Retry-After`.
pub(crate) fn note(cx: Context<'_>, retry_after: Option<Duration>) {
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

/// The time until which the timer sends nothing to the token endpoint. None: there is
/// no such time, or the store cannot be read. A note from the future does not count: a
/// clock was set.
pub(crate) fn until(cx: Context<'_>) -> Option<Timestamp> {
    let now = cx.ports.wall_now();
    let note: Note = codec::read(cx, Bucket::Store, &Key::RefreshesNotBefore.to_string()).ok()??;
    (now < note.not_before && note.at <= now + CLOCK_SKEW).then_some(note.not_before)
}
