//! Starts and stops the server, and checks what it says if it cannot start.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use crate::support::{Client, Kroger, Sandbox, Server, UPC, eventually, folder};

#[test]
fn start_without_credentials_names_the_missing_settings_and_the_sandbox() {
    let folder = folder();

    let ended = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"]).run();

    assert_eq!(ended.status.code(), Some(2));
    for word in ["KROGER_CLIENT_ID", "developer.kroger.com", "--sandbox"] {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
}

#[test]
fn a_wrong_setting_is_refused_with_its_allowed_values() {
    let folder = folder();

    let ended = Kroger::new(folder.path(), &["serve"])
        .env("KROGER_CLIENT_ID", "app")
        .env("KROGER_TOKEN_CHECK_INTERVAL", "often")
        .env("KROGER_CLIENTSECRET", "canary-value")
        .run();

    assert_eq!(ended.status.code(), Some(2));
    for word in ["KROGER_TOKEN_CHECK_INTERVAL", "often", "1 to 3600", "KROGER_CLIENTSECRET", "KROGER_CLIENT_SECRET"] {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("canary-value"), "{}", ended.stderr);
}

#[test]
fn a_port_in_use_is_reported() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let ended = Kroger::new(folder.path(), &["serve", "--listen", &address]).at(&sandbox).run();

    assert!(!ended.status.success());
    assert!(ended.stderr.contains("--listen"), "{}", ended.stderr);
    assert!(ended.stderr.contains("set KROGER_REDIRECT_URI="), "{}", ended.stderr);
}

#[test]
fn the_sandbox_prints_three_lines_that_do_the_whole_job() {
    let folder = folder();
    let mut server = Kroger::new(folder.path(), &["serve", "--sandbox", "--listen", "127.0.0.1:0"]).serve();

    let lines = server.stdout_lines(3);
    let link = |line: &str| {
        let from = line.find("http://").expect("a link");
        line[from..].split(['\'', ' ', '"']).next().unwrap().to_owned()
    };
    let client = Client::new();
    let sign_in = link(&lines[0]);
    let to_kroger = client.call("GET", &sign_in, &[("accept", "text/html")], None).expect(303);
    let consent = format!("{}&sandbox_user=alice&sandbox_decision=allow", to_kroger.header("location"));
    let back = client.get(&consent).expect(302);
    let cookie = to_kroger.header("set-cookie").split(';').next().unwrap().to_owned();
    let headers = [("accept", "text/html"), ("cookie", cookie.as_str())];
    let page = client.call("GET", back.header("location"), &headers, None).expect(200);
    let add = std::process::Command::new("sh")
        .args(["-c", lines[1].find("curl").map(|at| &lines[1][at..]).unwrap()])
        .output()
        .unwrap();
    let look = client.get(&link(&lines[2])).expect(200);

    assert!(page.text.contains("<html"), "{}", page.text);
    assert!(String::from_utf8_lossy(&add.stdout).contains("\"success\":true"), "{add:?}");
    assert!(look.text.contains("alice"), "{}", look.text);
}

#[test]
fn the_sandbox_prints_its_lines_only_if_the_server_runs() {
    let folder = folder();
    std::fs::create_dir(folder.path().join(".tokens-sandbox")).unwrap();
    std::fs::write(folder.path().join(".tokens-sandbox/store.sqlite3"), "nonsense ".repeat(1_000)).unwrap();

    let ended = Kroger::new(folder.path(), &["serve", "--sandbox", "--listen", "127.0.0.1:0"]).run();

    assert!(!ended.status.success());
    assert_eq!(ended.stdout, "");
}

#[test]
fn the_sandbox_names_each_ignored_setting() {
    let folder = folder();

    let server = Kroger::new(folder.path(), &["serve", "--sandbox", "--listen", "127.0.0.1:0"])
        .env("KROGER_DEV_MODE", "true")
        .serve();

    assert!(server.stop().contains("KROGER_DEV_MODE"));
}

#[test]
fn the_sandboxs_links_work_at_an_address_without_a_name() {
    let folder = folder();
    let mut server = Kroger::new(folder.path(), &["serve", "--sandbox", "--listen", "127.0.0.2:0"]).serve();

    let line = server.stdout_lines(1).remove(0);
    let sign_in = &line[line.find("http://").expect("a link")..];
    let authorize = server.client.get(sign_in).expect(200).json();
    server.agree(authorize["authorization_url"].as_str().unwrap(), "alice").expect(200);

    assert!(sign_in.starts_with(&server.url("/")), "{sign_in}");
}

#[test]
fn the_address_in_listen_is_an_allowed_host() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.2:0"]).at(&sandbox).serve();

    server.get("/config").expect(200);
}

#[test]
fn a_redirect_to_an_unused_port_is_reported_at_start() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let port = server.address.port();

    let log = server.stop();

    assert!(log.contains(&format!("Set KROGER_REDIRECT_URI=http://localhost:{port}/auth/callback and")), "{log}");
}

#[test]
fn a_redirect_to_an_unserved_path_is_reported_at_start_and_by_doctor() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let with_path = |arguments: &[&str]| {
        Kroger::new(folder.path(), arguments).at(&sandbox).env("KROGER_REDIRECT_URI", "http://localhost:9004/callback")
    };

    let log = with_path(&["serve", "--listen", "127.0.0.1:0"]).serve().stop();
    let doctor = with_path(&["doctor", "--offline", "--json"]).run();

    let advice = "set KROGER_REDIRECT_URI=http://localhost:9004/auth/callback and";
    assert!(log.contains(advice), "{log}");
    let report: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
    let point = report["points"].as_array().unwrap().iter().find(|point| point["name"] == "redirect URI").unwrap();
    assert_eq!(point["verdict"], "bad", "{point}");
    assert!(point["detail"].as_str().unwrap().contains(advice), "{point}");
}

#[test]
fn status_says_how_to_look_at_the_sandboxs_store() {
    let folder = folder();
    let server = Kroger::new(folder.path(), &["serve", "--sandbox", "--listen", "127.0.0.1:0"]).serve();
    server.sign_in();
    server.stop();

    let status = Kroger::new(folder.path(), &["status"]).run();
    let of_sandbox = Kroger::new(folder.path(), &["status", "--store", ".tokens-sandbox"]).run();

    assert!(status.stdout.contains("kroger-mcp status --store .tokens-sandbox"), "{}", status.stdout);
    assert!(of_sandbox.status.success() && !of_sandbox.stdout.contains("--store"), "{of_sandbox:?}");
    assert!(of_sandbox.stdout.contains("valid") && !of_sandbox.stdout.contains("login"), "{of_sandbox:?}");
}

#[test]
fn start_without_credentials_names_a_redirect_uri_with_the_servers_port() {
    let folder = folder();

    let ended = Kroger::new(folder.path(), &["serve"]).env("PORT", "8123").run();

    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("KROGER_REDIRECT_URI=http://localhost:8123/auth/callback"), "{}", ended.stderr);
}

#[test]
fn a_probe_without_a_host_header_is_answered() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);

    let mut answer = String::new();
    let mut probe = TcpStream::connect(server.address).unwrap();
    probe.write_all(b"GET /livez HTTP/1.0\r\n\r\n").unwrap();
    probe.read_to_string(&mut answer).unwrap();

    assert!(answer.contains(" 200 "), "{answer}");
}

#[test]
fn a_start_that_compiles_says_so() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let cache = folder.path().join("cache");

    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .at(&sandbox)
        .env("XDG_CACHE_HOME", cache.to_str().unwrap())
        .serve();

    let log = server.stop();
    assert!(log.contains("compiling"), "{log}");
}

#[test]
fn ctrl_c_lets_calls_under_way_finish() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    sandbox.settings(&json!({ "access_token_lifetime_seconds": 1 }));
    server.sign_in();
    sandbox.settings(&json!({ "access_token_lifetime_seconds": 1_800 }));
    server.wait_until_expired("user_default");
    sandbox.token_faults(1, &json!({ "delay_ms": 700 }));

    let status = std::thread::scope(|scope| {
        let call = scope.spawn(|| server.add(UPC).status);
        eventually("the refresh is under way", || (sandbox.fired() == 1).then_some(()));
        server.interrupt();
        call.join().unwrap()
    });

    assert_eq!(status, 200);
    assert!(server.wait().success());
    assert_eq!(sandbox.cart("alice")[0]["quantity"], 1);
}

#[test]
fn a_peer_that_sends_nonsense_or_nothing_disturbs_nobody() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);

    let _silent = TcpStream::connect(server.address).unwrap();
    let mut slow = TcpStream::connect(server.address).unwrap();
    slow.write_all(b"PUT /cart/add/simple HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n{").unwrap();
    for nonsense in [&b"\x16\x03\x01\x02\x00"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
        TcpStream::connect(server.address).unwrap().write_all(nonsense).unwrap();
    }

    server.get("/livez").expect(200);
    let large = json!({ "upc": "1".repeat(2 << 20) });
    assert_eq!(server.call("PUT", "/cart/add/simple", Some(&large)).code(), "too_large");
}

#[test]
fn a_page_may_read_the_too_large_error_and_the_methods_of_a_route() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let origin = server.url("");
    let call = |method: &str, path: &str, body: Option<&serde_json::Value>| {
        server.client.call(method, &server.url(path), &[("origin", &origin)], body)
    };

    let large = call("PUT", "/cart/add", Some(&json!({ "upc": "1".repeat(2 << 20) }))).expect(413);
    let preflight = call("OPTIONS", "/cart/add", None).expect(204);

    assert_eq!((large.code().as_str(), large.header("access-control-allow-origin")), ("too_large", origin.as_str()));
    assert_eq!(preflight.header("access-control-allow-methods"), "PUT, OPTIONS");
    assert_eq!(preflight.header("allow"), "PUT, OPTIONS");
    assert_eq!(call("OPTIONS", "/nope", None).expect(404).code(), "not_found");
}

#[test]
fn a_foreign_web_page_may_not_call() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let body = json!({ "upc": UPC });
    let url = server.url("/cart/add/simple");

    let cross_site = server.client.call("PUT", &url, &[("origin", "https://evil.example")], Some(&body));
    let rebound = server.client.call("GET", &server.url("/admin/tokens"), &[("host", "evil.example")], None);

    assert_eq!((cross_site.status, cross_site.code().as_str()), (403, "forbidden_origin"));
    assert_eq!((rebound.status, rebound.code().as_str()), (403, "forbidden_origin"));
}
