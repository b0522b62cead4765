//! The tools that search for products.

use super::*;
use kroger_core::ports::SendError;

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
    assert!(found.text().starts_with("At the store 01400376.\n"), "{}", found.text());
    assert_eq!(value["results"][1]["products"], json!([]));
    assert!(
        found.text().contains("$1.99, $0.016/fl oz, stock high, Aisle 35, by in_store/pickup/delivery\n"),
        "{}",
        found.text()
    );
}

#[test]
fn search_products_takes_one_text_as_a_list_and_words_in_any_case() {
    let server = shop();
    server.answer(&json!([product(UPC, "Milk", 1.99, "HIGH"), product("0001111041701", "Milk", 0.99, "LOW")]));

    let arguments = json!({ "terms": "milk", "fulfillment": "Pickup", "sort_by": "Unit price", "limit": "1" });
    let found = server.call("search_products", &arguments);

    assert_eq!(found.value()["results"][0]["products"][0]["upc"], "0001111041701");
    assert_eq!(found.value()["results"][0]["products"].as_array().unwrap().len(), 1);
    assert!(server.asked().contains("filter.fulfillment=csp"), "{}", server.asked());
}

#[test]
fn search_products_leaves_out_products_out_of_stock_on_request() {
    let server = shop();
    server.answer(&json!([product(UPC, "Milk", 1.99, "TEMPORARILY_OUT_OF_STOCK")]));

    let found = server.call("search_products", &json!({ "terms": ["milk"], "in_stock_only": "yes" }));

    assert_eq!(found.value()["results"][0]["products"], json!([]));
    assert!(found.text().contains("Next: try fewer or other words."), "{}", found.text());
}

#[test]
fn empty_or_invalid_search_is_refused_in_words() {
    let server = shop();
    let wrong = [
        (json!({}), "something to search for: a term, a brand or a UPC"),
        (json!({ "terms": ["milk"], "limit": 51 }), "`limit` is not valid: a whole number from 1 to 50"),
        (json!({ "terms": ["milk"], "sort_by": "colour" }), "one of relevance, price, unit_price"),
        (json!({ "terms": ["milk"], "fulfillment": ["drone"] }), "`fulfillment[0]` is not valid: one of in_store"),
        (json!({ "upcs": ["x"] }), "`upcs[0]` is not valid"),
        (json!({ "terms": ["ok"] }), "`terms[0]` is not valid: 3 to 200 characters"),
        (json!({ "terms": vec!["milk"; 11] }), "1 to 10 terms a call"),
        (json!({ "terms": ["milk"], "store_id": "Landen" }), "`store_id` is not valid: 8 letters or digits"),
    ];

    for (arguments, told) in wrong {
        let refused = server.call("search_products", &arguments);
        assert_eq!(refused.error(), "invalid_argument", "{arguments}");
        assert!(refused.text().contains(told), "{arguments}: {}", refused.text());
    }
}

#[test]
fn invalid_term_is_named_and_other_terms_are_searched() {
    let server = shop();
    server.answer(&json!([product(UPC, "Milk", 1.99, "HIGH")]));

    let found = server.call("search_products", &json!({ "terms": ["milk", "ok"] }));

    assert_eq!(found.value()["results"][0]["products"][0]["upc"], UPC);
    let error = found.value()["results"][1]["error"].as_str().unwrap();
    assert!(error.starts_with("`terms[1]` is not valid: 3 to 200 characters"), "{error}");
}

#[test]
fn text_with_commas_is_searched_as_a_list_and_noted() {
    let server = shop();
    for _ in 0..3 {
        server.answer(&json!([product(UPC, "Milk", 1.99, "HIGH")]));
    }

    let found = server.call("search_products", &json!({ "terms": "milk, eggs, bread" }));

    let results = found.value()["results"].as_array().unwrap();
    let terms: Vec<&str> = results.iter().map(|one| one["searched_for"].as_str().unwrap()).collect();
    assert_eq!(terms, ["milk", "eggs", "bread"]);
    assert!(found.text().contains("searched as 3 terms"), "{}", found.text());
}

#[test]
fn many_terms_share_the_limit_of_one_answer() {
    let server = shop();
    for _ in 0..10 {
        server.answer(&json!([]));
    }

    let found = server.call("search_products", &json!({ "terms": vec!["milk"; 10], "limit": 50 }));

    assert!(server.asked().contains("filter.limit=6") || found.text().contains("6 of each"), "{}", server.asked());
    assert!(found.text().contains("6 of each term"), "{}", found.text());
}

#[test]
fn search_text_says_where_to_continue() {
    let server = shop();
    let answer = json!({
        "data": [product(UPC, "Milk", 1.99, "HIGH")],
        "meta": { "pagination": { "start": 0, "limit": 1, "total": 7 } },
    });
    server.world.answer(200, answer.to_string());

    let found = server.call("search_products", &json!({ "terms": ["milk"], "limit": 1 }));

    assert!(found.text().contains("milk: 1 of 7, more with start 1"), "{}", found.text());
}

#[test]
fn search_at_an_unknown_store_says_so() {
    let server = shop();
    server.answer(&json!([]));
    server.world.answer(404, "");

    let refused = server.call("search_products", &json!({ "terms": ["milk"], "store_id": "MILKMILK" }));

    assert_eq!(refused.error(), "not_found");
    assert!(refused.text().contains("Kroger has no location MILKMILK"), "{}", refused.text());
    assert!(refused.text().contains("find_stores"), "{}", refused.text());
}

#[test]
fn filters_apply_to_upcs_too() {
    let server = shop();
    let products = json!([
        product("0000000000001", "Dear", 5.99, "HIGH"),
        product("0000000000002", "Gone", 0.99, "TEMPORARILY_OUT_OF_STOCK"),
        product("0000000000003", "Cheap", 1.99, "LOW"),
    ]);
    server.answer(&products);

    let upcs = json!(["0000000000001", "0000000000002", "0000000000003"]);
    let arguments = json!({ "upcs": upcs, "in_stock_only": true, "sort_by": "price", "fulfillment": ["pickup"] });
    let found = server.call("search_products", &arguments);

    let shown = found.value()["results"][0]["products"].as_array().unwrap();
    let shown: Vec<&str> = shown.iter().map(|one| one["description"].as_str().unwrap()).collect();
    assert_eq!(shown, ["Cheap", "Dear"]);
    assert!(found.text().contains("Left out, as the other arguments ask: 0000000000002."), "{}", found.text());
}

#[test]
fn upcs_without_listed_prices_are_looked_up_at_the_store() {
    let server = shop();
    server.answer(&json!([{ "upc": UPC, "description": "Milk" }]));
    server.answer(&product(UPC, "Milk", 1.99, "HIGH"));

    let found = server.call("search_products", &json!({ "upcs": [UPC] }));

    assert_eq!(found.value()["results"][0]["products"][0]["price"], 1.99);
    assert!(server.asked().starts_with("/v1/products/0001111041700?filter.locationId="), "{}", server.asked());
}

#[test]
fn brand_that_finds_nothing_is_answered_with_other_brands() {
    let server = shop();
    server.answer(&json!([]));
    let mut milk = product(UPC, "Kroger 2% Milk", 1.99, "HIGH");
    milk["brand"] = "Kroger".into();
    let mut other = product("0001111041701", "Oat Milk", 1.99, "HIGH");
    other["brand"] = "Able".into();
    server.answer(&json!([other, milk]));

    let found = server.call("search_products", &json!({ "terms": ["milk"], "brand": "kroger" }));

    let note = found.value()["notes"][0].as_str().unwrap();
    assert!(note.contains("exactly as it spells it") && note.ends_with("of these: Kroger, Able."), "{note}");
    assert!(
        found.text().ends_with("Next: search again with the brand as it is spelt, or without it."),
        "{}",
        found.text()
    );
    let sent = server.world.sent();
    assert!(sent[2].path.starts_with("/v1/products?filter.term=milk&filter.locationId") && sent.len() == 3);
}

#[test]
fn unanswered_search_says_when_to_try_again() {
    let server = shop();
    for _ in 0..6 {
        server.world.lose_answer(SendError::NotSent);
    }

    let refused = server.call("search_products", &json!({ "terms": ["milk"] }));

    assert_eq!(refused.error(), "upstream_unavailable");
    assert_eq!(refused.0["_meta"]["kroger-mcp/problem"]["retryable"], true);
}

#[test]
fn get_product_shows_all_fields_and_its_corrections() {
    let server = shop();
    server.answer(&json!(product(UPC, "Kroger 2% Milk", 1.99, "LOW")));

    let shown = server.call("get_product", &json!({ "upc": "011110417008" }));

    assert_eq!(shown.value()["upc"], UPC);
    assert_eq!(shown.value()["stock"], "low");
    assert!(shown.value()["notes"][0].as_str().unwrap().contains("check digit"));
    assert!(server.asked().starts_with("/v1/products/0001111041700?"), "{}", server.asked());
}

#[test]
fn unknown_product_is_not_found() {
    let server = shop();
    server.world.answer(404, "");

    let missing = server.call("get_product", &json!({ "upc": UPC }));

    assert_eq!(missing.error(), "not_found");
    assert!(missing.text().contains("search for the product by name"), "{}", missing.text());
}

#[test]
fn get_product_suggests_add_to_cart_only_if_it_can_be_added() {
    let text = |change: fn(&mut Value)| {
        let server = shop();
        let mut shown = product(UPC, "Kroger 2% Milk", 1.99, "HIGH");
        change(&mut shown);
        server.answer(&shown);
        server.call("get_product", &json!({ "upc": UPC })).text().to_owned()
    };
    let out = text(|shown| shown["items"][0]["inventory"]["stockLevel"] = "TEMPORARILY_OUT_OF_STOCK".into());
    let in_store = text(|shown| {
        shown["items"][0]["fulfillment"] = json!({ "inStore": true, "curbside": false, "delivery": false });
    });
    let limited = text(|shown| shown["retstrictions"] = json!({ "maximumOrderQuantity": 2 }));
    let plain = text(|_| ());

    for text in [&out, &in_store, &limited] {
        assert!(text.ends_with("Next: check_cart_items says whether it can be added."), "{text}");
    }
    assert!(limited.contains("2 at most in one order"), "{limited}");
    assert!(in_store.contains("by in_store\n"), "{in_store}");
    assert!(plain.ends_with("Next: add_to_cart adds it."), "{plain}");
}

#[test]
fn get_product_shows_the_product_of_a_barcode() {
    let server = shop();
    server.world.answer(404, "");
    server.answer(&json!([product(UPC, "Kroger 2% Milk", 1.99, "HIGH")]));
    server.answer(&product(UPC, "Kroger 2% Milk", 1.99, "HIGH"));

    let shown = server.call("get_product", &json!({ "upc": "0011110417008" }));

    assert_eq!(shown.value()["upc"], UPC, "{}", shown.text());
    assert!(shown.text().contains("check digit"), "{}", shown.text());
}

#[test]
fn product_sold_by_unit_has_no_estimate() {
    let server = shop();
    let mut milk = product(UPC, "Kroger 2% Milk", 1.99, "HIGH");
    milk["items"][0]["price"]["regularPerUnitEstimate"] = 1.99.into();
    server.answer(&milk);

    let shown = server.call("get_product", &json!({ "upc": UPC }));

    assert!(shown.value()["estimated_price"].is_null() && shown.value()["price_per"].is_null(), "{}", shown.value());
}
