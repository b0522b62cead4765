//! Start-up time, idle memory, and calls per second, through the real binary.
//!
//! `just bench`, or `cargo bench --bench service`. The sandbox runs in a process of its
//! own. Beside each figure stands that of a native peer in the same run: the
//! sandbox itself, called directly by the same clients. All share this machine's
//! cores, so the ratios say more than the figures.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const UPC: &str = "0001111041700";
const STARTS: usize = 11;
const SECONDS: u64 = 4;

/// A child process that listens; killed at the end.
struct Listening {
    child: Child,
    address: SocketAddr,
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Listening {
    fn start(folder: &Path, arguments: &[&str], variables: &[(&str, String)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kroger-mcp"));
        command.args(arguments).args(["--listen", "127.0.0.1:0"]).current_dir(folder).stdin(Stdio::null());
        for (name, value) in variables {
            command.env(name, value);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        // The sandbox says on stdout where it is, the server in its log.
        let stdout = child.stdout.take().expect("a pipe");
        let stderr = child.stderr.take().expect("a pipe");
        let (said, other): (Box<dyn Read + Send>, Box<dyn Read + Send>) = match arguments {
            ["sandbox"] => (Box::new(stdout), Box::new(stderr)),
            _ => (Box::new(stderr), Box::new(stdout)),
        };
        let mut said = BufReader::new(said);
        let address = address(&mut said);
        // Read on, so that the child never waits for us.
        std::thread::spawn(move || std::io::copy(&mut said.chain(other), &mut std::io::sink()));
        Self { child, address }
    }

    /// Resident memory in MiB.
    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
    }
}

fn address(said: &mut impl BufRead) -> SocketAddr {
    for line in said.lines() {
        let line = line.expect("a log of text").replace("localhost:", "127.0.0.1:");
        let is_told = line.contains("listening") || line.starts_with("Sandbox:");
        if let Some(from) = line.find("127.0.0.1:").filter(|_| is_told) {
            let text: String =
                line[from..].chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
            return text.parse().expect("an address");
        }
    }
    panic!("the server ended before it listened");
}

/// A kept-alive connection that sends one request again and again.
struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Client {
    fn new(address: SocketAddr, request: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, request: request.as_bytes().to_vec(), buffer: vec![0; 16 << 10] }
    }

    /// Sends the request once; answers status and body.
    fn call(&mut self) -> (u16, String) {
        self.stream.write_all(&self.request).expect("a live connection");
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).expect("an answer");
            assert!(read > 0, "the connection was closed");
            filled += read;
            if let Some(answer) = whole(&self.buffer[..filled]) {
                return answer;
            }
        }
    }
}

/// The status and body of an answer that is all there.
fn whole(bytes: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let status = head.get(9..12)?.parse().ok()?;
    (body.len() >= length.unwrap_or(0)).then(|| (status, body.to_owned()))
}

fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> String {
    let content = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}{content}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    Client::new(address, &request(address, "GET", path, "", "")).call()
}

/// Calls per second and the 99th percentile in milliseconds, each call checked.
fn rate(clients: usize, address: SocketAddr, request: &str) -> (f64, f64) {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut slowest = Vec::new();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::new(address, request);
                    let mut times = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let sent = Instant::now();
                        let (status, body) = client.call();
                        assert!((200..300).contains(&status), "{status} {body}");
                        times.push(sent.elapsed());
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    times
                })
            })
            .collect();
        std::thread::sleep(Duration::from_secs(SECONDS));
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            slowest.extend(worker.join().expect("a worker that checked its answers"));
        }
    });
    slowest.sort_unstable();
    let p99 = slowest[slowest.len() * 99 / 100];
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
    (done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64(), p99.as_secs_f64() * 1e3)
}

/// Signs alice in; answers the access token of the mirror, for the peer's calls.
fn sign_in(server: SocketAddr, sandbox: SocketAddr, folder: &Path) -> String {
    let field = |text: &str, name: &str| {
        let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        value[name].as_str().expect("a text").to_owned()
    };
    let link = field(&get(server, "/auth/authorize").1, "authorization_url");
    let path = link.split_once(&sandbox.to_string()).expect("a link to the sandbox").1;
    let mut client = Client::new(
        sandbox,
        &request(sandbox, "GET", &format!("{path}&sandbox_user=alice&sandbox_decision=allow"), "", ""),
    );
    client.stream.write_all(&client.request).expect("a live connection");
    let read = client.stream.read(&mut client.buffer).expect("a redirect");
    let head = String::from_utf8_lossy(&client.buffer[..read]).into_owned();
    let location = head.lines().find(|line| line.to_ascii_lowercase().starts_with("location:"));
    let query = location.and_then(|line| line.split_once('?')).expect("a redirect with a query").1;
    let (status, body) = get(server, &format!("/auth/callback?{}", query.trim()));
    assert_eq!(status, 200, "{body}");
    let mirror = std::fs::read_to_string(folder.join(".env")).expect("the mirror");
    let token = mirror.lines().find_map(|line| line.strip_prefix("KROGER_USER_ACCESS_TOKEN="));
    token.expect("a token").to_owned()
}

fn start_up(folder: &Path, variables: &[(&str, String)]) {
    // The first start compiles; its successors find the cache.
    let mut times: Vec<f64> = (0..=STARTS)
        .map(|_| {
            let started = Instant::now();
            let server = Listening::start(folder, &["serve"], variables);
            assert_eq!(get(server.address, "/livez").0, 200);
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let first = times.remove(0);
    times.sort_by(f64::total_cmp);
    println!("start to first answer, nothing cached    {first:>8.0} ms");
    println!("start to first answer, code cached       {:>8.0} ms   (median of {STARTS})", times[STARTS / 2]);
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join(".env"), "").expect("a file");
    let sandbox = Listening::start(folder.path(), &["sandbox"], &[]);
    let variables = [
        ("KROGER_CLIENT_ID", "sandbox-client".to_owned()),
        ("KROGER_CLIENT_SECRET", "sandbox-secret".to_owned()),
        ("KROGER_API_BASE_URL", format!("http://{}", sandbox.address)),
        ("XDG_CACHE_HOME", folder.path().join("cache").display().to_string()),
    ];
    start_up(folder.path(), &variables);

    let server = Listening::start(folder.path(), &["serve"], &variables);
    let token = sign_in(server.address, sandbox.address, folder.path());
    println!("memory at rest, after a sign-in          {:>8.1} MiB", server.resident());

    let livez = request(server.address, "GET", "/livez", "", "");
    let add = request(server.address, "PUT", "/cart/add/simple", "", &format!(r#"{{"upc":"{UPC}"}}"#));
    let index = request(sandbox.address, "GET", "/_sandbox/settings", "", "");
    let direct = request(
        sandbox.address,
        "PUT",
        "/v1/cart/add",
        &format!("Authorization: Bearer {token}\r\n"),
        &format!(r#"{{"items":[{{"upc":"{UPC}","quantity":1}}]}}"#),
    );
    println!("\n{:<28} {:>8} {:>12} {:>10}", "", "clients", "calls/s", "p99 ms");
    for clients in [1, 8, 64] {
        for (name, address, request) in [
            ("GET /livez", server.address, &livez),
            ("  peer: native hyper", sandbox.address, &index),
            ("PUT /cart/add/simple", server.address, &add),
            ("  peer: Kroger directly", sandbox.address, &direct),
        ] {
            let (rate, p99) = rate(clients, address, request);
            println!("{name:<28} {clients:>8} {rate:>12.0} {p99:>10.2}");
        }
    }
    println!("\nmemory after the load                    {:>8.1} MiB", server.resident());
}
