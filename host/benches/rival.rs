//! Compares this program with `kroger-mcp` from Python's package index (0.4, `FastMCP`): the same
//! calls over MCP, against one sandbox, in one run.
//!
//! `just bench-rival` installs the rival. `KROGER_RIVAL_PYTHON` names a Python that has it. Every
//! counted call is checked: by its own result, and by the sandbox's cart at the end.

mod driver;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use driver::{Answer, Client, Listening, UPC, agree, get, rate, request};
use serde_json::{Value, json};

const STARTS: usize = 5;
const TIME: Duration = Duration::from_secs(5);
const CLIENTS: [usize; 3] = [1, 8, 64];
/// A location of the sandbox.
const LOCATION: &str = "01400376";

/// Runs the rival against the sandbox. Its base URL is a constant of a class, so this replaces it.
const LAUNCH: &str = "\
import os
import kroger_api.client
kroger_api.client.KrogerClient.BASE_URL = os.environ['KROGER_API_BASE_URL']
from kroger_mcp.cli import main
main()
";

/// One of the two programs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Ours,
    Rival,
}

impl Who {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "kroger-mcp (this)",
            Self::Rival => "kroger-mcp 0.4 (PyPI)",
        }
    }

    fn add_to_cart(self) -> (&'static str, Value) {
        match self {
            Self::Ours => ("add_to_cart", json!({"items": [{"upc": UPC, "quantity": 1, "modality": "PICKUP"}]})),
            Self::Rival => ("add_items_to_cart", json!({"product_id": UPC, "quantity": 1, "modality": "PICKUP"})),
        }
    }

    fn search_products(self) -> (&'static str, Value) {
        match self {
            Self::Ours => ("search_products", json!({"terms": ["milk"], "store_id": LOCATION, "limit": 10})),
            Self::Rival => ("search_products", json!({"search_term": "milk", "location_id": LOCATION, "limit": 10})),
        }
    }
}

/// Everything that both servers share: the sandbox, a folder, and the rival's Python.
struct Bench {
    folder: PathBuf,
    python: PathBuf,
    sandbox: Listening,
}

impl Bench {
    fn start(&self, who: Who) -> Listening {
        let folder = self.folder.join(match who {
            Who::Ours => "ours",
            Who::Rival => "rival",
        });
        std::fs::create_dir_all(&folder).expect("a folder");
        let port = free_port();
        let variables = [
            ("KROGER_CLIENT_ID", "sandbox-client".to_owned()),
            ("KROGER_CLIENT_SECRET", "sandbox-secret".to_owned()),
            ("KROGER_API_BASE_URL", format!("http://{}", self.sandbox.address)),
            ("XDG_CACHE_HOME", folder.join("cache").display().to_string()),
            ("KROGER_TOKEN_DIR", folder.display().to_string()),
            ("KROGER_QUOTA_CART", driver::CALLS_A_DAY.to_string()),
            ("KROGER_QUOTA_PRODUCTS", driver::CALLS_A_DAY.to_string()),
            ("KROGER_REDIRECT_URI", format!("http://localhost:{port}/auth/callback")),
        ];
        if who == Who::Ours {
            // This program refuses settings that it does not know.
            let own: Vec<_> = variables.into_iter().filter(|(name, _)| *name != "KROGER_TOKEN_DIR").collect();
            return Listening::start(&folder, &["serve"], &own);
        }
        let mut command = Command::new(&self.python);
        command.args(["-c", LAUNCH, "--transport", "streamable-http", "--port", &port.to_string()]);
        command.current_dir(&folder).envs(variables);
        Listening::spawn(command)
    }

    /// The total quantity in the cart of `customer`.
    fn in_cart(&self, customer: &str) -> u64 {
        let lines = self.state()["carts"][customer].clone();
        lines.as_array().into_iter().flatten().map(|line| line["quantity"].as_u64().expect("a quantity")).sum()
    }

    fn state(&self) -> Value {
        serde_json::from_str(&get(self.sandbox.address, "/_sandbox/state").body).expect("JSON")
    }

    /// How many refresh requests the sandbox got.
    fn refreshes(&self) -> u64 {
        self.state()["token_requests"]["refresh_token"]["ok"].as_u64().expect("a count")
    }

    fn control(&self, path: &str, body: &Value) {
        let answer = Client::new(self.sandbox.address).call(&request(
            self.sandbox.address,
            "POST",
            &format!("/_sandbox/{path}"),
            "",
            &body.to_string(),
        ));
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    fn clear_faults(&self) {
        let delete = request(self.sandbox.address, "DELETE", "/_sandbox/faults", "", "");
        Client::new(self.sandbox.address).call(&delete);
    }

    /// Signs `customer` in, in the server's own way.
    fn sign_in(&self, who: Who, server: &Listening, customer: &str) {
        if who == Who::Ours {
            return driver::sign_in(server.address, self.sandbox.address, customer);
        }
        let mut agent = Agent::new(server.address);
        let started = agent.tool("start_authentication", &json!({}));
        let link = find_link(&started, &self.sandbox.address.to_string()).expect("a link");
        let redirect = agree(&link, self.sandbox.address, customer);
        let done = agent.tool("complete_authentication", &json!({"redirect_url": redirect}));
        assert!(!is_error(&done), "{done}");
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// The first link to `host` in any text of `value`.
fn find_link(value: &Value, host: &str) -> Option<String> {
    match value {
        Value::String(text) => {
            let from = text.find(&format!("http://{host}"))?;
            Some(text[from..].split(|c: char| c.is_whitespace() || c == '"').next()?.to_owned())
        }
        Value::Array(values) => values.iter().find_map(|value| find_link(value, host)),
        Value::Object(values) => values.values().find_map(|value| find_link(value, host)),
        _ => None,
    }
}

fn is_error(result: &Value) -> bool {
    result["isError"].as_bool().unwrap_or(true)
}

/// One MCP client over one kept-alive connection.
struct Agent {
    client: Client,
    address: SocketAddr,
    headers: String,
}

impl Agent {
    /// Connects, with the handshake of revision 2025-11-25. Keeps the session, if the
    /// server names one.
    fn new(address: SocketAddr) -> Self {
        let headers = "Accept: application/json, text/event-stream\r\n".to_owned();
        let mut agent = Self { client: Client::new(address), address, headers };
        let (head, _) = agent.ask(
            "initialize",
            &json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "bench", "version": "1"},
            }),
        );
        if let Some(session) = head.header("mcp-session-id") {
            agent.headers.push_str("Mcp-Session-Id: ");
            agent.headers.push_str(session);
            agent.headers.push_str("\r\n");
        }
        agent.headers += "MCP-Protocol-Version: 2025-11-25\r\n";
        let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
        let answer = agent.client.call(&request(address, "POST", "/mcp", &agent.headers, &told));
        assert_eq!(answer.status, 202, "{}", answer.body);
        agent
    }

    /// The result of one tool call.
    fn tool(&mut self, name: &str, arguments: &Value) -> Value {
        let (_, message) = self.ask("tools/call", &json!({"name": name, "arguments": arguments}));
        message["result"].clone()
    }

    /// Sends one tool call, and does not wait for its answer.
    fn send(&mut self, name: &str, arguments: &Value) {
        let request = self.request("tools/call", &json!({"name": name, "arguments": arguments}));
        self.client.send(&request);
    }

    fn request(&self, method: &str, params: &Value) -> String {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        request(self.address, "POST", "/mcp", &self.headers, &body)
    }

    fn ask(&mut self, method: &str, params: &Value) -> (Answer, Value) {
        let answer = self.client.call(&self.request(method, params));
        assert_eq!(answer.status, 200, "{method}: {}", answer.body);
        let message = message(&answer);
        (answer, message)
    }
}

/// The JSON-RPC answer in a JSON body or in a stream of events.
fn message(answer: &Answer) -> Value {
    let texts: Vec<&str> = match answer.header("content-type") {
        Some(kind) if kind.starts_with("text/event-stream") => {
            answer.body.lines().filter_map(|line| line.strip_prefix("data:")).collect()
        }
        _ => vec![answer.body.as_str()],
    };
    let messages = texts.into_iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    messages.into_iter().find(|message| message["id"] == 1).unwrap_or_else(|| panic!("no answer: {}", answer.body))
}

fn start_up(bench: &Bench, who: Who) {
    let mut times: Vec<f64> = (0..=STARTS)
        .map(|_| {
            let started = Instant::now();
            let server = bench.start(who);
            Agent::new(server.address);
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let first = times.remove(0);
    times.sort_by(f64::total_cmp);
    println!("{:<24} first {first:>6.0} ms, then {:>6.0} ms (median of {STARTS})", who.name(), times[STARTS / 2]);
}

fn throughput(bench: &Bench, servers: &[(Who, Listening)]) {
    println!("\nthe same search again and again: ours asks Kroger once a minute, the rival each time");
    println!("\n{:<24} {:<16} {:>8} {:>10} {:>9} {:>9}", "", "tool", "clients", "calls/s", "p50 ms", "p99 ms");
    for clients in CLIENTS {
        for (who, server) in servers {
            for (tool, arguments) in [who.search_products(), who.add_to_cart()] {
                let agents = (0..clients).map(|_| Agent::new(server.address)).collect();
                let customer = customer(*who);
                let before = bench.in_cart(customer);
                let rate = rate(agents, TIME, |agent: &mut Agent| {
                    let result = agent.tool(tool, &arguments);
                    assert!(!is_error(&result), "{result}");
                });
                if tool.starts_with("add") {
                    assert_eq!(bench.in_cart(customer) - before, rate.calls as u64, "each add counts once");
                }
                println!(
                    "{:<24} {tool:<16} {clients:>8} {:>10.0} {:>9.2} {:>9.2}",
                    who.name(),
                    rate.per_second,
                    rate.p50,
                    rate.p99
                );
            }
        }
    }
}

fn customer(who: Who) -> &'static str {
    match who {
        Who::Ours => "alice",
        Who::Rival => "bob",
    }
}

/// Calls from 64 clients at once, after Kroger expired their access token.
fn expired_token(bench: &Bench, who: Who, server: &Listening) -> String {
    let agents: Vec<Agent> = (0..64).map(|_| Agent::new(server.address)).collect();
    let (cart, refreshes) = (bench.in_cart(customer(who)), bench.refreshes());
    bench.control("expire", &json!({"user": customer(who)}));
    let (tool, arguments) = who.add_to_cart();
    let started = Instant::now();
    let said_added = std::thread::scope(|scope| {
        let calls: Vec<_> = agents
            .into_iter()
            .map(|mut agent| {
                let arguments = &arguments;
                scope.spawn(move || !is_error(&agent.tool(tool, arguments)))
            })
            .collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).filter(|added| *added).count()
    });
    format!(
        "{said_added} of 64 said added, {} in the cart, {} refreshes, {:.0} ms",
        bench.in_cart(customer(who)) - cart,
        bench.refreshes() - refreshes,
        started.elapsed().as_secs_f64() * 1e3
    )
}

/// Adds to the cart, and loses Kroger's answer.
fn lost_reply(bench: &Bench, who: Who, server: &Listening) -> String {
    let before = bench.in_cart(customer(who));
    bench.control(
        "faults",
        &json!([{"match": {"method": "PUT", "path": "/v1/cart/add"}, "times": 1, "action": "drop_after"}]),
    );
    let (tool, arguments) = who.add_to_cart();
    let result = Agent::new(server.address).tool(tool, &arguments);
    bench.clear_faults();
    format!("{} in the cart; said: {}", bench.in_cart(customer(who)) - before, gist(&result))
}

/// Kills the server while Kroger works on a refresh, and starts it again.
fn crash(bench: &Bench, who: Who, server: Listening) -> (String, Listening) {
    bench.control("expire", &json!({"user": customer(who)}));
    bench.control(
        "faults",
        &json!([{"match": {"path": "/v1/connect/oauth2/token"}, "times": 1, "action": {"delay_ms": 600_000}}]),
    );
    let (tool, arguments) = who.add_to_cart();
    let asked = bench.fired();
    // This call never gets an answer.
    let mut caller = Agent::new(server.address);
    caller.send(tool, &arguments);
    while bench.fired() == asked {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Kills it, as a power cut would.
    drop(server);
    bench.clear_faults();
    let server = bench.start(who);
    let started = Instant::now();
    let result = Agent::new(server.address).tool(tool, &arguments);
    (format!("after {:.1} s: {}", started.elapsed().as_secs_f64(), gist(&result)), server)
}

impl Bench {
    /// How often faults fired so far.
    fn fired(&self) -> u64 {
        let faults: Value = serde_json::from_str(&get(self.sandbox.address, "/_sandbox/faults").body).expect("JSON");
        faults.as_array().into_iter().flatten().filter_map(|fault| fault["fired"].as_u64()).sum()
    }
}

/// A result in one line.
fn gist(result: &Value) -> String {
    let text = result["content"][0]["text"].as_str().unwrap_or("nothing").replace('\n', " ");
    let verdict = if is_error(result) { "error" } else { "added" };
    format!("{verdict}, \"{}\"", text.chars().take(160).collect::<String>())
}

fn main() {
    let Some(python) = std::env::var_os("KROGER_RIVAL_PYTHON").map(PathBuf::from) else {
        println!("KROGER_RIVAL_PYTHON is not set: run `just bench-rival`, which installs the rival first.");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sandbox = Listening::start(folder.path(), &["sandbox"], &[]);
    driver::lift_limits(sandbox.address);
    let bench =
        Bench { folder: folder.path().to_owned(), python: std::path::absolute(python).expect("a path"), sandbox };

    println!("start to the first answer over MCP");
    for who in [Who::Ours, Who::Rival] {
        start_up(&bench, who);
    }
    let servers: Vec<_> = [Who::Ours, Who::Rival].map(|who| (who, bench.start(who))).into();
    for (who, server) in &servers {
        bench.sign_in(*who, server, customer(*who));
        println!("{:<24} {:>6.1} MiB at rest", who.name(), server.resident());
    }
    throughput(&bench, &servers);
    for (who, server) in &servers {
        println!("{:<24} {:>6.1} MiB after the load", who.name(), server.resident());
    }
    for (who, server) in servers {
        println!("\n{}", who.name());
        println!("  64 callers, expired token: {}", expired_token(&bench, who, &server));
        println!("  a cart add's reply lost:   {}", lost_reply(&bench, who, &server));
        let (told, _server) = crash(&bench, who, server);
        println!("  killed in mid-refresh:     {told}");
    }
    drop(folder);
}
