//! Starts servers for the benchmarks, and calls them over kept-alive connections.
//! Every answer is checked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The UPC of Kroger's 2 % milk. The sandbox has it too.
pub(crate) const UPC: &str = "0001111041700";

/// More calls than any run makes. Kroger's real limits would end a benchmark in a second.
pub(crate) const CALLS_A_DAY: u32 = 100_000_000;

/// A child process that listens. Dropping this kills it.
pub(crate) struct Listening {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Listening {
    /// Starts this project's binary with `arguments` on a free port.
    pub(crate) fn start(folder: &Path, arguments: &[&str], variables: &[(&str, String)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kroger-mcp"));
        command.args(arguments).args(["--listen", "127.0.0.1:0"]).current_dir(folder);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Self::spawn(command)
    }

    /// Starts any program that prints the address where it listens.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (sender, addresses) = std::sync::mpsc::channel();
        let pipes: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
        for pipe in pipes {
            let sender = sender.clone();
            // Reads to the end, so that the child never blocks on a full pipe.
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if let Some(address) = told_address(&line) {
                        // Only the first address is received.
                        let _ = sender.send(address);
                    }
                }
            });
        }
        drop(sender);
        let address = addresses.recv().expect("the program ended before it listened");
        Self { child, address }
    }

    /// Resident memory in MiB.
    pub(crate) fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
    }
}

/// The address in `line`, if the line says where the program listens.
fn told_address(line: &str) -> Option<SocketAddr> {
    let line = line.replace("localhost:", "127.0.0.1:");
    let is_told = ["listening", "Sandbox:", "running on"].iter().any(|word| line.contains(word));
    let from = line.find("127.0.0.1:").filter(|_| is_told)?;
    let text: String = line[from..].chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
    text.parse().ok()
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A kept-alive connection that sends requests and waits for each answer.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket option");
        Self { stream, buffer: vec![0; 64 << 10] }
    }

    pub(crate) fn send(&mut self, request: &str) {
        self.stream.write_all(request.as_bytes()).expect("a live connection");
    }

    pub(crate) fn call(&mut self, request: &str) -> Answer {
        self.send(request);
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..]).expect("an answer");
            assert!(read > 0, "the connection was closed");
            filled += read;
            if let Some(answer) = whole(&self.buffer[..filled]) {
                return answer;
            }
        }
    }
}

/// The answer in `bytes`, if it is complete.
fn whole(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let body = &bytes[end + 4..];
    let answer = Answer { status: head.get(9..12)?.parse().ok()?, head, body: String::new() };
    let body = if answer.header("transfer-encoding") == Some("chunked") {
        unchunked(body)?
    } else {
        let length = answer.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        body.get(..length)?.to_vec()
    };
    Some(Answer { body: String::from_utf8_lossy(&body).into_owned(), ..answer })
}

/// A chunked body (RFC 9112 § 7.1), if it is complete.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?.trim(), 16).ok()?;
        let chunk = rest.get(line + 2..line + 2 + length)?;
        rest = rest.get(line + 2 + length + 2..)?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk);
    }
}

pub(crate) fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> String {
    let content = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}{content}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    Client::new(address).call(&request(address, "GET", path, "", ""))
}

/// The calls that all clients made, and their times.
pub(crate) struct Rate {
    pub(crate) calls: usize,
    pub(crate) per_second: f64,
    /// In milliseconds, as `p99`.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Lets each of `clients` call again and again for `time`. `call` panics on a wrong
/// answer, so each counted call has succeeded.
pub(crate) fn rate<C>(clients: Vec<C>, time: Duration, call: impl Fn(&mut C) + Sync) -> Rate
where
    C: Send,
{
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let (stop, call) = (&stop, &call);
        let worker = |mut client: C| {
            move || {
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    call(&mut client);
                    times.push(sent.elapsed());
                }
                times
            }
        };
        let workers: Vec<_> = clients.into_iter().map(|client| scope.spawn(worker(client))).collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker that checked its answers")).collect()
    });
    let elapsed = started.elapsed();
    times.sort_unstable();
    let at = |hundredth: usize| times[times.len() * hundredth / 100].as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
    Rate { calls: times.len(), per_second: times.len() as f64 / elapsed.as_secs_f64(), p50: at(50), p99: at(99) }
}

/// Agrees on the sandbox's consent page as `customer`. Returns the address of the
/// redirect.
pub(crate) fn agree(link: &str, sandbox: SocketAddr, customer: &str) -> String {
    let path = link.split_once(&sandbox.to_string()).expect("a link to the sandbox").1;
    let path = format!("{path}&sandbox_user={customer}&sandbox_decision=allow");
    let answer = get(sandbox, &path);
    answer.header("location").unwrap_or_else(|| panic!("no redirect: {answer:?}")).to_owned()
}

/// Signs `customer` in at this program's server, through the sandbox's consent page.
pub(crate) fn sign_in(server: SocketAddr, sandbox: SocketAddr, customer: &str) {
    let started = get(server, "/auth/authorize").body;
    let link = serde_json::from_str::<serde_json::Value>(&started).expect("JSON")["authorization_url"].clone();
    let redirect = agree(link.as_str().expect("a link"), sandbox, customer);
    let query = redirect.split_once('?').expect("a redirect with a query").1;
    let answer = get(server, &format!("/auth/callback?{query}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Raises the sandbox's daily limits to [`CALLS_A_DAY`].
pub(crate) fn lift_limits(sandbox: SocketAddr) {
    let limits = format!(r#"{{"daily_limits":{{"cart":{CALLS_A_DAY},"products":{CALLS_A_DAY}}}}}"#);
    let answer = Client::new(sandbox).call(&request(sandbox, "POST", "/_sandbox/settings", "", &limits));
    assert_eq!(answer.status, 200, "{}", answer.body);
}
