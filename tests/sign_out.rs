//! What a sign-out leaves in the files of the store, and what a server does whose store's files are
//! changed under it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Kroger, Sandbox, Server, bytes_below, folder};

const STORE: &str = ".tokens/store.sqlite3";

/// All tokens in the store's grants.
fn tokens(folder: &Path) -> Vec<String> {
    let store = Connection::open(folder.join(STORE)).unwrap();
    let mut grants = store.prepare("SELECT value FROM entry WHERE key LIKE 'grant.%'").unwrap();
    let values = grants.query_map((), |row| row.get::<_, Vec<u8>>(0)).unwrap().map(Result::unwrap);
    let records = values.map(|value| serde_json::from_slice::<Value>(&value).unwrap());
    records.flat_map(|record| strings_of(&record, &["access_token", "refresh_token"])).collect()
}

/// The texts under `names`, anywhere in `value`.
fn strings_of(value: &Value, names: &[&str]) -> Vec<String> {
    let Value::Object(fields) = value else { return Vec::new() };
    let found = fields.iter().flat_map(|(name, value)| match value {
        Value::String(text) if names.contains(&name.as_str()) => vec![text.clone()],
        other => strings_of(other, names),
    });
    found.collect()
}

/// How often one of `tokens` is in a file below `folder`.
fn found(folder: &Path, tokens: &[String]) -> usize {
    let has =
        |bytes: &[u8], token: &String| bytes.windows(token.len()).filter(|bytes| *bytes == token.as_bytes()).count();
    bytes_below(folder).iter().flat_map(|(_, bytes)| tokens.iter().map(|token| has(bytes, token))).sum()
}

/// A server that refreshes on request as often as it is asked.
fn server_in(folder: &Path, sandbox: &Sandbox) -> Server {
    Kroger::new(folder, &["serve", "--listen", "127.0.0.1:0"]).at(sandbox).env("KROGER_REFRESH_PAUSE", "0").serve()
}

fn refresh(server: &Server) {
    server.call("POST", "/admin/tokens/refresh", None).expect(200);
}

fn run(folder: &Path, sandbox: &Sandbox, arguments: &[&str]) -> String {
    let ended = Kroger::new(folder, arguments).at(sandbox).run();
    assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

#[test]
fn sign_out_leaves_no_token_in_any_file() {
    for way in ["DELETE", "logout beside a server", "logout alone"] {
        let (sandbox, folder) = (Sandbox::start(), folder());
        let mirror = folder.path().join(".env");
        fs::write(&mirror, "KROGER_USER_ACCESS_TOKEN=\nKROGER_USER_REFRESH_TOKEN=\n").unwrap();
        fs::set_permissions(&mirror, fs::Permissions::from_mode(0o600)).unwrap();
        let server = server_in(folder.path(), &sandbox);
        server.sign_in();
        let mut all = tokens(folder.path());
        for _ in 0..3 {
            refresh(&server);
            all.extend(tokens(folder.path()));
        }
        run(folder.path(), &sandbox, &["backup", ".tokens-backup"]);
        server.kill();
        run(folder.path(), &sandbox, &["restore", ".tokens-backup", "--yes"]);
        fs::remove_file(folder.path().join(".tokens-backup")).unwrap();
        let server = (way != "logout alone").then(|| server_in(folder.path(), &sandbox));
        all.sort();
        all.dedup();
        let before = found(folder.path(), &all);

        match &server {
            Some(server) if way == "DELETE" => {
                let answer = server.call("DELETE", "/admin/tokens/user_default", None).expect(200).json();
                assert!(answer["access_token_expires_at"].is_u64(), "{answer}");
            }
            _ => {
                let said = run(folder.path(), &sandbox, &["logout"]);
                assert!(said.contains("Kroger still accepts the access token until 20"), "{said}");
            }
        }

        let after = found(folder.path(), &all);
        println!("sign-out by {way} | {} tokens | in files {before} times before, {after} times after", all.len());
        assert!(all.len() >= 8 && before >= 4, "{} {before}", all.len());
        assert_eq!(after, 0, "{way}");
    }
}

#[test]
fn acknowledged_tokens_survive_the_removal_of_the_log_and_a_kill() {
    let runs = 3;
    let mut lost = 0;
    for _ in 0..runs {
        let (sandbox, folder) = (Sandbox::start(), folder());
        let server = server_in(folder.path(), &sandbox);
        server.sign_in();
        refresh(&server);
        fs::remove_file(folder.path().join(format!("{STORE}-wal"))).unwrap();

        let refused = server.call("POST", "/admin/tokens/refresh", None).expect(503);
        let log = server.log();
        let refreshes = sandbox.refreshes();
        server.kill();

        assert_eq!((refused.code().as_str(), refreshes), ("store_unavailable", 1));
        assert!(log.contains("removed, replaced or cut short"), "{log}");
        let server = server_in(folder.path(), &sandbox);
        lost += usize::from(server.call("POST", "/admin/tokens/refresh", None).status != 200);
    }
    println!("removal of the store's log, then kill -9 | {runs} runs | {lost} sign-ins lost");
    assert_eq!(lost, 0);
}

#[test]
fn damaged_counter_fails_at_once_and_logout_mends_it() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = server_in(folder.path(), &sandbox);
    server.sign_in();
    let store = Connection::open(folder.path().join(STORE)).unwrap();
    let damaged =
        store.execute("UPDATE entry SET value = ?1 WHERE key LIKE 'roots.%'", [u64::MAX.to_string().as_bytes()]);
    assert_eq!(damaged, Ok(1));
    drop(store);

    let refused = server.call("POST", "/admin/tokens/refresh", None).expect(503);
    let hint = Kroger::new(folder.path(), &["logout"]).at(&sandbox).run();
    let said = run(folder.path(), &sandbox, &["logout", "--force"]);

    assert_eq!(refused.code(), "store_unavailable");
    assert!(hint.stderr.contains("logout --force"), "{}", hint.stderr);
    assert!(said.contains("is signed out"), "{said}");
    server.sign_in();
    refresh(&server);
}

#[test]
fn core_dumps_are_off() {
    let limits = |server: &Server| fs::read_to_string(format!("/proc/{}/limits", server.id()));
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = server_in(folder.path(), &sandbox);
    let Ok(limits) = limits(&server) else { return println!("skipped: this system has no /proc") };

    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}
