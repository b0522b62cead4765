//! The stores that a restore replaced and kept, as one bucket: so that a sign-out can delete tokens
//! there, too.
//!
//! Nobody has such a store open. Each operation opens the files that are there and closes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use super::in_place::with_end;
use super::open::wait_for_locks;
use super::reading::{entries, value};
use crate::keep::keyvalue::{KeyPage, KeyValueError};

/// How long to wait for another program's lock.
const WAIT: Duration = Duration::from_secs(5);

/// A cursor has the number of the file above these bits, and the file's own cursor in them.
const BITS: u32 = 48;

/// The part of a kept store's name between the store's name and the time.
pub(super) const MARK: &str = ".replaced-";

/// The kept stores beside the store at a path.
#[derive(Clone)]
pub(crate) struct Replaced {
    file: PathBuf,
    bucket: String,
}

impl Replaced {
    pub(super) fn beside(file: &Path, bucket: &str) -> Self {
        Self { file: file.to_owned(), bucket: bucket.to_owned() }
    }

    pub(in crate::keep) fn is_there(&self) -> bool {
        !self.files().is_empty()
    }

    pub(in crate::keep) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        let key = key.to_owned();
        self.blocking(move |kept| {
            for file in kept.files() {
                if let Some(found) = Self::with(&file, |open| value(open, &kept.bucket, &key))? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
        .await
    }

    pub(in crate::keep) async fn list_keys(&self, cursor: Option<u64>) -> Result<KeyPage, KeyValueError> {
        self.blocking(move |kept| {
            let (files, cursor) = (kept.files(), cursor.unwrap_or(0));
            let number = cursor >> BITS;
            let after = i64::try_from(cursor & ((1 << BITS) - 1)).unwrap_or(i64::MAX);
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            let Some(file) = files.get(place) else { return Ok(KeyPage::default()) };
            let mut page = KeyPage::of(Self::with(file, |open| entries(open, &kept.bucket, after))?);
            let next_file = (place + 1 < files.len()).then_some((number + 1) << BITS);
            page.cursor = page.cursor.map(|cursor| number << BITS | cursor).or(next_file);
            Ok(page)
        })
        .await
    }

    /// Removes `key` from every kept store.
    pub(in crate::keep) async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        let key = key.to_owned();
        self.blocking(move |kept| {
            for file in kept.files() {
                Self::with(&file, |open| {
                    let deleted =
                        open.execute("DELETE FROM entry WHERE bucket = ?1 AND key = ?2", (&kept.bucket, &key))?;
                    // Neither a log nor a page keeps the value.
                    if deleted > 0 { open.execute_batch("VACUUM; PRAGMA journal_mode = DELETE") } else { Ok(()) }
                })?;
            }
            Ok(())
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, KeyValueError> {
        let kept = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&kept)).await;
        Ok(done.map_err(|_| Fault::Stopped)??)
    }

    /// The files of the kept stores, the oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let start = with_end(&self.file, MARK);
        let is_kept = |path: &Path| {
            let time = path.to_str().zip(start.to_str()).and_then(|(path, start)| path.strip_prefix(start));
            time.is_some_and(|time| !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let found =
            self.file.parent().and_then(|directory| fs::read_dir(directory).ok()).into_iter().flatten().flatten();
        let mut files: Vec<_> = found.map(|entry| entry.path()).filter(|path| is_kept(path)).collect();
        files.sort();
        files
    }

    fn with<T>(file: &Path, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Fault> {
        let open = || -> rusqlite::Result<Connection> {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut connection = Connection::open_with_flags(file, flags)?;
            wait_for_locks(&mut connection, WAIT)?;
            connection.pragma_update(None, "temp_store", "MEMORY")?;
            connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
            Ok(connection)
        };
        open().and_then(|connection| work(&connection)).map_err(|error| {
            let fault = Fault::from(error);
            tracing::error!(
                file = %file.display(),
                reason = %fault,
                "tokens in a store that a restore replaced cannot be looked for; if nobody needs the file, delete it"
            );
            fault
        })
    }
}
