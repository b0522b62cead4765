//! The tools of the cart.

use super::*;
use kroger_core::ports::SendError;

fn add(server: &Server, item: &Value) -> ToolOutcome {
    server.call("add_to_cart", &json!({ "items": [item] }))
}

#[test]
fn add_to_cart_adds_all_items_in_one_request_and_says_so() {
    let server = signed_in();
    server.world.answer(204, "");

    let items = json!([{ "upc": UPC, "quantity": 2 }, { "upc": "0001111041910", "modality": "DELIVERY" }]);
    let added = server.call("add_to_cart", &json!({ "items": items }));

    assert_eq!(
        added.value(),
        &json!({
            "added": true,
            "items": [
                { "upc": UPC, "quantity": 2, "modality": "PICKUP" },
                { "upc": "0001111041910", "quantity": 1, "modality": "DELIVERY" },
            ],
        })
    );
    assert!(added.text().starts_with("Added to the cart: 2 x 0001111041700 (PICKUP), 1 x"), "{}", added.text());
    let request = server.world.sent().pop().unwrap();
    let sent: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((request.path.as_str(), &sent["items"][1]["modality"]), ("/v1/cart/add", &json!("DELIVERY")));
}

#[test]
fn dry_run_sends_nothing_and_shows_the_items() {
    let server = server();

    let dry = server.call("add_to_cart", &json!({ "items": [{ "upc": UPC }], "dry_run": "true" }));

    assert_eq!(dry.value()["added"], false);
    assert!(dry.text().contains("would add: 1 x 0001111041700"), "{}", dry.text());
    assert!(server.world.sent().is_empty());
}

#[test]
fn input_with_a_clear_meaning_is_corrected_and_noted() {
    let server = server();
    let dry = |items: Value| server.call("add_to_cart", &json!({ "items": items, "dry_run": true })).value().clone();
    let line = json!([{ "upc": UPC, "quantity": 2, "modality": "DELIVERY" }]);

    // A number in quotes, a word in another case, a UPC without its zeros.
    let short = dry(json!([{ "upc": 1_111_041_700, "quantity": "2", "modality": "delivery" }]));
    // One item alone, a barcode with its check digit.
    let barcode = dry(json!({ "upc": "011110417008", "quantity": 2.0, "modality": "Delivery" }));
    // A list as JSON text.
    let text = dry(json!(line.to_string()));

    assert_eq!(short["items"], line);
    assert_eq!(short["notes"][0], "The UPC 1111041700 was read as 0001111041700.");
    assert_eq!(barcode["items"], line);
    assert!(barcode["notes"][0].as_str().unwrap().contains("check digit"), "{barcode}");
    assert_eq!(text["items"], line);
    assert_eq!(text["notes"], Value::Null);
}

#[test]
fn wrong_item_is_named_and_nothing_is_sent() {
    let server = signed_in();
    let sent = server.world.sent().len();
    let wrong = [
        (json!({ "upc": "12345678901234" }), "`items[0].upc` is not valid: a UPC of 13 digits"),
        (json!({ "upc": UPC, "quantity": 0 }), "`items[0].quantity` is not valid: a whole number from 1 to 999"),
        (json!({ "upc": UPC, "quantity": "many" }), "`items[0].quantity` is not valid: a whole number from 1 to 999"),
        (json!({ "upc": UPC, "modality": "drone" }), "`items[0].modality` is not valid: one of PICKUP, DELIVERY"),
        (json!({ "upc": UPC, "count": 2 }), "`items[0].count` is not valid: there is no such argument"),
        (json!({ "quantity": 2 }), "`items[0].upc` is not valid: it is missing"),
        (json!(true), "`items[0]` is not valid: an object with `upc`, `quantity`, `modality`"),
    ];

    for (item, told) in wrong {
        let refused = add(&server, &item);
        assert_eq!(refused.error(), "invalid_argument", "{item}");
        assert!(refused.text().contains(told), "{item}: {}", refused.text());
    }
    let none = server.call("add_to_cart", &json!({ "items": [] }));
    assert!(none.text().contains("1 to 100 items"), "{}", none.text());
    assert_eq!(server.world.sent().len(), sent);
}

#[test]
fn words_in_place_of_a_upc_are_answered_with_candidates() {
    let server = shop();
    server.answer(&json!([
        product(UPC, "Kroger 2% Milk", 1.99, "HIGH"),
        product("0001111041701", "Kroger Whole Milk", 2.19, "LOW")
    ]));

    let refused = add(&server, &json!({ "upc": "milk" }));

    assert_eq!(refused.error(), "invalid_argument");
    assert!(refused.text().contains("- 0001111041700 Kroger 2% Milk, 1 gal: $1.99"), "{}", refused.text());
    assert!(refused.text().contains("Next: Ask the user which is meant"), "{}", refused.text());
}

#[test]
fn too_many_items_are_refused_before_any_call() {
    let server = shop();
    let items = json!(vec![json!({ "upc": "milk" }); 101]);

    for tool in ["add_to_cart", "check_cart_items"] {
        let refused = server.call(tool, &json!({ "items": items }));
        assert!(refused.text().contains("`items` is not valid: 1 to 100 items"), "{}", refused.text());
    }
    assert!(server.world.sent().is_empty());
}

#[test]
fn three_words_in_place_of_upcs_are_looked_up_at_most() {
    let server = shop();
    server.answer(&json!([product(UPC, "Kroger 2% Milk", 1.99, "HIGH")]));
    for _ in 0..2 {
        server.answer(&json!([]));
        server.answer(&location());
    }
    let items: Vec<Value> = ["milk", "xyzzy", "plugh", "eggs", "bread"].map(|upc| json!({ "upc": upc })).into();

    let refused = server.call("check_cart_items", &json!({ "items": items }));

    assert_eq!(refused.error(), "invalid_argument");
    for told in [
        "`items[0].upc` is no UPC. Products that may be meant:\n- 0001111041700",
        "`items[1].upc` is no UPC, and no product is found for it.",
        "`items[3].upc`, `items[4].upc` are no UPCs either",
        "Next: Ask the user which is meant",
    ] {
        assert!(refused.text().contains(told), "{told}: {}", refused.text());
    }
    let searches = server.world.sent().iter().filter(|request| request.path.starts_with("/v1/products")).count();
    assert_eq!(searches, 3);
}

#[test]
fn lost_reply_of_an_add_is_never_reported_as_failed() {
    let server = signed_in();
    server.world.lose_answer(SendError::Unknown);

    let unknown = add(&server, &json!({ "upc": UPC }));

    assert_eq!(unknown.error(), "outcome_unknown");
    assert!(unknown.text().contains("Do not send the items again"), "{}", unknown.text());
    assert_eq!(unknown.0["_meta"]["kroger-mcp/problem"]["retryable"], false);
}

#[test]
fn same_key_adds_once_and_reports_the_replay() {
    let server = signed_in();
    server.world.answer(204, "");
    let call = json!({ "items": [{ "upc": UPC }], "idempotency_key": "7f1c" });

    let first = server.call("add_to_cart", &call);
    let sent = server.world.sent().len();
    let second = server.call("add_to_cart", &call);
    let other =
        server.call("add_to_cart", &json!({ "items": [{ "upc": UPC, "quantity": 2 }], "idempotency_key": "7f1c" }));
    let no_key = server.call("add_to_cart", &json!({ "items": [{ "upc": UPC }], "idempotency_key": "\u{7}" }));

    assert_eq!((&first.value()["added"], &first.value()["replayed"]), (&json!(true), &Value::Null));
    assert_eq!(second.value()["replayed"], true);
    assert!(second.text().contains("by an earlier call"), "{}", second.text());
    assert_eq!(other.error(), "idempotency_conflict");
    assert_eq!(no_key.error(), "invalid_argument");
    assert_eq!(server.world.sent().len(), sent);
}

#[test]
fn refusal_of_kroger_is_reported_with_its_reason() {
    let server = signed_in();
    server
        .world
        .answer(400, r#"{"errors":{"code":"CART-2001-400","reason":"UPC must have a length of 13 characters"}}"#);

    let refused = add(&server, &json!({ "upc": UPC }));

    assert_eq!(refused.error(), "upstream_rejected");
    assert!(refused.text().contains("UPC must have a length of 13 characters (CART-2001-400)"), "{}", refused.text());
}

#[test]
fn failing_store_is_reported_with_when_to_try_again() {
    let server = signed_in();
    server.world.set_store_mood(kroger_core::testing::StoreMood::Failing);

    let refused = add(&server, &json!({ "upc": UPC }));

    assert_eq!(refused.error(), "store_unavailable");
    assert!(refused.text().contains("Try again after 5 s."), "{}", refused.text());
}

#[test]
fn check_cart_items_shows_prices_total_and_obstacles() {
    let server = shop();
    server.answer(&json!([
        product(UPC, "Kroger 2% Milk", 1.99, "HIGH"),
        product("0001111041910", "Eggs", 3.00, "TEMPORARILY_OUT_OF_STOCK"),
    ]));
    server.answer(&json!([]));

    let items = json!([{ "upc": UPC, "quantity": 2 }, { "upc": "0001111041910" }, { "upc": "0009999999999" }]);
    let checked = server.call("check_cart_items", &json!({ "items": items }));

    let value = checked.value();
    assert_eq!(
        (&value["ready"], &value["store_id"], &value["not_in_total"]),
        (&json!(false), &json!(STORE), &json!(2))
    );
    assert_eq!(value["items"][0]["estimate"], 3.98);
    assert_eq!(value["items"][0]["ready"], true);
    assert_eq!(value["items"][1]["warnings"][0]["code"], "out_of_stock");
    assert_eq!(value["items"][2]["warnings"][0]["code"], "unknown_upc");
    assert_eq!(value["estimated_total"], 3.98);
    assert!(checked.text().contains("- 2 x 0001111041700 Kroger 2% Milk, PICKUP, $3.98"), "{}", checked.text());
    assert!(
        checked.text().contains("Estimated total of the ready items: $3.98, without 2 items."),
        "{}",
        checked.text()
    );
    assert!(checked.text().contains("At the store 01400376."), "{}", checked.text());
    assert!(checked.text().ends_with("then check again."), "{}", checked.text());
}

#[test]
fn check_text_names_each_correction() {
    let server = shop();
    server.answer(&json!([product(UPC, "Kroger 2% Milk", 1.99, "HIGH")]));

    let checked = server.call("check_cart_items", &json!({ "items": [{ "upc": "1111041700" }] }));

    assert!(checked.text().contains("The UPC 1111041700 was read as 0001111041700."), "{}", checked.text());
}

#[test]
fn check_without_a_store_is_not_ready_and_has_no_total() {
    let server = server();
    server.world.answer(200, r#"{"access_token":"canary-app","expires_in":1800}"#);
    server.answer(&json!([{ "upc": UPC, "description": "Kroger 2% Milk" }]));

    let checked = server.call("check_cart_items", &json!({ "items": [{ "upc": UPC }] }));

    let value = checked.value();
    assert_eq!((&value["ready"], &value["items"][0]["ready"]), (&json!(false), &json!(false)));
    assert_eq!(value["items"][0]["warnings"][0]["code"], "no_store");
    assert!(value["estimated_total"].is_null() && value["store_id"].is_null(), "{value}");
    assert!(checked.text().contains("price, stock and modality are unchecked"), "{}", checked.text());
    assert!(checked.text().ends_with("find_stores and set_preferred_store, then check again."), "{}", checked.text());
    assert!(!checked.text().contains("total"), "{}", checked.text());
}

#[test]
fn check_at_an_unknown_store_says_so() {
    let server = shop();
    server.answer(&json!([{ "upc": UPC, "description": "Kroger 2% Milk" }]));
    server.answer(&json!({ "upc": UPC, "description": "Kroger 2% Milk" }));
    server.world.answer(404, "");

    let items = json!([{ "upc": UPC }]);
    let refused = server.call("check_cart_items", &json!({ "items": items, "store_id": "99999999" }));

    assert_eq!(refused.error(), "not_found");
    assert!(refused.text().contains("Kroger has no location 99999999"), "{}", refused.text());
}

#[test]
fn weighed_product_has_a_price_per_pound_and_an_estimate_per_piece() {
    let server = shop();
    let mut bananas = product("0000000004011", "Bananas", 0.59, "HIGH");
    bananas["items"][0]["soldBy"] = "WEIGHT".into();
    bananas["items"][0]["size"] = "1 lb".into();
    bananas["items"][0]["price"]["regularPerUnitEstimate"] = 0.24.into();
    server.answer(&json!([bananas]));
    let searched = server.call("search_products", &json!({ "terms": ["bananas"] }));
    server.answer(&json!([bananas]));
    let checked = server.call("check_cart_items", &json!({ "items": [{ "upc": "4011", "quantity": 5 }] }));

    let line = &searched.value()["results"][0]["products"][0];
    assert_eq!((&line["price_per"], &line["estimated_price"]), (&json!("lb"), &json!(0.24)));
    assert!(searched.text().contains("$0.59 per lb (about $0.24 each)"), "{}", searched.text());
    assert_eq!(checked.value()["estimated_total"], 1.2);
}

/// Kroger has the milk, and no product with its barcode as a UPC.
fn knows_milk_alone(server: &Server, calls: usize) {
    for _ in 0..calls {
        server.answer(&json!([]));
    }
    server.answer(&json!([product(UPC, "Kroger 2% Milk", 1.99, "HIGH")]));
}

#[test]
fn barcode_of_thirteen_digits_is_added_as_its_product() {
    let server = shop();
    knows_milk_alone(&server, 0);

    let dry = server.call("add_to_cart", &json!({ "items": [{ "upc": "0011110417008" }], "dry_run": true }));

    assert_eq!(dry.value()["items"][0]["upc"], UPC, "{}", dry.text());
    assert!(dry.value()["notes"][0].as_str().unwrap().contains("check digit"), "{}", dry.text());
}

#[test]
fn barcode_of_no_product_is_questioned_and_not_added() {
    let server = signed_in();
    server.world.answer(200, r#"{"access_token":"canary-app","expires_in":1800}"#);
    server.answer(&json!([]));
    let sent = |server: &Server| server.world.sent().iter().any(|request| request.path.contains("cart"));

    let refused = add(&server, &json!({ "upc": "0011110417008" }));

    assert_eq!(refused.error(), "invalid_argument");
    assert!(refused.text().contains("Kroger knows no product for 0011110417008"), "{}", refused.text());
    assert!(refused.text().contains("Next: Ask the user which is meant"), "{}", refused.text());
    assert!(!sent(&server));
}

#[test]
fn upc_that_looks_like_a_barcode_is_added() {
    let server = signed_in();
    server.world.answer(200, r#"{"access_token":"canary-app","expires_in":1800}"#);
    server.answer(&json!([product("0011110417008", "Tea", 1.99, "HIGH")]));
    server.world.answer(204, "");

    let added = add(&server, &json!({ "upc": "0011110417008" }));

    assert_eq!(added.value()["added"], true, "{}", added.text());
}

#[test]
fn upc_that_looks_like_a_barcode_waits_for_the_catalog() {
    let server = signed_in();
    server.world.answer(400, "{}");

    let refused = add(&server, &json!({ "upc": "0011110417008" }));

    assert_eq!(refused.error(), "invalid_argument");
    assert!(refused.text().contains("Kroger's catalog cannot be asked now"), "{}", refused.text());
    assert!(refused.text().contains("Try again after"), "{}", refused.text());
}

#[test]
fn check_reads_a_barcode_as_an_add_does() {
    let server = shop();
    knows_milk_alone(&server, 0);
    server.answer(&json!([]));

    let checked = server.call("check_cart_items", &json!({ "items": [{ "upc": "0011110417008" }] }));

    assert_eq!(checked.value()["items"][0]["upc"], UPC, "{}", checked.text());
    assert_eq!(checked.value()["ready"], true);
    assert!(checked.text().contains("Kroger's UPC for it is 0001111041700"), "{}", checked.text());
}

#[test]
fn scanners_text_with_letters_is_a_number_and_not_words() {
    let server = shop();
    knows_milk_alone(&server, 0);

    let item = json!({ "upc": "https://id.gs1.org/01/00011110417008" });
    let dry = server.call("add_to_cart", &json!({ "items": [item], "dry_run": true }));

    assert_eq!(dry.value()["items"][0]["upc"], UPC, "{}", dry.text());
}

#[test]
fn check_without_concerns_says_to_go_on() {
    let server = shop();
    server.answer(&json!([product(UPC, "Kroger 2% Milk", 1.99, "HIGH")]));

    let checked = server.call("check_cart_items", &json!({ "items": { "upc": UPC }, "store_id": "1400376" }));

    assert_eq!(checked.value()["ready"], true);
    assert!(checked.text().contains("then add_to_cart with the same items"), "{}", checked.text());
}
