//! Ends processes at bad moments. Each saves the tokens that Kroger issued before it ends.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::clocks;
use crate::support::{Ended, Kroger, Sandbox, Server, UPC, eventually, folder};

const STORE: &str = ".tokens/store.sqlite3";

/// A folder with an expired token, and a Kroger that answers the next refresh late.
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

/// Locks the store as another program that writes slowly does.
fn hold(store: &Path) -> Connection {
    let store = Connection::open(store).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    store
}

fn a_refresh_is_under_way(sandbox: &Sandbox) {
    eventually("the token is sent", || (sandbox.fired() > 0).then_some(()));
}

fn says(log: impl Fn() -> String, word: &str) {
    eventually(word, || log().contains(word).then_some(()));
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

fn is_signed_in(folder: &TempDir, sandbox: &Sandbox) {
    Server::start(folder.path(), sandbox).add(UPC).expect(200);
    assert_eq!(sandbox.refreshes(), 1);
}

/// A server with new tokens that its store refuses. The store takes them once the
/// returned connection is dropped.
fn refused_by_the_store(sandbox: &Sandbox) -> (TempDir, Server, Connection) {
    let folder = expired_token(sandbox);
    let server = Server::start(folder.path(), sandbox);
    a_refresh_is_under_way(sandbox);
    let other = hold(&folder.path().join(STORE));
    says(|| server.log(), "rescued");
    (folder, server, other)
}

#[test]
fn stopped_server_waits_until_the_store_takes_new_tokens() {
    let sandbox = Sandbox::start();
    let (folder, server, other) = refused_by_the_store(&sandbox);

    server.interrupt();
    says(|| server.log(), "the store refused new tokens");
    drop(other);

    assert!(server.wait().success());
    is_signed_in(&folder, &sandbox);
}

/// A supervisor may kill the server before its last call ends.
#[test]
fn refused_tokens_are_saved_while_a_stopping_server_waits_for_calls() {
    let sandbox = Sandbox::start();
    let (folder, server, other) = refused_by_the_store(&sandbox);
    let mut half_sent = TcpStream::connect(server.address).unwrap();
    write!(half_sent, "PUT /cart/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{{").unwrap();

    server.interrupt();
    let stopped = Instant::now();
    says(|| server.log(), "stopping");
    // A writer waits 5 s, so a save that began at the stop has failed by then.
    std::thread::park_timeout(Duration::from_millis(6_500));
    drop(other);
    let store = Connection::open(folder.path().join(STORE)).unwrap();
    let is_saved = "SELECT count(*) FROM entry WHERE bucket = 'default' AND key GLOB 'grant.*.1.0.1'";
    eventually("the pair is saved", || (store.query_row(is_saved, [], |row| row.get(0)) == Ok(1_i64)).then_some(()));

    // The server waits 10 s for the rest of the call.
    assert!(stopped.elapsed() < Duration::from_secs(9), "{:?}", stopped.elapsed());
    server.kill();
    is_signed_in(&folder, &sandbox);
}

#[test]
fn refused_tokens_are_saved_as_soon_as_the_store_takes_them() {
    let sandbox = Sandbox::start();
    let (folder, server, other) = refused_by_the_store(&sandbox);

    drop(other);
    let freed = Instant::now();
    eventually("nothing waits in memory", || (server.get("/readyz").status == 200).then_some(()));

    // The timer's next pass comes almost a minute later.
    assert!(freed.elapsed().as_secs() < 20, "{:?}", freed.elapsed());
    server.kill();
    is_signed_in(&folder, &sandbox);
}

/// Starts the command for cron. Returns its log too.
fn refresh(folder: &TempDir, sandbox: &Sandbox) -> (Child, PathBuf) {
    let kroger = Kroger::new(folder.path(), &["refresh"]).at(sandbox).hearing_hangups();
    let log = kroger.log().to_owned();
    (kroger.spawn_piped(), log)
}

fn ended((child, log): (Child, PathBuf)) -> Ended {
    let output = child.wait_with_output().unwrap();
    Ended {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: std::fs::read_to_string(log).unwrap(),
    }
}

#[test]
fn refresh_command_waits_until_the_store_takes_new_tokens() {
    let sandbox = Sandbox::start();
    let folder = expired_token(&sandbox);
    let (child, log) = refresh(&folder, &sandbox);
    a_refresh_is_under_way(&sandbox);
    let other = hold(&folder.path().join(STORE));
    says(|| std::fs::read_to_string(&log).unwrap(), "the store refused new tokens");
    drop(other);

    let ended = ended((child, log));

    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), "1 due: 1 refreshed.\n"));
    is_signed_in(&folder, &sandbox);
}

#[test]
fn interrupted_refresh_command_completes_its_refresh() {
    let sandbox = Sandbox::start();
    let folder = expired_token(&sandbox);
    let (child, log) = refresh(&folder, &sandbox);
    a_refresh_is_under_way(&sandbox);

    signal("-INT", child.id());

    let ended = ended((child, log));
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("were ended first"), "{}", ended.stderr);
    is_signed_in(&folder, &sandbox);
}

/// When a terminal window closes, the kernel and the shell each send a SIGHUP.
#[test]
fn refresh_command_completes_its_refresh_after_its_terminal_closes() {
    let sandbox = Sandbox::start();
    let folder = expired_token(&sandbox);
    let (child, log) = refresh(&folder, &sandbox);
    a_refresh_is_under_way(&sandbox);

    signal("-HUP", child.id());
    signal("-HUP", child.id());

    assert_eq!(ended((child, log)).status.code(), Some(1));
    is_signed_in(&folder, &sandbox);
}

#[test]
fn server_completes_its_refresh_after_its_terminal_closes() {
    let sandbox = Sandbox::start();
    let folder = expired_token(&sandbox);
    let server =
        Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"]).at(&sandbox).hearing_hangups().serve();
    a_refresh_is_under_way(&sandbox);

    signal("-HUP", server.id());
    says(|| server.log(), "stopping");
    signal("-HUP", server.id());

    assert!(server.wait().success());
    is_signed_in(&folder, &sandbox);
}

#[test]
fn closed_terminal_ends_nothing_under_nohup() {
    let sandbox = Sandbox::start();
    let folder = expired_token(&sandbox);
    let nohup = Kroger::new(folder.path(), &["refresh"]).at(&sandbox).under("nohup", &[]);
    let log = nohup.log().to_owned();
    let child = nohup.spawn_piped();
    a_refresh_is_under_way(&sandbox);

    signal("-HUP", child.id());

    let ended = ended((child, log));
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), "1 due: 1 refreshed.\n"));
    is_signed_in(&folder, &sandbox);
}

/// A token endpoint that refuses twice, each time just before its caller gives up.
/// Meanwhile another program locks the store. Returns a count of the requests.
fn slow_kroger(store: PathBuf) -> (String, Arc<AtomicU64>) {
    const LATE: Duration = Duration::from_millis(9_300);
    const HELD: Duration = Duration::from_secs(4);
    const REFUSAL: &str = "HTTP/1.1 503 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let body = json!({ "access_token": "new", "refresh_token": "newer", "expires_in": 1_800 }).to_string();
    let pair = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            // A connection that is closed unread is reset, and its answer is lost.
            let _ = connection.read(&mut [0; 4_096]).unwrap();
            let number = counter.fetch_add(1, Ordering::Relaxed);
            std::thread::park_timeout(LATE);
            let other = hold(&store);
            connection.write_all(if number < 2 { REFUSAL } else { &pair }.as_bytes()).unwrap();
            drop(connection);
            std::thread::park_timeout(HELD);
            drop(other);
        }
    });
    (url, asked)
}

/// Takes almost a minute, so only `just time` runs it.
#[test]
fn interrupted_refresh_command_waits_for_the_longest_refresh() {
    if !clocks::is_full() {
        return;
    }
    let sandbox = Sandbox::start();
    let folder = expired_token(&sandbox);
    let (kroger, asked) = slow_kroger(folder.path().join(STORE));
    let slow = Kroger::new(folder.path(), &["refresh"]).at(&sandbox).env("KROGER_API_BASE_URL", &kroger);
    let log = slow.log().to_owned();
    let child = slow.spawn_piped();
    eventually("the token is sent", || (asked.load(Ordering::Relaxed) > 0).then_some(()));

    let interrupted = Instant::now();
    signal("-TERM", child.id());
    let ended = ended((child, log));

    assert!(interrupted.elapsed() > Duration::from_secs(36), "{:?}", interrupted.elapsed());
    assert!(ended.stderr.contains("were ended first"), "{}", ended.stderr);
    let status = Kroger::new(folder.path(), &["status", "--json"]).at(&sandbox).run().stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["user_tokens"]["user_default"]["status"], "valid", "{status}");
}
