//! The callers that may call, the user of a call, and the methods of a route.

use super::*;
use crate::edge::LARGEST_REQUEST;

#[test]
fn second_user_header_is_refused() {
    let server = server();
    server.sign_in("/auth/authorize?user_id=ann");
    let names = [("x-kroger-user", "ann"), ("x-kroger-user", "ben")];

    let both = server.call_with("PUT", "/cart/add/simple", &names, r#"{"upc":"0001111041700"}"#);

    assert_eq!(both.problem(), (422, "invalid_argument".to_owned()));
    assert!(both.detail().contains("X-Kroger-User") && both.detail().contains("more than once"), "{}", both.detail());
    assert!(server.sent_paths().is_empty());
}

#[test]
fn head_announces_no_body_and_does_not_spend_a_sign_in() {
    let server = server();
    let state = server.state("/auth/authorize");
    let callback = format!("/auth/callback?code=c&state={state}");

    let head = server.call_with("HEAD", "/livez", &[], "");
    assert_eq!((head.status, head.header("content-length"), head.text.as_str()), (200, "", ""));
    for path in ["/auth/authorize", &callback] {
        let refused = server.call_with("HEAD", path, &[], "");
        assert_eq!((refused.status, refused.header("allow")), (405, "GET"), "{path}");
        let wrong = server.call_with("POST", path, &[], "");
        assert_eq!((wrong.problem().0, wrong.header("allow")), (405, "GET"), "{path}");
    }

    server.world.answer_with_tokens("a", "r");
    assert_eq!(server.get(&callback).status, 200);
}

#[test]
fn header_and_parameter_may_not_name_two_users() {
    let server = server();
    server.sign_in("/auth/authorize?user_id=ann");
    server.world.answer(204, "");
    server.world.answer(204, "");
    let add = |path: &str, user: &str| {
        server.call_with("PUT", path, &[("x-kroger-user", user)], r#"{"upc":"0001111041700"}"#)
    };

    assert_eq!(add("/cart/add/simple", "ann").status, 200);
    assert_eq!(add("/cart/add/simple?user_id=ann", "ann").status, 200);
    let both = add("/cart/add/simple?user_id=ben", "ann");
    assert_eq!(both.problem(), (422, "invalid_argument".to_owned()));
    assert_eq!(add("/cart/add/simple", "nobody").problem(), (401, "reauthorize".to_owned()));
    assert_eq!(add("/cart/add/simple", &"x".repeat(257)).problem(), (422, "invalid_argument".to_owned()));
}

#[test]
fn unknown_route_and_wrong_method_are_problems() {
    let server = server();

    let nowhere = server.get("/nowhere");
    let wrong_method = server.call_with("POST", "/cart/add", &[], "{}");

    assert_eq!(nowhere.problem(), (404, "not_found".to_owned()));
    assert_eq!(wrong_method.problem(), (405, "method_not_allowed".to_owned()));
    assert_eq!(wrong_method.header("allow"), "PUT");
    assert_eq!(server.call_with("HEAD", "/livez", &[], "").status, 200);
}

#[test]
fn unknown_host_may_ask_for_livez_only() {
    let server = server_with(&[
        ("KROGER_REDIRECT_URI", "https://kroger.example.com/auth/callback"),
        ("KROGER_ALLOWED_ORIGINS", "http://kroger-mcp:9004"),
    ]);
    let status = |host: &str| server.call_with("GET", "/config", &[("host", host)], "").status;

    for known in ["localhost", "LOCALHOST:80", "127.0.0.1:9004", "[::1]:9004", "kroger.example.com", "kroger-mcp:9004"]
    {
        assert_eq!(status(known), 200, "{known}");
    }
    for unknown in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "a@localhost", "", "192.168.0.1"] {
        assert_eq!(status(unknown), 403, "{unknown}");
    }
    assert_eq!(server.call_with("GET", "/livez", &[("host", "10.1.2.3:9004")], "").status, 200);
    let refused = server.call_with("GET", "/config", &[("host", "evil.example")], "");
    assert_eq!(refused.problem(), (403, "forbidden_origin".to_owned()));
    assert!(refused.json()["action"].as_str().unwrap().contains("KROGER_ALLOWED_ORIGINS"));
}

#[test]
fn request_without_host_may_ask_for_livez_only() {
    let server = server();
    let ask = |path: &str| server.send(Request::get(path).body(Bytes::new()).unwrap());

    assert_eq!(ask("/livez").status, 200);
    assert_eq!(ask("/config").problem(), (403, "forbidden_origin".to_owned()));
}

#[test]
fn only_pages_of_allowed_origins_may_read() {
    let server = server_with(&[("KROGER_ALLOWED_ORIGINS", "https://app.example.com")]);
    let ask = |method: &str, origin: &str| server.call_with(method, "/config", &[("origin", origin)], "");

    for foreign in ["https://evil.example", "null", "http://localhost:3000", "https://localhost:9004", "garbage"] {
        let refused = ask("GET", foreign);
        assert_eq!(refused.problem(), (403, "forbidden_origin".to_owned()), "{foreign}");
        assert_eq!(refused.header("access-control-allow-origin"), "");
        assert_eq!(ask("OPTIONS", foreign).status, 403, "{foreign}");
    }
    for known in ["https://app.example.com", "http://localhost:9004"] {
        let answer = ask("GET", known);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, known));
        assert_eq!(answer.header("vary"), "Origin");
    }
    let preflight = ask("OPTIONS", "https://app.example.com");
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    assert!(preflight.header("access-control-allow-headers").contains("Content-Type"));
}

#[test]
fn options_answers_the_methods_and_cors_headers_go_to_pages_only() {
    let server = server();
    let origin = [("origin", "http://localhost:9004")];
    let options = |path: &str, headers: &[(&str, &str)]| server.call_with("OPTIONS", path, headers, "");

    for (path, methods) in [
        ("/cart/add", "PUT, OPTIONS"),
        ("/config", "GET, HEAD, OPTIONS"),
        ("/auth/callback?code=c&state=0.s", "GET, OPTIONS"),
        ("/admin/tokens/ann", "DELETE, OPTIONS"),
        ("/admin/tokens/refresh", "POST, OPTIONS"),
        ("/mcp", "POST, OPTIONS"),
    ] {
        let (program, page) = (options(path, &[]), options(path, &origin));

        assert_eq!((program.status, program.header("allow")), (204, methods), "{path}");
        assert!(program.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{path}");
        assert_eq!((page.status, page.header("access-control-allow-methods")), (204, methods), "{path}");
        assert_eq!(page.header("access-control-allow-origin"), "http://localhost:9004", "{path}");
    }
    assert_eq!(options("/nope", &[]).problem(), (404, "not_found".to_owned()));
    assert_eq!(options("/nope", &origin).problem(), (404, "not_found".to_owned()));
    assert!(server.world.stored(Bucket::Store).is_empty());
}

#[test]
fn page_may_read_the_refusal_of_a_large_body() {
    let server = server();
    let large = " ".repeat(LARGEST_REQUEST + 1);
    let put = |origin: &str| server.call_with("PUT", "/cart/add", &[("origin", origin)], &large);

    let allowed = put("http://localhost:9004");
    assert_eq!(allowed.problem(), (413, "too_large".to_owned()));
    assert_eq!(allowed.header("access-control-allow-origin"), "http://localhost:9004");
    assert_eq!(put("https://evil.example").problem(), (403, "forbidden_origin".to_owned()));
}

#[test]
fn other_site_may_link_here_but_not_fetch() {
    let server = server_with(&[("KROGER_CLIENT_ID", "app"), ("KROGER_ALLOWED_ORIGINS", "https://app.example.com")]);
    let ask = |site: &str, mode: &str, dest: &str| {
        let headers = [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
        server.call_with("GET", "/auth/authorize", &headers, "")
    };

    for (site, mode, dest) in
        [("cross-site", "no-cors", "image"), ("same-site", "no-cors", "script"), ("cross-site", "navigate", "iframe")]
    {
        assert_eq!(ask(site, mode, dest).problem(), (403, "forbidden_origin".to_owned()), "{site} {mode} {dest}");
    }
    assert!(server.world.stored(Bucket::Store).is_empty());
    for (site, mode, dest) in
        [("cross-site", "navigate", "document"), ("none", "navigate", "document"), ("same-origin", "cors", "empty")]
    {
        assert_eq!(ask(site, mode, dest).status, 200, "{site} {mode} {dest}");
    }
    let allowed = [("origin", "https://app.example.com"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")];
    assert_eq!(server.call_with("GET", "/auth/authorize", &allowed, "").status, 200);
}
