//! Compares `.env` files before and after a write, byte for byte.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::keep::tests::wait;
use tempfile::TempDir;

/// A line that asks for tokens.
const ASKS: &str = "KROGER_USER_ACCESS_TOKEN=\n";

const BLOCK: &str = "KROGER_USER_ACCESS_TOKEN=aa\nKROGER_USER_REFRESH_TOKEN=rr\nKROGER_USER_TOKEN_EXPIRES_AT=99\n";

fn env_file(directory: &TempDir, text: &[u8]) -> Bucket {
    let path = directory.path().join(".env");
    fs::write(&path, text).expect("a .env file");
    set_mode(&path, 0o600);
    Bucket::at(path)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
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
        (ASKS, BLOCK),
        ("# mine\n\nA=1\nKROGER_USER_ACCESS_TOKEN=", &format!("# mine\n\nA=1\n{BLOCK}")),
        ("A=1\r\nKROGER_USER_ACCESS_TOKEN=\r\n", &format!("A=1\r\n{}", BLOCK.replace('\n', "\r\n"))),
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
    let before = [b"A=\xff\xfe\n\x00\n", ASKS.as_bytes()].concat();
    let bucket = env_file(&directory, &before);
    set(&bucket, BLOCK).expect("set");
    let after = fs::read(directory.path().join(".env")).expect("read");
    assert_eq!(after, [b"A=\xff\xfe\n\x00\n", BLOCK.as_bytes()].concat());
}

#[test]
fn reading_gives_the_canonical_lines() {
    for (file, mirror) in [
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
    let bucket = env_file(&directory, ASKS.as_bytes());
    for value in
        ["eyJ.a-b_c=", "a b", " a ", "#a", "a #b", "'", "\\'", "\"", "a\\", "$HOME", "${A}", "`x`", "é=é", "a=b=c"]
    {
        let block = format!("KROGER_USER_ACCESS_TOKEN={value}\n");
        set(&bucket, &block).expect(value);
        assert_eq!(get(&bucket), Some(block));
    }
}

#[test]
fn the_line_of_a_variable_that_is_left_out_or_deleted_stays_and_is_empty() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = env_file(&directory, format!("A=1\n{BLOCK}B=2\n").as_bytes());
    set(&bucket, "KROGER_USER_REFRESH_TOKEN=new\n").expect("set");
    let left = "KROGER_USER_ACCESS_TOKEN=\nKROGER_USER_REFRESH_TOKEN=new\nKROGER_USER_TOKEN_EXPIRES_AT=\n";
    assert_eq!(text(&directory.path().join(".env")), format!("A=1\n{left}B=2\n"));

    wait(bucket.delete(MIRROR)).expect("delete");
    assert_eq!(text(&directory.path().join(".env")), format!("A=1\n{}B=2\n", left.replace("new", "")));
    assert_eq!(wait(bucket.list_keys()), Ok(KeyPage::default()));

    set(&bucket, BLOCK).expect("set");
    assert_eq!(text(&directory.path().join(".env")), format!("A=1\n{BLOCK}B=2\n"));
}

#[test]
fn a_value_that_could_add_another_line_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = env_file(&directory, ASKS.as_bytes());
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
    assert_eq!(text(&directory.path().join(".env")), ASKS);
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
    for mode in [0o600, 0o700, 0o400] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let bucket = env_file(&directory, ASKS.as_bytes());
        let path = directory.path().join(".env");
        set_mode(&path, mode);
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
fn tokens_are_written_only_into_a_private_file_that_asks_for_them() {
    const WITHOUT: &str = "A=1\nKROGER_CLIENT_ID=app\n#KROGER_USER_ACCESS_TOKEN=\n";

    for (before, mode, folder_mode, is_written) in [
        (ASKS, 0o600, 0o755, true),
        (ASKS, 0o400, 0o755, true),
        (ASKS, 0o600, 0o1777, true),
        (WITHOUT, 0o600, 0o755, false),
        ("", 0o600, 0o755, false),
        (ASKS, 0o644, 0o755, false),
        (ASKS, 0o640, 0o755, false),
        (ASKS, 0o604, 0o755, false),
        (ASKS, 0o666, 0o755, false),
        (ASKS, 0o600, 0o777, false),
    ] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let bucket = env_file(&directory, before.as_bytes());
        let path = directory.path().join(".env");
        set_mode(&path, mode);
        set_mode(directory.path(), folder_mode);

        let result = set(&bucket, BLOCK);

        assert_eq!(result.is_ok(), is_written, "{before:?} {mode:o} {folder_mode:o}: {result:?}");
        assert_eq!(text(&path), if is_written { BLOCK } else { before });
        assert_eq!(fs::metadata(&path).expect("stat").permissions().mode() & 0o777, mode);
    }
}

#[test]
fn no_token_is_written_through_a_link() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(directory.path().join("real")).expect("a directory");
    let target = directory.path().join("real/env");
    fs::write(&target, "KROGER_USER_ACCESS_TOKEN=old\n").expect("the target");
    set_mode(&target, 0o600);
    symlink("real/env", directory.path().join(".env")).expect("a link");
    let bucket = Bucket::at(directory.path().join(".env"));

    assert_eq!(set(&bucket, BLOCK), Err(KeyValueError::NoSuchStore));
    assert_eq!(wait(bucket.delete(MIRROR)), Err(KeyValueError::NoSuchStore));

    assert_eq!(text(&target), "KROGER_USER_ACCESS_TOKEN=old\n");
    assert_eq!(get(&bucket).as_deref(), Some("KROGER_USER_ACCESS_TOKEN=old\n"));
}

#[test]
fn no_token_is_taken_from_a_file_that_strangers_may_write() {
    for (mode, folder_mode, is_read) in [(0o644, 0o755, true), (0o666, 0o755, false), (0o600, 0o777, false)] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let bucket = env_file(&directory, BLOCK.as_bytes());
        set_mode(&directory.path().join(".env"), mode);
        set_mode(directory.path(), folder_mode);

        assert_eq!(wait(bucket.get(MIRROR)).is_ok(), is_read, "{mode:o} {folder_mode:o}");
    }
}

#[test]
fn tokens_are_taken_out_of_a_file_that_others_may_read() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = env_file(&directory, BLOCK.as_bytes());
    set_mode(&directory.path().join(".env"), 0o644);

    wait(bucket.delete(MIRROR)).expect("delete");

    assert!(!text(&directory.path().join(".env")).contains("=rr"));
}

#[test]
fn writers_take_turns_even_with_other_handles_on_the_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    env_file(&directory, b"A=1\nKROGER_USER_ACCESS_TOKEN=\n");
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
    let bucket = env_file(&directory, ASKS.as_bytes());
    let other = File::open(directory.path().join(".env")).expect("open");
    other.lock().expect("the lock");
    thread::scope(|scope| {
        let setting = scope.spawn(|| set(&bucket, BLOCK));
        assert_eq!(text(&directory.path().join(".env")), ASKS);
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
