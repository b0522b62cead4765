//! Tests what is left of a deleted value, and what the store does if its files are changed under it.

use super::*;

/// The files of the store's directory that have `secret`.
fn files_with(directory: &Path, secret: &str) -> Vec<String> {
    let files = fs::read_dir(directory).expect("list").flatten();
    let has =
        |path: PathBuf| fs::read(path).expect("read").windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
    files.filter(|file| has(file.path())).map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn an_acknowledged_delete_leaves_the_value_in_no_file() {
    for options in [Options::default(), without_shared_memory()] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let open = || Store::open_with(directory.path(), ".tokens", options.clone()).expect("open");
        let (store, other) = (open(), open());
        for n in 0..20 {
            set(&store, &format!("k{n}"), format!("a-secret-of-{n:03}").repeat(60).as_bytes()).expect("set");
            assert!(get(&other, "k0").is_some());
        }

        wait(store.bucket("b").delete("k7")).expect("delete");

        assert_eq!(files_with(directory.path(), "a-secret-of-007"), Vec::<String>::new());
        assert!(!files_with(directory.path(), "a-secret-of-008").is_empty());
    }
}

#[test]
fn a_delete_that_cannot_be_erased_fails_and_works_later() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open_with(directory.path(), ".tokens", impatient()).expect("open");
    set(&store, "k", "a-secret".repeat(100).as_bytes()).expect("set");
    let reader = Connection::open(file(directory.path())).expect("another connection");
    reader.execute_batch("BEGIN; SELECT count(*) FROM entry").expect("a long read");

    let delete = || wait(store.bucket("b").delete("k"));
    assert_eq!(delete(), Err(Fault::NotErased.into()));
    assert_eq!(delete(), Err(Fault::NotErased.into()), "the value is still in the log");
    assert_eq!(set(&store, "other", b"v"), Ok(()), "other writes go on");
    reader.execute_batch("ROLLBACK").expect("the end of the read");

    assert_eq!(delete(), Ok(()));
    assert_eq!(files_with(directory.path(), "a-secret"), Vec::<String>::new());
}

/// What somebody does to a file of the store in use.
type Meddling = (&'static str, fn(&Path));

/// The store fails at once, without a crash; a new open has all that was acknowledged.
#[test]
fn a_log_that_is_removed_replaced_or_cut_is_noticed() {
    fn cut(path: &Path, size: u64) {
        File::options().write(true).open(path).expect("open").set_len(size).expect("cut");
    }
    let keeps_all: [Meddling; 7] = [
        ("-wal", |path| fs::remove_file(path).expect("remove")),
        ("-wal", |path| fs::rename(path, path.with_extension("away")).expect("rename")),
        ("-shm", |path| fs::remove_file(path).expect("remove")),
        ("-shm", |path| fs::rename(path, path.with_extension("away")).expect("rename")),
        ("-shm", |path| cut(path, 0)),
        ("-shm", |path| cut(path, 4096)),
        ("-shm", |path| {
            fs::remove_file(path).expect("remove");
            fs::write(path, vec![0; 32_768]).expect("replace");
        }),
    ];
    let loses: [Meddling; 4] = [
        ("-wal", |path| {
            fs::remove_file(path).expect("remove");
            fs::write(path, b"not a log").expect("replace");
        }),
        ("-wal", |path| cut(path, 0)),
        ("-wal", |path| cut(path, 100)),
        ("-wal", |path| cut(path, fs::metadata(path).expect("stat").len() - 1)),
    ];
    for (number, (end, meddle)) in keeps_all.into_iter().chain(loses).enumerate() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = open(directory.path());
        for n in 0..10 {
            set(&store, &format!("k{n}"), b"v").expect("set");
        }
        meddle(&in_place::with_end(&file(directory.path()), end));

        let moved = Err(KeyValueError::from(Fault::LogMoved));
        assert_eq!(set(&store, "new", b"v"), moved, "{number} {end}");
        if number < keeps_all.len() {
            assert_eq!(wait(store.bucket("b").get("k0")).map(drop), moved, "{number} {end}");
            std::mem::forget(store);
            let copy = copied_as_after_a_crash(directory.path());
            assert!((0..10).all(|n| get(&open(copy.path()), &format!("k{n}")).is_some()), "{number} {end}");
        }
    }
}

/// The store's files as another process finds them after this one was killed.
fn copied_as_after_a_crash(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a temporary directory");
    for end in ["", "-wal"] {
        let from = in_place::with_end(&file(directory), end);
        if from.exists() {
            fs::copy(&from, in_place::with_end(&file(copy.path()), end)).expect("copy");
        }
    }
    copy
}

#[test]
fn the_file_shrinks_when_most_of_it_is_deleted() {
    let keys = || (0..400).map(|n| format!("k{n}"));
    for was_made_before in [false, true] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        if was_made_before {
            drop(open(directory.path()));
            let older = Connection::open(file(directory.path())).expect("open");
            older.execute_batch("PRAGMA auto_vacuum = NONE; VACUUM").expect("an older store");
        }
        let store = open(directory.path());
        keys().for_each(|key| set(&store, &key, &[b'v'; 4000]).expect("set"));
        let value = set(&store, "kept", b"v");
        drop(store);
        let before = fs::metadata(file(directory.path())).expect("stat").len();

        let store = open(directory.path());
        keys().for_each(|key| wait(store.bucket("b").delete(&key)).expect("delete"));
        drop(store);

        let after = fs::metadata(file(directory.path())).expect("stat").len();
        assert!(value.is_ok() && after * 10 < before, "{before} bytes, then {after}");
        assert_eq!(get(&open(directory.path()), "kept"), Some(b"v".to_vec()));
    }
}

/// A page that is written anew has nothing of what was there before.
#[test]
fn a_store_from_which_secrets_were_deleted_is_written_anew() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    for n in 0..20 {
        set(&store, &format!("k{n}"), "a-secret".repeat(100).as_bytes()).expect("set");
    }
    for n in 0..10 {
        wait(store.bucket("b").delete(&format!("k{n}"))).expect("delete");
    }
    let free = || {
        let other = Connection::open(file(directory.path())).expect("another connection");
        other.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0)).expect("a pragma")
    };
    let before = free();
    drop(store);

    assert!(before > 0);
    assert_eq!(free(), 0);
}

#[test]
fn a_deleted_key_is_gone_from_each_replaced_store() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let backup_of = |name: &str| directory.path().join(name);
    let store = directory.path().join("store");
    for n in 0..2 {
        let open = open(&store);
        set(&open, "gone", "a-secret".repeat(100).as_bytes()).expect("set");
        set(&open, &format!("kept{n}"), b"v").expect("set");
        drop(open);
        let file = file(&store);
        fs::copy(&file, in_place::with_end(&file, &format!(".replaced-{n}"))).expect("copy");
        backup(&store, "store", &backup_of(&format!("backup{n}")), Existing::Keep).expect("backup");
    }
    let open = open(&store);
    wait(open.bucket("b").delete("gone")).expect("delete");
    let replaced = open.replaced("b");
    assert!(replaced.is_there());

    let mut keys = Vec::new();
    let mut cursor = None;
    loop {
        let page = wait(replaced.list_keys(cursor)).expect("list");
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(keys, ["gone", "kept0", "gone", "kept0", "kept1"]);
    assert!(wait(replaced.get("gone")).expect("get").is_some());
    wait(replaced.delete("gone")).expect("delete");

    assert_eq!(wait(replaced.get("gone")), Ok(None));
    assert_eq!(wait(replaced.get("kept1")), Ok(Some(b"v".to_vec())));
    assert_eq!(files_with(&store, "a-secret"), Vec::<String>::new());
}
