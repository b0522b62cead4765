//! Searches: terms, brands, UPCs, the order, and where a search goes on.

use crate::failure::{CallTrouble, Cause, Correction, NextStep};
use serde_json::{Value, json};

use super::{EGGS, LANDEN, MILK, Shop, product_json, query, upcs};
use crate::catalog::location::LocationId;
use crate::catalog::search::query::{ProductOrder, ProductQuery, StockWanted};
use crate::failure::Code;

#[test]
fn each_term_is_one_search_at_the_configured_location() {
    let shop = Shop::at_landen();
    shop.answer(&json!([product_json(MILK, "1 gal", 1.99, "HIGH")]));
    shop.answer(&json!([]));

    let found = shop.search(&query(&["whole milk", "unicorn steak"])).unwrap();

    assert_eq!(found.location, LocationId::parse(LANDEN).ok());
    assert_eq!(found.found[0].searched_for, "whole milk");
    assert_eq!(upcs(&found.found[0]), [MILK]);
    assert!(found.found[1].products.is_empty() && found.found[1].failure.is_none());
    assert_eq!(
        shop.asked(),
        [
            "/v1/products?filter.term=whole%20milk&filter.locationId=01400376&filter.limit=10",
            "/v1/products?filter.term=unicorn%20steak&filter.locationId=01400376&filter.limit=10",
        ]
    );
}

#[test]
fn a_failed_term_leaves_the_others_alone() {
    let shop = Shop::at_landen();
    shop.world.answer(400, r#"{"code":"API-4101-400","reason":"Invalid parameters"}"#);
    shop.answer(&json!([product_json(MILK, "1 gal", 1.99, "HIGH")]));
    let found = shop.search(&query(&["bad", "milk"])).unwrap();
    assert_eq!(found.found[0].failure.as_ref().unwrap().code, Code::UpstreamRejected);
    assert_eq!(upcs(&found.found[1]), [MILK]);

    shop.world.answer(400, r#"{"code":"API-4101-400","reason":"Invalid parameters"}"#);
    let failure = shop.search(&query(&["bad"])).unwrap_err();
    assert!(
        matches!(&failure.cause, Cause::Call(_, CallTrouble::Rejected(error)) if error.code == "API-4101-400"),
        "{failure:?}"
    );
}

#[test]
fn the_cheapest_come_first_and_unknown_prices_last() {
    let products = json!([
        product_json("0000000000001", "1 gal", 4.00, "HIGH"),
        product_json("0000000000002", "1/2 gal", 3.00, "LOW"),
        product_json("0000000000003", "a lot", 1.00, "HIGH"),
        { "upc": "0000000000004", "description": "without a price" },
        product_json("0000000000005", "12 ct", 0.12, "TEMPORARILY_OUT_OF_STOCK"),
    ]);
    let in_order = |order: ProductOrder, stock: StockWanted| {
        let shop = Shop::at_landen();
        shop.answer(&products);
        let found = shop.search(&ProductQuery { stock, order, ..query(&["milk"]) }).unwrap();
        assert!(shop.asked()[0].contains("filter.limit=50"));
        upcs(&found.found[0]).iter().map(|upc| upc[12..].parse().unwrap()).collect::<Vec<u32>>()
    };
    assert_eq!(in_order(ProductOrder::Price, StockWanted::Any), [5, 3, 2, 1, 4]);
    assert_eq!(in_order(ProductOrder::UnitPrice, StockWanted::Any), [1, 2, 5, 3, 4]);
    assert_eq!(in_order(ProductOrder::Relevance, StockWanted::InStock), [1, 2, 3]);
}

#[test]
fn a_sorted_search_tells_if_products_are_unseen() {
    let note = |total: u32, limit: u32| {
        let shop = Shop::at_landen();
        let products = json!([product_json(MILK, "1 gal", 2.0, "HIGH"), product_json(EGGS, "12 ct", 1.0, "HIGH")]);
        let answer = json!({ "data": products, "meta": { "pagination": { "total": total } } });
        shop.world.answer(200, answer.to_string());
        let sorted = ProductQuery { order: ProductOrder::Price, limit: Some(limit), ..query(&["milk"]) };
        shop.search(&sorted).unwrap().found[0].notes.clone()
    };

    assert!(note(90, 5)[0].starts_with("Sorted among the first 2 that Kroger found"));
    assert!(note(2, 1)[0].starts_with("Sorted among all that Kroger found"));
    assert!(note(2, 5).is_empty());
}

#[test]
fn the_next_start_counts_products_that_were_left_out() {
    let shop = Shop::at_landen();
    let all: Vec<Value> = (1..=50)
        .map(|n: u32| {
            let stock = if n.is_multiple_of(2) { "HIGH" } else { "TEMPORARILY_OUT_OF_STOCK" };
            product_json(&format!("{n:013}"), "1 ct", 1.0, stock)
        })
        .collect();
    let answer = json!({ "data": all, "meta": { "pagination": { "start": 0, "limit": 50, "total": "90" } } });
    shop.world.answer(200, answer.to_string());

    let wanted = ProductQuery { stock: StockWanted::InStock, limit: Some(3), ..query(&["milk"]) };
    let found = shop.search(&wanted).unwrap();

    assert_eq!(found.found[0].total, Some(90));
    // The third that is in stock is the sixth of Kroger's.
    assert_eq!(found.found[0].products.len(), 3);
    assert_eq!(found.found[0].next_start, Some(6));
}

#[test]
fn upcs_are_looked_up_in_one_call_and_missing_ones_are_noted() {
    let shop = Shop::at_landen();
    shop.answer(&json!([product_json(MILK, "1 gal", 1.99, "HIGH")]));

    let wanted = ProductQuery { upcs: vec!["011110417008".to_owned(), MILK.to_owned(), EGGS.to_owned()], ..query(&[]) };
    let found = shop.search(&wanted).unwrap();

    assert_eq!(shop.asked().len(), 1);
    assert!(shop.asked()[0].contains(&format!("filter.productId={MILK}%2C{EGGS}")));
    assert!(found.found[0].notes[0].contains("check digit"));
    assert_eq!(found.found[0].notes[1], format!("Kroger knows no product {EGGS} at this location."));
}

#[test]
fn a_barcode_of_thirteen_digits_finds_its_product_and_is_noted() {
    let shop = Shop::at_landen();
    shop.answer(&json!([product_json(EGGS, "12 ct", 1.99, "HIGH"), product_json(MILK, "1 gal", 1.99, "HIGH")]));

    let wanted = ProductQuery { upcs: vec!["0011110417008".to_owned(), EGGS.to_owned()], ..query(&[]) };
    let found = shop.search(&wanted).unwrap();

    assert_eq!(found.found[0].products.len(), 2);
    assert!(found.found[0].notes[0].contains(&format!("check digit; Kroger's UPC for it is {MILK}")));
    let ids = format!("filter.productId=0011110417008%2C{MILK}%2C{EGGS}");
    assert!(shop.asked()[0].contains(&ids), "{:?}", shop.asked());
}

#[test]
fn an_invalid_search_is_refused_and_sends_nothing() {
    let shop = Shop::open();
    let none = query(&[]);
    for (wrong, field) in [
        (none.clone(), "terms"),
        (query(&["mi"]), "terms[0]"),
        (query(&["milk"; 11]), "terms"),
        (ProductQuery { brand: Some(" ".to_owned()), ..query(&["milk"]) }, "brand"),
        (ProductQuery { upcs: vec!["milk".to_owned()], ..none.clone() }, "upcs[0]"),
        (ProductQuery { upcs: vec![MILK.to_owned(); 51], ..none }, "upcs"),
        (ProductQuery { limit: Some(51), ..query(&["milk"]) }, "limit"),
        (ProductQuery { limit: Some(0), order: ProductOrder::Price, ..query(&["milk"]) }, "limit"),
        (ProductQuery { start: 251, ..query(&["milk"]) }, "start"),
    ] {
        let failure = shop.search(&wrong).unwrap_err();
        assert_eq!(failure.code, Code::InvalidArgument);
        assert_eq!(failure.next, NextStep::Correct(Correction::Argument(field.to_owned())));
    }
    assert!(shop.world.sent().is_empty());
}

#[test]
fn without_a_location_the_search_tells_why_prices_are_missing() {
    let shop = Shop::open();
    shop.answer(&json!([{ "upc": MILK, "description": "Milk" }]));

    let found = shop.search(&ProductQuery { stock: StockWanted::InStock, ..query(&["milk"]) }).unwrap();

    assert_eq!(upcs(&found.found[0]), [MILK]);
    assert!(found.notes[0].contains("No location is chosen"));
}
