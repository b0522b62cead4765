//! The catalog as its callers ask it, with Kroger's answers scripted.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::catalog::check::{Concern, check_cart_items};
use crate::catalog::locations::{Near, StoreQuery, chains, find_stores, store};
use crate::catalog::page::Fulfillment;
use crate::catalog::preferred_location::{self, Source as PreferredBy};
use crate::catalog::product::{Cents, Stock};
use crate::catalog::search::{Order, ProductQuery, StockWanted, product, search_products};
use crate::item::{Item, Modality, Quantity};
use crate::ports::SendError;
use crate::settings::Settings;
use crate::testing::TestWorld;
use crate::upstream::quota;

const MILK: &str = "0001111041700";
const EGGS: &str = "0001111041910";
const STORE: &str = "01400376";

/// An app with a secret, whose token was just granted.
struct Shop {
    settings: Settings,
    world: TestWorld,
    user: UserId,
}

impl Shop {
    fn open() -> Self {
        Self::with(&[])
    }

    fn at_landen() -> Self {
        Self::with(&[("KROGER_DEFAULT_STORE_ID", STORE)])
    }

    fn with(variables: &[(&str, &str)]) -> Self {
        let app = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "s")];
        let variables = app.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::from_variables(variables).unwrap();
        let world = TestWorld::new();
        world.answer(200, r#"{"access_token":"app-token","expires_in":1800}"#);
        Self { user: settings.default_user.clone(), settings, world }
    }

    fn cx(&self) -> Context<'_> {
        Context { settings: &self.settings, ports: &self.world }
    }

    fn answer(&self, data: &Value) {
        self.world.answer(200, json!({ "data": data }).to_string());
    }

    /// What was asked of Kroger, token requests aside.
    fn asked(&self) -> Vec<String> {
        let paths = self.world.sent().into_iter().map(|request| request.path);
        paths.filter(|path| !path.contains("oauth2")).collect()
    }

    fn search(&self, query: &ProductQuery) -> Result<search::ProductsFound, Failure> {
        search_products(self.cx(), &self.user, query)
    }
}

fn query(terms: &[&str]) -> ProductQuery {
    ProductQuery { terms: terms.iter().map(|term| (*term).to_owned()).collect(), ..ProductQuery::default() }
}

fn product_json(upc: &str, size: &str, regular: f64, stock: &str) -> Value {
    json!({
        "upc": upc, "description": format!("Product {upc}"),
        "items": [{
            "size": size, "soldBy": "UNIT", "inventory": { "stockLevel": stock },
            "price": { "regular": regular, "promo": 0 },
            "fulfillment": { "curbside": true, "delivery": false, "inStore": true, "shipToHome": false },
        }],
    })
}

fn upcs(found: &search::Found) -> Vec<&str> {
    found.products.iter().map(|product| product.upc.as_str()).collect()
}

fn item(upc: &str, quantity: u32, modality: Modality) -> Item {
    Item { upc: Upc::parse(upc).unwrap().upc, quantity: Quantity::new(quantity).unwrap(), modality }
}

#[test]
fn each_term_is_a_search_of_its_own_at_the_configured_store() {
    let shop = Shop::at_landen();
    shop.answer(&json!([product_json(MILK, "1 gal", 1.99, "HIGH")]));
    shop.answer(&json!([]));

    let found = shop.search(&query(&["whole milk", "unicorn steak"])).unwrap();

    assert_eq!(found.location, LocationId::parse(STORE).ok());
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
fn a_search_that_fails_does_not_take_the_others_with_it() {
    let shop = Shop::at_landen();
    shop.world.answer(400, r#"{"code":"API-4101-400","reason":"Invalid parameters"}"#);
    shop.answer(&json!([product_json(MILK, "1 gal", 1.99, "HIGH")]));
    let found = shop.search(&query(&["bad", "milk"])).unwrap();
    assert_eq!(found.found[0].failure.as_ref().unwrap().code, Code::UpstreamRejected);
    assert_eq!(upcs(&found.found[1]), [MILK]);

    shop.world.answer(400, r#"{"code":"API-4101-400","reason":"Invalid parameters"}"#);
    let failure = shop.search(&query(&["bad"])).unwrap_err();
    assert!(failure.detail.contains("Invalid parameters (API-4101-400)"), "{}", failure.detail);
}

#[test]
fn the_cheapest_come_first_by_price_or_by_unit_and_what_is_not_known_last() {
    let products = json!([
        product_json("0000000000001", "1 gal", 4.00, "HIGH"),
        product_json("0000000000002", "1/2 gal", 3.00, "LOW"),
        product_json("0000000000003", "a lot", 1.00, "HIGH"),
        { "upc": "0000000000004", "description": "without a price" },
        product_json("0000000000005", "12 ct", 0.12, "TEMPORARILY_OUT_OF_STOCK"),
    ]);
    let in_order = |order: Order, stock: StockWanted| {
        let shop = Shop::at_landen();
        shop.answer(&products);
        let found = shop.search(&ProductQuery { stock, order, ..query(&["milk"]) }).unwrap();
        assert!(shop.asked()[0].contains("filter.limit=50"));
        upcs(&found.found[0]).iter().map(|upc| upc[12..].parse().unwrap()).collect::<Vec<u32>>()
    };
    assert_eq!(in_order(Order::Price, StockWanted::Any), [5, 3, 2, 1, 4]);
    assert_eq!(in_order(Order::UnitPrice, StockWanted::Any), [1, 2, 5, 3, 4]);
    assert_eq!(in_order(Order::Relevance, StockWanted::InStock), [1, 2, 3]);
}

#[test]
fn a_sorted_search_says_of_how_many_only_where_there_are_others() {
    let note = |total: u32, limit: u32| {
        let shop = Shop::at_landen();
        let products = json!([product_json(MILK, "1 gal", 2.0, "HIGH"), product_json(EGGS, "12 ct", 1.0, "HIGH")]);
        let answer = json!({ "data": products, "meta": { "pagination": { "total": total } } });
        shop.world.answer(200, answer.to_string());
        let sorted = ProductQuery { order: Order::Price, limit: Some(limit), ..query(&["milk"]) };
        shop.search(&sorted).unwrap().found[0].notes.clone()
    };

    assert!(note(90, 5)[0].starts_with("Sorted among the first 2 that Kroger found"));
    assert!(note(2, 1)[0].starts_with("Sorted among all that Kroger found"));
    assert!(note(2, 5).is_empty());
}

#[test]
fn a_search_says_where_it_goes_on_whatever_was_left_out() {
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
fn upcs_are_looked_up_in_one_call_and_what_is_missing_is_said() {
    let shop = Shop::at_landen();
    shop.answer(&json!([product_json(MILK, "1 gal", 1.99, "HIGH")]));

    let wanted = ProductQuery { upcs: vec!["011110417008".to_owned(), MILK.to_owned(), EGGS.to_owned()], ..query(&[]) };
    let found = shop.search(&wanted).unwrap();

    assert_eq!(shop.asked().len(), 1);
    assert!(shop.asked()[0].contains(&format!("filter.productId={MILK}%2C{EGGS}")));
    assert!(found.found[0].notes[0].contains("check digit"));
    assert_eq!(found.found[0].notes[1], format!("Kroger knows no product {EGGS} at this store."));
}

#[test]
fn a_upc_that_kroger_does_not_know_and_is_a_barcode_is_asked_about() {
    let shop = Shop::at_landen();
    shop.answer(&json!([product_json(EGGS, "12 ct", 1.99, "HIGH")]));
    shop.answer(&json!([product_json(MILK, "1 gal", 1.99, "HIGH")]));

    let wanted = ProductQuery { upcs: vec!["0011110417008".to_owned(), EGGS.to_owned()], ..query(&[]) };
    let found = shop.search(&wanted).unwrap();

    assert!(found.found[0].notes[1].contains(&format!("did you mean {MILK} Product {MILK}?")));
    assert!(shop.asked()[1].contains(&format!("filter.productId=0011110417008%2C{MILK}")), "{:?}", shop.asked());
}

#[test]
fn what_cannot_be_searched_for_is_refused_and_nothing_is_sent() {
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
        (ProductQuery { limit: Some(0), order: Order::Price, ..query(&["milk"]) }, "limit"),
        (ProductQuery { start: 251, ..query(&["milk"]) }, "start"),
    ] {
        let failure = shop.search(&wrong).unwrap_err();
        assert_eq!(failure.code, Code::InvalidArgument);
        assert!(failure.detail.contains(&format!("`{field}`")), "{field}: {}", failure.detail);
    }
    assert!(shop.world.sent().is_empty());
}

#[test]
fn without_a_store_there_is_no_price_and_the_search_says_why() {
    let shop = Shop::open();
    shop.answer(&json!([{ "upc": MILK, "description": "Milk" }]));

    let found = shop.search(&ProductQuery { stock: StockWanted::InStock, ..query(&["milk"]) }).unwrap();

    assert_eq!(upcs(&found.found[0]), [MILK]);
    assert!(found.notes[0].contains("No store is chosen"));
}

#[test]
fn the_same_question_within_a_minute_is_asked_once_and_later_again() {
    let shop = Shop::at_landen();
    let shop = Shop { world: shop.world.with_cache(), ..shop };
    let milk = json!([product_json(MILK, "1 gal", 1.99, "HIGH")]);
    for _ in 0..2 {
        shop.answer(&milk);
    }

    let first = shop.search(&query(&["milk"])).unwrap();
    shop.world.advance(Duration::from_secs(59));
    let second = shop.search(&query(&["milk"])).unwrap();
    let asked_by_then = shop.asked().len();
    shop.world.advance(Duration::from_secs(1));
    shop.search(&query(&["milk"])).unwrap();

    assert_eq!(first, second);
    assert_eq!((asked_by_then, shop.asked().len()), (1, 2));
}

#[test]
fn an_answer_that_failed_is_not_kept() {
    let shop = Shop::open();
    let shop = Shop { world: shop.world.with_cache(), ..shop };
    shop.world.answer(404, "");
    shop.answer(&json!({ "locationId": STORE }));
    let id = LocationId::parse(STORE).unwrap();

    assert_eq!(store(shop.cx(), &shop.user, &id).unwrap_err().code, Code::NotFound);
    assert_eq!(store(shop.cx(), &shop.user, &id).unwrap().id, id);
}

#[test]
fn stores_are_looked_for_near_the_configured_zip_code_unless_told_otherwise() {
    let shop = Shop::with(&[("KROGER_DEFAULT_ZIP_CODE", "45202"), ("KROGER_DEFAULT_RADIUS_MILES", "25")]);
    for _ in 0..3 {
        shop.answer(&json!([{ "locationId": STORE, "name": "Kroger Landen" }, { "locationId": "?" }]));
    }
    let find = |query: StoreQuery| find_stores(shop.cx(), &shop.user, &query).unwrap();

    let found = find(StoreQuery::default());
    find(StoreQuery { near: Near::zip_code("45039-1234").ok(), radius_miles: Some(5), ..StoreQuery::default() });
    find(StoreQuery {
        near: Near::place(39.1, -84.5).ok(),
        chain: Some("king soopers".to_owned()),
        departments: vec!["9".to_owned(), "13".to_owned()],
        limit: Some(3),
        ..StoreQuery::default()
    });

    assert_eq!((found.stores.len(), found.radius_miles), (1, 25));
    assert!(found.notes[0].contains("could not be read"));
    assert_eq!(
        shop.asked(),
        [
            "/v1/locations?filter.zipCode.near=45202&filter.radiusInMiles=25&filter.limit=10",
            "/v1/locations?filter.zipCode.near=45039&filter.radiusInMiles=5&filter.limit=10",
            "/v1/locations?filter.latLong.near=39.1%2C-84.5&filter.radiusInMiles=25&filter.limit=3\
             &filter.chain=KING%20SOOPERS&filter.department=09%2C13",
        ]
    );
}

#[test]
fn a_search_for_stores_near_nothing_or_beyond_a_bound_is_refused() {
    let shop = Shop::open();
    let near = Near::zip_code("45202").ok();
    for (wrong, field) in [
        (StoreQuery::default(), "zip_code"),
        (StoreQuery { near: near.clone(), radius_miles: Some(101), ..StoreQuery::default() }, "radius_miles"),
        (StoreQuery { near: near.clone(), limit: Some(201), ..StoreQuery::default() }, "limit"),
        (StoreQuery { near, departments: vec!["pharmacy".to_owned()], ..StoreQuery::default() }, "department"),
    ] {
        let failure = find_stores(shop.cx(), &shop.user, &wrong).unwrap_err();
        assert!(failure.detail.contains(&format!("`{field}`")), "{}", failure.detail);
    }
    assert!(Near::zip_code("4520").is_err() && Near::place(91.0, 0.0).is_err());
}

#[test]
fn a_preferred_store_counts_before_the_configured_one_until_it_is_cleared() {
    let shop = Shop::at_landen();
    shop.answer(&json!({ "locationId": "70300022", "name": "Ralphs Downtown LA" }));
    let ralphs = LocationId::parse("70300022").unwrap();
    let of = || preferred_location::of(shop.cx(), &shop.user).unwrap().unwrap();

    assert_eq!((of().location.as_str(), of().source), (STORE, PreferredBy::Configured));
    preferred_location::set(shop.cx(), &shop.user, &ralphs).unwrap();
    assert_eq!((of().location.as_str(), of().source), ("70300022", PreferredBy::Chosen));
    shop.world.answer(404, "");
    let nowhere = LocationId::parse("99999999").unwrap();
    assert_eq!(preferred_location::set(shop.cx(), &shop.user, &nowhere).unwrap_err().code, Code::NotFound);
    assert_eq!(of().location, ralphs);
    preferred_location::clear(shop.cx(), &shop.user).unwrap();
    assert_eq!(of().source, PreferredBy::Configured);
}

#[test]
fn one_product_is_read_at_the_store_and_an_unknown_one_is_not_found() {
    let shop = Shop::at_landen();
    shop.answer(&product_json(MILK, "1 gal", 1.99, "HIGH"));
    shop.world.answer(404, "");
    let milk = Upc::parse(MILK).unwrap().upc;

    let (found, location) = product(shop.cx(), &shop.user, &milk, None).unwrap();
    let unknown = product(shop.cx(), &shop.user, &Upc::parse(EGGS).unwrap().upc, None).unwrap_err();

    assert_eq!((found.stock, location.unwrap().as_str()), (Stock::High, STORE));
    assert_eq!(shop.asked()[0], format!("/v1/products/{MILK}?filter.locationId={STORE}"));
    assert_eq!(unknown.code, Code::NotFound);
    assert!(unknown.detail.contains(EGGS));
}

#[test]
fn a_check_says_of_each_item_what_stands_in_its_way_and_what_it_costs() {
    let shop = Shop::at_landen();
    let mut limited = product_json("0000000000003", "6 ct", 5.0, "LOW");
    limited["retstrictions"] = json!({ "maximumOrderQuantity": 2 });
    shop.answer(&json!([
        product_json(MILK, "1 gal", 1.99, "HIGH"),
        product_json("0000000000002", "1 ct", 3.0, "TEMPORARILY_OUT_OF_STOCK"),
        limited,
    ]));
    // Without the store, Kroger knows one of those that the store does not list.
    shop.answer(&json!([{ "upc": "0000000000004", "description": "Elsewhere" }]));
    let items = [
        item(MILK, 2, Modality::Pickup),
        item("0000000000002", 1, Modality::Delivery),
        item("0000000000003", 2, Modality::Pickup),
        item("0000000000003", 1, Modality::Pickup),
        item("0000000000004", 1, Modality::Pickup),
        item("0000000000005", 1, Modality::Pickup),
    ];

    let check = check_cart_items(shop.cx(), &shop.user, &items, None).unwrap();

    let concerns: Vec<_> = check.lines.iter().map(|line| line.concerns.clone()).collect();
    let too_many = vec![Concern::TooMany { most: 2 }, Concern::LowStock];
    assert_eq!(
        concerns,
        [
            vec![],
            vec![Concern::NotOffered(Modality::Delivery), Concern::OutOfStock],
            too_many.clone(),
            too_many,
            vec![Concern::NotSold],
            vec![Concern::UnknownUpc(None)],
        ]
    );
    assert!(check.lines[0].is_ready() && !check.is_ready());
    assert_eq!((check.estimated_total, check.not_in_total), (Cents(398), 5));
    assert_eq!(shop.asked().len(), 2);
}

#[test]
fn where_a_list_tells_nothing_of_the_store_each_product_is_asked_for() {
    let shop = Shop::at_landen();
    shop.answer(&json!([{ "upc": MILK, "description": "Milk" }]));
    shop.answer(&product_json(MILK, "1 gal", 1.99, "HIGH"));

    let check = check_cart_items(shop.cx(), &shop.user, &[item(MILK, 1, Modality::Pickup)], None).unwrap();

    assert_eq!(check.estimated_total, Cents(199));
    assert_eq!(shop.asked()[1], format!("/v1/products/{MILK}?filter.locationId={STORE}"));
}

#[test]
fn a_check_without_a_store_says_only_what_kroger_knows_anywhere() {
    let shop = Shop::open();
    shop.answer(&json!([{ "upc": MILK, "description": "Milk" }]));
    let items = [item(MILK, 1, Modality::Pickup), item(EGGS, 1, Modality::Pickup)];

    let check = check_cart_items(shop.cx(), &shop.user, &items, None).unwrap();

    assert_eq!(check.location, None);
    assert!(!check.is_ready());
    assert_eq!(check.lines[0].concerns, [Concern::NoStore]);
    assert_eq!(check.lines[1].concerns, [Concern::UnknownUpc(None)]);
    assert_eq!(shop.asked().len(), 1);
}

#[test]
fn a_lost_answer_is_asked_for_anew_and_given_up_after_the_configured_tries() {
    let shop = Shop::open();
    shop.world.lose_answer(SendError::Unknown);
    shop.world.answer(503, "");
    shop.answer(&json!([{ "name": "KROGER", "divisionNumbers": ["014"] }]));
    assert_eq!(chains(shop.cx(), &shop.user).unwrap()[0].name, "KROGER");

    for _ in 0..3 {
        shop.world.answer(500, "");
    }
    let failure = chains(shop.cx(), &shop.user).unwrap_err();
    assert_eq!(failure.code, Code::UpstreamUnavailable);
    assert!(failure.detail.contains("500") && failure.retry_after.is_some());
    assert_eq!(shop.asked().len(), 6);
}

#[test]
fn a_rejected_app_token_is_fetched_anew_and_one_rejected_again_is_told() {
    let shop = Shop::open();
    shop.world.answer(401, r#"{"error":"invalid_token"}"#);
    shop.world.answer(200, r#"{"access_token":"second","expires_in":1800}"#);
    shop.answer(&json!([]));
    chains(shop.cx(), &shop.user).unwrap();
    let last = shop.world.sent().pop().unwrap();
    assert!(last.headers.contains(&("authorization", "Bearer second".to_owned())));

    for token in ["third", "fourth"] {
        shop.world.answer(401, "");
        shop.world.answer(200, format!(r#"{{"access_token":"{token}","expires_in":1800}}"#));
    }
    shop.world.answer(401, "");
    let failure = chains(shop.cx(), &shop.user).unwrap_err();
    assert_eq!(failure.code, Code::TokenRejected);
    assert_eq!(failure.authorization_url, None);
}

#[test]
fn an_app_without_a_secret_reads_with_the_users_token_and_asks_for_the_scope_it_lacks() {
    let variables = [
        ("KROGER_CLIENT_ID", "app"),
        ("KROGER_USER_ACCESS_TOKEN", "users-own"),
        ("KROGER_USER_TOKEN_EXPIRES_AT", "1737203400"),
    ];
    let settings =
        Settings::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let world = TestWorld::new();
    let cx = Context { settings: &settings, ports: &world };
    world.answer(200, r#"{"data":[]}"#);
    world.answer(403, r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#);

    chains(cx, &settings.default_user).unwrap();
    let failure = search_products(cx, &settings.default_user, &query(&["milk"])).unwrap_err();

    assert!(world.sent()[0].headers.contains(&("authorization", "Bearer users-own".to_owned())));
    assert_eq!(failure.code, Code::ScopeMissing);
    assert!(failure.authorization_url.unwrap().contains("product.compact"));
}

#[test]
fn a_page_of_somebody_elses_is_no_answer() {
    for (status, body) in [(200, "<html>"), (200, "[]"), (404, "<html>"), (302, ""), (200, r#"{"meta":{}}"#)] {
        let shop = Shop::open();
        shop.world.answer(status, body);
        let failure = chains(shop.cx(), &shop.user).unwrap_err();
        assert_eq!(failure.code, Code::UpstreamNonsense, "{status} {body}");
    }
}

#[test]
fn a_used_up_quota_is_told_and_nothing_is_sent() {
    let shop = Shop::with(&[("KROGER_QUOTA_CHAINS", "1")]);
    shop.answer(&json!([]));
    chains(shop.cx(), &shop.user).unwrap();

    let failure = chains(shop.cx(), &shop.user).unwrap_err();

    assert_eq!(failure.code, Code::QuotaExhausted);
    assert_eq!(shop.asked().len(), 1);
    let used = quota::standings(shop.cx()).unwrap().into_iter().find(|one| one.endpoint == Endpoint::Chains);
    assert_eq!(used.unwrap().used, 1);
}

#[test]
fn the_profile_is_read_with_the_users_token_and_kept_nowhere() {
    let variables = [
        ("KROGER_CLIENT_ID", "app"),
        ("KROGER_CLIENT_SECRET", "s"),
        ("KROGER_USER_ACCESS_TOKEN", "users-own"),
        ("KROGER_USER_TOKEN_EXPIRES_AT", "1737203400"),
    ];
    let settings =
        Settings::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let world = TestWorld::new().with_cache();
    let cx = Context { settings: &settings, ports: &world };
    world.answer(200, r#"{"data":{"id":"53990804-cfd1"},"meta":{}}"#);

    let profile = profile(cx, &settings.default_user).unwrap();

    assert_eq!(profile.id, "53990804-cfd1");
    assert!(world.sent()[0].headers.contains(&("authorization", "Bearer users-own".to_owned())));
    for bucket in [crate::ports::Bucket::Store, crate::ports::Bucket::Cache] {
        let stored = world.stored(bucket);
        assert!(!stored.values().any(|value| String::from_utf8_lossy(value).contains("53990804")));
    }
}

#[test]
fn fulfilment_is_read_in_krogers_words_and_in_peoples() {
    for (text, read) in [
        ("csp", Fulfillment::Pickup),
        ("PICKUP", Fulfillment::Pickup),
        ("in-store", Fulfillment::InStore),
        ("ship to home", Fulfillment::Shipping),
        ("dth", Fulfillment::Delivery),
    ] {
        assert_eq!(Fulfillment::parse(text), Some(read));
    }
    assert_eq!(Fulfillment::parse("drone"), None);
}
