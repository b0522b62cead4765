//! Creates the schema of a store, and recognizes a store by the marks in its header.
//!
//! A file that is not a store of this program is never changed.

use rusqlite::{Connection, TransactionBehavior};

use super::fault::Fault;
use super::open_error::{Obstacle, SCHEMA_VERSION};

/// The letters `KrMc` in a file's header. This program and the `file` program know a store by them.
const APPLICATION_ID: i32 = 0x4b72_4d63;

/// The schema. AUTOINCREMENT never gives a number twice, so a page's cursor never skips a key.
const SCHEMA: &str = "CREATE TABLE entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (bucket, key)
) STRICT";

/// The owner of a file, by its header.
enum Header {
    Empty,
    Ours(i32),
    Foreign,
}

fn header(connection: &Connection) -> rusqlite::Result<Header> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let version = number("user_version")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    Ok(match number("application_id")? {
        APPLICATION_ID => Header::Ours(version),
        0 if version == 0 && tables == 0 => Header::Empty,
        _ => Header::Foreign,
    })
}

pub(super) fn recognise(connection: &Connection) -> Result<(), Obstacle> {
    match header(connection)? {
        Header::Ours(version) if version > SCHEMA_VERSION => Err(Obstacle::NewerSchema(version)),
        Header::Empty | Header::Ours(_) => Ok(()),
        Header::Foreign => Err(Obstacle::NotAStore),
    }
}

pub(super) fn check_integrity(connection: &Connection) -> Result<(), Obstacle> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(Obstacle::Fault(Fault::Damaged))
}

/// Creates the schema if there is none. Returns whether there was none.
///
/// Takes the write lock in any case, which proves that the store can be written.
pub(super) fn create_schema(connection: &mut Connection) -> Result<bool, Obstacle> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let is_new = matches!(header(&transaction)?, Header::Empty);
    if is_new {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()?;
    Ok(is_new)
}
