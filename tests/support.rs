//! Starts servers, calls them, and looks at what they did. Asserts no promise of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

mod client;
mod sandbox;
mod server;

pub use client::{Answer, Client};
pub use sandbox::Sandbox;
pub use server::Server;

pub const UPC: &str = "0001111041700";

/// Polls until `found` returns a value. Panics with `what` after 60 s.
pub fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The binary, before it starts.
pub struct Kroger {
    command: Command,
    log: PathBuf,
}

/// Makes a folder to run in.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Makes a private `.env` in `folder` that asks for tokens. Returns its path.
pub fn mirror_in(folder: &Path) -> PathBuf {
    let path = folder.join(".env");
    std::fs::write(&path, "KROGER_USER_REFRESH_TOKEN=\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

impl Kroger {
    /// The binary with `arguments` in `folder`. It gets nothing of this process's
    /// environment, and uses the cache of compiled code that all tests share.
    pub fn new(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kroger-mcp"));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        command
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("HOME", folder)
            .env("XDG_CACHE_HOME", cache)
            .stdin(Stdio::null());
        let log = tempfile::Builder::new().prefix("log-").tempfile_in(folder).unwrap().into_temp_path().keep().unwrap();
        Self { command, log }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Makes `program` start the binary. The binary's path follows the program's own
    /// `arguments`.
    pub fn under(mut self, program: &str, arguments: &[String]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).arg(self.command.get_program()).args(self.command.get_args());
        command.env_clear().stdin(Stdio::null());
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.command.get_current_dir().expect("the folder that it runs in"));
        self.command = command;
        self
    }

    /// Makes SIGHUP reach the binary, also where the tests run under `nohup`: a child
    /// ignores what its parent ignores.
    pub fn hearing_hangups(self) -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored =
            status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
        if ignored.is_some_and(|signals| signals & 1 == 1) {
            return self.under("env", &["--default-signal=HUP".to_owned()]);
        }
        self
    }

    /// Uses `sandbox` in place of Kroger, with the app's credentials there.
    pub fn at(self, sandbox: &Sandbox) -> Self {
        self.env("KROGER_CLIENT_ID", "sandbox-client")
            .env("KROGER_CLIENT_SECRET", "sandbox-secret")
            .env("KROGER_API_BASE_URL", &sandbox.url())
    }

    /// The file of its stderr, unless it is started by [`Kroger::run`].
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Ended {
        let output = self.command.output().expect("the binary starts");
        Ended {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts it with pipes, for a test that reads its lines and answers them.
    pub fn converse(mut self) -> Conversation {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the binary starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Conversation { child, stdout }
    }

    /// Starts it with pipes for its stdin and stdout.
    pub fn spawn_piped(mut self) -> Child {
        let log = File::create(&self.log).unwrap();
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().expect("the binary starts")
    }

    /// Starts it with `log` as its stderr, and with a pipe for its stdout.
    pub fn spawn_logging_to(mut self, log: impl Into<Stdio>) -> Child {
        self.command.stdout(Stdio::piped()).stderr(log).spawn().expect("the binary starts")
    }

    /// Starts it as a server and waits until it listens.
    pub fn serve(self) -> Server {
        self.try_serve().unwrap_or_else(|(status, log)| panic!("the server ended with {status}: {log}"))
    }

    /// Starts it as a server that may refuse to start. An error has its status and
    /// its stderr.
    pub fn try_serve(mut self) -> Result<Server, (ExitStatus, String)> {
        let log = File::create(&self.log).unwrap();
        let mut child = self.command.stdout(Stdio::piped()).stderr(log).spawn().expect("the binary starts");
        let address = eventually("the server listens", || {
            let ended = child.try_wait().unwrap();
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            match ended {
                Some(status) => Some(Err((status, log))),
                None => listening(&log).map(Ok),
            }
        })?;
        Ok(Server::new(child, address, self.log))
    }
}

/// The address in the log line that says where the server listens.
fn listening(log: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains("listening"))?;
    let from = line.find("127.0.0.")?;
    let rest = &line[from..];
    let end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ':'))).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// A command that the test talks with. Dropping this kills it.
pub struct Conversation {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Conversation {
    /// The next line that contains `word`.
    pub fn line_with(&mut self, word: &str) -> String {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).unwrap() > 0 {
            if line.contains(word) {
                return line.trim().to_owned();
            }
            line.clear();
        }
        panic!("it ended without a word of `{word}`");
    }

    pub fn answer(&mut self, line: &str) {
        use std::io::Write as _;

        writeln!(self.child.stdin.as_mut().expect("a pipe"), "{line}").unwrap();
    }

    /// Closes its stdin, and waits for its end.
    pub fn end(&mut self) -> Ended {
        drop(self.child.stdin.take());
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut stderr).unwrap();
        Ended { status: self.child.wait().unwrap(), stdout, stderr }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that ran to its end.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// All bytes of all files below `folder`.
pub fn bytes_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(bytes_below(&path));
            continue;
        }
        let mut bytes = Vec::new();
        File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        found.push((path, bytes));
    }
    found
}
