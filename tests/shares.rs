//! One caller takes no more than a share: others are answered while it holds all that it can get.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use kroger_core::user::UserId;
use rusqlite::Connection;
use serde_json::json;

use crate::support::{Client, Kroger, Sandbox, Server, UPC, eventually, folder};

/// An honest caller waits this long at most.
const SOON: Duration = Duration::from_secs(3);

fn address(server: &Server) -> SocketAddr {
    let port = server.url("").trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Sends `request` on a connection of its own, and reads nothing.
fn send(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address(server)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn mcp_search(user: &str, term: &str) -> String {
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "search_products", "arguments": { "terms": [term] } }
    })
    .to_string();
    format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, \
         text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\nX-Kroger-User: {user}\r\nContent-Length: {}\r\n\r\n{call}",
        call.len()
    )
}

/// Calls as an honest caller, each time on a new connection. Answers the slowest of all calls.
fn slowest_of_others(server: &Server) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        for path in ["/livez", "/readyz", "/health", "/config"] {
            let began = Instant::now();
            Client::new().get(&server.url(path)).expect(200);
            slowest = slowest.max(began.elapsed());
        }
        let began = Instant::now();
        let item = json!({ "upc": UPC, "quantity": 1 });
        Client::new().call("PUT", &server.url("/cart/add/simple"), &[], Some(&item)).expect(200);
        slowest = slowest.max(began.elapsed());
    }
    slowest
}

#[test]
fn idle_connections_keep_nobody_out() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    for (what, sent) in
        [("nothing", ""), ("half a head", "GET /livez HTTP/1.1\r\nHo"), ("a whole call", &get("/livez"))]
    {
        let _held: Vec<_> = (0..1_100).map(|_| send(&server, sent)).collect();

        let slowest = slowest_of_others(&server);

        println!("connections that sent {what} | 1,100 | the slowest call of others took {slowest:?}");
        assert!(slowest < SOON, "{what}: {slowest:?}");
    }
}

#[test]
fn hanging_calls_of_one_kind_keep_nobody_out() {
    type Request = fn(usize) -> String;

    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    sandbox.faults(&json!([{ "match": { "path": "/v1/products" }, "action": { "delay_ms": 14_000 } }]));
    let attacks: [(&str, Request); 3] = [
        ("searches of one user", |n| get(&format!("/products/search?term=milk{n}&user_id=mallory"))),
        ("searches of 600 users", |n| get(&format!("/products/search?term=milk{n}&user_id=mallory{n}"))),
        ("MCP calls of 600 users", |n| mcp_search(&format!("mallory{n}"), &format!("milk{n}"))),
    ];
    for (what, request) in attacks {
        let before = sandbox.fired();
        let held: Vec<_> = (0..600).map(|n| send(&server, &request(n))).collect();
        eventually("calls hang", || (sandbox.fired() >= before + 10).then_some(()));

        let slowest = slowest_of_others(&server);

        println!("{what} that hang | 600 | the slowest call of others took {slowest:?}");
        assert!(slowest < SOON, "{what}: {slowest:?}");
        drop(held);
    }
}

#[test]
fn forced_refreshes_have_a_least_pause() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    server.call("POST", "/admin/tokens/refresh", None).expect(200);
    let before = sandbox.refreshes();

    for _ in 0..20 {
        let refused = server.call("POST", "/admin/tokens/refresh", None).expect(429);
        assert_eq!(refused.code(), "rate_limited");
        assert!((1..=60).contains(&refused.header("retry-after").parse().unwrap()));
    }

    assert_eq!(sandbox.refreshes(), before);
    println!("refreshes on request | 20 | none was sent");
    sandbox.expire("alice");
    server.add(UPC).expect(200);
}

#[test]
fn one_user_leaves_the_others_a_part_of_the_quota() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .at(&sandbox)
        .env("KROGER_QUOTA_CART", "40")
        .serve();
    server.sign_in();
    server.sign_in_as("mallory", "bob").expect(200);
    let add = |user: &str| {
        let item = json!({ "upc": UPC, "quantity": 1 });
        Client::new().call("PUT", &server.url("/cart/add/simple"), &[("x-kroger-user", user)], Some(&item))
    };

    let statuses: Vec<_> = (0..50).map(|_| add("mallory")).collect();

    let granted = statuses.iter().filter(|answer| answer.status == 200).count();
    let refused = statuses.last().unwrap();
    assert_eq!((granted, refused.status, refused.code().as_str()), (30, 429, "quota_exhausted"));
    server.add(UPC).expect(200);
}

#[test]
fn users_who_never_signed_in_leave_nothing_in_the_store() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let url = server.url("/mcp");
    for n in 0..20 {
        let call = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "set_preferred_store", "arguments": { "store_id": "01400376" } }
        });
        let user = format!("stranger{n}");
        let headers = [
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2025-11-25"),
            ("x-kroger-user", user.as_str()),
        ];
        let answer = Client::new().call("POST", &url, &headers, Some(&call)).expect(200);
        assert!(!answer.text.contains("\"isError\":true"), "{}", answer.text);
    }
    server.stop();

    let store = crate::support::bytes_below(folder.path());
    let found = store.iter().filter(|(_, bytes)| bytes.windows(16).any(|window| window == b"preferred_store.")).count();
    assert_eq!(found, 0);
}

fn store(folder: &Path) -> Connection {
    Connection::open(folder.join(".tokens/store.sqlite3")).unwrap()
}

/// Copies what the store has of `ann` for `count` further users.
fn copy_users(store: &mut Connection, count: usize) {
    let ann = key_of("ann");
    let writing = store.transaction().unwrap();
    let of_ann: Vec<(String, Vec<u8>)> = {
        let mut rows = writing.prepare("SELECT key, value FROM entry WHERE key LIKE '%' || ?1 || '%'").unwrap();
        rows.query_map([&ann], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    for n in 0..count {
        let user = format!("user{n:05}");
        for (key, value) in &of_ann {
            let value = match String::from_utf8(value.clone()) {
                Ok(text) => text.replace("\"ann\"", &format!("\"{user}\"")).into_bytes(),
                Err(_) => value.clone(),
            };
            let entry = ("default", key.replace(&ann, &key_of(&user)), value);
            writing.execute("INSERT OR IGNORE INTO entry (bucket, key, value) VALUES (?1, ?2, ?3)", entry).unwrap();
        }
    }
    writing.commit().unwrap();
}

fn key_of(user: &str) -> String {
    UserId::parse(user).unwrap().key().to_string()
}

#[test]
fn a_list_of_users_costs_a_page() {
    const USERS: usize = 10_000;

    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in_as("ann", "alice").expect(200);
    server.stop();
    copy_users(&mut store(folder.path()), USERS);
    let server = Server::start(folder.path(), &sandbox);

    for path in ["/admin/tokens", "/admin/tokens/status", "/admin/tokens/validate"] {
        let began = Instant::now();
        let first = server.get(path).expect(200).json();
        println!("{path} | {USERS} users | answered in {:?}", began.elapsed());
        assert!(first["next_cursor"].is_string(), "{first}");
    }
    let (mut users, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = server.get(&format!("/admin/tokens?limit=1000&cursor={cursor}")).expect(200).json();
        users.extend(page["user_tokens"].as_object().unwrap().keys().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(users.len(), USERS + 1);
    assert_eq!(server.get("/admin/tokens?limit=1001").expect(422).code(), "invalid_argument");
    assert_eq!(server.get("/admin/tokens?cursor=x").expect(422).code(), "invalid_argument");
}

#[test]
fn what_strangers_left_goes_in_one_pass() {
    const LEFT: usize = 5_000;

    let (sandbox, folder) = (Sandbox::start(), folder());
    let serve = || {
        Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
            .at(&sandbox)
            .env("KROGER_TOKEN_CHECK_INTERVAL", "3600")
            .serve()
    };
    serve().stop();
    let mut filled = store(folder.path());
    let writing = filled.transaction().unwrap();
    for n in 0..LEFT {
        let entry = ("default", format!("preferred_store.{}", key_of(&format!("stranger{n}"))), b"{}".to_vec());
        writing.execute("INSERT INTO entry (bucket, key, value) VALUES (?1, ?2, ?3)", entry).unwrap();
    }
    writing.commit().unwrap();

    let began = Instant::now();
    let _server = serve();
    let left =
        || filled.query_row("SELECT count(*) FROM entry WHERE key LIKE 'preferred_store.%'", (), |row| row.get(0));
    eventually("all are deleted", || (left() == Ok(0_i64)).then_some(()));

    println!("keys of strangers | {LEFT} | gone in {:?}", began.elapsed());
}
