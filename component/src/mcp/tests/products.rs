//! The tools that look at products.

use super::*;
use crate::ports::SendError;

#[test]
fn search_products_shows_a_line_for_each_product_of_each_term() {
    let server = shop();
    server.answer(&json!([product(UPC, "Kroger 2% Milk", 1.99, "HIGH")]));
    server.answer(&json!([]));

    let found = server.call("search_products", &json!({ "terms": ["2% milk", "unicorn steak"] }));

    let value = found.value();
    assert_eq!(value["store_id"], STORE);
    assert_eq!(
        value["results"][0]["products"][0],
        json!({
            "upc": UPC,
            "description": "Kroger 2% Milk",
            "size": "1 gal",
            "price": 1.99,
            "unit_price": "$0.016/fl oz",
            "stock": "high",
            "aisle": "Aisle 35",
            "offered": ["in_store", "pickup", "delivery"],
        })
    );
    assert_eq!(value["results"][1]["products"], json!([]));
    assert!(
        found.text().contains("- 0001111041700 Kroger 2% Milk, 1 gal: $1.99, $0.016/fl oz, stock high, Aisle 35"),
        "{}",
        found.text()
    );
}

#[test]
fn search_products_takes_a_text_for_a_list_and_its_words_in_any_case() {
    let server = shop();
    server.answer(&json!([product(UPC, "Milk", 1.99, "HIGH"), product("0001111041701", "Milk", 0.99, "LOW")]));

    let arguments = json!({ "terms": "milk", "fulfillment": "Pickup", "sort_by": "Unit price", "limit": "1" });
    let found = server.call("search_products", &arguments);

    assert_eq!(found.value()["results"][0]["products"][0]["upc"], "0001111041701");
    assert_eq!(found.value()["results"][0]["products"].as_array().unwrap().len(), 1);
    assert!(server.asked().contains("filter.fulfillment=csp"), "{}", server.asked());
}

#[test]
fn search_products_leaves_out_what_is_out_of_stock_where_asked() {
    let server = shop();
    server.answer(&json!([product(UPC, "Milk", 1.99, "TEMPORARILY_OUT_OF_STOCK")]));

    let found = server.call("search_products", &json!({ "terms": ["milk"], "in_stock_only": "yes" }));

    assert_eq!(found.value()["results"][0]["products"], json!([]));
    assert!(found.text().contains("Next: try fewer or other words."), "{}", found.text());
}

#[test]
fn a_search_for_nothing_or_for_nonsense_is_refused_in_words() {
    let server = shop();
    let wrong = [
        (json!({}), "something to search for: a term, a brand or a UPC"),
        (json!({ "terms": ["milk"], "limit": 51 }), "`limit` is not valid: a whole number from 1 to 50"),
        (json!({ "terms": ["milk"], "sort_by": "colour" }), "one of relevance, price, unit_price"),
        (json!({ "terms": ["milk"], "fulfillment": ["drone"] }), "`fulfillment[0]` is not valid: one of in_store"),
        (json!({ "upcs": ["x"] }), "`upcs[0]` is not valid"),
        (json!({ "terms": ["milk"], "store_id": "Landen" }), "`store_id` is not valid: 8 letters or digits"),
    ];

    for (arguments, told) in wrong {
        let refused = server.call("search_products", &arguments);
        assert_eq!(refused.error(), "invalid_argument", "{arguments}");
        assert!(refused.text().contains(told), "{arguments}: {}", refused.text());
    }
}

#[test]
fn a_search_that_kroger_does_not_answer_says_when_to_try_again() {
    let server = shop();
    for _ in 0..6 {
        server.world.lose_answer(SendError::NotSent);
    }

    let refused = server.call("search_products", &json!({ "terms": ["milk"] }));

    assert_eq!(refused.error(), "upstream_unavailable");
    assert_eq!(refused.0["_meta"]["kroger-mcp/problem"]["retryable"], true);
}

#[test]
fn get_product_shows_all_of_one_and_says_what_it_corrected() {
    let server = shop();
    server.answer(&json!(product(UPC, "Kroger 2% Milk", 1.99, "LOW")));

    let shown = server.call("get_product", &json!({ "upc": "011110417008" }));

    assert_eq!(shown.value()["upc"], UPC);
    assert_eq!(shown.value()["stock"], "low");
    assert!(shown.value()["notes"][0].as_str().unwrap().contains("check digit"));
    assert!(server.asked().starts_with("/v1/products/0001111041700?"), "{}", server.asked());
}

#[test]
fn a_product_that_kroger_does_not_know_is_not_found() {
    let server = shop();
    server.world.answer(404, "");

    let missing = server.call("get_product", &json!({ "upc": UPC }));

    assert_eq!(missing.error(), "not_found");
    assert!(missing.text().contains("search for the product by name"), "{}", missing.text());
}
