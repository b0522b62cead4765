//! Tests the store in real files: their modes, crashes, other programs and full disks.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use super::open::Journal;
use super::*;
use crate::keep::tests::wait;

fn open(directory: &Path) -> Store {
    Store::open(directory, ".tokens").unwrap_or_else(|error| panic!("{error}"))
}

fn impatient() -> Options {
    let wait = Duration::from_millis(50);
    Options { wait, ..Options::default() }
}

fn open_error(directory: &Path) -> String {
    let opened = Store::open_with(directory, ".tokens", impatient());
    opened.err().expect("the store must be refused").to_string()
}

fn file(directory: &Path) -> PathBuf {
    directory.join("store.sqlite3")
}

fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.permissions().mode() & 0o777
}

fn set(store: &Store, key: &str, value: &[u8]) -> Result<(), KeyValueError> {
    wait(store.bucket("b").set(key, value.to_vec()))
}

fn get(store: &Store, key: &str) -> Option<Vec<u8>> {
    wait(store.bucket("b").get(key)).expect("get")
}

#[test]
fn only_the_owner_may_read_the_created_files() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let tokens = directory.path().join("deep/.tokens");
    let store = open(&tokens);
    set(&store, "k", b"v").expect("set");

    assert_eq!(mode(&tokens), 0o700);
    for name in ["store.sqlite3", "store.sqlite3-wal", "store.sqlite3-shm"] {
        assert_eq!(mode(&tokens.join(name)), 0o600, "{name}");
    }
}

#[test]
fn closing_waits_for_submitted_writes_and_leaves_one_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    let bucket = store.bucket("b");
    drop(store);
    wait(async move {
        // One poll submits the write. Then the future is dropped without its answer.
        tokio::select! { biased; _ = bucket.set("k", b"v".to_vec()) => {}, () = std::future::ready(()) => {} }
    });

    let names: Vec<_> =
        fs::read_dir(directory.path()).expect("list").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["store.sqlite3"]);
    assert_eq!(get(&open(directory.path()), "k"), Some(b"v".to_vec()));
}

#[test]
fn increments_of_64_threads_through_two_opens_are_all_counted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let stores = [open(directory.path()), open(directory.path())];
    thread::scope(|scope| {
        for n in 0..64 {
            let bucket = stores[n % 2].bucket("b");
            scope.spawn(move || {
                for _ in 0..25 {
                    wait(bucket.increment("c", 1)).expect("increment");
                }
            });
        }
    });
    for store in &stores {
        assert_eq!(wait(store.bucket("b").increment("c", 0)), Ok(64 * 25));
    }
}

#[test]
fn two_opens_see_each_others_writes_at_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (one, other) = (open(directory.path()), open(directory.path()));
    for n in 0..50 {
        let value = n.to_string().into_bytes();
        set(&one, "k", &value).expect("set");
        assert_eq!(get(&other, "k"), Some(value));
    }
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (_, module) = module_path!().split_once("::").expect("a module in a crate");
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "--nocapture", &format!("{module}::writes_until_it_is_killed")])
        .env("STORE_TO_WRITE", directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child that writes");

    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut acknowledged = lines.map_while(Result::ok).filter_map(|line| line.parse::<u64>().ok());
    assert!(acknowledged.any(|count| count == 100));
    child.kill().expect("kill");
    let last = acknowledged.last().unwrap_or(100);
    child.wait().expect("its end");

    let found = wait(open(directory.path()).bucket("b").increment("c", 0)).expect("read");
    assert!(found == last || found == last + 1, "{last} acknowledged, {found} found");
}

#[test]
#[ignore = "the child of acknowledged_writes_survive_a_kill"]
fn writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os("STORE_TO_WRITE") else {
        return;
    };
    let bucket = open(Path::new(&directory)).bucket("b");
    let mut out = std::io::stdout();
    while let Ok(count) = wait(bucket.increment("c", 1)) {
        writeln!(out, "{count}").and_then(|()| out.flush()).expect("tell");
    }
}

/// Submits `writes` while another connection holds the lock, so that all but the first wait
/// together.
fn together(
    store: &Store,
    directory: &Path,
    writes: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> Vec<Result<(), KeyValueError>> {
    let other = Connection::open(file(directory)).expect("another connection");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    wait(async {
        let submitted = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        for (key, value) in writes {
            let (bucket, submitted) = (store.bucket("b"), Arc::clone(&submitted));
            tasks.push(tokio::spawn(async move {
                // All tasks run on one thread, so nobody sees the count before this task waits.
                submitted.fetch_add(1, Ordering::Relaxed);
                bucket.set(&key, value).await
            }));
        }
        while submitted.load(Ordering::Relaxed) < tasks.len() {
            tokio::task::yield_now().await;
        }
        other.execute_batch("ROLLBACK").expect("release");
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.expect("a task that ends"));
        }
        results
    })
}

#[test]
fn writes_that_wait_together_are_committed_together() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    let writes = (0..200).map(|n| (format!("k{n}"), b"v".to_vec()));
    let results = together(&store, directory.path(), writes);

    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!((0..200).all(|n| get(&store, &format!("k{n}")).is_some()));
    assert!(store.commits() <= 2, "{} commits", store.commits());
}

#[test]
fn a_write_that_does_not_fit_fails_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let max_pages = Some(32);
    let store =
        Store::open_with(directory.path(), ".tokens", Options { max_pages, ..Options::default() }).expect("open");
    let sizes = [10, 10, 1_000_000, 10];
    let writes = sizes.iter().enumerate().map(|(n, size)| (format!("k{n}"), vec![b'v'; *size]));
    let results = together(&store, directory.path(), writes);

    let full = KeyValueError::other("the store's disk is full; nothing was written");
    assert_eq!(results, [Ok(()), Ok(()), Err(full), Ok(())]);
    assert_eq!([0, 1, 2, 3].map(|n| get(&store, &format!("k{n}")).is_some()), [true, true, false, true]);
}

#[test]
fn a_write_that_the_database_refuses_fails_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    let other = Connection::open(file(directory.path())).expect("another connection");
    let refusal = "CREATE TRIGGER t BEFORE INSERT ON entry WHEN NEW.key = 'k2' BEGIN SELECT RAISE(ABORT, 'no'); END";
    other.execute_batch(refusal).expect("a trigger");
    let results = together(&store, directory.path(), (0..4).map(|n| (format!("k{n}"), b"v".to_vec())));

    let failed = KeyValueError::other("the store failed in an unexpected way");
    assert_eq!(results, [Ok(()), Ok(()), Err(failed.clone()), Ok(())]);
    assert_eq!([0, 1, 2, 3].map(|n| get(&store, &format!("k{n}")).is_some()), [true, true, false, true]);
    assert_eq!(set(&store, "k2", b"v"), Err(failed));
    assert_eq!(set(&store, "k4", b"v"), Ok(()), "a failed transaction is not left open");
}

#[test]
fn a_lock_held_too_long_is_reported_and_does_no_harm() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open_with(directory.path(), ".tokens", impatient()).expect("open");
    set(&store, "k", b"old").expect("set");
    let other = Connection::open(file(directory.path())).expect("another connection");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");

    let locked = KeyValueError::other("the store is locked by another program");
    assert_eq!(set(&store, "k", b"new"), Err(locked));
    assert_eq!(get(&store, "k"), Some(b"old".to_vec()), "reads do not wait");
    assert_eq!(
        open_error(directory.path()),
        "cannot open the store .tokens: the store is locked by another program; close the program that holds it \
         (a backup, a database browser), then start again"
    );

    other.execute_batch("ROLLBACK").expect("release");
    assert_eq!(set(&store, "k", b"new"), Ok(()));
}

#[test]
fn a_file_removed_under_the_store_is_an_error_and_not_a_new_store() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    set(&store, "k", b"v").expect("set");
    let (here, away) = (file(directory.path()), directory.path().join("away"));
    fs::rename(&here, &away).expect("move away");

    let moved = KeyValueError::other("the store's file was removed or replaced while it was in use");
    assert_eq!(set(&store, "k", b"w"), Err(moved.clone()));
    assert_eq!(wait(store.bucket("b").get("k")), Err(moved.clone()));
    File::create(&here).expect("an empty file in its place");
    assert_eq!(set(&store, "k", b"w"), Err(moved));
    fs::rename(&away, &here).expect("move back");
    assert_eq!(set(&store, "k", b"w"), Ok(()));
    assert_eq!(get(&store, "k"), Some(b"w".to_vec()));
}

#[test]
fn a_file_that_is_no_store_is_refused_and_unchanged() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = file(directory.path());
    let foreign = Connection::open(&file).expect("a database");
    foreign.execute_batch("CREATE TABLE theirs (x)").expect("a table");
    drop(foreign);
    for contents in [fs::read(&file).expect("read"), b"not a database at all".repeat(100)] {
        fs::write(&file, &contents).expect("write");
        assert_eq!(
            open_error(directory.path()),
            "store.sqlite3 in .tokens is not a store of this program; move it away, or name another store"
        );
        assert!(fs::read(&file).expect("read") == contents);
    }
}

#[test]
fn a_damaged_file_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    for n in 0..100 {
        set(&store, &format!("k{n}"), &[b'v'; 1000]).expect("set");
    }
    drop(store);
    let mut bytes = fs::read(file(directory.path())).expect("read");
    bytes[8192..].iter_mut().step_by(7).for_each(|byte| *byte ^= 0xff);
    fs::write(file(directory.path()), bytes).expect("write");

    assert_eq!(
        open_error(directory.path()),
        "cannot open the store .tokens: the store's file is damaged; restore it from a backup, or move it away and \
         sign in again"
    );
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    drop(open(directory.path()));
    let newer = Connection::open(file(directory.path())).expect("open");
    newer.pragma_update(None, "user_version", 2).expect("a newer version");
    drop(newer);

    assert_eq!(
        open_error(directory.path()),
        "the store .tokens was written by a newer version of this program (schema 2, this version knows 1); upgrade \
         this program, or name another store"
    );
}

#[test]
fn a_file_in_place_of_the_directory_is_reported_as_the_first_systems() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pickle = directory.path().join(".tokens");
    fs::write(&pickle, b"\x80\x04}.").expect("write");

    assert!(
        open_error(&pickle).starts_with(".tokens is a file, not a directory; if it is the token file of the first")
    );
    assert_eq!(fs::read(&pickle).expect("read"), b"\x80\x04}.");
}

#[test]
fn missing_permissions_are_reported() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let closed = directory.path().join("closed");
    drop(open(&closed));
    fs::set_permissions(file(&closed), PermissionsExt::from_mode(0o400)).expect("close the file");
    if File::options().write(true).open(file(&closed)).is_ok() {
        eprintln!("this user (root?) may write anywhere: nothing to see");
        return;
    }
    assert_eq!(
        open_error(&closed),
        "cannot open the store .tokens: the store is read-only; make it writable, or name a store elsewhere"
    );
    fs::remove_file(file(&closed)).expect("remove the file");
    fs::set_permissions(&closed, PermissionsExt::from_mode(0o500)).expect("close the directory");
    assert_eq!(
        open_error(&closed),
        "cannot open the store .tokens: access to the store's files is denied; give this user read and write access \
         to the directory and the files in it"
    );
}

#[test]
fn an_empty_file_left_by_a_crash_becomes_a_store() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    File::create(file(directory.path())).expect("an empty file");
    assert_eq!(set(&open(directory.path()), "k", b"v"), Ok(()));
}

#[test]
fn many_threads_that_open_write_and_close_share_one_store() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let tokens = directory.path().join(".tokens");
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| wait(open(&tokens).bucket("b").increment("c", 1)).expect("increment"));
            }
        });
        assert_eq!(get(&open(&tokens), "c"), Some(b"16".to_vec()));
    }
}

/// Opens with lock files, which have no shared memory, like some network filesystems.
fn without_shared_memory() -> Options {
    let vfs = Some("unix-dotfile");
    Options { vfs, ..Options::default() }
}

#[test]
fn without_shared_memory_the_store_works_with_a_rollback_journal() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = || Store::open_with(directory.path(), ".tokens", without_shared_memory()).expect("open");
    let (one, other) = (store(), store());
    assert!(one.0.journal == Journal::Rollback && other.0.journal == Journal::Rollback);

    thread::scope(|scope| {
        for store in [&one, &other, &one, &other] {
            scope.spawn(move || {
                for n in 1..=20 {
                    wait(store.bucket("b").increment("c", 1)).expect("increment");
                    let count = wait(store.bucket("b").increment("c", 0)).expect("read");
                    assert!(count >= n);
                }
            });
        }
    });
    assert_eq!(get(&other, "c"), Some(b"80".to_vec()));
}

#[test]
fn a_store_is_converted_if_shared_memory_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    set(&open(directory.path()), "k", b"v").expect("set");
    symlink("/nonexistent/x", directory.path().join("store.sqlite3-shm"))
        .expect("something in the way of shared memory");

    let store = open(directory.path());
    assert_eq!(store.0.journal, Journal::Rollback);
    assert_eq!(get(&store, "k"), Some(b"v".to_vec()));
    assert_eq!(set(&store, "k", b"w"), Ok(()));
    assert_eq!(get(&store, "k"), Some(b"w".to_vec()));
}

#[test]
fn every_commit_is_flushed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for options in [Options::default(), without_shared_memory()] {
        let opened = open::open(directory.path(), ".tokens", options).expect("open");
        let synchronous = |connection: &Connection| {
            connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i32>(0)).expect("a pragma")
        };
        assert_eq!(synchronous(&opened.connection), 2, "FULL");
        assert_eq!(synchronous(&opened.location.connect_for_writing().expect("reconnect")), 2, "FULL");
    }
}

#[test]
fn a_connection_for_reading_cannot_write() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let opened = open::open(directory.path(), ".tokens", Options::default()).expect("open");
    let reader = opened.location.connect_for_reading().expect("connect");
    let refused = reader.execute("DELETE FROM entry", ()).map_err(Fault::from);
    assert_eq!(refused, Err(Fault::ReadOnly));
}

#[test]
fn deleted_values_do_not_linger_in_the_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    let secret = b"a-secret-to-forget".repeat(500);
    set(&store, "k", &secret).expect("set");
    wait(store.bucket("b").delete("k")).expect("delete");
    drop(store);
    let bytes = fs::read(file(directory.path())).expect("read");
    assert!(!bytes.windows(18).any(|window| window == b"a-secret-to-forget"));
}

/// A slow disk delays the readers of the store, and no worker that serves other calls.
#[tokio::test]
async fn read_never_runs_on_a_worker_of_the_runtime() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), "store").unwrap();
    assert_eq!(store.0.journal, Journal::WriteAhead);

    let reader = store.read(|_| Ok(std::thread::current().id())).await.unwrap();

    assert_ne!(reader, std::thread::current().id());
}

mod changed;
