//! `strace`, attached to one thread of a running server: it kills the server, or makes a system
//! call fail, at the n-th of its kind.
//!
//! Servers under it run all calls on one thread, so that the n-th is the same from run to run.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::Form;
use crate::support::{eventually, folder};

/// The threads that a refresh runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thread {
    /// The one that accepts connections.
    Main,
    /// The one that runs the component and talks to Kroger.
    Worker,
    /// The one that writes the store.
    Writer,
}

impl Thread {
    /// Its id in `process`: the writer is the first that was started without a name.
    fn id_in(self, process: u32) -> u32 {
        let tasks = PathBuf::from(format!("/proc/{process}/task"));
        let mut threads: Vec<u32> = std::fs::read_dir(&tasks)
            .expect("a running server has threads")
            .map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .filter(|thread| *thread != process)
            .collect();
        threads.sort_unstable();
        let is_worker = |thread: &&u32| read(&tasks.join(thread.to_string()).join("comm")).starts_with("tokio");
        match self {
            Self::Main => process,
            Self::Worker => *threads.iter().find(is_worker).expect("a worker"),
            Self::Writer => *threads.iter().find(|thread| !is_worker(thread)).expect("a writer"),
        }
    }
}

impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Main => "main",
            Self::Worker => "worker",
            Self::Writer => "writer",
        })
    }
}

/// A place in a refresh: the n-th call of one kind on one thread, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub thread: Thread,
    pub syscall: &'static str,
    pub n: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.thread, self.syscall, self.n)
    }
}

/// What happens at a [`Point`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    Kill,
    /// That one call fails with this error.
    Error(&'static str),
    /// That call and all after it.
    ErrorFrom(&'static str),
}

impl Injection {
    fn at(self, Point { syscall, n, .. }: Point) -> String {
        match self {
            Self::Kill => format!("inject={syscall}:signal=KILL:when={n}"),
            Self::Error(error) => format!("inject={syscall}:error={error}:when={n}"),
            Self::ErrorFrom(error) => format!("inject={syscall}:error={error}:when={n}+"),
        }
    }
}

/// An attached `strace`; detached when it goes out of scope.
pub struct Strace {
    child: Child,
    folder: TempDir,
}

impl Strace {
    /// Attaches to the point's thread of `process`; from then on it counts.
    pub fn inject(process: u32, injection: Injection, point: Point) -> Self {
        let trace = format!("trace={}", point.syscall);
        let thread = point.thread.id_in(process);
        attach(thread, &["-e", &trace, "-e", &injection.at(point)]).expect("strace attaches, as it did before")
    }

    /// Detaches. Answers whether a call was made to fail.
    pub fn detach(mut self) -> bool {
        self.end();
        read(&self.folder.path().join("trace")).contains("(INJECTED)")
    }

    /// With force: asked politely while its tracee dies, strace waits for it for ever.
    fn end(&mut self) {
        // It has ended already if what it traced has.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        self.end();
    }
}

fn attach(thread: u32, arguments: &[&str]) -> Result<Strace, String> {
    let folder = folder();
    let said = folder.path().join("stderr");
    let mut child = Command::new("strace")
        .arg("-o")
        .arg(folder.path().join("trace"))
        .args(arguments)
        .args(["-p", &thread.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .map_err(|error| format!("strace does not start: {error}"))?;
    eventually("strace is attached", || {
        let ended = child.try_wait().unwrap().is_some();
        let text = read(&said);
        if text.contains("attached") {
            return Some(Ok(()));
        }
        ended.then(|| Err(text.trim().to_owned()))
    })?;
    Ok(Strace { child, folder })
}

fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Where `strace` writes what a server does from its start on.
pub struct Trace(PathBuf);

impl Trace {
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.join("trace"))
    }

    /// The arguments that trace `syscalls` and little else: the others run at full speed.
    pub fn arguments(&self, syscalls: &str) -> Vec<String> {
        let trace = format!("trace={syscalls}");
        let path = self.0.to_str().expect("a path of text");
        ["-D", "-f", "--seccomp-bpf", "-ttt", "-T", "-s", "16", "-e", &trace, "-o", path].map(str::to_owned).to_vec()
    }

    pub fn text(&self) -> String {
        read(&self.0)
    }
}

/// Whether this machine lets us trace; says why not, once for each test that asks. The full form is
/// asked for in order to trace, so there it fails.
pub fn is_usable() -> bool {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    let obstacle = OBSTACLE.get_or_init(obstacle);
    if let Some(reason) = obstacle {
        assert!(Form::chosen() == Form::Quick, "KROGER_CRASHES=full: {reason}");
        println!("skipped: {reason}");
    }
    obstacle.is_none()
}

fn obstacle() -> Option<String> {
    let mut idle = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().ok()?;
    let attached = attach(idle.id(), &[]).map(drop);
    idle.kill().unwrap();
    idle.wait().unwrap();
    attached.err()
}
