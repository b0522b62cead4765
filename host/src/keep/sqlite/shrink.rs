//! Gives the room of deleted entries back to the disk, and removes what they left in the file.
//!
//! `SQLite` overwrites a deleted value where it is. But when it moves entries from one page to another,
//! the bytes of the old place may stay in a page, rarely, and outlive the value. A `VACUUM` writes
//! every page anew.

use std::time::{Duration, Instant};

use rusqlite::Connection;

/// A file of no more pages is written anew whenever secrets were deleted. That takes milliseconds.
const SMALL: i64 = 256;
/// A larger file of no more pages is written anew once in a while.
const LARGE: i64 = 4096;
const ONCE_IN_A_WHILE: Duration = Duration::from_secs(600);

/// Free pages that are given back at once, so that nobody waits long for the lock.
const PAGES_AT_ONCE: i64 = 512;
/// Fewer free pages are kept for the next entries.
const PAGES_KEPT: i64 = 64;

#[derive(Default)]
pub(super) struct Shrinking {
    /// Whether secrets were deleted since the file was written anew.
    is_untidy: bool,
    last: Option<Instant>,
}

impl Shrinking {
    pub(super) fn note_erasure(&mut self) {
        self.is_untidy = true;
    }

    /// Does what is worth it now. Nothing depends on it, so failures are ignored: another program may
    /// hold the lock, or the disk may be full. True if the log has grown.
    pub(super) fn shrink(&mut self, connection: &Connection) -> bool {
        self.try_to_shrink(connection).unwrap_or(false)
    }

    fn try_to_shrink(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let (pages, free) = (number("page_count")?, number("freelist_count")?);
        let used = pages - free;
        let is_time = used <= SMALL || self.last.is_none_or(|last| last.elapsed() >= ONCE_IN_A_WHILE);
        if self.is_untidy && used <= LARGE && is_time {
            connection.execute_batch("VACUUM")?;
            self.is_untidy = false;
            self.last = Some(Instant::now());
            return Ok(true);
        }
        if free <= PAGES_KEPT.max(used / 4) {
            return Ok(false);
        }
        match number("auto_vacuum")? {
            // Only a VACUUM gives an older store the means to shrink step by step.
            0 if used <= LARGE && is_time => {
                self.last = Some(Instant::now());
                connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")?;
            }
            0 => return Ok(false),
            _ => connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})"))?,
        }
        Ok(true)
    }
}
