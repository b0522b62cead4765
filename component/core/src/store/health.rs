//! Whether the store keeps what it is told, and whether the component may be
//! given calls: found out by writing, never by believing.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::Context;
use crate::failure::{Cause, Failure, StoreTrouble, Undone};
use crate::ports::{Bucket, StoreError, Timestamp};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::store::rescue;

/// Two checks at once overwrite each other's mark; a mark of another's is
/// believed if it is hardly older than one's own.
const AT_ONCE: Duration = Duration::from_secs(10);

/// What became of a value that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It was there when looked for anew.
    Kept,
    /// It was acknowledged, and is not there.
    Forgets,
    /// It could not be written or read.
    Failed,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Mark {
    at: Timestamp,
    nonce: u64,
}

impl Stored for Mark {
    const KIND: Kind = Kind::Health;
    const VERSION: u32 = 1;
}

/// Whether the store answers a read.
pub fn is_readable(cx: Context<'_>) -> bool {
    cx.ports.get(Bucket::Store, &Key::Health.to_string()).is_ok()
}

/// Writes a fresh value and looks for it through a newly opened bucket.
pub fn persistence(cx: Context<'_>) -> Persistence {
    match write_and_read(cx) {
        Ok(true) => Persistence::Kept,
        Ok(false) => Persistence::Forgets,
        Err(_) => Persistence::Failed,
    }
}

fn write_and_read(cx: Context<'_>) -> Result<bool, StoreError> {
    let mut nonce = [0; 8];
    cx.ports.random_bytes(&mut nonce);
    let at = cx.ports.wall_now();
    let mark = Mark { at, nonce: u64::from_le_bytes(nonce) };
    let key = Key::Health.to_string();
    cx.ports.set(Bucket::Store, &key, &codec::encode(&mark))?;
    let found = cx.ports.read_back(&key)?;
    let found: Option<Mark> = found.and_then(|bytes| codec::decode(&bytes).ok());
    Ok(found.is_some_and(|found| found.nonce == mark.nonce || found.at + AT_ONCE > at))
}

/// Answers where the store can be written and nothing waits to be saved in it.
pub fn readiness(cx: Context<'_>) -> Result<(), Failure> {
    match persistence(cx) {
        Persistence::Kept => {}
        Persistence::Forgets => return Err(forgets()),
        Persistence::Failed => return Err(Failure::store_unavailable()),
    }
    let rescued = rescue::waiting(cx).map_err(|_| Failure::store_unavailable())?;
    if rescued.is_empty() { Ok(()) } else { Err(waiting(rescued.len())) }
}

fn forgets() -> Failure {
    Cause::Store(StoreTrouble::Forgets(Undone::Nothing)).into()
}

fn waiting(count: usize) -> Failure {
    Failure::from(Cause::Store(StoreTrouble::Unsaved(count))).retry_after(Duration::from_secs(60))
}
