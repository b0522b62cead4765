//! The log of recent adds.

use super::*;

fn with_log() -> Server {
    let server = server_with(&[("KROGER_RECENT_ADDS_HOURS", "24")]);
    server.sign_in();
    server
}

#[test]
fn view_recent_adds_shows_what_was_added_and_forget_recent_adds_wipes_it() {
    let server = with_log();
    server.world.answer(204, "");
    server.call("add_to_cart", &json!({ "items": [{ "upc": UPC, "quantity": 2 }] })).value();

    let viewed = server.call("view_recent_adds", &json!({}));
    let forgotten = server.call("forget_recent_adds", &json!({}));
    let after = server.call("view_recent_adds", &json!({}));

    assert_eq!(viewed.value()["kept_for_hours"], 24);
    assert_eq!(viewed.value()["adds"][0]["items"], json!([{ "upc": UPC, "quantity": 2, "modality": "PICKUP" }]));
    assert_eq!(forgotten.value(), &json!({ "forgotten": true }));
    assert_eq!(after.value()["adds"], json!([]));
}

#[test]
fn without_the_setting_the_log_and_its_tools_do_not_exist() {
    let server = signed_in();
    server.world.answer(204, "");
    server.call("add_to_cart", &json!({ "items": [{ "upc": UPC }] })).value();

    let missing = server.ask("tools/call", json!({ "name": "view_recent_adds" }));

    assert_eq!(missing["error"]["code"], -32602);
    let listed = server.ask("tools/list", json!({}));
    assert!(!listed.to_string().contains("recent_adds"), "{listed}");
    let stored = server.world.stored(kroger_core::ports::Bucket::Store);
    assert!(!stored.values().any(|value| String::from_utf8_lossy(value).contains(UPC)));
}

#[test]
fn tools_of_the_log_are_listed_last() {
    let names = |server: &Server| -> Vec<String> {
        let listed = server.ask("tools/list", json!({}));
        let tools = listed["result"]["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };

    let (without, with) = (names(&server()), names(&with_log()));

    assert_eq!(with[..without.len()], without);
    assert_eq!(with[without.len()..], ["view_recent_adds", "forget_recent_adds"]);
}
