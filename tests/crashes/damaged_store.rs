//! Damages a store's file while no process has it open. The server refuses to start with a clear
//! message, or answers calls. It never crashes, and never shows a path to a caller.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::ExitStatus;

use tempfile::TempDir;

use super::Form;
use super::lane::assert_names_no_path;
use crate::support::{Kroger, Sandbox, Server, UPC, folder};

/// The damage to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// Flips all bits of some bytes.
    Flip {
        at: u64,
        bytes: usize,
    },
    CutTo(u64),
    Garbage,
    /// Puts a directory in place of the file.
    Directory,
}

impl Damage {
    fn apply(self, file: &Path) {
        let opened = std::fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
        match self {
            Self::Flip { at, bytes } => flip(&opened, at, bytes),
            Self::CutTo(length) => opened.set_len(length).unwrap(),
            Self::Garbage => std::fs::write(file, b"not a store ".repeat(2_000)).unwrap(),
            Self::Directory => {
                std::fs::remove_file(file).unwrap();
                std::fs::create_dir(file).unwrap();
            }
        }
    }
}

fn flip(file: &std::fs::File, at: u64, bytes: usize) {
    let mut found = vec![0; bytes];
    let read = file.read_at(&mut found, at).unwrap();
    found.truncate(read);
    for byte in &mut found {
        *byte = !*byte;
    }
    file.write_all_at(&found, at).unwrap();
}

const STORE: &str = "store.sqlite3";
const LOG: &str = "store.sqlite3-wal";

/// The files of a store, as a server left them.
struct Left(Vec<(&'static str, Vec<u8>)>);

impl Left {
    fn read(folder: &Path) -> Self {
        let read = |name| Some((name, std::fs::read(folder.join(".tokens").join(name)).ok()?));
        Self([STORE, LOG].into_iter().filter_map(read).collect())
    }

    fn length(&self, name: &str) -> usize {
        self.0.iter().find(|(file, _)| *file == name).expect("the file was left").1.len()
    }

    /// Makes a folder with these files in its store.
    fn copy(&self) -> TempDir {
        let folder = folder();
        std::fs::create_dir(folder.path().join(".tokens")).unwrap();
        for (name, bytes) in &self.0 {
            std::fs::write(folder.path().join(".tokens").join(name), bytes).unwrap();
        }
        folder
    }
}

/// A server after a sign-in and a refresh.
fn used(sandbox: &Sandbox, folder: &Path) -> Server {
    let server = Server::start(folder, sandbox);
    server.sign_in();
    server.call("POST", "/admin/tokens/refresh", None).expect(200);
    server
}

/// The files of a server that stopped in order. Everything is in the one file.
fn stopped(sandbox: &Sandbox) -> Left {
    let folder = folder();
    let server = used(sandbox, folder.path());
    server.interrupt();
    assert!(server.wait().success());
    Left::read(folder.path())
}

/// The files of a killed server. Everything is in the write-ahead log.
fn killed(sandbox: &Sandbox) -> Left {
    let folder = folder();
    used(sandbox, folder.path()).kill();
    Left::read(folder.path())
}

/// Starts a server on the damaged store. Returns the outcome, in words for the table.
fn start(sandbox: &Sandbox, folder: &Path) -> String {
    match Kroger::new(folder, &["serve", "--listen", "127.0.0.1:0"]).at(sandbox).try_serve() {
        Ok(server) => calls(&server),
        Err((status, stderr)) => refusal(folder, status, &stderr),
    }
}

/// Checks a refusal: its exit code, and words that say where the store is. Returns what it says.
fn refusal(folder: &Path, status: ExitStatus, stderr: &str) -> String {
    assert_eq!(status.code(), Some(1), "{stderr}");
    let store = folder.join(".tokens").display().to_string();
    assert!(stderr.contains(&store), "{stderr}");
    assert_names_no_path(&stderr.replace(&format!("store.sqlite3 in {store}"), "").replace(&store, ""));
    format!("refused at start: {}", stderr.trim().lines().last().unwrap_or_default())
}

fn calls(server: &Server) -> String {
    let answer = server.add(UPC);
    assert!([200, 401, 503].contains(&answer.status), "{} {}", answer.status, answer.text);
    assert_names_no_path(&answer.text);
    if answer.status != 200 {
        assert!(["reauthorize", "store_unavailable"].contains(&answer.code().as_str()), "{}", answer.text);
    }
    assert_names_no_path(&server.get("/readyz").text);
    assert_names_no_path(&server.get("/health").text);
    server.get("/livez").expect(200);
    format!("the next add: {}", answer.status)
}

fn damages(form: Form, length: usize) -> Vec<Damage> {
    let (step, bytes) = form.pick((length / 4, 600), (512, 64));
    let flips = (0..length).step_by(step).map(|at| Damage::Flip { at: at as u64 + 100, bytes });
    let cuts = (0..length).step_by(form.pick(length / 3, 1_024)).map(|length| Damage::CutTo(length as u64));
    let others = [Damage::Flip { at: 0, bytes: 16 }, Damage::Garbage, Damage::Directory];
    flips.chain(cuts).chain(others).collect()
}

/// How often each outcome occurred, with one damage that led to it.
type Table = BTreeMap<String, (u32, Damage)>;

fn try_all(sandbox: &Sandbox, left: &Left, name: &str) -> Table {
    let mut table = Table::new();
    for damage in damages(Form::chosen(), left.length(name)) {
        let folder = left.copy();
        damage.apply(&folder.path().join(".tokens").join(name));
        table.entry(start(sandbox, folder.path())).or_insert((0, damage)).0 += 1;
    }
    println!("damaged: {name}");
    for (outcome, (times, damage)) in &table {
        println!("{times:>4} x {outcome}, as with {damage:?}");
    }
    table
}

#[test]
fn a_damaged_store_is_refused_in_clear_words_or_survived() {
    let sandbox = Sandbox::start();

    let table = try_all(&sandbox, &stopped(&sandbox), STORE);

    assert!(table.keys().any(|outcome| outcome.contains("restore it from a backup")), "{table:?}");
}

#[test]
fn a_damaged_log_of_a_killed_server_is_survived_too() {
    let sandbox = Sandbox::start();

    let table = try_all(&sandbox, &killed(&sandbox), LOG);

    assert!(table.keys().any(|outcome| outcome.starts_with("the next add")), "{table:?}");
}
