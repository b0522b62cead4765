//! Runs the one thread that writes: it commits all waiting writes together, and answers only then.
//!
//! A write that fails does not make other writes fail. A failed commit is never tried again: after a
//! disk failed to flush, its next answer proves nothing.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::fault::Fault;
use super::open::Location;
use super::reading::value;
use crate::keep::keyvalue::{KeyValueError, incremented};

/// The most writes in one transaction, so that the first of a flood does not wait for the last.
const WRITES_PER_COMMIT: usize = 256;

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
    pub(super) fn start(location: Arc<Location>, connection: Connection) -> Self {
        let (queue, waiting) = mpsc::channel();
        let commits = Arc::default();
        let committer = Committer { location, connection: Some(connection), commits: Arc::clone(&commits) };
        let thread = thread::spawn(move || committer.run(&waiting));
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
    commits: Arc<AtomicU64>,
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
        while let Ok(first) = waiting.recv() {
            let mut writes = vec![first];
            writes.extend(waiting.try_iter().take(WRITES_PER_COMMIT - 1));
            self.commit(writes);
        }
    }

    fn commit(&mut self, writes: Vec<Write>) {
        match self.transaction(&writes) {
            Ok(answers) => answer_each(writes, answers),
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
        let connection = self.connection().map_err(Failure::Begin)?;
        let committed = transact(connection, writes);
        match &committed {
            Ok(_) => _ = self.commits.fetch_add(1, Ordering::Relaxed),
            // Closing the connection rolls back. The next transaction reads the file anew.
            Err(_) => self.connection = None,
        }
        committed
    }

    fn connection(&mut self) -> Result<&Connection, Fault> {
        self.location.check_in_place()?;
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.location.connect_for_writing()?,
        };
        Ok(self.connection.insert(connection))
    }
}

fn transact(connection: &Connection, writes: &[Write]) -> Result<Vec<Answer>, Failure> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| Failure::Begin(error.into()))?;
    let answers = writes
        .iter()
        .map(|write| apply(connection, write))
        .collect::<rusqlite::Result<_>>()
        .map_err(|error| Failure::Change(error.into()))?;
    connection.execute_batch("COMMIT").map_err(|error| Failure::Commit(unconfirmed(error.into())))?;
    Ok(answers)
}

/// The fault of a failed commit. A full disk or a lock refuses a commit before it is made. After any
/// other fault nobody knows whether the commit was made.
fn unconfirmed(fault: Fault) -> Fault {
    match fault {
        Fault::Full | Fault::Locked | Fault::Moved => fault,
        _ => Fault::Unconfirmed,
    }
}

fn apply(connection: &Connection, write: &Write) -> rusqlite::Result<Answer> {
    match &write.change {
        Change::Set(value) => set(connection, write, value).map(|()| Ok(0)),
        Change::Delete => delete(connection, write).map(|()| Ok(0)),
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

fn delete(connection: &Connection, write: &Write) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM entry WHERE bucket = ?1 AND key = ?2")?
        .execute((&*write.bucket, &*write.key))
        .map(drop)
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
