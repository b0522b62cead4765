//! Asks the person to sign in by each means, and goes on afterwards.

use std::time::Duration;

use super::*;

fn opens_links() -> Value {
    json!({ "elicitation": { "url": {} } })
}

fn add() -> Value {
    json!({ "name": "add_to_cart", "arguments": { "items": [{ "upc": UPC }] } })
}

/// The link of a question, and the state to send back.
fn question(answer: &Value) -> (String, String) {
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    let asked = &result["inputRequests"]["sign_in"];
    assert_eq!((&asked["method"], &asked["params"]["mode"]), (&json!("elicitation/create"), &json!("url")));
    let link = asked["params"]["url"].as_str().unwrap().to_owned();
    (link, result["requestState"].as_str().unwrap().to_owned())
}

fn again(state: &str, action: &str) -> Value {
    let mut params = add();
    params["requestState"] = state.into();
    params["inputResponses"] = json!({ "sign_in": { "action": action } });
    params
}

/// The number on the page, the cookie that the browser gets, and the address that it goes on to.
struct Browser {
    page: String,
    cookie: String,
    kroger: String,
}

impl Server {
    /// Opens the link and goes on, as a person does.
    fn open(&self, link: &str) -> Browser {
        let path = link.strip_prefix("http://localhost:9004").unwrap();
        let shown = self.get(path, &[]);
        assert_eq!(shown.status(), 200, "{shown:?}");
        let gone = self.send("POST", path, &[("origin", "http://localhost:9004")]);
        assert_eq!(gone.status(), 200, "{gone:?}");
        let cookie = gone.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let leaving = String::from_utf8(gone.body().to_vec()).unwrap();
        let (_, rest) = leaving.split_once("0;url=").unwrap();
        let kroger = rest.split('"').next().unwrap().replace("&amp;", "&");
        Browser { page: String::from_utf8(shown.body().to_vec()).unwrap(), cookie, kroger }
    }

    /// Sends a browser back, as Kroger does.
    fn come_back(&self, kroger: &str, cookie: Option<&str>) -> http::Response<Bytes> {
        let back = redirected(kroger);
        let path = back.strip_prefix("http://localhost:9004").unwrap();
        self.get(path, &cookie.map(|cookie| ("cookie", cookie)).into_iter().collect::<Vec<_>>())
    }

    fn agree(&self, link: &str) {
        let browser = self.open(link);
        self.world.answer_with_tokens("canary-access", "canary-refresh");
        assert_eq!(self.come_back(&browser.kroger, Some(&browser.cookie)).status(), 200);
    }
}

#[test]
fn client_that_opens_links_continues_the_same_call() {
    let server = server();

    let (link, state) = question(&server.ask_as(&opens_links(), "tools/call", add()));
    server.agree(&link);
    server.world.answer(204, "");
    let added = server.ask_as(&opens_links(), "tools/call", again(&state, "accept"));

    assert_eq!(added["result"]["structuredContent"]["added"], true, "{added}");
}

#[test]
fn accepted_link_without_a_sign_in_is_asked_again_after_a_wait() {
    let server = server();
    let (link, state) = question(&server.ask_as(&opens_links(), "tools/call", add()));
    let before = kroger_core::ports::Ports::monotonic_now(&*server.world);

    let (same_link, _) = question(&server.ask_as(&opens_links(), "tools/call", again(&state, "accept")));

    assert_eq!(same_link, link);
    assert_eq!(kroger_core::ports::Ports::monotonic_now(&*server.world), before + Duration::from_secs(20));
}

#[test]
fn declined_sign_in_is_not_asked_again() {
    let server = server();
    let (_, state) = question(&server.ask_as(&opens_links(), "tools/call", add()));

    for action in ["decline", "cancel"] {
        let declined =
            ToolOutcome(server.ask_as(&opens_links(), "tools/call", again(&state, action))["result"].clone());
        assert_eq!(declined.error(), "sign_in_declined");
        assert!(declined.text().contains("Do not ask again"), "{}", declined.text());
    }
}

#[test]
fn changed_foreign_or_old_request_state_is_refused() {
    let server = server();
    let (_, state) = question(&server.ask_as(&opens_links(), "tools/call", add()));
    let refused = |params: Value| server.ask_as(&opens_links(), "tools/call", params)["error"]["code"].clone();

    let mut of_another = again(&state, "accept");
    of_another["arguments"]["items"][0]["quantity"] = 99.into();
    assert_eq!(refused(of_another), -32602);
    assert_eq!(refused(again(&format!("{state}A"), "accept")), -32602);
    assert_eq!(refused(again("nonsense", "accept")), -32602);
    server.world.advance(Duration::from_secs(600));
    assert_eq!(refused(again(&state, "accept")), -32602);
}

#[test]
fn request_state_outlives_a_restart() {
    let server = server();
    let (link, state) = question(&server.ask_as(&opens_links(), "tools/call", add()));
    let anew = Server { service: self::server().service, world: Arc::clone(&server.world) };

    anew.agree(&link);
    anew.world.answer(204, "");
    let added = anew.ask_as(&opens_links(), "tools/call", again(&state, "accept"));

    assert_eq!(added["result"]["structuredContent"]["added"], true, "{added}");
}

#[test]
fn client_of_2025_11_25_that_opens_links_gets_its_revisions_error() {
    let server = server();
    let handshake = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": opens_links(),
            "clientInfo": { "name": "test", "version": "1" },
        },
    });
    let hands = server.post(&[], &handshake);
    let session = hands.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": add() });
    let old = [("mcp-protocol-version", "2025-11-25")];

    let asked = json_of(&server.post(&[old[0], ("mcp-session-id", &session)], &call));
    let in_words = json_of(&server.post(&old, &call));

    assert_eq!(asked["error"]["code"], -32042, "{asked}");
    let elicitation = &asked["error"]["data"]["elicitations"][0];
    assert_eq!(elicitation["mode"], "url");
    assert_eq!(ToolOutcome(in_words["result"].clone()).error(), "reauthorize");
    server.agree(elicitation["url"].as_str().unwrap());
    server.world.answer(204, "");
    let added = json_of(&server.post(&[old[0], ("mcp-session-id", &session)], &call));
    assert_eq!(added["result"]["structuredContent"]["added"], true, "{added}");
}

#[test]
fn client_without_links_gets_link_number_and_steps_in_words() {
    let server = server();

    let refused = ToolOutcome(server.ask("tools/call", add())["result"].clone());

    assert_eq!(refused.error(), "reauthorize");
    let link = refused.0["_meta"]["kroger-mcp/problem"]["authorization_url"].as_str().unwrap().to_owned();
    let page = server.open(&link).page;
    let number = page.split("the number <strong>").nth(1).unwrap().split('<').next().unwrap();
    for told in ["re-authenticate", &link, number, "token_status", "browser elsewhere"] {
        assert!(refused.text().contains(told), "{told}: {}", refused.text());
    }
}

#[test]
fn sign_in_without_the_cart_scope_is_asked_for_it() {
    let server = server_with(&[("KROGER_SCOPE", "profile.compact")]);
    server.sign_in();
    server.world.answer(403, r#"{"errors":{"code":"CART-2216","reason":"missing required scopes"}}"#);

    let (link, _) = question(&server.ask_as(&opens_links(), "tools/call", add()));

    assert!(server.open(&link).kroger.contains("cart.basic%3Awrite"), "{}", server.open(&link).kroger);
}

#[test]
fn operators_fault_asks_nobody_to_sign_in() {
    let search = json!({ "name": "search_products", "arguments": { "terms": ["milk"] } });
    let stores = json!({ "name": "find_stores", "arguments": { "zip_code": "45039" } });
    let forbidden = r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#;
    for (call, status, code) in
        [(&search, 401, "token_rejected"), (&search, 403, "scope_missing"), (&stores, 403, "scope_missing")]
    {
        let server = shop();
        for _ in 0..3 {
            server.world.answer(status, forbidden);
            server.world.answer(200, r#"{"access_token":"canary-other","expires_in":1800}"#);
        }

        let refused = ToolOutcome(server.ask_as(&opens_links(), "tools/call", call.clone())["result"].clone());

        assert_eq!(refused.error(), code);
        assert!(refused.0["_meta"]["kroger-mcp/problem"]["authorization_url"].is_null(), "{}", refused.text());
        assert!(refused.text().contains("The operator of this server"), "{}", refused.text());
        for never in ["re-authenticate", "Link", "of that call"] {
            assert!(!refused.text().contains(never), "{never}: {}", refused.text());
        }
    }
}

#[test]
fn rejected_new_token_asks_for_a_sign_in_anew() {
    let server = signed_in();
    server.world.answer(401, "");
    server.world.answer_with_tokens("canary-access-2", "canary-refresh-2");
    server.world.answer(401, "");

    let refused = ToolOutcome(server.ask("tools/call", add())["result"].clone());

    assert_eq!(refused.error(), "token_rejected");
    assert!(refused.text().contains("sign_in with anew true and"), "{}", refused.text());
    assert!(!refused.text().contains("token_status"), "{}", refused.text());
}

#[test]
fn only_the_browser_that_accepted_may_come_back() {
    let server = server();
    let (link, _) = question(&server.ask_as(&opens_links(), "tools/call", add()));
    let browser = server.open(&link);

    let without = server.come_back(&browser.kroger, None);
    let another = server.come_back(&browser.kroger, Some("kroger_sign_in=forged"));
    server.world.answer_with_tokens("canary-access", "canary-refresh");
    let own = server.come_back(&browser.kroger, Some(&format!("a=b; {}", browser.cookie)));

    let statuses = [without, another, own].map(|answer| answer.status().as_u16());
    assert_eq!(statuses, [400, 400, 200]);
}

#[test]
fn invitation_page_names_the_user_and_runs_nothing() {
    let server = server_with(&[("KROGER_HARDCODED_USER_ID", "<ann>")]);
    let (link, _) = question(&server.ask_as(&opens_links(), "tools/call", add()));
    let path = link.strip_prefix("http://localhost:9004").unwrap();

    let foreign = server.send("POST", path, &[("origin", "https://evil.example")]);
    let shown = server.get(path, &[]);
    let page = server.open(&link).page;

    assert!(page.contains("&lt;ann&gt;") && !page.contains("<script"), "{page}");
    assert_eq!(foreign.status(), 403);
    let policy = shown.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
    assert_eq!(shown.headers()["referrer-policy"], "same-origin");
}

#[test]
fn expired_or_invented_link_leads_nowhere() {
    let server = server();
    let (link, _) = question(&server.ask_as(&opens_links(), "tools/call", add()));
    let path = link.strip_prefix("http://localhost:9004").unwrap();

    for wrong in ["/auth/start/1.made-up", "/auth/start/%ff"] {
        assert_eq!(server.get(wrong, &[]).status().as_u16() / 100, 4, "{wrong}");
    }
    server.world.advance(Duration::from_secs(900));
    for method in ["GET", "POST"] {
        let over = server.send(method, path, &[]);
        assert_eq!(over.status(), 400);
        assert!(String::from_utf8_lossy(over.body()).contains("Ask your assistant for a new"), "{over:?}");
    }
}

/// The attack: Bob gets a link that Alice has used.
#[test]
fn link_that_one_browser_accepted_or_completed_is_dead_in_another() {
    let server = server();
    let (link, _) = question(&server.ask_as(&opens_links(), "tools/call", add()));
    let path = link.strip_prefix("http://localhost:9004").unwrap();
    let as_bob = || {
        ["GET", "POST"]
            .map(|method| server.send(method, path, &[("origin", "http://localhost:9004")]).status().as_u16())
    };

    let alice = server.open(&link);
    let after_consent = as_bob();
    let again = server.send("POST", path, &[("origin", "http://localhost:9004"), ("cookie", &alice.cookie)]);
    server.world.answer_with_tokens("canary-access", "canary-refresh");
    let completed = server.come_back(&alice.kroger, Some(&alice.cookie));
    let after_sign_in = as_bob();

    assert_eq!((after_consent, after_sign_in), ([400, 400], [400, 400]));
    assert_eq!([again.status().as_u16(), completed.status().as_u16()], [200, 200]);
}

#[test]
fn sign_out_voids_the_link_and_another_number_comes() {
    let server = server();
    let ask = || question(&server.ask_as(&opens_links(), "tools/call", add())).0;
    let before = ask();
    let path = before.strip_prefix("http://localhost:9004").unwrap();

    server.ask("tools/call", json!({ "name": "sign_out", "arguments": {} }));
    let after = ask();

    assert_ne!(before, after);
    assert_eq!(server.get(path, &[]).status(), 400);
    server.agree(&after);
}
