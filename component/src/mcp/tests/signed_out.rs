//! The records that many calls without a sign-in leave in the store, for each means
//! of asking the person.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use kroger_core::user::UserId;

/// Calls `ask` 1,000 times, once a second, and checks that the store has the
/// invitations that it showed and `own`, and nothing else.
fn assert_only_shown(server: &Server, own: &[&str], ask: impl Fn() -> String) {
    let mut links = BTreeSet::new();
    for _ in 0..1_000 {
        links.insert(ask());
        server.world.advance(Duration::from_secs(1));
    }

    assert_eq!(links.len(), 4, "an invitation is shared for 5 minutes");
    let user = UserId::parse("user_default").unwrap().key();
    let places = links.iter().map(|link| {
        let id = link.rsplit('/').next().unwrap();
        format!("invitation.{}", id.split_once('.').unwrap().0)
    });
    let ours = [format!("invitation_of.{user}"), "invitation.places".to_owned()];
    let own = own.iter().map(|key| (*key).to_owned());
    let shown: BTreeSet<String> = places.chain(ours).chain(own).collect();
    assert_eq!(server.world.keys().into_iter().collect::<BTreeSet<_>>(), shown);
}

/// An add with its own idempotency key.
fn add() -> Value {
    json!({ "name": "add_to_cart", "arguments": { "items": [{ "upc": UPC }], "idempotency_key": "order-1" } })
}

fn opens_links() -> Value {
    json!({ "elicitation": { "url": {} } })
}

#[test]
fn thousand_questions_leave_only_invitations_that_were_shown() {
    let server = server();

    // The key seals the state that the client carries; there is one for all calls.
    assert_only_shown(&server, &["request_state_key"], || {
        let asked = server.ask_as(&opens_links(), "tools/call", add());
        asked["result"]["inputRequests"]["sign_in"]["params"]["url"].as_str().unwrap().to_owned()
    });
}

#[test]
fn thousand_url_errors_leave_only_invitations_that_were_shown() {
    let server = server();
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": add() });
    let headers = [("mcp-protocol-version", "2025-11-25"), ("mcp-session-id", "links-1")];

    assert_only_shown(&server, &[], || {
        let asked = json_of(&server.post(&headers, &call));
        asked["error"]["data"]["elicitations"][0]["url"].as_str().unwrap().to_owned()
    });
}

#[test]
fn thousand_refusals_in_words_leave_only_invitations_that_were_shown() {
    let server = server();

    assert_only_shown(&server, &[], || {
        let refused = ToolOutcome(server.ask("tools/call", add())["result"].clone());
        assert_eq!(refused.error(), "reauthorize");
        refused.0["_meta"]["kroger-mcp/problem"]["authorization_url"].as_str().unwrap().to_owned()
    });
}
