//! Makes a store refuse writes, full or read-only: before a refresh, and during one.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::lane::{assert_names_no_path, assert_not_ready, wait_until_ready, wait_until_the_app_has_its_token};
use super::mounts::SmallDisk;
use super::strace::{Injection, Point, Strace, Thread, is_usable};
use crate::support::{Kroger, Sandbox, Server, UPC, eventually, folder};

/// A way to make a store refuse writes, and accept them again.
trait Obstacle {
    fn begin(&mut self, server: &Server);
    fn end(&mut self);
}

impl Obstacle for SmallDisk {
    fn begin(&mut self, _: &Server) {
        self.fill();
    }

    fn end(&mut self) {
        self.empty();
    }
}

/// Makes the store's files immutable by their attribute, even for processes that have them open.
///
/// The log's shared memory stays writable: the kernel ends a process that writes to an immutable one
/// (SIGBUS). Only a person can cause that.
struct Immutable {
    store: PathBuf,
}

impl Immutable {
    /// Checks that this machine can make files immutable. An error says why it cannot.
    fn store_in(folder: &Path) -> Result<Self, String> {
        let probe = folder.join("probe");
        std::fs::write(&probe, "").unwrap();
        let denied = "this filesystem or user cannot make files immutable".to_owned();
        if !chattr("+i", std::slice::from_ref(&probe)) {
            return Err(denied);
        }
        let is_kept = std::fs::write(&probe, "x").is_err();
        assert!(chattr("-i", &[probe]));
        if is_kept { Ok(Self { store: folder.join(".tokens") }) } else { Err(denied) }
    }

    fn files(&self) -> Vec<PathBuf> {
        ["store.sqlite3", "store.sqlite3-wal"].map(|name| self.store.join(name)).to_vec()
    }
}

fn chattr(change: &str, files: &[PathBuf]) -> bool {
    let changed = Command::new("chattr").arg(change).args(files).stderr(std::process::Stdio::null()).status();
    changed.is_ok_and(|status| status.success())
}

impl Obstacle for Immutable {
    fn begin(&mut self, _: &Server) {
        assert!(chattr("+i", &self.files()));
    }

    fn end(&mut self) {
        assert!(chattr("-i", &self.files()));
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        // After a failed test, the files can be deleted.
        chattr("-i", &self.files());
    }
}

/// Makes every write fail as on a read-only filesystem, which a disk error can cause.
#[derive(Default)]
struct ReadOnlyFilesystem {
    strace: Option<Strace>,
}

impl Obstacle for ReadOnlyFilesystem {
    fn begin(&mut self, server: &Server) {
        let first_write = Point { thread: Thread::Writer, syscall: "pwrite64", n: 1 };
        self.strace = Some(Strace::inject(server.id(), Injection::ErrorFrom("EROFS"), first_write));
    }

    fn end(&mut self) {
        self.strace = None;
    }
}

/// Makes the store refuse writes after Kroger spent the token and before the new pair is saved.
fn refuses_writes_after_the_token_is_spent(sandbox: &Sandbox, server: &Server, obstacle: &mut dyn Obstacle) {
    server.sign_in();
    // Otherwise the delay would hit the request for the app's own token.
    wait_until_the_app_has_its_token(server);
    sandbox.expire("alice");
    sandbox.token_faults(1, &json!({ "delay_ms": 2_000 }));

    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| server.add(UPC));
        eventually("the refresh is on its way", || (sandbox.fired() == 1).then_some(()));
        obstacle.begin(server);
        call.join().unwrap()
    });

    answer.expect(200);
    assert!(server.log().contains("rescued"), "{}", server.log());
    assert_not_ready(server);
    for _ in 0..3 {
        server.add(UPC).expect(200);
    }
    assert_eq!(server.token("user_default")["status"], "valid");
    obstacle.end();
    wait_until_ready(server);
    sandbox.clear_faults();
}

/// Makes the store refuse writes when a refresh is due.
fn refuses_writes_before_the_token_is_spent(sandbox: &Sandbox, server: &Server, obstacle: &mut dyn Obstacle) {
    let granted = sandbox.refreshes();
    sandbox.expire("alice");
    obstacle.begin(server);

    let refused = server.add(UPC).expect(503);

    assert_eq!(refused.code(), "store_unavailable");
    assert_names_no_path(&refused.text);
    assert_not_ready(server);
    assert_eq!(sandbox.refreshes(), granted);
    obstacle.end();
    server.add(UPC).expect(200);
    assert_eq!(sandbox.refreshes(), granted + 1);
}

/// Tries both moments, with a `kill -9` after each. `start` starts a server on the store.
fn no_sign_in_is_lost(what: &str, sandbox: &Sandbox, start: &dyn Fn() -> Server, obstacle: &mut dyn Obstacle) {
    let server = start();
    refuses_writes_after_the_token_is_spent(sandbox, &server, obstacle);
    server.kill();
    let server = start();
    server.add(UPC).expect(200);
    refuses_writes_before_the_token_is_spent(sandbox, &server, obstacle);
    server.kill();
    start().add(UPC).expect(200);

    assert_eq!(sandbox.refreshes(), 2);
    assert_eq!(sandbox.state()["spent_refresh_tokens_presented"], 0);
    println!("{what}: rescued, saved and found again after a kill; before a refresh: nothing sent");
}

fn server(folder: &Path, sandbox: &Sandbox) -> Kroger {
    Kroger::new(folder, &["serve", "--listen", "127.0.0.1:0"]).at(sandbox).env("KROGER_TOKEN_CHECK_INTERVAL", "1")
}

#[test]
fn a_disk_that_fills_up_costs_no_sign_in() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let mut disk = match SmallDisk::over_store_in(folder.path()) {
        Ok(disk) => disk,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let entering = disk.entering();
    let start = || server(folder.path(), &sandbox).under("nsenter", &entering).serve();

    no_sign_in_is_lost("a full disk", &sandbox, &start, &mut disk);
}

#[test]
fn sign_out_works_on_a_full_disk() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let disk = match SmallDisk::of_size("6m", folder.path()) {
        Ok(disk) => disk,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let entering = disk.entering();
    let server = server(folder.path(), &sandbox).under("nsenter", &entering).serve();
    server.sign_in();
    eventually("room that is kept", || disk.says("test -s .tokens/store.sqlite3-reserve").then_some(()));
    disk.fill();

    server.call("DELETE", "/admin/tokens/user_default", None).expect(200);

    assert!(disk.says("! grep -q refresh_token .tokens/store.sqlite3*"));
    assert!(server.token("user_default").is_null());
}

#[test]
fn files_that_turn_immutable_cost_no_sign_in() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let mut immutable = match Immutable::store_in(folder.path()) {
        Ok(immutable) => immutable,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let start = || server(folder.path(), &sandbox).serve();

    no_sign_in_is_lost("immutable files", &sandbox, &start, &mut immutable);
}

#[test]
fn a_filesystem_that_turns_read_only_costs_no_sign_in() {
    if !is_usable() {
        return;
    }
    let (sandbox, folder) = (Sandbox::start(), folder());
    let start = || server(folder.path(), &sandbox).serve();

    no_sign_in_is_lost("a read-only filesystem", &sandbox, &start, &mut ReadOnlyFilesystem::default());
}
