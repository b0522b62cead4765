//! The records that many calls without a sign-in leave in the store, for each means
//! of asking the person.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

/// Calls `ask` 1,000 times, once a second, and checks that the links leave nothing.
fn assert_nothing_left(server: &Server, ask: impl Fn() -> String) {
    let mut links = BTreeSet::new();
    for _ in 0..1_000 {
        links.insert(ask());
        server.world.advance(Duration::from_secs(1));
    }

    assert_eq!(links.len(), 4, "an invitation is shared for 5 minutes");
    // The key seals what the links carry; there is one for all calls.
    assert_eq!(server.world.keys(), ["request_state_key"]);
}

/// An add with its own idempotency key.
fn add() -> Value {
    json!({ "name": "add_to_cart", "arguments": { "items": [{ "upc": UPC }], "idempotency_key": "order-1" } })
}

fn opens_links() -> Value {
    json!({ "elicitation": { "url": {} } })
}

#[test]
fn thousand_questions_leave_nothing() {
    let server = server();

    assert_nothing_left(&server, || {
        let asked = server.ask_as(&opens_links(), "tools/call", add());
        asked["result"]["inputRequests"]["sign_in"]["params"]["url"].as_str().unwrap().to_owned()
    });
}

#[test]
fn thousand_url_errors_leave_nothing() {
    let server = server();
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": add() });
    let headers = [("mcp-protocol-version", "2025-11-25"), ("mcp-session-id", "links-1")];

    assert_nothing_left(&server, || {
        let asked = json_of(&server.post(&headers, &call));
        asked["error"]["data"]["elicitations"][0]["url"].as_str().unwrap().to_owned()
    });
}

#[test]
fn thousand_refusals_in_words_leave_nothing() {
    let server = server();

    assert_nothing_left(&server, || {
        let refused = ToolOutcome(server.ask("tools/call", add())["result"].clone());
        assert_eq!(refused.error(), "reauthorize");
        refused.0["_meta"]["kroger-mcp/problem"]["authorization_url"].as_str().unwrap().to_owned()
    });
}
