//! Refreshes at a token endpoint that gives every answer except the expected one.
//! Each odd answer has exactly one right outcome.
//!
//! Run with `--nocapture` to see the table.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::support::{Kroger, Server, UPC, eventually, folder};

/// The right outcome of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RightOutcome {
    /// A new pair is stored, and the call succeeds.
    Refreshed,
    /// A person must sign in again.
    Reauthorize,
    /// The grant is kept, with this outcome of its last try. The token is tried again.
    Kept(&'static str),
}

use RightOutcome::{Kept, Reauthorize, Refreshed};

enum Answer {
    /// Sends these bytes, then closes the connection.
    Bytes(Vec<u8>),
    /// Sends one byte a second.
    Dribble(Vec<u8>),
    /// Sends chunks as long as the peer reads.
    Endless,
    /// Sends nothing until the caller gives up.
    Silence,
}

struct Case {
    name: &'static str,
    answer: Answer,
    outcome: RightOutcome,
}

fn case(name: &'static str, outcome: RightOutcome, bytes: impl Into<Vec<u8>>) -> Case {
    Case { name, answer: Answer::Bytes(bytes.into()), outcome }
}

/// A complete answer with a matching length.
fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

const JSON: &str = "Content-Type: application/json\r\n";

fn ok(body: &str) -> Vec<u8> {
    http("200 OK", JSON, body.as_bytes())
}

fn refusal(status: &str, error: &str, description: &str) -> Vec<u8> {
    http(status, JSON, json!({ "error": error, "error_description": description }).to_string().as_bytes())
}

/// A good token response whose members after the tokens are `rest`.
fn pair(rest: &str) -> String {
    format!(r#"{{"access_token":"new-access","refresh_token":"new-refresh"{rest}}}"#)
}

fn odd_but_good() -> Vec<Case> {
    let plain = pair(r#","expires_in":1800,"token_type":"bearer""#);
    let chunked = |trailer: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n{:x};x=y\r\n{}\r\n0\r\n{trailer}\r\n",
            &plain[..5],
            plain.len() - 5,
            &plain[5..]
        )
    };
    let padding = format!(r#","expires_in":1800,"padding":"{}""#, "x".repeat(200_000));
    vec![
        case("as it should be", Refreshed, ok(&plain)),
        case("no expires_in", Refreshed, ok(&pair(""))),
        case("expires_in is a string", Refreshed, ok(&pair(r#","expires_in":"3600""#))),
        case("expires_in is negative", Refreshed, ok(&pair(r#","expires_in":-1"#))),
        case("expires_in is zero", Refreshed, ok(&pair(r#","expires_in":0"#))),
        case("expires_in is huge", Refreshed, ok(&pair(r#","expires_in":1e300"#))),
        case("expires_in is null", Refreshed, ok(&pair(r#","expires_in":null"#))),
        case("expires_in is true", Refreshed, ok(&pair(r#","expires_in":true"#))),
        case("expires_in has a fraction", Refreshed, ok(&pair(r#","expires_in":1799.5"#))),
        case("expires_in is an object", Refreshed, ok(&pair(r#","expires_in":{"seconds":1}"#))),
        case("no refresh_token", Refreshed, ok(r#"{"access_token":"new","expires_in":1800}"#)),
        case(
            "refresh_token is null",
            Refreshed,
            ok(r#"{"access_token":"new","refresh_token":null,"expires_in":1800}"#),
        ),
        case("refresh_token is empty", Refreshed, ok(r#"{"access_token":"new","refresh_token":"","expires_in":1800}"#)),
        case("unknown members", Refreshed, ok(&pair(r#","expires_in":1800,"x":{"y":[1,{}]}"#))),
        case("scope is a list", Refreshed, ok(&pair(r#","expires_in":1800,"scope":["a","b"]"#))),
        case("token_type is odd", Refreshed, ok(&pair(r#","expires_in":1800,"token_type":"MAC""#))),
        case(
            "duplicate keys",
            Refreshed,
            ok(r#"{"access_token":"x","access_token":"new","refresh_token":"r","expires_in":1800}"#),
        ),
        case("wrong content type", Refreshed, http("200 OK", "Content-Type: text/html\r\n", plain.as_bytes())),
        case("no content type", Refreshed, http("200 OK", "", plain.as_bytes())),
        case("chunked, with extensions", Refreshed, chunked("")),
        case("chunked, with trailers", Refreshed, chunked("X-Trailer: 1\r\n")),
        case("ends with the connection", Refreshed, format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{plain}")),
        case("100 Continue first", Refreshed, [b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), ok(&plain)].concat()),
        case(
            "103 Early Hints first",
            Refreshed,
            [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_vec(), ok(&plain)].concat(),
        ),
        case("201 Created", Refreshed, http("201 Created", JSON, plain.as_bytes())),
        case("white space around", Refreshed, ok(&format!("\r\n\t {plain} \n"))),
        case("200 kB of padding", Refreshed, ok(&pair(&padding))),
        case("cookies", Refreshed, http("200 OK", "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n", plain.as_bytes())),
        case("HTTP/1.0", Refreshed, format!("HTTP/1.0 200 OK\r\n\r\n{plain}")),
        case("bytes after the body", Refreshed, [ok(&plain), b"HTTP/1.1 400 Bad\r\n\r\n".to_vec()].concat()),
    ]
}

fn refusals() -> Vec<Case> {
    vec![
        case("Kroger's refusal", Reauthorize, refusal("400 Bad Request", "invalid_request", "invalid refresh_token")),
        case(
            "Kroger's refusal, capitalised",
            Reauthorize,
            refusal("400 Bad Request", "invalid_request", "Invalid Refresh_Token"),
        ),
        case(
            "refresh token expired",
            Reauthorize,
            refusal("400 Bad Request", "invalid_request", "The refresh token has expired"),
        ),
        case("invalid_grant", Reauthorize, refusal("400 Bad Request", "invalid_grant", "")),
        case("invalid_grant with 401", Reauthorize, refusal("401 Unauthorized", "invalid_grant", "reuse detected")),
        case("invalid_grant with 200", Reauthorize, refusal("200 OK", "invalid_grant", "")),
        case("invalid_grant as text/plain", Reauthorize, http("400 Bad Request", "", br#"{"error":"invalid_grant"}"#)),
        case(
            "a refusal after 100 Continue",
            Reauthorize,
            [b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), refusal("400 Bad Request", "invalid_grant", "")].concat(),
        ),
    ]
}

fn somebody_else() -> Vec<Case> {
    let html = b"<html>Sign in to the wifi: invalid refresh_token</html>";
    vec![
        case("a captive portal", Kept("unknown"), http("200 OK", "Content-Type: text/html\r\n", html)),
        case("HTML with 400", Kept("unknown"), http("400 Bad Request", "Content-Type: text/html\r\n", html)),
        case("a proxy's 403", Kept("unknown"), http("403 Forbidden", "Content-Type: text/html\r\n", html)),
        case("403 that says invalid_grant", Kept("unknown"), refusal("403 Forbidden", "invalid_grant", "")),
        case("404 without a body", Kept("unknown"), http("404 Not Found", "", b"")),
        case("407 from a proxy", Kept("unknown"), http("407 Proxy Authentication Required", "", b"")),
        case("418 that says invalid_grant", Kept("unknown"), refusal("418 I'm a teapot", "invalid_grant", "")),
        case("302 to elsewhere", Kept("unknown"), http("302 Found", "Location: http://127.0.0.1:1/\r\n", b"")),
        case(
            "307 to elsewhere",
            Kept("unknown"),
            http("307 Temporary Redirect", "Location: http://127.0.0.1:1/\r\n", b""),
        ),
        case("204", Kept("unknown"), "HTTP/1.1 204 No Content\r\n\r\n"),
        case("200 without a body", Kept("unknown"), ok("")),
        case("an empty object", Kept("unknown"), ok("{}")),
        case("a list", Kept("unknown"), ok("[]")),
        case("null", Kept("unknown"), ok("null")),
        case("access_token is a number", Kept("unknown"), ok(r#"{"access_token":1,"refresh_token":"r"}"#)),
        case("access_token is empty", Kept("unknown"), ok(r#"{"access_token":"","refresh_token":"r"}"#)),
        case(
            "access_token has a line break",
            Kept("unknown"),
            ok(r#"{"access_token":"a\r\nX: y","refresh_token":"r"}"#),
        ),
        case("JSON that ends early", Kept("unknown"), ok(r#"{"access_token":"new","refresh_to"#)),
        case("not UTF-8", Kept("unknown"), http("200 OK", JSON, b"{\"access_token\":\"\xff\"}")),
        case("a byte order mark", Kept("unknown"), http("200 OK", JSON, "\u{feff}{}".as_bytes())),
        case(
            "Kroger's API error",
            Kept("unknown"),
            http("400 Bad Request", JSON, br#"{"errors":{"code":"X","reason":"invalid refresh_token"}}"#),
        ),
        case("400 without a body", Kept("unknown"), http("400 Bad Request", "", b"")),
        case("401 without a body", Kept("unknown"), http("401 Unauthorized", "", b"")),
        case(
            "gzip that nobody asked for",
            Kept("unknown"),
            http("200 OK", "Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
        ),
        case("nesting without end", Kept("unknown"), ok(&"[".repeat(100_000))),
    ]
}

fn broken_transport() -> Vec<Case> {
    let cut = |promised: usize, body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {promised}\r\n\r\n{body}");
    vec![
        case("closed without a word", Kept("unknown"), ""),
        case("half a status line", Kept("unknown"), "HTTP/1.1 20"),
        case("no HTTP at all", Kept("unknown"), "SSH-2.0-OpenSSH_9.6\r\n"),
        case("bare JSON", Kept("unknown"), pair("")),
        case("cut in mid-body", Kept("unknown"), cut(500, r#"{"access_token":"new","#)),
        case("cut after a whole JSON", Kept("unknown"), cut(5_000, &pair(""))),
        case("a negative length", Kept("unknown"), "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
        case("two lengths", Kept("unknown"), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        case("a broken chunk", Kept("unknown"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
        case("a header of 2 MB", Kept("unknown"), format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(2 << 20))),
        case("a body of 9 MB", Kept("unknown"), ok(&" ".repeat(9 << 20))),
        Case { name: "a body without end", answer: Answer::Endless, outcome: Kept("unknown") },
        Case { name: "one byte a second", answer: Answer::Dribble(ok(&pair(""))), outcome: Kept("unknown") },
        Case { name: "silence", answer: Answer::Silence, outcome: Kept("unknown") },
    ]
}

fn try_again_or_fix() -> Vec<Case> {
    let with = |status: &str, retry_after: &str| http(status, &format!("Retry-After: {retry_after}\r\n"), b"");
    vec![
        case("500", Kept("failed"), http("500 Internal Server Error", JSON, br#"{"errors":{"code":"Auth-4000-500"}}"#)),
        case("500 that says invalid_grant", Kept("failed"), refusal("500 Internal Server Error", "invalid_grant", "")),
        case("502 with HTML", Kept("failed"), http("502 Bad Gateway", "", b"<html>")),
        case("503", Kept("failed"), http("503 Service Unavailable", "", b"")),
        case("503, Retry-After in seconds", Kept("failed"), with("503 Service Unavailable", "40")),
        case(
            "503, Retry-After as a date",
            Kept("failed"),
            with("503 Service Unavailable", "Fri, 31 Dec 2100 23:59:59 GMT"),
        ),
        case("504", Kept("failed"), http("504 Gateway Timeout", "", b"")),
        case("599", Kept("failed"), http("599 Odd", "", b"")),
        case("408", Kept("failed"), http("408 Request Timeout", "", b"")),
        case("429", Kept("busy"), http("429 Too Many Requests", "", b"")),
        case("429, Retry-After in seconds", Kept("busy"), with("429 Too Many Requests", "40")),
        case("429, Retry-After that is nonsense", Kept("busy"), with("429 Too Many Requests", "soon")),
        case("429 that says invalid_grant", Kept("busy"), refusal("429 Too Many Requests", "invalid_grant", "")),
        case(
            "wrong credentials, 400",
            Kept("client_refused"),
            refusal("400 Bad Request", "unauthorized", "invalid credentials"),
        ),
        case("wrong credentials, 401", Kept("client_refused"), refusal("401 Unauthorized", "invalid_client", "")),
        case(
            "another grant type, please",
            Kept("request_refused"),
            refusal("400 Bad Request", "unsupported_grant_type", "invalid grant_type"),
        ),
        case("invalid scope", Kept("request_refused"), refusal("400 Bad Request", "invalid_scope", "invalid scope")),
        case(
            "a parameter is missing",
            Kept("request_refused"),
            refusal("400 Bad Request", "invalid_request", "The refresh_token is required"),
        ),
    ]
}

fn cases() -> Vec<Case> {
    [odd_but_good(), refusals(), somebody_else(), broken_transport(), try_again_or_fix()]
        .into_iter()
        .flatten()
        .collect()
}

/// A token endpoint that gives every sign-in a short-lived token, and answers the
/// refresh of `refresh-<n>` as case `n` says.
fn hostile(cases: Arc<Vec<Case>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, cases) = (connection.unwrap(), Arc::clone(&cases));
            // Many peers give up in the middle, and the error is expected.
            std::thread::spawn(move || drop(answer(connection, &cases)));
        }
    });
    url
}

fn answer(mut connection: TcpStream, cases: &[Case]) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let (mut length, mut line, mut path) = (0, String::new(), String::new());
    while reader.read_line(&mut line)? > 2 {
        if path.is_empty() {
            line.split(' ').nth(1).unwrap_or_default().clone_into(&mut path);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if path != "/v1/connect/oauth2/token" {
        return connection.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    }
    let form: HashMap<_, _> = url::form_urlencoded::parse(&body).into_owned().collect();
    let Some(number) = form.get("refresh_token").and_then(|token| token.strip_prefix("refresh-")) else {
        let name = form.get("code").cloned().unwrap_or_default();
        let signed_in = json!({ "access_token": "old", "refresh_token": format!("refresh-{name}"), "expires_in": 1 });
        return connection.write_all(&ok(&signed_in.to_string()));
    };
    give(&mut connection, &cases[number.parse::<usize>().unwrap()].answer)
}

fn give(connection: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    match answer {
        Answer::Bytes(bytes) => connection.write_all(bytes),
        Answer::Dribble(bytes) => bytes.iter().try_for_each(|byte| {
            connection.write_all(&[*byte])?;
            std::thread::park_timeout(Duration::from_secs(1));
            Ok(())
        }),
        Answer::Endless => {
            connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            loop {
                connection.write_all(chunk.as_bytes())?;
            }
        }
        Answer::Silence => connection.read(&mut [0]).map(|_| ()),
    }
}

fn sign_in(server: &Server, number: usize) {
    let authorize = server.get(&format!("/auth/authorize?user_id=case-{number}")).expect(200).json();
    let state = authorize["state"].as_str().unwrap();
    server.get(&format!("/auth/callback?code={number}&state={state}")).expect(200);
}

fn outcome(server: &Server, number: usize) -> Result<RightOutcome, String> {
    let user = format!("case-{number}");
    let body = json!({ "upc": UPC });
    let answer = server.client.call("PUT", &server.url("/cart/add/simple"), &[("x-kroger-user", &user)], Some(&body));
    let token = server.token(&user);
    let code = answer.code();
    let last_error = token["last_error"].as_str().unwrap_or_default().to_owned();
    match (answer.status, code.as_str(), token["status"].as_str()) {
        (200, _, Some("valid" | "expiring_soon")) => Ok(Refreshed),
        (401, "reauthorize", Some("reauthorize")) => Ok(Reauthorize),
        (503, "upstream_unavailable" | "client_credentials_rejected", Some("expired")) => Ok(Kept(
            ["unknown", "failed", "busy", "client_refused", "request_refused"]
                .into_iter()
                .find(|known| last_error.contains(known))
                .ok_or(format!("the last error is {last_error:?}"))?,
        )),
        other => Err(format!("{other:?} {}", answer.text)),
    }
}

#[test]
fn each_odd_answer_of_the_token_endpoint_has_its_one_right_outcome() {
    let cases = Arc::new(cases());
    let folder = folder();
    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .env("KROGER_CLIENT_ID", "app")
        .env("KROGER_API_BASE_URL", &hostile(Arc::clone(&cases)))
        .env("KROGER_MAX_REFRESH_RETRIES", "1")
        .serve();
    for number in 0..cases.len() {
        sign_in(&server, number);
    }
    let last = format!("case-{}", cases.len() - 1);
    eventually("all have expired", || (server.token(&last)["status"] == "expired").then_some(()));

    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..cases.len())
            .map(|number| {
                let server = &server;
                scope.spawn(move || outcome(server, number))
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });

    let mut wrong = Vec::new();
    for (case, outcome) in cases.iter().zip(outcomes) {
        println!("{:<36} {:?}", case.name, case.outcome);
        if outcome.as_ref() != Ok(&case.outcome) {
            wrong.push(format!("{}: expected {:?}, got {outcome:?}", case.name, case.outcome));
        }
    }
    println!("{} answers", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
