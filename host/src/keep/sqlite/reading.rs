//! Reads the store, on connections that cannot write.
//!
//! A connection serves one read at a time, and is kept for the next read.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _};

use super::fault::Fault;
use super::open::Location;
use crate::keep::keyvalue::KEYS_PER_PAGE;

/// The most idle connections that are kept. If more reads run at once, more connections are opened.
const IDLE_READERS: usize = 8;

pub(super) fn value(connection: &Connection, bucket: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT value FROM entry WHERE bucket = ?1 AND key = ?2")?
        .query_row((bucket, key), |row| row.get(0))
        .optional()
}

pub(super) fn exists(connection: &Connection, bucket: &str, key: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM entry WHERE bucket = ?1 AND key = ?2")?.exists((bucket, key))
}

pub(super) fn entries(connection: &Connection, bucket: &str, after: i64) -> rusqlite::Result<Vec<(u64, String)>> {
    // NOT INDEXED: reads the entries in the order of their numbers, instead of sorting them afterwards.
    let mut statement = connection.prepare_cached(
        "SELECT number, key FROM entry NOT INDEXED WHERE number > ?2 AND bucket = ?1 ORDER BY number",
    )?;
    let rows = statement.query_map((bucket, after), |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
    rows.take(KEYS_PER_PAGE + 1).collect()
}

pub(super) struct Readers {
    location: Arc<Location>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn at(location: Arc<Location>) -> Self {
        let idle = Mutex::default();
        Self { location, idle }
    }

    pub(super) fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Fault> {
        self.location.check_in_place()?;
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| self.location.connect_for_reading(), Ok)?;
        let answer = query(&connection)?;
        self.keep(connection);
        Ok(answer)
    }

    /// The store's file.
    pub(super) fn file(&self) -> &Path {
        self.location.file()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
