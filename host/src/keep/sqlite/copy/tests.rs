//! Backups and restores of stores in real files.

use std::os::unix::fs::PermissionsExt as _;

use super::super::Store;
use super::*;
use crate::keep::keyvalue::KeyValueError;
use crate::keep::tests::wait;
use tempfile::TempDir;

fn set(store: &Store, key: &str, value: &[u8]) -> Result<(), KeyValueError> {
    wait(store.bucket("b").set(key, value.to_vec()))
}

fn value(directory: &Path, key: &str) -> Option<Vec<u8>> {
    wait(Store::open(directory, ".tokens").unwrap().bucket("b").get(key)).unwrap()
}

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("backup")
    }

    fn open(&self) -> Store {
        Store::open(&self.store(), ".tokens").unwrap()
    }

    fn backup(&self) -> Result<u64, CopyError> {
        backup(&self.store(), ".tokens", &self.file(), Existing::Keep)
    }

    fn restore(&self) -> Result<Option<String>, CopyError> {
        restore(&verify(&self.file())?, &self.store(), ".tokens")
    }
}

#[test]
fn only_its_owner_can_read_a_backup_of_a_store_in_use_and_it_can_be_restored() {
    let place = Place::new();
    let store = place.open();
    set(&store, "k", b"then").unwrap();

    let size = place.backup().unwrap();
    set(&store, "k", b"now").unwrap();
    drop(store);
    let kept = place.restore().unwrap().expect("the old store is kept");

    let mode = fs::metadata(place.file()).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode, size), (0o600, fs::metadata(place.file()).unwrap().len()));
    assert_eq!(value(&place.store(), "k").as_deref(), Some(&b"then"[..]));
    let mode = fs::metadata(place.store().join(FILE)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let old = place.directory.path().join("old");
    fs::create_dir(&old).unwrap();
    fs::rename(place.store().join(kept), old.join(FILE)).unwrap();
    assert_eq!(value(&old, "k").as_deref(), Some(&b"now"[..]));
}

#[test]
fn a_backup_replaces_an_older_backup_only_on_request() {
    let place = Place::new();
    drop(place.open());
    place.backup().unwrap();

    let error = place.backup().unwrap_err();
    assert_eq!(error, CopyError::Exists { file: place.file().display().to_string() });

    backup(&place.store(), ".tokens", &place.file(), Existing::Replace).unwrap();
    assert!(verify(&place.file()).is_ok());
    assert_eq!(fs::read_dir(place.directory.path()).unwrap().count(), 2, "nothing else is left behind");
}

#[test]
fn a_backup_never_replaces_a_store_or_another_file() {
    let place = Place::new();
    let store = place.open();
    set(&store, "k", b"then").unwrap();
    let other = place.directory.path().join("other");
    drop(Store::open(&other, "other").unwrap());
    fs::write(place.file(), "KROGER_CLIENT_SECRET=hush").unwrap();
    let replaced = |target: &Path| backup(&place.store(), ".tokens", target, Existing::Replace).unwrap_err();
    let named = |target: &Path| target.display().to_string();

    for inside in ["store.sqlite3", "store.sqlite3-wal", "copy"] {
        let target = place.store().join(inside);
        assert_eq!(replaced(&target), CopyError::InTheStore { file: named(&target) });
    }
    for precious in [place.file(), other.join(FILE)] {
        assert_eq!(replaced(&precious), CopyError::NotReplaced { file: named(&precious) });
    }
    assert_eq!(fs::read(place.file()).unwrap(), b"KROGER_CLIENT_SECRET=hush");
    set(&store, "l", b"still").unwrap();
    drop(store);
    assert_eq!(value(&place.store(), "l").as_deref(), Some(&b"still"[..]));
}

#[test]
fn a_store_in_use_is_not_replaced() {
    let place = Place::new();
    let store = place.open();
    set(&store, "k", b"then").unwrap();
    place.backup().unwrap();
    set(&store, "k", b"now").unwrap();

    assert_eq!(place.restore().unwrap_err(), CopyError::InUse { store: ".tokens".to_owned() });
    set(&store, "l", b"still").unwrap();
    drop(store);

    assert_eq!(value(&place.store(), "k").as_deref(), Some(&b"now"[..]));
    assert_eq!(value(&place.store(), "l").as_deref(), Some(&b"still"[..]));
}

#[test]
fn a_damaged_store_is_replaced_together_with_its_log() {
    let place = Place::new();
    let store = place.open();
    set(&store, "k", b"then").unwrap();
    place.backup().unwrap();
    drop(store);
    fs::write(place.store().join(FILE), "nonsense ".repeat(1_000)).unwrap();
    fs::write(place.store().join("store.sqlite3-wal"), "nonsense").unwrap();

    let kept = place.restore().unwrap().unwrap();

    assert_eq!(value(&place.store(), "k").as_deref(), Some(&b"then"[..]));
    assert!(fs::read_to_string(place.store().join(&kept)).unwrap().starts_with("nonsense"));
    let log = fs::read(place.store().join("store.sqlite3-wal")).unwrap_or_default();
    assert!(!log.starts_with(b"nonsense"), "no log of the damaged store lies beside the new one");
}

#[test]
fn a_file_that_is_no_whole_backup_is_refused_and_the_store_stays() {
    let place = Place::new();
    let store = place.open();
    let long = vec![7; 50_000];
    set(&store, "k", &long).unwrap();
    place.backup().unwrap();
    drop(store);
    let whole = fs::read(place.file()).unwrap();
    let name = place.file().display().to_string();
    let mut newer = whole.clone();
    newer[63] = 2;
    let mut damaged = whole.clone();
    damaged[4_096..20_000].fill(0xaa);

    for (bytes, expected) in [
        (&b""[..], CopyError::NotABackup { file: name.clone() }),
        (b"nonsense", CopyError::NotABackup { file: name.clone() }),
        (&newer, CopyError::NewerBackup { file: name.clone(), found: 2 }),
        (&damaged, CopyError::Source { file: name.clone(), fault: Fault::Damaged }),
    ] {
        fs::write(place.file(), bytes).unwrap();
        assert_eq!(place.restore().unwrap_err(), expected);
    }
    assert_eq!(value(&place.store(), "k").as_deref(), Some(&long[..]));
}

#[test]
fn an_absent_store_is_created_by_a_restore_and_not_by_a_backup() {
    let place = Place::new();
    let store = place.open();
    set(&store, "k", b"then").unwrap();
    place.backup().unwrap();
    drop(store);
    fs::remove_dir_all(place.store()).unwrap();

    let absent = backup(&place.store(), ".tokens", &place.directory.path().join("other"), Existing::Keep);
    assert_eq!(absent, Err(CopyError::NoStore { store: ".tokens".to_owned() }));
    assert!(!place.store().exists());
    assert_eq!(place.restore(), Ok(None));
    assert_eq!(value(&place.store(), "k").as_deref(), Some(&b"then"[..]));
}
