//! The offer of the endpoint by each revision, and its size: a small model reads all of it.

use std::path::Path;

use super::*;

const SNAPSHOT: &str = "src/mcp/tests/tools.json";

/// The most bytes of `tools/list`, which is in the context of each conversation.
const MOST_OF_LIST: usize = 22_000;
/// The most bytes of one result, text and structure.
const MOST_OF_RESULT: usize = 6_000;

fn handshake(version: &str) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        },
    })
}

#[test]
fn list_of_tools_equals_the_snapshot() {
    let listed =
        server_with(&[("KROGER_RECENT_ADDS_HOURS", "1")]).ask("tools/list", json!({}))["result"]["tools"].clone();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(SNAPSHOT);
    if std::env::var("SNAPSHOT").is_ok_and(|what| what == "write") {
        std::fs::write(&file, serde_json::to_string_pretty(&listed).unwrap() + "\n").unwrap();
        return;
    }

    let snapshot: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();

    assert!(
        listed == snapshot,
        "component/{SNAPSHOT} is not what is listed; look at what changed, then \
         SNAPSHOT=write cargo test -p kroger-connector --lib list_of_tools"
    );
}

#[test]
fn each_tool_has_a_title_a_description_hints_and_schemas_of_objects() {
    let listed = server_with(&[("KROGER_RECENT_ADDS_HOURS", "1")]).ask("tools/list", json!({}));

    for tool in listed["result"]["tools"].as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        assert!(name.contains('_') && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(tool["description"].as_str().unwrap().len() > 40, "{name}");
        assert!(tool["title"].is_string() && tool["annotations"]["readOnlyHint"].is_boolean(), "{name}");
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(tool[schema]["type"], "object", "{name}");
        }
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{name}");
        let is_read_only = tool["annotations"]["readOnlyHint"] == true;
        assert_eq!(tool["annotations"]["destructiveHint"].is_null(), is_read_only, "{name}");
    }
}

#[test]
fn list_and_results_stay_within_their_budgets() {
    let server = shop();
    let size = |value: &Value| value.to_string().len();
    let list = server.ask("tools/list", json!({}))["result"]["tools"].clone();
    assert!(size(&list) <= MOST_OF_LIST, "{}", size(&list));

    let many = |count: usize| -> Value {
        (0..count)
            .map(|index| {
                product(&format!("00011110417{index:02}"), "A product whose name is of a usual length", 1.99, "HIGH")
            })
            .collect()
    };
    server.answer(&many(10));
    let search = server.call("search_products", &json!({ "terms": ["milk"], "limit": 10 }));
    server.answer(&(0..5).map(|_| location()).collect());
    let stores = server.call("find_stores", &json!({}));
    server.answer(&many(10));
    let items: Value = (0..10).map(|index| json!({ "upc": format!("00011110417{index:02}") })).collect();
    let check = server.call("check_cart_items", &json!({ "items": items }));

    for (name, outcome) in [("search", &search), ("stores", &stores), ("check", &check)] {
        outcome.value();
        assert!(size(&outcome.0) <= MOST_OF_RESULT, "{name}: {}", size(&outcome.0));
    }
    for name in ["token_status", "quota_status", "sign_in"] {
        let outcome = server.call(name, &json!({}));
        outcome.value();
        assert!(size(&outcome.0) <= 1_500, "{name}: {}", size(&outcome.0));
    }
    let refused = server.call("add_to_cart", &json!({ "items": [{ "upc": UPC }] }));
    assert!(size(&refused.0) <= 2_000, "{}", size(&refused.0));
}

#[test]
fn each_revision_is_served_with_its_handshake_or_none() {
    let server = server();

    for version in ["2025-06-18", "2025-11-25"] {
        let hands = json_of(&server.post(&[], &handshake(version)));
        assert_eq!(hands["result"]["protocolVersion"], version);
        assert_eq!(hands["result"]["serverInfo"]["name"], "kroger-mcp");
        assert!(hands["result"]["instructions"].as_str().unwrap().contains("Never invent a UPC"));
        let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "token_status" } });
        let status = json_of(&server.post(&[("mcp-protocol-version", version)], &call));
        assert_eq!(status["result"]["structuredContent"]["status"], "not_signed_in");
    }
    let discovered = server.ask("server/discover", json!({}));
    let versions = discovered["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-06-18")), "{discovered}");
}

#[test]
fn unknown_revision_is_answered_with_a_known_one() {
    let hands = json_of(&server().post(&[], &handshake("2099-01-01")));

    assert_eq!(hands["result"]["protocolVersion"], "2025-11-25");
}

#[test]
fn only_posts_of_allowed_callers_are_answered() {
    let server = server();

    for method in ["GET", "DELETE", "PUT"] {
        let refused = server.send(method, "/mcp", &[("accept", "text/event-stream")]);
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["allow"]),
            (405, &"POST".parse().unwrap()),
            "{method}"
        );
    }
    let foreign = server.post(&[("origin", "https://evil.example")], &handshake("2025-11-25"));
    assert_eq!(foreign.status(), 403);
    let preflight = server.send("OPTIONS", "/mcp", &[("origin", "http://localhost:9004")]);
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("Mcp-Protocol-Version") && allowed.contains("Mcp-Name"), "{allowed}");
}

#[test]
fn invalid_message_gets_a_json_rpc_error() {
    let server = server();
    let wrong = [
        ("{bad", -32700),
        ("", -32700),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#""ping""#, -32600),
        (r#"{"id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
    ];

    for (body, code) in wrong {
        let refused = server.post_text(&[("accept", "application/json, text/event-stream")], body);
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["content-type"]),
            (400, &"application/json".parse().unwrap())
        );
        let error = json_of(&refused);
        assert_eq!((&error["jsonrpc"], &error["error"]["code"]), (&json!("2.0"), &json!(code)), "{body}: {error}");
    }
}

#[test]
fn parameters_of_the_wrong_type_are_refused() {
    let server = server();
    let wrong = [
        ("tools/call", json!({ "name": "token_status", "arguments": [] })),
        ("tools/call", json!({ "name": "token_status", "arguments": "none" })),
        ("tools/call", json!({ "arguments": {} })),
        ("tools/call", json!([])),
        ("prompts/get", json!({ "name": 7 })),
        ("resources/read", json!({})),
        ("resources/read", json!({ "uri": "kroger://products/milk" })),
    ];

    for (method, params) in wrong {
        let call = json!({ "jsonrpc": "2.0", "id": "a", "method": method, "params": params });
        let refused = json_of(&server.post(&[("mcp-protocol-version", "2025-11-25")], &call));
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!("a"), &json!(-32602)), "{call}: {refused}");
    }
}

#[test]
fn accept_of_any_type_is_answered() {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });

    let taken = server().post_text(&[("accept", "*/*"), ("mcp-protocol-version", "2025-11-25")], &call.to_string());
    let not_taken = server().post_text(&[("accept", "text/html")], &call.to_string());

    assert!(json_of(&taken)["result"]["tools"].is_array());
    assert_eq!(not_taken.status(), 406);
}

#[test]
fn unknown_tool_is_refused_with_the_list_of_tools() {
    let refused = server().ask("tools/call", json!({ "name": "remove_from_cart" }));

    assert_eq!(refused["error"]["code"], -32602);
    assert!(refused["error"]["message"].as_str().unwrap().contains("add_to_cart"), "{refused}");
}

#[test]
fn header_names_the_user_of_an_mcp_call() {
    let server = signed_in();
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "token_status" } });
    let old = ("mcp-protocol-version", "2025-11-25");

    let other = json_of(&server.post(&[old, ("x-kroger-user", "bob")], &call));
    let nobody = server.post(&[old, ("x-kroger-user", "")], &call);

    assert_eq!(other["result"]["structuredContent"]["status"], "not_signed_in");
    assert_eq!(nobody.status(), 422);
}

#[test]
fn resources_are_listed_and_read() {
    let server = shop();
    let listed = server.ask("resources/list", json!({}));
    let templates = server.ask("resources/templates/list", json!({}));
    let read = |uri: &str| -> Value {
        let answer = server.ask("resources/read", json!({ "uri": uri }));
        serde_json::from_str(answer["result"]["contents"][0]["text"].as_str().unwrap_or("null")).unwrap()
    };

    assert_eq!(listed["result"]["resources"].as_array().unwrap().len(), 3);
    assert_eq!(templates["result"]["resourceTemplates"][0]["uriTemplate"], "kroger://products/{upc}");
    assert_eq!(read("kroger://token-status")["status"], "not_signed_in");
    assert_eq!(read("kroger://preferred-store"), json!({ "store_id": STORE, "source": "configured" }));
    assert_eq!(read("kroger://quota")["endpoints"][0]["endpoint"], "products");
    server.answer(&product(UPC, "Kroger 2% Milk", 1.99, "HIGH"));
    assert_eq!(read("kroger://products/0001111041700")["price"], 1.99);
}

#[test]
fn unknown_resource_is_not_found() {
    let server = shop();
    server.world.answer(404, "");

    for uri in ["kroger://cart", "kroger://products/0001111041700"] {
        let missing = server.ask("resources/read", json!({ "uri": uri }));
        assert_eq!(missing["error"]["code"], -32602, "{missing}");
        assert!(missing["error"]["message"].as_str().unwrap().contains(uri), "{missing}");
    }
}

#[test]
fn prompts_are_listed_and_lead_through_the_tools() {
    let server = server();
    let listed = server.ask("prompts/list", json!({}));
    let names: Vec<&str> =
        listed["result"]["prompts"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let get = |name: &str, arguments: Value| server.ask("prompts/get", json!({ "name": name, "arguments": arguments }));

    assert_eq!(names, ["shopping_list_to_cart", "recipe_to_ingredients", "weekly_restock", "reconnect_account"]);
    let list = get("shopping_list_to_cart", json!({ "list": "2 milk\n12 eggs", "store": "45039" }));
    let text = list["result"]["messages"][0]["content"]["text"].as_str().unwrap();
    for told in ["12 eggs", "At the store 45039.", "check_cart_items", "add_to_cart"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    for (name, arguments) in [("recipe_to_ingredients", json!({ "recipe": "pancakes" })), ("weekly_restock", json!({}))]
    {
        assert_eq!(get(name, arguments)["result"]["messages"][0]["role"], "user", "{name}");
    }
    assert_eq!(get("recipe_to_ingredients", json!({ "recipe": " " }))["error"]["code"], -32602);
    assert_eq!(get("steal_groceries", json!({}))["error"]["code"], -32602);
}
