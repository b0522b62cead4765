//! Runs the one thread that writes: it commits all waiting writes together, and answers only then.
//!
//! A write that fails does not make other writes fail. A failed commit is never tried again: after a
//! disk failed to flush, its next answer proves nothing.
//!
//! A delete answers when neither the file nor its log has the value any more. Short values hold no
//! secrets, and their deletion does not wait for the log.

use std::mem;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::oneshot;

use super::fault::Fault;
use super::in_place::{LogFiles, LogSeen};
use super::open::Location;
use super::reading::value;
use super::shrink::Shrinking;
use crate::keep::keyvalue::{KeyValueError, incremented};

/// The most writes in one transaction, so that the first of a flood does not wait for the last.
const WRITES_PER_COMMIT: usize = 256;

/// A shorter value is a counter, a time or a number. A pair of tokens is longer.
const SHORTEST_SECRET: i64 = 200;

/// How often a store that nobody writes is looked at.
const IDLE: Duration = Duration::from_secs(1);

pub(super) struct Write {
    pub(super) bucket: Arc<str>,
    pub(super) key: String,
    pub(super) change: Change,
    /// Gets the counter's new value, or 0 for a change of another kind.
    pub(super) answer: oneshot::Sender<Answer>,
}

pub(super) enum Change {
    Set(Vec<u8>),
    Delete,
    Increment(u64),
}

type Answer = Result<u64, KeyValueError>;

/// The writing thread. Dropping this waits until the thread has done all submitted writes.
pub(super) struct Writer {
    queue: Option<Sender<Write>>,
    thread: Option<JoinHandle<()>>,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests count the commits"))]
    commits: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn start(location: Arc<Location>, connection: Connection, anchor: Option<Connection>) -> Self {
        let (queue, waiting) = mpsc::channel();
        let commits = Arc::default();
        let committer = Committer {
            location,
            connection: Some(connection),
            anchor,
            commits: Arc::clone(&commits),
            seen: LogSeen::default(),
            // An earlier process may have died between a delete and the end of the log.
            owes_erasure: true,
            shrinking: Shrinking::default(),
            trouble: None,
        };
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || committer.run(&waiting));
        let thread = thread.expect("the system can start a thread");
        Self { queue: Some(queue), thread: Some(thread), commits }
    }

    /// Queues `write`. If the thread is gone, the answer's channel closes.
    pub(super) fn submit(&self, write: Write) {
        if let Some(queue) = &self.queue {
            drop(queue.send(write));
        }
    }

    #[cfg(test)]
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Committer {
    location: Arc<Location>,
    connection: Option<Connection>,
    anchor: Option<Connection>,
    commits: Arc<AtomicU64>,
    /// The log after the last commit.
    seen: LogSeen,
    /// Whether the log may have values that were deleted.
    owes_erasure: bool,
    shrinking: Shrinking,
    /// What was last found wrong with the store's files, and told.
    trouble: Option<Fault>,
}

/// The step at which a transaction failed. Nothing of it is stored, except perhaps after a failed
/// commit.
enum Failure {
    Begin(Fault),
    Change(Fault),
    Commit(Fault),
}

impl Failure {
    fn fault(&self) -> Fault {
        match self {
            Self::Begin(fault) | Self::Change(fault) | Self::Commit(fault) => *fault,
        }
    }
}

impl Committer {
    fn run(mut self, waiting: &Receiver<Write>) {
        loop {
            match waiting.recv_timeout(IDLE) {
                Ok(first) => {
                    let mut writes = vec![first];
                    writes.extend(waiting.try_iter().take(WRITES_PER_COMMIT - 1));
                    self.commit(writes);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.tidy().is_ok() {
                        self.location.reserve.take();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return self.close(),
            }
        }
    }

    /// Does what nobody waits for.
    fn tidy(&mut self) -> Result<(), Fault> {
        self.check_files()?;
        if let Some(connection) = &self.connection
            && self.shrinking.shrink(connection)
        {
            self.look_at_log()?;
            self.owes_erasure |= self.empty_log().is_err();
        }
        Ok(())
    }

    /// Closes the connections, unless a file is not in its place: closing would look at an index that
    /// was cut short, or remove a log that is another's.
    fn close(mut self) {
        if self.tidy().is_err() {
            mem::forget((self.connection.take(), self.anchor.take()));
        }
    }

    fn commit(&mut self, writes: Vec<Write>) {
        match self.transaction(&writes) {
            Ok(answers) => answer_each(writes, answers),
            Err(failure)
                if failure.fault() == Fault::Full && has_deletes(&writes) && self.location.reserve.release() =>
            {
                self.commit(writes);
            }
            Err(Failure::Change(_)) if writes.len() > 1 => self.commit_one_by_one(writes),
            Err(failure) => answer_all(writes, failure.fault()),
        }
    }

    fn commit_one_by_one(&mut self, writes: Vec<Write>) {
        let mut writes = writes.into_iter();
        while let Some(write) = writes.next() {
            match self.transaction(slice::from_ref(&write)) {
                Ok(answers) => answer_each([write], answers),
                // Waiting for the lock again for each of the other writes would take minutes.
                Err(Failure::Begin(fault)) => return answer_all([write].into_iter().chain(writes), fault),
                Err(failure) => answer_all([write], failure.fault()),
            }
        }
    }

    fn transaction(&mut self, writes: &[Write]) -> Result<Vec<Answer>, Failure> {
        self.check_files().map_err(Failure::Begin)?;
        let connection = self.connection().map_err(Failure::Begin)?;
        let mut committed = match transact(connection, writes) {
            Ok(committed) => committed,
            Err(failure) => {
                // A look at an index that was cut short would end the process.
                self.check_files().map_err(Failure::Commit)?;
                // Closing the connection rolls back. The next transaction reads the file anew.
                self.connection = None;
                return Err(failure);
            }
        };
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.check_files().and_then(|()| self.look_at_log()).map_err(Failure::Commit)?;
        if committed.erased {
            self.owes_erasure = true;
            self.shrinking.note_erasure();
        }
        if self.owes_erasure && has_deletes(writes) {
            let erased = self.empty_log();
            self.owes_erasure = erased.is_err();
            if let Err(fault) = erased {
                committed.refuse_deletes(writes, fault);
            }
        }
        Ok(committed.answers)
    }

    /// Checks that the store's files are in their place, and tells once if they are not.
    fn check_files(&mut self) -> Result<(), Fault> {
        let checked = self.location.check_in_place().and_then(|()| self.check_log());
        match checked {
            Ok(()) => self.trouble = None,
            Err(fault) if self.trouble == Some(fault) => {}
            Err(fault) => {
                self.trouble = Some(fault);
                let is_saved = fault == Fault::LogMoved && self.save();
                tracing::error!(
                    reason = %fault,
                    saved = is_saved,
                    "the store's files changed while they were in use: nothing is read, refreshed or saved until the files \
                     are back or the server is started again"
                );
            }
        }
        checked
    }

    /// Fails if the log lost content that its index still names.
    fn check_log(&mut self) -> Result<(), Fault> {
        let Some(log) = self.location.log() else { return Ok(()) };
        let now = log.seen()?;
        let is_cut = now.was_cut_since(&self.seen)
            || now.lacks_its_beginning()
            || now.was_emptied_since(&self.seen) && self.connection.as_ref().is_some_and(names_content);
        if is_cut { Err(Fault::LogMoved) } else { Ok(()) }
    }

    fn look_at_log(&mut self) -> Result<(), Fault> {
        if let Some(log) = self.location.log() {
            self.seen = log.seen()?;
        }
        Ok(())
    }

    /// Moves what the open log has into the store's file, if no other log can have taken its place.
    fn save(&self) -> bool {
        let is_alone = self.location.log().is_some_and(LogFiles::is_log_absent);
        is_alone
            && self.connection.as_ref().or(self.anchor.as_ref()).is_some_and(|open| checkpoint(open, "FULL").is_ok())
    }

    /// Moves the log into the store's file and cuts it to nothing, so that no deleted value is left in
    /// it. Waits for readers, as long as for a lock.
    fn empty_log(&mut self) -> Result<(), Fault> {
        let Some(log) = self.location.log() else { return Ok(()) };
        let connection = self.connection.as_ref().ok_or(Fault::NotErased)?;
        let empty = || checkpoint(connection, "TRUNCATE");
        // Moving the log may make the file longer.
        let emptied = empty().or_else(|fault| if self.location.reserve.release() { empty() } else { Err(fault) });
        emptied.map_err(|_| Fault::NotErased)?;
        self.seen = log.seen()?;
        Ok(())
    }

    fn connection(&mut self) -> Result<&Connection, Fault> {
        let connection = match self.connection.take() {
            // Files that were away for a while may have left a transaction open.
            Some(connection) if connection.is_autocommit() => connection,
            _ => self.location.connect_for_writing()?,
        };
        Ok(self.connection.insert(connection))
    }
}

fn has_deletes(writes: &[Write]) -> bool {
    writes.iter().any(|write| matches!(write.change, Change::Delete))
}

/// What a transaction did.
struct Committed {
    answers: Vec<Answer>,
    /// Whether it deleted a value that may be secret.
    erased: bool,
}

impl Committed {
    /// Answers the deletes among `writes` with `fault`.
    fn refuse_deletes(&mut self, writes: &[Write], fault: Fault) {
        for (answer, write) in self.answers.iter_mut().zip(writes) {
            if matches!(write.change, Change::Delete) {
                *answer = Err(fault.into());
            }
        }
    }
}

fn transact(connection: &Connection, writes: &[Write]) -> Result<Committed, Failure> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| Failure::Begin(error.into()))?;
    let mut erased = false;
    let answers = writes
        .iter()
        .map(|write| apply(connection, write, &mut erased))
        .collect::<rusqlite::Result<_>>()
        .map_err(|error| Failure::Change(error.into()))?;
    connection.execute_batch("COMMIT").map_err(|error| Failure::Commit(unconfirmed(error.into())))?;
    Ok(Committed { answers, erased })
}

/// Moves the log into the store's file. `how` is a mode of `PRAGMA wal_checkpoint`.
fn checkpoint(connection: &Connection, how: &str) -> Result<(), Fault> {
    let is_blocked: bool = connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), (), |row| row.get(0))?;
    if is_blocked { Err(Fault::Locked) } else { Ok(()) }
}

/// Whether the index names content of the log.
fn names_content(connection: &Connection) -> bool {
    let pages = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |row| row.get::<_, i64>(1));
    pages.map_or(true, |pages| pages > 0)
}

/// The fault of a failed commit. A full disk or a lock refuses a commit before it is made. After any
/// other fault nobody knows whether the commit was made.
fn unconfirmed(fault: Fault) -> Fault {
    match fault {
        Fault::Full | Fault::Locked | Fault::Moved | Fault::LogMoved => fault,
        _ => Fault::Unconfirmed,
    }
}

fn apply(connection: &Connection, write: &Write, erased: &mut bool) -> rusqlite::Result<Answer> {
    match &write.change {
        Change::Set(value) => set(connection, write, value).map(|()| Ok(0)),
        Change::Delete => {
            *erased |= delete(connection, write)? >= SHORTEST_SECRET;
            Ok(Ok(0))
        }
        Change::Increment(delta) => increment(connection, write, *delta),
    }
}

/// Writes a value, by an update and then perhaps an insert. One upsert would use up a number even for
/// an existing key, and write the counter of numbers.
fn set(connection: &Connection, write: &Write, value: &[u8]) -> rusqlite::Result<()> {
    let entry = (&*write.bucket, &*write.key, value);
    let updated =
        connection.prepare_cached("UPDATE entry SET value = ?3 WHERE bucket = ?1 AND key = ?2")?.execute(entry)?;
    if updated == 0 {
        connection.prepare_cached("INSERT INTO entry (bucket, key, value) VALUES (?1, ?2, ?3)")?.execute(entry)?;
    }
    Ok(())
}

/// Answers the length of the deleted value, 0 if there was none.
fn delete(connection: &Connection, write: &Write) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("DELETE FROM entry WHERE bucket = ?1 AND key = ?2 RETURNING octet_length(value)")?
        .query_row((&*write.bucket, &*write.key), |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

fn increment(connection: &Connection, write: &Write, delta: u64) -> rusqlite::Result<Answer> {
    let stored = value(connection, &write.bucket, &write.key)?;
    let answer = incremented(stored.as_deref(), delta);
    if let Ok(value) = answer {
        set(connection, write, value.to_string().as_bytes())?;
    }
    Ok(answer)
}

fn answer_each(writes: impl IntoIterator<Item = Write>, answers: Vec<Answer>) {
    for (write, answer) in writes.into_iter().zip(answers) {
        // The caller may have gone away. The write is done anyway.
        drop(write.answer.send(answer));
    }
}

fn answer_all(writes: impl IntoIterator<Item = Write>, fault: Fault) {
    for write in writes {
        drop(write.answer.send(Err(fault.into())));
    }
}
