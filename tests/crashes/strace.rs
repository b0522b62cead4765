//! Attaches `strace` to one thread of a running server. At the n-th system call of one kind, it kills
//! the server or makes the call fail.
//!
//! Such a server runs all calls on one thread, so that the n-th call is the same in every run.

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
    /// Accepts connections.
    Main,
    /// Runs the component, and talks to Kroger.
    Worker,
    /// Writes the store.
    Writer,
}

impl Thread {
    /// The thread's id in `process`.
    fn id_in(self, process: u32) -> u32 {
        let tasks = PathBuf::from(format!("/proc/{process}/task"));
        let mut threads: Vec<u32> = std::fs::read_dir(&tasks)
            .expect("a running server has threads")
            .map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .filter(|thread| *thread != process)
            .collect();
        threads.sort_unstable();
        let named = |name: &str| {
            let has_name = |thread: &&u32| read(&tasks.join(thread.to_string()).join("comm")).starts_with(name);
            *threads.iter().find(has_name).expect("the server names its threads")
        };
        match self {
            Self::Main => process,
            Self::Worker => named("tokio"),
            Self::Writer => named("store"),
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

/// A place in a refresh: the n-th call of one kind on one thread. The first call has number 1.
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

/// The mishap at a [`Point`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    Kill,
    /// This one call fails with this error.
    Error(&'static str),
    /// This call and all later ones fail with this error.
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

/// An attached `strace`. Dropping this detaches it.
pub struct Strace {
    child: Child,
    folder: TempDir,
}

impl Strace {
    /// Attaches to the point's thread of `process`, and counts calls from then on.
    pub fn inject(process: u32, injection: Injection, point: Point) -> Self {
        let trace = format!("trace={}", point.syscall);
        let thread = point.thread.id_in(process);
        attach(thread, &["-e", &trace, "-e", &injection.at(point)]).expect("strace attaches, as it did before")
    }

    /// Detaches. Returns whether a call was made to fail.
    pub fn detach(mut self) -> bool {
        self.end();
        read(&self.folder.path().join("trace")).contains("(INJECTED)")
    }

    /// Kills strace. If it were only asked to end while its tracee dies, it would wait for ever.
    fn end(&mut self) {
        // strace has ended already if its tracee has.
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

/// The file in which `strace` records a server's system calls from its start on.
pub struct Trace(PathBuf);

impl Trace {
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.join("trace"))
    }

    /// The arguments that trace `syscalls` and little else, so that other calls run at full speed.
    pub fn arguments(&self, syscalls: &str) -> Vec<String> {
        let trace = format!("trace={syscalls}");
        let path = self.0.to_str().expect("a path of text");
        ["-D", "-f", "--seccomp-bpf", "-ttt", "-T", "-s", "16", "-e", &trace, "-o", path].map(str::to_owned).to_vec()
    }

    pub fn text(&self) -> String {
        read(&self.0)
    }
}

/// Whether this machine allows tracing. Prints the reason if it does not.
///
/// The full form needs tracing, so it fails instead.
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
