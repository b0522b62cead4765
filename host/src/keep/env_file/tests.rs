//! Compares `.env` files before and after a write, byte for byte.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::keep::tests::wait;
use tempfile::TempDir;

const BLOCK: &str = "KROGER_USER_ACCESS_TOKEN=aa\nKROGER_USER_REFRESH_TOKEN=rr\nKROGER_USER_TOKEN_EXPIRES_AT=99\n";

fn env_file(directory: &TempDir, text: &[u8]) -> Bucket {
    let path = directory.path().join(".env");
    fs::write(&path, text).expect("a .env file");
    Bucket::at(path)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("the .env file")
}

fn get(bucket: &Bucket) -> Option<String> {
    let value = wait(bucket.get(MIRROR)).expect("get");
    value.map(|value| String::from_utf8(value).expect("text"))
}

fn set(bucket: &Bucket, value: &str) -> Result<(), KeyValueError> {
    wait(bucket.set(MIRROR, value.as_bytes().to_vec()))
}

#[test]
fn setting_replaces_the_three_lines_and_nothing_else() {
    for (before, after) in [
        ("", BLOCK),
        ("# mine\n\nA=1\n", &format!("# mine\n\nA=1\n{BLOCK}")),
        ("A=1", &format!("A=1\n{BLOCK}")),
        ("A=1\r\n", &format!("A=1\r\n{}", BLOCK.replace('\n', "\r\n"))),
        (
            "KROGER_USER_TOKEN_EXPIRES_AT=1\nA=1 # x\nKROGER_USER_ACCESS_TOKEN='old'\nB = \"2\"\nKROGER_USER_REFRESH_TOKEN=\n",
            "KROGER_USER_TOKEN_EXPIRES_AT=99\nA=1 # x\nKROGER_USER_ACCESS_TOKEN=aa\nB = \"2\"\nKROGER_USER_REFRESH_TOKEN=rr\n",
        ),
        (
            "export KROGER_USER_ACCESS_TOKEN=old # x\r\n  KROGER_USER_REFRESH_TOKEN = \"o\"\nA\nKROGER_USER_ACCESS_TOKEN=again",
            "export KROGER_USER_ACCESS_TOKEN=aa\r\n  KROGER_USER_REFRESH_TOKEN=rr\nA\nKROGER_USER_TOKEN_EXPIRES_AT=99\r\n",
        ),
        (
            "\u{feff}KROGER_USER_ACCESS_TOKEN=old\nNOTE='\nKROGER_USER_REFRESH_TOKEN=quoted\n'\n#KROGER_USER_TOKEN_EXPIRES_AT=1\n",
            "\u{feff}KROGER_USER_ACCESS_TOKEN=aa\nNOTE='\nKROGER_USER_REFRESH_TOKEN=quoted\n'\n#KROGER_USER_TOKEN_EXPIRES_AT=1\n\
             KROGER_USER_REFRESH_TOKEN=rr\nKROGER_USER_TOKEN_EXPIRES_AT=99\n",
        ),
    ] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let bucket = env_file(&directory, before.as_bytes());
        set(&bucket, BLOCK).expect("set");
        assert_eq!(text(&directory.path().join(".env")), after, "from {before:?}");
        assert_eq!(get(&bucket).as_deref(), Some(BLOCK));
    }
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = env_file(&directory, b"A=\xff\xfe\n\x00\n");
    set(&bucket, BLOCK).expect("set");
    let after = fs::read(directory.path().join(".env")).expect("read");
    assert_eq!(after, [b"A=\xff\xfe\n\x00\n", BLOCK.as_bytes()].concat());
}

#[test]
fn reading_gives_the_canonical_lines() {
    for (file, mirror) in [
        ("", None),
        ("A=1\nKROGER_USER_ACCESS_TOKEN=\n", None),
        ("KROGER_USER_REFRESH_TOKEN='r r' # x\n", Some("KROGER_USER_REFRESH_TOKEN=r r\n")),
        (
            "export KROGER_USER_TOKEN_EXPIRES_AT=\"7\"\r\nKROGER_USER_ACCESS_TOKEN=$x\r\n",
            Some("KROGER_USER_ACCESS_TOKEN=$x\nKROGER_USER_TOKEN_EXPIRES_AT=7\n"),
        ),
        ("KROGER_USER_ACCESS_TOKEN=1\nKROGER_USER_ACCESS_TOKEN=2\n", Some("KROGER_USER_ACCESS_TOKEN=2\n")),
        ("KROGER_USER_ACCESS_TOKEN='two\nlines'\n", None),
    ] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        assert_eq!(get(&env_file(&directory, file.as_bytes())).as_deref(), mirror, "{file:?}");
    }
}

#[test]
fn every_accepted_value_reads_back() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = env_file(&directory, b"A=1\n");
    for value in
        ["eyJ.a-b_c=", "a b", " a ", "#a", "a #b", "'", "\\'", "\"", "a\\", "$HOME", "${A}", "`x`", "é=é", "a=b=c"]
    {
        let block = format!("KROGER_USER_ACCESS_TOKEN={value}\n");
        set(&bucket, &block).expect(value);
        assert_eq!(get(&bucket), Some(block));
    }
}

#[test]
fn a_variable_left_out_is_removed_and_deleting_removes_all() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = env_file(&directory, format!("A=1\n{BLOCK}B=2\n").as_bytes());
    set(&bucket, "KROGER_USER_REFRESH_TOKEN=new\n").expect("set");
    assert_eq!(text(&directory.path().join(".env")), "A=1\nKROGER_USER_REFRESH_TOKEN=new\nB=2\n");

    wait(bucket.delete(MIRROR)).expect("delete");
    assert_eq!(text(&directory.path().join(".env")), "A=1\nB=2\n");
    assert_eq!(wait(bucket.list_keys()), Ok(KeyPage::default()));
}

#[test]
fn a_value_that_could_add_another_line_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = env_file(&directory, b"A=1\n");
    for value in [
        "A=2\n",
        "KROGER_USER_ACCESS_TOKEN=x\nPATH=/\n",
        "KROGER_USER_ACCESS_TOKEN=x\rA=2\n",
        "KROGER_USER_ACCESS_TOKEN=x\0\n",
        "KROGER_USER_ACCESS_TOKEN=\u{85}\n",
        "KROGER_USER_ACCESS_TOKEN=\n",
        "KROGER_USER_ACCESS_TOKEN\n",
        "KROGER_USER_ACCESS_TOKEN=1\nKROGER_USER_ACCESS_TOKEN=2\n",
        "\n",
    ] {
        assert!(set(&bucket, value).is_err(), "{value:?}");
    }
    assert!(wait(bucket.set("other", Vec::new())).is_err());
    assert_eq!(text(&directory.path().join(".env")), "A=1\n");
}

#[test]
fn an_absent_file_is_not_created() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = Bucket::at(directory.path().join(".env"));
    assert!(!bucket.is_there());
    assert_eq!(set(&bucket, BLOCK), Err(KeyValueError::NoSuchStore));
    assert_eq!(wait(bucket.get(MIRROR)), Err(KeyValueError::NoSuchStore));
    assert_eq!(fs::read_dir(directory.path()).expect("list").count(), 0);
}

#[test]
fn the_mode_stays_and_nothing_else_is_left_behind() {
    for mode in [0o600, 0o640, 0o400] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let bucket = env_file(&directory, b"");
        let path = directory.path().join(".env");
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("chmod");
        fs::write(directory.path().join(".env.kroger-mcp.tmp"), "left by a crash").expect("a leftover");
        set(&bucket, BLOCK).expect("set");

        assert_eq!(fs::metadata(&path).expect("stat").permissions().mode() & 0o777, mode);
        assert_eq!(fs::read_dir(directory.path()).expect("list").count(), 1);
    }
}

/// Root may write into the closed directory, so the file is replaced by a rename. The outcome is the
/// same.
#[test]
fn a_file_in_a_closed_directory_is_rewritten_in_place() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = env_file(&directory, b"KROGER_USER_ACCESS_TOKEN=longer-than-what-replaces-it\nA=1\n");
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o500)).expect("close it");
    set(&bucket, "KROGER_USER_ACCESS_TOKEN=a\n").expect("set");
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o700)).expect("open it");
    assert_eq!(text(&directory.path().join(".env")), "KROGER_USER_ACCESS_TOKEN=a\nA=1\n");
}

#[test]
fn a_symbolic_link_stays_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(directory.path().join("real")).expect("a directory");
    fs::write(directory.path().join("real/env"), "A=1\n").expect("the target");
    symlink("real/env", directory.path().join(".env")).expect("a link");
    set(&Bucket::at(directory.path().join(".env")), BLOCK).expect("set");

    assert!(fs::symlink_metadata(directory.path().join(".env")).expect("stat").is_symlink());
    assert_eq!(text(&directory.path().join("real/env")), format!("A=1\n{BLOCK}"));
}

#[test]
fn writers_take_turns_even_with_other_handles_on_the_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    env_file(&directory, b"A=1\n");
    thread::scope(|scope| {
        for n in 0..8 {
            let bucket = Bucket::at(directory.path().join(".env"));
            scope.spawn(move || {
                for m in 0..10 {
                    set(&bucket, &BLOCK.replace("aa", &format!("a{n}-{m}"))).expect("set");
                }
            });
        }
    });
    let lines = text(&directory.path().join(".env")).lines().count();
    assert_eq!(lines, 4);
}

#[test]
fn a_lock_of_another_program_is_waited_for() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = env_file(&directory, b"");
    let other = File::open(directory.path().join(".env")).expect("open");
    other.lock().expect("the lock");
    thread::scope(|scope| {
        let setting = scope.spawn(|| set(&bucket, BLOCK));
        assert_eq!(text(&directory.path().join(".env")), "");
        other.unlock().expect("release");
        assert_eq!(setting.join().expect("a thread that ends"), Ok(()));
    });
}

#[test]
fn a_file_too_long_is_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = env_file(&directory, &vec![b'#'; 1024 * 1024 + 1]);
    assert!(set(&bucket, BLOCK).is_err());
}
