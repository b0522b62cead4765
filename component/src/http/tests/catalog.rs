//! Products, locations and the profile: their parameters and their answers.

use super::*;

const STORE: &str = "01400376";

/// A server whose app has a token of its own.
pub(super) fn shop() -> Server {
    let server = server();
    server.world.answer(200, r#"{"access_token":"canary-app-token","expires_in":1800}"#);
    server
}

impl Server {
    fn krogers_data(&self, data: &Value) {
        self.world.answer(200, json!({ "data": data }).to_string());
    }

    fn asked(&self) -> String {
        self.world.sent().pop().unwrap().path
    }
}

#[test]
fn search_sends_its_parameters_and_answers_in_krogers_form() {
    let server = shop();
    let milk = json!({ "upc": UPC, "description": "Milk", "itemInformation": [], "new": [1] });
    server.world.answer(
        200,
        json!({ "data": [milk, null], "meta": { "pagination": { "total": 47 }, "warnings": [] } }).to_string(),
    );

    let path = format!(
        "/products/search?term=whole+milk&locationId={STORE}&brand=Kroger%7CSimple+Truth&fulfillment=csp,DTH&limit=5&start=20"
    );
    let found = server.get(&path);

    assert_eq!(
        server.asked(),
        "/v1/products?filter.term=whole%20milk&filter.brand=Kroger%7CSimple%20Truth&filter.locationId=01400376\
         &filter.fulfillment=csp%2Cdth&filter.limit=5&filter.start=20"
    );
    let expected = json!({
        "data": [{ "upc": UPC, "description": "Milk", "itemInformation": {}, "new": [1] }],
        "meta": {
            "pagination": { "total": 47 },
            "warnings": ["1 of Kroger's products could not be read and were left out."],
        },
        "locationId": STORE,
    });
    assert_eq!((found.status, found.json()), (200, expected));
    assert_eq!(found.header("cache-control"), "no-store");
}

#[test]
fn barcode_finds_its_product_and_the_correction_is_noted() {
    let server = shop();
    server.krogers_data(&json!({ "upc": UPC, "description": "Milk" }));

    let found = server.get("/products/011110417008").json();

    assert_eq!(server.asked(), format!("/v1/products/{UPC}"));
    assert_eq!(found["data"]["description"], "Milk");
    assert!(found["notes"][0].as_str().unwrap().contains("check digit"));
    assert_eq!(found.get("locationId"), None);
}

#[test]
fn locations_are_found_near_a_zip_code_or_a_place() {
    let server = shop();
    for _ in 0..2 {
        server.krogers_data(&json!([{ "locationId": STORE, "name": "Kroger Landen" }, {}]));
    }

    let by_zip = server.get("/locations/search?zipCode=45039&radiusInMiles=20&department=09,13&limit=3").json();
    let asked_by_zip = server.asked();
    server.get("/locations/search?lat=39.31&lon=-84.27&chain=ralphs").json();

    assert_eq!(by_zip, json!({ "data": [{ "locationId": STORE, "name": "Kroger Landen" }], "meta": {} }));
    assert_eq!(
        asked_by_zip,
        "/v1/locations?filter.zipCode.near=45039&filter.radiusInMiles=20&filter.limit=3&filter.department=09%2C13"
    );
    assert_eq!(
        server.asked(),
        "/v1/locations?filter.latLong.near=39.31%2C-84.27&filter.radiusInMiles=10&filter.limit=10&filter.chain=RALPHS"
    );
}

/// A path, and the parameter that its error names.
const WRONG_PARAMETERS: [(&str, &str); 31] = [
    ("/products/search", "term"),
    ("/products/search?term=mi", "term"),
    ("/products/search?term=milk&limit=51", "limit"),
    ("/products/search?term=milk&limit=+5", "limit"),
    ("/products/search?term=milk&start=-1", "start"),
    ("/products/search?term=milk&fulfillment=drone", "fulfillment"),
    ("/products/search?term=milk&locationId=1", "locationId"),
    ("/products/search?term=milk&brand=%20", "brand"),
    ("/products/search?term=milk&locationId=", "locationId"),
    ("/products/search?term=milk&limit=", "limit"),
    ("/products/search?term=milk&fulfillment=", "fulfillment"),
    ("/products/search?term=milk&brand=", "brand"),
    ("/products/0001111041700?locationId=", "locationId"),
    ("/products/milk", "id"),
    ("/products/%ff", "id"),
    ("/locations/search", "zipCode"),
    ("/locations/search?zipCode=4503", "zipCode"),
    ("/locations/search?lat=39", "lon"),
    ("/locations/search?lon=39", "lat"),
    ("/locations/search?lat=91&lon=0", "lat"),
    ("/locations/search?lat=nan&lon=0", "lat"),
    ("/locations/search?zipCode=45039&radiusInMiles=0", "radiusInMiles"),
    ("/locations/search?zipCode=45039&department=pharmacy", "department"),
    ("/locations/search?zipCode=", "zipCode"),
    ("/locations/search?lat=&lon=0", "lat"),
    ("/locations/search?lat=null&lon=0&zipCode=45202", "lat"),
    ("/locations/search?lat=39&zipCode=45202", "lon"),
    ("/locations/search?zipCode=45039&chain=", "chain"),
    ("/locations/search?chain=", "chain"),
    ("/locations/search?zipCode=45039&department=", "department"),
    ("/locations/1", "id"),
];

#[test]
fn wrong_parameter_is_named_and_nothing_is_sent() {
    let server = server();
    for (path, field) in WRONG_PARAMETERS {
        let refused = server.get(path);
        assert_eq!(refused.problem(), (422, "invalid_argument".to_owned()), "{path}");
        assert!(refused.detail().starts_with(&format!("`{field}` ")), "{path}: {}", refused.detail());
    }
    assert!(server.world.sent().is_empty());
}

#[test]
fn unknown_product_and_location_are_not_found() {
    let server = shop();
    for path in ["/products/0009999999999", "/locations/09999999"] {
        server.world.answer(404, "");
        assert_eq!(server.get(path).problem(), (404, "not_found".to_owned()), "{path}");
    }
}

#[test]
fn profile_needs_a_sign_in() {
    let nobody = server().get("/identity/profile");
    assert_eq!(nobody.problem(), (401, "reauthorize".to_owned()));

    let server = signed_in();
    server.krogers_data(&json!({ "id": "53990804", "name": "not passed on" }));
    assert_eq!(server.get("/identity/profile").json(), json!({ "data": { "id": "53990804" } }));
}
