//! Runs each command on each bad input and each broken store. Each prints one line
//! that says what to do, and has the right exit code. Prints the tables.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;

use crate::support::{Ended, Kroger, Sandbox, Server, folder, mirror_in};

/// The commands that use a store, as the tests call them on each broken store.
const COMMANDS: [(&str, &[&str]); 9] = [
    ("serve", &["serve", "--listen", "127.0.0.1:0"]),
    ("login", &["login"]),
    ("logout", &["logout"]),
    ("status", &["status"]),
    ("refresh", &["refresh"]),
    ("import", &["import", "tokens.json"]),
    ("backup", &["backup", "copy"]),
    ("restore", &["restore", "good.backup", "--yes"]),
    ("doctor", &["doctor", "--offline"]),
];

/// The result of a command: its exit code, and the line that explains it.
struct Told {
    code: i32,
    line: String,
}

impl Told {
    fn of(ended: &Ended) -> Self {
        let stderr = ended.stderr.trim();
        // The parser of the command line adds the usage, which is dropped here.
        let stderr = if stderr.starts_with("error: ") { stderr.lines().next().unwrap_or_default() } else { stderr };
        let bad = ended.stdout.lines().find(|line| line.starts_with("BAD")).unwrap_or_default();
        let line =
            if stderr.is_empty() { bad.split_whitespace().collect::<Vec<_>>().join(" ") } else { stderr.to_owned() };
        Self { code: ended.status.code().unwrap_or(-1), line }
    }
}

fn kroger(folder: &Path, sandbox: &Sandbox, arguments: &[&str]) -> Kroger {
    // Sign-ins return to another machine, so no port of this machine matters.
    let elsewhere = "https://kroger.example/auth/callback";
    Kroger::new(folder, arguments).at(sandbox).env("KROGER_LOG", "off").env("KROGER_REDIRECT_URI", elsewhere)
}

/// A folder with a store in which a user is signed in, a backup of the store, and
/// a file to import.
fn furnished(sandbox: &Sandbox) -> tempfile::TempDir {
    let folder = folder();
    let server = Server::start(folder.path(), sandbox);
    server.sign_in();
    server.stop();
    let backup = kroger(folder.path(), sandbox, &["backup", "good.backup"]).run();
    assert!(backup.status.success(), "{}", backup.stderr);
    fs::write(folder.path().join("tokens.json"), r#"{"user_tokens": {"ann": {"refresh_token": "r"}}}"#).unwrap();
    folder
}

fn print_table(title: &str, rows: &[(&str, Told)]) {
    println!("\n{title}");
    for (name, told) in rows {
        println!("  {name:24} {}  {}", told.code, told.line);
    }
}

/// Asserts that the command printed one line that says something.
fn assert_is_one_clear_line(name: &str, told: &Told) {
    assert_eq!(told.line.lines().count(), 1, "{name}: {}", told.line);
    assert!(!told.line.contains("panicked"), "{name}: {}", told.line);
}

/// Runs every command in a furnished folder after `break_it`. Checks each against
/// `expected`: its exit code, and a part of its line.
fn on_a_broken_store(title: &str, break_it: impl Fn(&Path), expected: impl Fn(&str) -> (i32, &'static str)) {
    let sandbox = Sandbox::start();
    let folder = furnished(&sandbox);
    break_it(folder.path());
    let told = |arguments: &&[&str]| Told::of(&kroger(folder.path(), &sandbox, arguments).run());
    let rows: Vec<(&str, Told)> = COMMANDS.iter().map(|(name, arguments)| (*name, told(arguments))).collect();
    print_table(title, &rows);
    for (name, told) in &rows {
        let (code, word) = expected(name);
        assert_eq!(told.code, code, "{name} on {title}: {}", told.line);
        if code != 0 {
            assert_is_one_clear_line(name, told);
            assert!(told.line.contains(word), "{name} on {title}: no `{word}` in: {}", told.line);
        }
    }
}

fn store_file(folder: &Path) -> std::path::PathBuf {
    folder.join(".tokens/store.sqlite3")
}

#[test]
fn every_command_reports_a_file_that_is_no_store() {
    let break_it = |folder: &Path| fs::write(store_file(folder), "nonsense ".repeat(1_000)).unwrap();

    on_a_broken_store("a store that is no store", break_it, |command| match command {
        // `restore` repairs the store, and `doctor` runs after it.
        "restore" | "doctor" => (0, ""),
        _ => (1, "is not a store of this program; move it away"),
    });
}

#[test]
fn every_command_reports_a_store_that_another_program_holds() {
    let sandbox = Sandbox::start();
    let folder = furnished(&sandbox);
    let held = Connection::open(store_file(folder.path())).unwrap();
    held.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();

    let rows: Vec<(&str, Told)> = std::thread::scope(|scope| {
        let (folder, sandbox) = (folder.path(), &sandbox);
        let told = |arguments: &'static [&str]| move || Told::of(&kroger(folder, sandbox, arguments).run());
        let running: Vec<_> = COMMANDS.iter().map(|(name, arguments)| (*name, scope.spawn(told(arguments)))).collect();
        running.into_iter().map(|(name, told)| (name, told.join().unwrap())).collect()
    });

    print_table("a store that another program holds", &rows);
    for (name, told) in &rows {
        assert_eq!(told.code, 1, "{name}: {}", told.line);
        assert_is_one_clear_line(name, told);
        let word = if *name == "restore" { "is in use; stop" } else { "close the program that holds it" };
        assert!(told.line.contains(word), "{name}: {}", told.line);
    }
}

#[test]
fn every_command_reports_a_file_in_place_of_the_store() {
    let break_it = |folder: &Path| {
        fs::remove_dir_all(folder.join(".tokens")).unwrap();
        fs::write(folder.join(".tokens"), "nonsense").unwrap();
    };

    on_a_broken_store("a file in the store's place", break_it, |command| match command {
        "backup" | "restore" => (1, "is a file, not a directory"),
        _ => (1, "Move it away"),
    });
}

/// Runs the binary with mounts that `script` changes only for it. None: this
/// machine does not allow that.
fn run_mounted(folder: &Path, sandbox: &Sandbox, script: &str, arguments: &[&str]) -> Option<Ended> {
    let may_mount = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
    if !may_mount.is_ok_and(|status| status.success()) {
        return None;
    }
    let script = format!("{script} && exec \"$@\"");
    let under = ["-m", "sh", "-ec", &script, "sh"].map(str::to_owned);
    Some(kroger(folder, sandbox, arguments).under("unshare", &under).run())
}

#[test]
fn every_command_reports_a_read_only_store_and_a_full_disk() {
    const READ_ONLY: &str = "mount --bind .tokens .tokens && mount -o remount,bind,ro .tokens";
    const FULL: &str = "cp -a .tokens kept && mount -t tmpfs -o size=256k,mode=0700 none .tokens && \
                        cp -a kept/. .tokens && rm -r kept && { dd if=/dev/zero of=.tokens/ballast bs=1k 2>/dev/null || true; }";
    let sandbox = Sandbox::start();

    for (title, script, words) in [
        ("a read-only store", READ_ONLY, ["make it writable", "give this user"]),
        ("a store on a full disk", FULL, ["free some", "disk space"]),
    ] {
        let folder = furnished(&sandbox);
        let mut rows = Vec::new();
        for (name, arguments) in COMMANDS.into_iter().filter(|(name, _)| *name != "serve") {
            let Some(ended) = run_mounted(folder.path(), &sandbox, script, arguments) else {
                println!("skipped: this machine does not allow private mounts");
                return;
            };
            rows.push((name, Told::of(&ended)));
        }
        print_table(title, &rows);
        for (name, told) in rows.iter().filter(|(_, told)| told.code != 0) {
            assert_eq!(told.code, 1, "{name}: {}", told.line);
            assert_is_one_clear_line(name, told);
            assert!(words.iter().any(|word| told.line.contains(word)), "{name} on {title}: {}", told.line);
        }
        // `backup` works nevertheless.
        assert!(rows.iter().any(|(name, told)| *name == "backup" && told.code == 0), "backup on {title}");
        let failed = |wanted: &str| rows.iter().any(|(name, told)| *name == wanted && told.code == 1);
        for command in ["login", "restore", "doctor"] {
            assert!(failed(command), "{command} on {title}");
        }
        // No sign-in is lost.
        let status = kroger(folder.path(), &sandbox, &["status"]).run();
        assert!(status.stdout.contains("user_default  valid"), "{}", status.stdout);
    }
}

#[test]
fn a_read_only_or_mounted_env_file_loses_no_sign_in() {
    let sandbox = Sandbox::start();
    let tokens = |number: u32| format!(r#"{{"user_tokens": {{"user_default": {{"refresh_token": "r{number}"}}}}}}"#);

    for (title, script, is_mirrored) in [
        ("a mounted .env", "mount --bind .env .env", true),
        ("a read-only .env", "mount --bind .env .env && mount -o remount,bind,ro .env", false),
    ] {
        let folder = folder();
        let env_file = mirror_in(folder.path());
        fs::write(&env_file, "FOO=bar\nKROGER_USER_REFRESH_TOKEN=\n").unwrap();
        fs::write(folder.path().join("tokens.json"), tokens(u32::from(is_mirrored))).unwrap();

        let Some(imported) = run_mounted(folder.path(), &sandbox, script, &["import", "tokens.json"]) else {
            println!("skipped: this machine does not allow private mounts");
            return;
        };
        let status = kroger(folder.path(), &sandbox, &["status"]).run();
        let env_file = fs::read_to_string(folder.path().join(".env")).unwrap();

        println!("{title}: {} {}", Told::of(&imported).code, imported.stdout.lines().last().unwrap_or_default());
        assert_eq!(imported.status.code(), Some(0), "{title}: {}", imported.stderr);
        assert!(status.stdout.contains("user_default"), "{}", status.stdout);
        assert!(env_file.starts_with("FOO=bar\n"), "{env_file}");
        assert_eq!(env_file.contains("KROGER_USER_REFRESH_TOKEN=r"), is_mirrored, "{title}: {env_file}");
    }
}

#[test]
fn bad_arguments_and_files_are_reported_in_one_line() {
    let sandbox = Sandbox::start();
    let folder = furnished(&sandbox);
    fs::write(folder.path().join("nonsense"), "nonsense").unwrap();
    fs::create_dir(folder.path().join("directory")).unwrap();
    fs::write(folder.path().join("precious"), "").unwrap();

    let cases: [(&str, &[&str], i32, &str); 29] = [
        ("serve, no address", &["serve", "--listen", "here"], 2, "--listen"),
        ("serve, no store name", &["serve", "--store", ""], 2, "--store is empty"),
        (
            "serve, unmakeable store",
            &["serve", "--listen", "127.0.0.1:0", "--store", "/proc/tokens"],
            1,
            "cannot be made here",
        ),
        ("serve, no host", &["serve", "--listen", ":8080"], 2, "127.0.0.1:9004"),
        ("serve, unknown host", &["serve", "--listen", "nowhere.invalid:0"], 1, "no address has that name"),
        ("serve, bad log", &["serve", "--log", "blah"], 2, "off, error, warn, info, debug or trace"),
        ("status, bad log", &["status", "--log", "info,blah"], 2, "`info,kroger_mcp=debug`"),
        ("login, bad scope", &["login", "--scope", "a\"b"], 2, "--scope"),
        ("login, scope on two lines", &["login", "--scope", "bad\nscope"], 2, "invalid value"),
        ("login, bad user", &["login", "--user", ""], 2, "1 to 256"),
        ("login, nothing pasted", &["login", "--paste"], 2, "No address"),
        ("logout, unmakeable store", &["logout", "--store", "/proc/tokens"], 1, "cannot be made here"),
        ("status, no store name", &["status", "--store", ""], 2, "--store is empty"),
        ("refresh, bad user", &["refresh", "--user", "a\u{7}b"], 2, "1 to 256"),
        ("import, absent file", &["import", "absent"], 2, "absent: there is no such file"),
        ("import, directory", &["import", "directory"], 2, "not a regular file"),
        ("import, nonsense", &["import", "nonsense"], 2, "neither a token file"),
        ("import, bad user", &["import", "tokens.json", "--user", ""], 2, "1 to 256"),
        ("backup, file is there", &["backup", "precious"], 1, "--force"),
        ("backup, no folder", &["backup", "absent/copy"], 1, "cannot be written"),
        ("backup, directory", &["backup", "--force", "directory"], 1, "is not a backup"),
        ("backup, the store", &["backup", "--force", ".tokens/store.sqlite3"], 1, "in the store's own directory"),
        ("backup, another's file", &["backup", "--force", "precious"], 1, "is not a backup"),
        ("backup, no store", &["backup", "copy", "--store", "elsewhere"], 1, "/elsewhere; name it with --store"),
        ("restore, absent file", &["restore", "absent"], 2, "cannot be read"),
        ("restore, nonsense", &["restore", "nonsense"], 2, "is not a backup"),
        ("restore, directory", &["restore", "directory"], 2, "cannot be read"),
        ("restore, unasked", &["restore", "good.backup"], 2, "--yes"),
        ("doctor, no store name", &["doctor", "--store", ""], 1, "--store is empty"),
    ];
    let rows: Vec<(&str, Told)> = cases
        .iter()
        .map(|(name, arguments, ..)| (*name, Told::of(&kroger(folder.path(), &sandbox, arguments).run())))
        .collect();

    print_table("bad arguments and files", &rows);
    for ((name, _, code, word), (_, told)) in cases.iter().zip(&rows) {
        assert_eq!(told.code, *code, "{name}: {}", told.line);
        assert!(told.line.contains(word), "{name}: no `{word}` in: {}", told.line);
        assert_is_one_clear_line(name, told);
    }
    assert_eq!(fs::read(folder.path().join("precious")).unwrap(), b"");
}

#[test]
fn an_unreadable_setting_in_the_env_file_is_reported_by_name_and_line() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    fs::write(folder.path().join(".env"), "# ours\nKROGER_CLIENT_SECRET=\"canary\nFOO=bar\n").unwrap();

    let refused = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .env("KROGER_CLIENT_ID", "sandbox-client")
        .env("KROGER_API_BASE_URL", &sandbox.url())
        .run();
    let given = Server::start(folder.path(), &sandbox);

    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("KROGER_CLIENT_SECRET") && refused.stderr.contains("line 2"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("canary"), "{}", refused.stderr);
    assert!(given.log().contains("line 2"), "{}", given.log());
}

#[test]
fn every_command_names_a_bad_setting_and_its_allowed_values() {
    let folder = folder();
    for (name, arguments) in COMMANDS.into_iter().filter(|(name, _)| !matches!(*name, "backup" | "restore")) {
        let ended = Kroger::new(folder.path(), arguments)
            .env("KROGER_CLIENT_ID", "app")
            .env("KROGER_TOKEN_CHECK_INTERVAL", "often")
            .run();

        let told = format!("{}{}", ended.stdout, ended.stderr);
        let code = if name == "doctor" { 1 } else { 2 };
        assert_eq!(ended.status.code(), Some(code), "{name}: {told}");
        assert!(told.contains("KROGER_TOKEN_CHECK_INTERVAL") && told.contains("1 to 3600"), "{name}: {told}");
    }
}

#[test]
fn every_command_has_help_with_examples_and_exit_codes() {
    let folder = folder();
    for command in [
        "serve",
        "sandbox",
        "login",
        "logout",
        "status",
        "doctor",
        "refresh",
        "import",
        "backup",
        "restore",
        "completions",
        "man",
    ] {
        let help = Kroger::new(folder.path(), &[command, "--help"]).run();

        assert!(help.status.success(), "{command}");
        assert!(
            help.stdout.contains("Examples:") && help.stdout.contains(&format!("kroger-mcp {command}")),
            "{}",
            help.stdout
        );
    }
    let all = Kroger::new(folder.path(), &["--help"]).run();
    assert!(all.stdout.contains("Exit codes: 0 done, 1 failed, 2"), "{}", all.stdout);
    assert_eq!(Kroger::new(folder.path(), &["nonsense"]).run().status.code(), Some(2));
}
