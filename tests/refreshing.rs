//! Keeps a user signed in through expiry, many callers, restarts and refusals.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Kroger, Sandbox, Server, UPC, eventually, folder};

fn short_lives(sandbox: &Sandbox, seconds: u64) {
    sandbox.settings(&json!({ "access_token_lifetime_seconds": seconds }));
}

/// Signs in, and waits until the access token has expired. Later tokens live
/// long.
fn sign_in_until_expired(sandbox: &Sandbox, server: &Server) {
    short_lives(sandbox, 1);
    server.sign_in();
    short_lives(sandbox, 1_800);
    server.wait_until_expired("user_default");
}

#[test]
fn an_expired_token_is_refreshed_by_the_call_that_needs_it() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    sign_in_until_expired(&sandbox, &server);

    server.add(UPC).expect(200);

    assert_eq!(sandbox.refreshes(), 1);
    assert_eq!(server.token("user_default")["status"], "valid");
}

#[test]
fn a_killed_server_stays_signed_in() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let before = Server::start(folder.path(), &sandbox);
    before.sign_in();
    before.add(UPC).expect(200);
    before.kill();

    let after = Server::start(folder.path(), &sandbox);
    after.add(UPC).expect(200);

    assert_eq!(sandbox.cart("alice")[0]["quantity"], 2);
    assert_eq!(sandbox.state()["token_requests"]["authorization_code"]["ok"], 1);
}

#[test]
fn a_token_that_kroger_rejects_early_is_refreshed_and_the_call_repeated() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    sandbox.expire("alice");

    server.add(UPC).expect(200);

    assert_eq!(sandbox.refreshes(), 1);
    assert_eq!(sandbox.cart("alice")[0]["quantity"], 1);
}

#[test]
fn two_hundred_calls_over_two_servers_on_one_store_share_one_refresh() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let servers = [Server::start(folder.path(), &sandbox), Server::start(folder.path(), &sandbox)];
    short_lives(&sandbox, 1);
    servers[0].sign_in();
    short_lives(&sandbox, 1_800);
    servers[1].wait_until_expired("user_default");

    let answers: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..200)
            .map(|number| {
                let server = &servers[number % 2];
                scope.spawn(move || server.add(UPC).status)
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });

    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert_eq!(sandbox.refreshes(), 1);
    assert_eq!(sandbox.state()["spent_refresh_tokens_presented"], 0);
    assert_eq!(sandbox.cart("alice")[0]["quantity"], 200);
}

#[test]
fn a_caller_that_hangs_up_in_mid_refresh_loses_nothing() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    sign_in_until_expired(&sandbox, &server);
    sandbox.token_faults(1, &json!({ "delay_ms": 500 }));

    let body = format!(r#"{{"upc":"{UPC}"}}"#);
    let mut caller = TcpStream::connect(server.address).unwrap();
    write!(
        caller,
        "PUT /cart/add/simple HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    )
    .unwrap();
    eventually("the refresh is under way", || (sandbox.fired() == 1).then_some(()));
    drop(caller);

    eventually("the refresh is saved", || (server.token("user_default")["status"] == "valid").then_some(()));
    assert_eq!(sandbox.refreshes(), 1);
    server.add(UPC).expect(200);
    assert_eq!(sandbox.refreshes(), 1);
}

#[test]
fn the_timer_alone_keeps_a_token_fresh_through_three_lifetimes() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .at(&sandbox)
        .env("KROGER_TOKEN_CHECK_INTERVAL", "1")
        .serve();
    short_lives(&sandbox, 16);
    server.sign_in();

    eventually("three refreshes were made", || (sandbox.refreshes() >= 3).then_some(()));

    let config = server.get("/config").expect(200).json();
    let kept = config["token_management"]["success_rate"].as_str().unwrap_or_default().to_owned();
    assert!(kept.starts_with("100.0% ("), "a lifetime ended without a fresh token: {kept:?}");
    assert_eq!(sandbox.state()["spent_refresh_tokens_presented"], 0);
    let health = server.get("/health").expect(200).json();
    assert_eq!(health["status"], "healthy", "{health}");
    assert_eq!(health["token_status"]["auto_refresh_enabled"], true);
}

#[test]
fn a_refused_refresh_token_gives_a_link_that_works() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    sandbox.revoke("alice");

    let refused = server.add(UPC).expect(401).json();
    server.add(UPC).expect(401);
    server.agree(refused["authorization_url"].as_str().unwrap(), "alice").expect(200);
    server.add(UPC).expect(200);

    assert_eq!(refused["code"], "reauthorize");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.starts_with("Token refresh failed: Invalid refresh token"), "{detail}");
    assert!(detail.contains("1. Navigate to /auth/authorize to get OAuth URL"), "{detail}");
    assert_eq!(sandbox.state()["token_requests"]["refresh_token"]["refused"], 1);
}

#[test]
fn a_lost_refresh_reply_is_named_as_the_cause() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    short_lives(&sandbox, 1);
    server.sign_in();
    server.wait_until_expired("user_default");
    sandbox.token_faults(1, &json!("drop_after"));

    let refused = server.add(UPC).expect(401).json();

    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("probably spent by an earlier refresh whose reply was lost"), "{detail}");
}

#[test]
fn transient_faults_cost_tries_and_no_sign_in() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    for fault in [
        json!({ "status": 503 }),
        json!({ "status": 429, "headers": { "Retry-After": "0" } }),
        json!("drop_before"),
        json!({ "status": 500 }),
    ] {
        sign_in_until_expired(&sandbox, &server);
        sandbox.token_faults(2, &fault);

        let answer = server.add(UPC);

        assert_eq!(answer.status, 200, "{fault}: {}", answer.text);
        sandbox.clear_faults();
    }
}

#[test]
fn an_outage_is_reported_in_the_first_systems_words_and_ends_by_itself() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    sign_in_until_expired(&sandbox, &server);
    sandbox.token_faults(1_000, &json!({ "status": 503 }));

    let failed = server.add(UPC).expect(503);
    sandbox.clear_faults();

    let problem = failed.json();
    assert_eq!(problem["code"], "upstream_unavailable");
    assert!(problem["detail"].as_str().unwrap().starts_with("Token refresh failed after 3 attempts."), "{problem}");
    assert!(!failed.header("retry-after").is_empty());
    eventually("the next add succeeds", || (server.add(UPC).status == 200).then_some(()));
}

#[test]
fn wrong_client_credentials_are_named_and_cost_no_sign_in() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let right = Server::start(folder.path(), &sandbox);
    sign_in_until_expired(&sandbox, &right);
    right.kill();

    let wrong = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .at(&sandbox)
        .env("KROGER_CLIENT_SECRET", "not-the-secret")
        .serve();
    let problem = wrong.add(UPC).expect(503).json();
    wrong.kill();
    let right = Server::start(folder.path(), &sandbox);

    assert_eq!(problem["code"], "client_credentials_rejected");
    eventually("the right credentials refresh", || (right.add(UPC).status == 200).then_some(()));
}

#[test]
fn a_forced_refresh_gives_a_younger_token_and_an_unknown_user_is_not_found() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();

    let refreshed = server.call("POST", "/admin/tokens/refresh", None).expect(200).json();
    let unknown = server.call("POST", "/admin/tokens/refresh?user_id=nobody", None).expect(404);

    assert_eq!(refreshed["message"], "Token refreshed successfully");
    assert_eq!(refreshed["user_id"], "user_default");
    assert_eq!(refreshed["auto_saved"], true);
    assert_eq!(sandbox.refreshes(), 1);
    assert_eq!(unknown.code(), "not_found");
}

#[test]
fn one_pass_of_the_refresh_command_does_the_timers_work() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    sign_in_until_expired(&sandbox, &server);
    server.kill();

    let pass = Kroger::new(folder.path(), &["refresh", "--user", "user_default"]).at(&sandbox).run();

    assert!(pass.status.success(), "{}", pass.stderr);
    assert_eq!(sandbox.refreshes(), 1);
}

/// The bytes of an answer, without the date.
fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    write!(stream, "{request}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let mut lines: Vec<&str> = answer.lines().filter(|line| !line.starts_with("date:")).collect();
    lines[1..].sort_unstable();
    lines.join("\n")
}

#[test]
fn calls_that_wait_for_kroger_delay_no_probe_and_no_timer() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .at(&sandbox)
        .env("KROGER_TOKEN_CHECK_INTERVAL", "1")
        .serve();
    server.sign_in();
    short_lives(&sandbox, 2);
    server.sign_in_as("ben", "bob").expect(200);
    sandbox.faults(&json!([{ "match": { "path": "/v1/cart/add" }, "action": { "delay_ms": 9_000 } }]));

    std::thread::scope(|scope| {
        for _ in 0..70 {
            scope.spawn(|| server.add(UPC));
        }
        eventually("the user holds its share of the slots", || (sandbox.fired() >= 16).then_some(()));
        let (held, before) = (Instant::now(), sandbox.refreshes());

        server.get("/livez").expect(200);
        let answered = held.elapsed();
        eventually("the timer refreshes", || (sandbox.refreshes() > before + 1).then_some(()));

        assert!(answered < Duration::from_secs(2), "{answered:?}");
        assert!(held.elapsed() < Duration::from_secs(8), "{:?}", held.elapsed());
    });
}

#[test]
fn the_host_answers_a_probe_as_the_component_does() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let ask =
        |method: &str, rest: &str| raw(&server, &format!("{method} /livez HTTP/1.1\r\nConnection: close\r\n{rest}"));

    for method in ["GET", "HEAD"] {
        let of_host = ask(method, "Host: localhost\r\n\r\n");
        // The component answers each request that may have a body.
        let of_component = ask(method, "Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        assert_eq!(of_host, of_component);
        assert!(of_host.starts_with("HTTP/1.1 200 OK"), "{of_host}");
    }
    assert!(ask("POST", "Host: localhost\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(ask("GET", "Host: localhost\r\nOrigin: https://evil.example\r\n\r\n").starts_with("HTTP/1.1 403"));
}
