//! Starts servers, calls them, and looks at what they did. Asserts no promise of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

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

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} is not JSON: {}", self.status, self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The `code` of a problem document.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// A client that follows no redirect and accepts every status as an answer.
#[derive(Clone)]
pub struct Client(ureq::Agent);

impl Client {
    pub fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self(config.into())
    }

    /// Calls a server that may be killed meanwhile. None: there was no answer.
    pub fn try_call(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &Value) -> Option<Answer> {
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("content-type", "application/json").body(body.to_string()).ok()?;
        let mut response = self.0.run(request).ok()?;
        Some(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.body_mut().read_to_string().ok()?,
        })
    }

    pub fn call(&self, method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map(Value::to_string);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body.unwrap_or_default()).expect("a request that can be built");
        let mut response = self.0.run(request).unwrap_or_else(|error| panic!("{method} {url}: {error}"));
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.body_mut().read_to_string().expect("a body of text"),
        }
    }

    pub fn get(&self, url: &str) -> Answer {
        self.call("GET", url, &[], None)
    }

    pub fn post(&self, url: &str, body: &Value) -> Answer {
        self.call("POST", url, &[], Some(body))
    }
}

/// The sandbox. It runs in the test's own process.
pub struct Sandbox {
    pub address: SocketAddr,
    client: Client,
    _runtime: tokio::runtime::Runtime,
}

impl Sandbox {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(kroger_sandbox::serve(listener, kroger_sandbox::Sandbox::default(), std::future::pending()));
        Self { address, client: Client::new(), _runtime: runtime }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn state(&self) -> Value {
        self.client.get(&format!("{}/_sandbox/state", self.url())).expect(200).json()
    }

    pub fn settings(&self, settings: &Value) {
        self.client.post(&format!("{}/_sandbox/settings", self.url()), settings).expect(200);
    }

    pub fn faults(&self, faults: &Value) {
        self.client.post(&format!("{}/_sandbox/faults", self.url()), faults).expect(200);
    }

    pub fn token_faults(&self, times: u32, action: &Value) {
        self.faults(&json!([{ "match": { "path": "/v1/connect/oauth2/token" }, "times": times, "action": action }]));
    }

    /// How often all faults together fired.
    pub fn fired(&self) -> u64 {
        let faults = self.client.get(&format!("{}/_sandbox/faults", self.url())).expect(200).json();
        faults.as_array().unwrap().iter().filter_map(|fault| fault["fired"].as_u64()).sum()
    }

    pub fn clear_faults(&self) {
        let answer = self.client.call("DELETE", &format!("{}/_sandbox/faults", self.url()), &[], None);
        assert!(answer.status < 300, "{}", answer.text);
    }

    pub fn expire(&self, user: &str) {
        self.client.post(&format!("{}/_sandbox/expire", self.url()), &json!({ "user": user }));
    }

    pub fn revoke(&self, user: &str) {
        self.client.post(&format!("{}/_sandbox/revoke", self.url()), &json!({ "user": user }));
    }

    /// Opens `link` as `customer` and allows the sign-in. Returns the address that Kroger redirects to.
    pub fn agree(&self, link: &str, customer: &str) -> String {
        let link = format!("{link}&sandbox_user={customer}&sandbox_decision=allow");
        self.client.get(&link).expect(302).header("location").to_owned()
    }

    /// How many refreshes the sandbox granted.
    pub fn refreshes(&self) -> u64 {
        self.state()["token_requests"]["refresh_token"]["ok"].as_u64().unwrap_or(0)
    }

    pub fn cart(&self, user: &str) -> Value {
        self.state()["carts"][user].clone()
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
        Ok(Server { child, address, log: self.log, client: Client::new() })
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

/// A running server. Dropping this kills it.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: PathBuf,
    pub client: Client,
}

impl Server {
    /// Starts a server in `folder` with the app's credentials at `sandbox`.
    pub fn start(folder: &Path, sandbox: &Sandbox) -> Self {
        Kroger::new(folder, &["serve", "--listen", "127.0.0.1:0"]).at(sandbox).serve()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.client.get(&self.url(path))
    }

    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.client.call(method, &self.url(path), &[], body)
    }

    pub fn add(&self, upc: &str) -> Answer {
        self.call("PUT", "/cart/add/simple", Some(&json!({ "upc": upc })))
    }

    /// Signs `user` in as the sandbox's customer `customer`.
    pub fn sign_in_as(&self, user: &str, customer: &str) -> Answer {
        let authorize = self.get(&format!("/auth/authorize?user_id={user}")).expect(200).json();
        let link = authorize["authorization_url"].as_str().expect("a link");
        self.agree(link, customer)
    }

    pub fn sign_in(&self) {
        self.sign_in_as("user_default", "alice").expect(200);
    }

    /// Opens `link` as `customer`, allows the sign-in, and follows the redirect to this server.
    pub fn agree(&self, link: &str, customer: &str) -> Answer {
        let link = format!("{link}&sandbox_user={customer}&sandbox_decision=allow");
        let redirect = self.client.get(&link).expect(302);
        let location = redirect.header("location");
        let query = &location[location.find('?').expect("a redirect with a query")..];
        self.get(&format!("/auth/callback{query}"))
    }

    /// One user's entry in `/admin/tokens`.
    pub fn token(&self, user: &str) -> Value {
        self.get("/admin/tokens").expect(200).json()["user_tokens"][user].clone()
    }

    /// Waits until the store says that the user's access token has expired.
    pub fn wait_until_expired(&self, user: &str) {
        eventually("the token expires", || (self.token(user)["status"] == "expired").then_some(()));
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Interrupts it as Ctrl-C does.
    pub fn interrupt(&self) {
        let status = Command::new("kill").args(["-INT", &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Interrupts it and waits for its end. Returns the whole log.
    pub fn stop(self) -> String {
        let log = self.log.clone();
        self.interrupt();
        assert!(self.wait().success());
        std::fs::read_to_string(log).unwrap()
    }

    pub fn wait(mut self) -> ExitStatus {
        eventually("the server ends", || self.child.try_wait().unwrap())
    }

    /// The first `lines` of its stdout, or all of them if it ends earlier.
    pub fn stdout_lines(&mut self, lines: usize) -> Vec<String> {
        let stdout = self.child.stdout.take().expect("stdout is read once");
        BufReader::new(stdout).lines().take(lines).map(Result::unwrap).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
