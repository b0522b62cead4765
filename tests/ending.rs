//! How a process ends: what Kroger has given is saved first.

use std::path::PathBuf;
use std::process::{Child, Command};

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Ended, Kroger, Sandbox, Server, UPC, eventually, folder};

/// A token that has expired, and a Kroger that takes its time for the next.
pub fn expired_token(sandbox: &Sandbox) -> TempDir {
    let folder = folder();
    let server = Server::start(folder.path(), sandbox);
    sandbox.settings(&json!({ "access_token_lifetime_seconds": 1 }));
    server.sign_in();
    sandbox.settings(&json!({ "access_token_lifetime_seconds": 1_800 }));
    server.wait_until_expired("user_default");
    server.kill();
    sandbox.token_faults(1, &json!({ "delay_ms": 1_500 }));
    folder
}

/// Another program writes to the store, and is slow about it.
fn hold(folder: &TempDir) -> Connection {
    let store = Connection::open(folder.path().join(".tokens/store.sqlite3")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    store
}

fn a_refresh_is_under_way(sandbox: &Sandbox) {
    eventually("the token is sent", || (sandbox.fired() > 0).then_some(()));
}

fn says(log: impl Fn() -> String, word: &str) {
    eventually(word, || log().contains(word).then_some(()));
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

fn is_signed_in(folder: &TempDir, sandbox: &Sandbox) {
    Server::start(folder.path(), sandbox).add(UPC).expect(200);
    assert_eq!(sandbox.refreshes(), 1);
}

/// A server with new tokens that its store refused, for as long as the connection
/// is held.
fn refused_by_the_store(sandbox: &Sandbox) -> (TempDir, Server, Connection) {
    let folder = expired_token(sandbox);
    let server = Server::start(folder.path(), sandbox);
    a_refresh_is_under_way(sandbox);
    let other = hold(&folder);
    says(|| server.log(), "rescued");
    (folder, server, other)
}

#[test]
fn a_server_that_is_stopped_waits_for_the_store_that_refused_new_tokens() {
    let sandbox = Sandbox::start();
    let (folder, server, other) = refused_by_the_store(&sandbox);

    server.interrupt();
    says(|| server.log(), "the store refused new tokens");
    drop(other);

    assert!(server.wait().success());
    is_signed_in(&folder, &sandbox);
}

#[test]
fn tokens_that_the_store_refused_are_saved_as_soon_as_it_takes_them() {
    let sandbox = Sandbox::start();
    let (folder, server, other) = refused_by_the_store(&sandbox);

    drop(other);
    let freed = std::time::Instant::now();
    eventually("nothing waits in memory", || (server.get("/readyz").status == 200).then_some(()));

    // The next pass of the timer is most of a minute away.
    assert!(freed.elapsed().as_secs() < 20, "{:?}", freed.elapsed());
    server.kill();
    is_signed_in(&folder, &sandbox);
}

/// The command for cron, and its log.
fn refresh(folder: &TempDir, sandbox: &Sandbox) -> (Child, PathBuf) {
    let kroger = Kroger::new(folder.path(), &["refresh"]).at(sandbox);
    let log = kroger.log().to_owned();
    (kroger.spawn_piped(), log)
}

fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    Ended {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_refresh_for_cron_waits_for_the_store_that_refused_new_tokens() {
    let sandbox = Sandbox::start();
    let folder = expired_token(&sandbox);
    let (child, log) = refresh(&folder, &sandbox);
    a_refresh_is_under_way(&sandbox);
    let other = hold(&folder);
    says(|| std::fs::read_to_string(&log).unwrap(), "the store refused new tokens");
    drop(other);

    let ended = ended(child);

    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), "1 due: 1 refreshed.\n"));
    is_signed_in(&folder, &sandbox);
}

#[test]
fn a_refresh_for_cron_that_is_interrupted_ends_what_it_has_begun() {
    let sandbox = Sandbox::start();
    let folder = expired_token(&sandbox);
    let (child, _) = refresh(&folder, &sandbox);
    a_refresh_is_under_way(&sandbox);

    interrupt(&child);

    assert_eq!(ended(child).status.code(), Some(1));
    is_signed_in(&folder, &sandbox);
}
