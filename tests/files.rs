//! Checks the files on disk: their modes, their contents, and how broken ones are reported.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Ended, Kroger, Sandbox, Server, UPC, folder, mirror_in};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_its_owner_can_read_the_store_from_the_first_moment() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();

    let store = folder.path().join(".tokens");
    assert_eq!(mode(&store), 0o700);
    for entry in fs::read_dir(&store).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn the_env_file_is_a_mirror_that_keeps_every_other_line() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let env_file = folder.path().join(".env");
    let others = "# mine\r\nFOO='bar baz'\n\nexport KROGER_DEFAULT_ZIP_CODE=45039\n";
    fs::write(&env_file, format!("{others}KROGER_USER_ACCESS_TOKEN=old\n")).unwrap();
    fs::set_permissions(&env_file, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start(folder.path(), &sandbox);

    let signed_in = server.sign_in_as("user_default", "alice").expect(200).json();
    let first = fs::read_to_string(&env_file).unwrap();
    server.call("POST", "/admin/tokens/refresh", None).expect(200);
    let second = fs::read_to_string(&env_file).unwrap();
    server.call("DELETE", "/admin/tokens/user_default", None);
    let third = fs::read_to_string(&env_file).unwrap();

    assert_eq!(signed_in["token_management"]["env_file_updated"], true);
    for text in [&first, &second, &third] {
        assert!(text.starts_with(others), "{text}");
    }
    assert!(first.contains("KROGER_USER_REFRESH_TOKEN=") && first != second);
    let lines: Vec<&str> = third.lines().filter(|line| line.starts_with("KROGER_USER_")).collect();
    assert_eq!(
        lines,
        ["KROGER_USER_ACCESS_TOKEN=", "KROGER_USER_REFRESH_TOKEN=", "KROGER_USER_TOKEN_EXPIRES_AT="],
        "they ask for the next tokens"
    );
    assert_eq!(mode(&env_file), 0o600);
}

#[test]
fn an_absent_env_file_is_not_created() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);

    let signed_in = server.sign_in_as("user_default", "alice").expect(200).json();

    assert_eq!(signed_in["token_management"]["env_file_updated"], false);
    assert!(!folder.path().join(".env").exists());
}

#[test]
fn a_malformed_line_of_the_env_file_is_reported_by_number() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    fs::write(folder.path().join(".env"), "# mine\ncanary without a name\n").unwrap();
    let server = Server::start(folder.path(), &sandbox);

    let log = server.stop();

    assert!(log.contains(".env") && log.contains("line 2"), "{log}");
    assert!(!log.contains("canary"), "{log}");
}

#[test]
fn an_env_file_that_others_may_read_is_reported_with_the_remedy() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let env_file = folder.path().join(".env");
    fs::write(&env_file, "").unwrap();
    for (mode, is_told) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&env_file, fs::Permissions::from_mode(mode)).unwrap();

        let log = Server::start(folder.path(), &sandbox).stop();

        assert_eq!(log.contains("chmod 600 .env"), is_told, "{mode:o}: {log}");
    }
}

#[test]
fn an_env_file_that_is_a_pipe_is_refused_at_once() {
    let folder = folder();
    let made = Command::new("mkfifo").arg(folder.path().join(".env")).status().unwrap();
    assert!(made.success());

    let ended = Kroger::new(folder.path(), &["serve"]).run();

    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains(".env is not a regular file"), "{}", ended.stderr);
}

#[test]
fn status_creates_no_store() {
    let folder = folder();

    let ended = Kroger::new(folder.path(), &["status"]).run();

    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(
        ended.stdout.contains(&format!("Nobody is signed in. (Store: {})", store_path(folder.path()))),
        "{}",
        ended.stdout
    );
    assert!(!folder.path().join(".tokens").exists());
}

#[test]
fn a_store_without_a_name_is_refused() {
    let folder = folder();

    let ended = Kroger::new(folder.path(), &["status", "--store", ""]).run();

    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("--store"), "{}", ended.stderr);
}

#[test]
fn a_store_that_cannot_be_created_is_reported() {
    let (sandbox, folder) = (Sandbox::start(), folder());

    let ended =
        Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--store", "/proc/tokens"]).at(&sandbox).run();

    assert!(!ended.status.success());
    assert!(ended.stderr.contains("/proc/tokens cannot be made here: No such file"), "{}", ended.stderr);
}

fn store_path(folder: &Path) -> String {
    fs::canonicalize(folder).unwrap().join(".tokens").display().to_string()
}

/// Runs `kroger` so that permissions apply to it, which they do not for root.
fn bound(kroger: Kroger, folder: &Path) -> Ended {
    let is_root = fs::metadata(folder).unwrap().uid() == 0;
    let without = ["--bounding-set=-all", "--inh-caps=-all"].map(str::to_owned);
    if is_root { kroger.under("setpriv", &without).run() } else { kroger.run() }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_unreadable_store_is_not_taken_for_absent() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    Server::start(folder.path(), &sandbox).stop();
    let run = |arguments: &[&str]| bound(Kroger::new(folder.path(), arguments).at(&sandbox), folder.path());
    set_mode(&folder.path().join(".tokens"), 0);

    let doctor = run(&["doctor", "--offline", "--json"]);
    let backup = run(&["backup", "copy"]);

    set_mode(&folder.path().join(".tokens"), 0o700);
    let report: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
    let point = |name: &str| report["points"].as_array().unwrap().iter().find(|point| point["name"] == name).cloned();
    let permissions = point("permissions").unwrap();
    assert_eq!(permissions["verdict"], "bad", "{permissions}");
    assert!(permissions["detail"].as_str().unwrap().contains(&store_path(folder.path())), "{permissions}");
    assert_eq!(point("sign-in"), None);
    assert!(backup.stderr.contains("access to the store's files is denied"), "{}", backup.stderr);
}

#[test]
fn an_emptied_store_file_is_reported() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let new = Server::start(folder.path(), &sandbox).stop();
    fs::write(folder.path().join(".tokens/store.sqlite3"), "").unwrap();

    let emptied = Server::start(folder.path(), &sandbox).stop();

    assert!(!new.contains("was empty"), "{new}");
    let line = emptied.lines().find(|line| line.contains("was empty")).expect(&emptied);
    assert!(line.contains("WARN") && line.contains("store.sqlite3"), "{line}");
}

#[test]
fn the_log_says_where_the_store_is_and_why() {
    let (sandbox, folder, home) = (Sandbox::start(), folder(), folder());
    let usual = Server::start(folder.path(), &sandbox).stop();
    fs::remove_dir_all(folder.path().join(".tokens")).unwrap();
    set_mode(folder.path(), 0o500);
    let refresh = Kroger::new(folder.path(), &["refresh"]).at(&sandbox).env("HOME", home.path().to_str().unwrap());

    let elsewhere = bound(refresh, folder.path());

    set_mode(folder.path(), 0o700);
    assert!(usual.contains(&format!("store=\"{}\"", store_path(folder.path()))), "{usual}");
    let warning = elsewhere.stderr.lines().find(|line| line.contains("WARN")).expect(&elsewhere.stderr);
    assert!(warning.contains("Permission denied") && warning.contains(home.path().to_str().unwrap()), "{warning}");
}

#[test]
fn a_store_behind_a_broken_link_is_refused() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    std::os::unix::fs::symlink("not-mounted", folder.path().join(".tokens")).unwrap();

    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["status"], &["refresh"]] {
        let ended = Kroger::new(folder.path(), command).at(&sandbox).run();

        assert_eq!(ended.status.code(), Some(2), "{command:?}");
        assert!(ended.stderr.contains(".tokens is a link that leads nowhere"), "{}", ended.stderr);
    }
}

#[test]
fn a_pair_in_the_env_file_signs_the_default_user_in() {
    let (sandbox, first, second) = (Sandbox::start(), folder(), folder());
    mirror_in(first.path());
    let server = Server::start(first.path(), &sandbox);
    server.sign_in();
    server.kill();
    fs::copy(first.path().join(".env"), second.path().join(".env")).unwrap();

    let moved = Server::start(second.path(), &sandbox);
    let config = moved.get("/config").expect(200).json();
    moved.add(UPC).expect(200);

    let told = config["token_management"]["user_token"].as_str().unwrap();
    assert!(told.starts_with("valid"), "{told}");
    assert_eq!(moved.token("user_default")["source"], "env_file");
    assert_eq!(sandbox.state()["token_requests"]["authorization_code"]["ok"], 1);
}

#[test]
fn an_old_copy_in_the_env_file_never_brings_back_a_spent_token() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let env_file = mirror_in(folder.path());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    let old = fs::read(&env_file).unwrap();
    server.call("POST", "/admin/tokens/refresh", None).expect(200);
    server.kill();
    fs::write(&env_file, old).unwrap();

    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .at(&sandbox)
        .env("KROGER_REFRESH_PAUSE", "0")
        .serve();
    server.add(UPC).expect(200);
    server.call("POST", "/admin/tokens/refresh", None).expect(200);

    assert_eq!(sandbox.state()["spent_refresh_tokens_presented"], 0);
}

#[test]
fn a_store_file_that_is_no_database_is_reported() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    fs::create_dir(folder.path().join(".tokens")).unwrap();
    fs::write(folder.path().join(".tokens/store.sqlite3"), "nonsense ".repeat(1_000)).unwrap();

    let ended = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"]).at(&sandbox).run();

    assert!(!ended.status.success());
    let told = format!("store.sqlite3 in {} is not a store", store_path(folder.path()));
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
}

#[test]
fn every_acknowledged_sign_in_survives_a_kill() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    for number in 0..5 {
        let server = Server::start(folder.path(), &sandbox);
        server.sign_in_as(&format!("user-{number}"), "alice").expect(200);
        server.kill();
    }

    let server = Server::start(folder.path(), &sandbox);
    let users = server.get("/admin/tokens").expect(200).json()["user_tokens"].clone();

    assert_eq!(users.as_object().unwrap().len(), 5);
    assert!(users.as_object().unwrap().values().all(|user| user["status"] == json!("valid")), "{users}");
}
