//! Speaks the Model Context Protocol with the real binary: over HTTP, and over stdin
//! and stdout, as an agent's app does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus};

use serde_json::{Value, json};

use crate::ending::expired_token;
use crate::support::{Client, Kroger, Sandbox, Server, UPC, eventually, folder};

const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");

/// A tool call of revision 2026-07-28, which has no handshake.
fn call(tool: &str, arguments: &Value) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": tool,
            "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    })
}

fn over_http(server: &Server, tool: &str, arguments: &Value) -> Value {
    let headers = [ACCEPT, ("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", tool)];
    let answer = server.client.call("POST", &server.url("/mcp"), &headers, Some(&call(tool, arguments)));
    answer.expect(200).json()["result"].clone()
}

/// The binary as the child of an agent's app.
struct App {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl App {
    fn start(folder: &Path, sandbox: &Sandbox, arguments: &[&str]) -> Self {
        Self::spawn(Kroger::new(folder, &[&["stdio"], arguments].concat()).at(sandbox))
    }

    fn spawn(kroger: Kroger) -> Self {
        let mut child = kroger.spawn_piped();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("stdout has something else: {line}"))
    }

    fn ask(&mut self, message: &Value) -> Value {
        self.say(&message.to_string());
        self.hear()
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask(&call(tool, arguments))["result"].clone()
    }

    fn ends(mut self) -> ExitStatus {
        self.stdin = None;
        eventually("it ends", || self.child.try_wait().unwrap())
    }
}

/// Interrupts `process` as Ctrl-C does.
fn interrupt(process: u32) {
    let status = std::process::Command::new("kill").args(["-INT", &process.to_string()]).status().unwrap();
    assert!(status.success());
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_tool_over_http_adds_to_the_cart() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();

    let added = over_http(&server, "add_to_cart", &json!({ "items": [{ "upc": UPC, "quantity": 2 }] }));

    assert_eq!(added["isError"], false, "{added}");
    assert_eq!(sandbox.cart("alice")[0]["quantity"], 2);
}

#[test]
fn stdio_server_serves_an_old_client_and_ends_with_its_stdin() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let mut stdio = App::start(folder.path(), &sandbox, &["--listen", "127.0.0.1:0"]);

    let hands = stdio.ask(&json!({
        "jsonrpc": "2.0",
        "id": "a",
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        },
    }));
    stdio.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let tools = stdio.ask(&json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }));
    let nonsense = stdio.ask(&json!("nonsense"));
    let nobody = stdio.ask(&json!({ "jsonrpc": "2.0", "id": null, "method": "tools/list" }));

    assert_eq!(hands["id"], "a");
    assert_eq!(hands["result"]["protocolVersion"], "2025-06-18");
    assert!(tools["result"]["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "add_to_cart"), "{tools}");
    assert_eq!((&nonsense["error"]["code"], &nobody["error"]["code"]), (&json!(-32600), &json!(-32600)));
    assert!(stdio.ends().success());
}

#[test]
fn two_stdio_servers_share_the_store_and_one_listens_on_the_port() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let port = Server::start(folder.path(), &sandbox).address.port().to_string();
    let listen = format!("127.0.0.1:{port}");
    let mut one = App::start(folder.path(), &sandbox, &["--listen", &listen]);
    let mut other = App::start(folder.path(), &sandbox, &["--listen", &listen]);

    let link = one.call("sign_in", &json!({ "browser": "elsewhere" }))["structuredContent"]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let redirected = sandbox.agree(&link, "alice");
    let completed = other.call("complete_sign_in", &json!({ "redirect_url": redirected }));
    let status = one.call("token_status", &json!({}));

    assert_eq!(completed["isError"], false, "{completed}");
    assert_eq!(status["structuredContent"]["status"], "signed_in");
    assert!(one.ends().success() && other.ends().success());
}

#[test]
fn stdio_server_ends_cleanly_on_ctrl_c_and_keeps_its_log_off_stdout() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let mut app = App::start(folder.path(), &sandbox, &["--listen", "127.0.0.1:0", "--log", "trace"]);
    app.call("token_status", &json!({}));

    interrupt(app.child.id());
    let mut rest = String::new();
    app.stdout.read_line(&mut rest).unwrap();

    assert_eq!(rest, "");
    assert!(app.ends().success());
}

/// Every user of the machine can reach the port.
#[test]
fn stdio_server_serves_on_its_port_what_a_sign_in_needs_and_all_routes_if_told_to() {
    let folder = folder();
    let statuses = |options: &[&str]| {
        let arguments = [&["stdio", "--sandbox", "--listen", "127.0.0.1:0"][..], options].concat();
        let mut app = App::spawn(Kroger::new(folder.path(), &arguments));
        let link = app.call("sign_in", &json!({}))["structuredContent"]["url"].as_str().unwrap().to_owned();
        let origin = link.split_once("/auth/").unwrap().0.to_owned();
        let client = Client::new();
        let closed: Vec<_> = ["/cart/add/simple", "/mcp", "/admin/tokens", "/config", "/health", "/openapi.json"]
            .map(|path| client.get(&format!("{origin}{path}")))
            .into();
        let open =
            [link, format!("{origin}/livez"), format!("{origin}/auth/authorize")].map(|url| client.get(&url).status);
        (open, closed)
    };

    let (open, closed) = statuses(&[]);
    let (all_open, all) = statuses(&["--all-routes"]);

    assert_eq!((open, all_open), ([200; 3], [200; 3]));
    for refused in closed {
        assert_eq!(refused.status, 404, "{}", refused.text);
        assert!(refused.text.contains("--all-routes"), "{}", refused.text);
    }
    assert_eq!(all.iter().map(|answer| answer.status).collect::<Vec<_>>(), [405, 405, 200, 200, 200, 200]);
}

#[test]
fn stdio_sign_in_returns_to_the_servers_own_port() {
    let folder = folder();
    let mut app = App::spawn(Kroger::new(folder.path(), &["stdio", "--sandbox", "--listen", "127.0.0.1:0"]));
    let link = app.call("sign_in", &json!({}))["structuredContent"]["url"].as_str().unwrap().to_owned();
    let client = Client::new();

    let origin = link.split_once("/auth/").unwrap().0;
    let leaving = client.call("POST", &link, &[("origin", origin)], None).expect(200);
    let cookie = leaving.header("set-cookie").split(';').next().unwrap().to_owned();
    let kroger = leaving.text.split("0;url=").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let back = client.get(&agreed(&kroger)).expect(302).header("location").to_owned();
    client.call("GET", &back, &[("cookie", &cookie)], None).expect(200);

    assert_eq!(app.call("token_status", &json!({}))["structuredContent"]["status"], "signed_in");
}

#[test]
fn stdio_sign_in_elsewhere_is_completed_only_by_its_caller() {
    let folder = folder();
    let mut app = App::spawn(Kroger::new(folder.path(), &["stdio", "--sandbox", "--listen", "127.0.0.1:0"]));
    let link = app.call("sign_in", &json!({ "browser": "elsewhere" }))["structuredContent"]["url"].clone();
    let client = Client::new();

    let back = client.get(&agreed(link.as_str().unwrap())).expect(302).header("location").to_owned();
    let page = client.call("GET", &back, &[("accept", "text/html")], None).expect(400);
    let completed = app.call("complete_sign_in", &json!({ "redirect_url": back }));

    assert!(page.text.contains("Copy the address of this page"), "{}", page.text);
    assert_eq!(completed["isError"], false, "{completed}");
}

/// `link`, changed so that `alice` agrees to the sign-in.
fn agreed(link: &str) -> String {
    format!("{link}&sandbox_user=alice&sandbox_decision=allow")
}

#[test]
fn stdio_server_with_its_own_sandbox_needs_no_account() {
    let folder = folder();
    let mut stdio = App::spawn(Kroger::new(folder.path(), &["stdio", "--sandbox", "--listen", "127.0.0.1:0"]));

    let refused = stdio.call("add_to_cart", &json!({ "items": [{ "upc": UPC }] }));

    assert_eq!(refused["isError"], true);
    assert_eq!(refused["_meta"]["kroger-mcp/problem"]["code"], "reauthorize");
    assert!(stdio.ends().success());
}

#[test]
fn stdio_server_answers_a_line_that_is_no_text_and_the_next_line() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let mut stdio = App::start(folder.path(), &sandbox, &["--listen", "127.0.0.1:0"]);

    stdio.stdin.as_mut().unwrap().write_all(b"{\"id\":1,\"method\":\"caf\xe9\"}\n").unwrap();
    let refused = stdio.hear();
    let status = stdio.call("token_status", &json!({}));

    assert_eq!(refused["error"]["code"], -32700);
    assert_eq!(status["isError"], false, "{status}");
}

#[test]
fn stdio_server_takes_over_the_port_of_a_server_that_ends() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let first = Server::start(folder.path(), &sandbox);
    let livez = first.url("/livez");
    let kroger = Kroger::new(folder.path(), &["stdio", "--listen", &first.address.to_string()]).at(&sandbox);
    let log = kroger.log().to_owned();
    let mut app = App::spawn(kroger);
    app.call("token_status", &json!({}));
    let log = std::fs::read_to_string(log).unwrap();
    let serving = log.lines().find(|line| line.contains("serving stdin")).expect(&log);
    assert!(!serving.contains("address="), "the port is somebody else's: {serving}");

    first.kill();

    eventually("the other one answers", || Client::new().try_call("GET", &livez, &[], &Value::Null));
    assert!(app.ends().success());
}

/// A process that ended during a refresh would have spent the token and saved nothing.
#[test]
fn stdio_server_completes_a_refresh_before_it_ends() {
    let sandbox = Sandbox::start();
    let folder = expired_token(&sandbox);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let app = App::start(folder.path(), &sandbox, &["--listen", &taken.local_addr().unwrap().to_string()]);

    eventually("the timer's refresh is under way", || (sandbox.fired() > 0).then_some(()));
    assert!(app.ends().success());

    let after = Server::start(folder.path(), &sandbox);
    after.add(UPC).expect(200);
    assert_eq!(sandbox.refreshes(), 1);
}
