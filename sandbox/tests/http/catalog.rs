//! Products, locations, chains and departments, as a client meets them.

use serde_json::{Value, json};

use crate::{client::WireReply, fixture::TestSandbox};

const LOCATION: &str = "01400376";

/// A sandbox with an app's own token.
struct CatalogClient {
    sandbox: TestSandbox,
    token: String,
}

impl CatalogClient {
    fn open() -> Self {
        let sandbox = TestSandbox::start();
        let granted = sandbox.token("grant_type=client_credentials&scope=product.compact").json();
        let token = granted["access_token"].as_str().unwrap().to_owned();
        Self { sandbox, token }
    }

    fn call(&self, method: &str, path: &str) -> WireReply {
        self.sandbox.call(&format!("{method} {path}\nauthorization: Bearer {}", self.token), "")
    }

    fn get(&self, path: &str) -> Value {
        let reply = self.call("GET", path);
        assert_eq!(reply.status(), Some(200), "{path}: {}", reply.body);
        reply.json()
    }

    fn descriptions(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/v1/products?{query}"));
        let texts = page["data"].as_array().unwrap().iter().map(|product| product["description"].as_str().unwrap());
        texts.map(str::to_owned).collect()
    }

    /// Returns the status and the reason of a refusal.
    fn refused(&self, path: &str) -> (u16, String) {
        let reply = self.call("GET", path);
        let body = if reply.body.is_empty() { json!({}) } else { reply.json() };
        let reason = body["reason"].as_str().or(body["errors"]["reason"].as_str());
        (reply.status().unwrap(), reason.unwrap_or_default().to_owned())
    }
}

#[test]
fn search_reports_a_price_only_with_a_location() {
    let catalog = CatalogClient::open();

    let nowhere = catalog.get("/v1/products?filter.term=reduced+fat+milk&filter.limit=1");
    let here =
        catalog.get(&format!("/v1/products?filter.term=reduced+fat+milk&filter.limit=1&filter.locationId={LOCATION}"));

    let (nowhere, here) = (&nowhere["data"][0], &here["data"][0]);
    assert_eq!(nowhere["upc"], "0001111041700");
    assert_eq!(nowhere["items"][0].get("price"), None);
    assert_eq!(here["items"][0]["price"]["regular"], 1.99);
    assert_eq!(here["items"][0]["price"]["promo"], 1.59);
    assert_eq!(here["items"][0]["fulfillment"]["inStore"], true);
    assert_eq!(here["aisleLocations"][0]["number"], "35");
}

#[test]
fn pages_do_not_overlap_and_report_the_total() {
    let catalog = CatalogClient::open();
    let page = |start: &str| catalog.get(&format!("/v1/products?filter.term=milk&filter.limit=5{start}"));

    let (first, second) = (page(""), page("&filter.start=5"));

    assert_eq!(first["meta"]["pagination"]["limit"], 5);
    assert!(first["meta"]["pagination"]["total"].as_u64().unwrap() > 10);
    for product in first["data"].as_array().unwrap() {
        assert!(!second["data"].as_array().unwrap().contains(product));
    }
}

#[test]
fn brands_and_ids_are_lists_and_fulfilment_filters() {
    let catalog = CatalogClient::open();

    let brands = catalog.get("/v1/products?filter.brand=Fizzwell%7CHappy+Paws&filter.limit=50");
    let ids = catalog.get("/v1/products?filter.productId=0000000004011,0001111041700,0009999999999");
    let buns = |fulfillment: &str| {
        let query = format!("filter.term=kroger+hot+dog+buns&filter.locationId={LOCATION}{fulfillment}");
        catalog.descriptions(&query).contains(&"Kroger Hot Dog Buns".to_owned())
    };

    let brands: std::collections::BTreeSet<_> =
        brands["data"].as_array().unwrap().iter().map(|product| product["brand"].as_str().unwrap()).collect();
    assert_eq!(brands.into_iter().collect::<Vec<_>>(), ["Fizzwell", "Happy Paws"]);
    assert_eq!(ids["data"].as_array().unwrap().len(), 2);
    assert!(buns("") && !buns("&filter.fulfillment=csp"));
}

#[test]
fn list_of_ids_ignores_other_filters() {
    let catalog = CatalogClient::open();
    let ids = "filter.productId=0001111041700,0000000004011";

    let listed =
        catalog.get(&format!("/v1/products?{ids}&filter.locationId={LOCATION}&filter.limit=1&filter.brand=Nobody"));
    let alone = catalog.get(&format!("/v1/products/0001111041700?filter.locationId={LOCATION}"));

    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    assert_eq!(listed, catalog.get(&format!("/v1/products?{ids}")));
    assert_eq!(listed["data"][0]["items"][0].get("price"), None);
    assert_eq!(alone["data"]["items"][0]["price"]["regular"], 1.99);
}

#[test]
fn unknown_location_reports_nothing() {
    let catalog = CatalogClient::open();

    let nowhere = catalog.get("/v1/products/0001111041700?filter.locationId=99999999");
    let searched = catalog.get("/v1/products?filter.term=milk&filter.locationId=99999999");

    assert_eq!(nowhere, catalog.get("/v1/products/0001111041700"));
    assert_eq!(searched["data"], json!([]));
}

#[test]
fn weighed_product_estimates_the_price_of_a_piece() {
    let catalog = CatalogClient::open();
    let price = |upc: &str| {
        let product = catalog.get(&format!("/v1/products/{upc}?filter.locationId={LOCATION}"));
        let item = product["data"]["items"][0].clone();
        let dollars = |name: &str| item["price"][name].as_f64().unwrap();
        (item["soldBy"].clone(), dollars("regularPerUnitEstimate") / dollars("regular"))
    };

    let (weighed, pieces) = (price("0000000004011"), price("0001111041700"));

    assert_eq!((&weighed.0, &pieces.0), (&json!("WEIGHT"), &json!("UNIT")));
    assert!((0.1..0.9).contains(&weighed.1) && (0.99..1.01).contains(&pieces.1), "{weighed:?} {pieces:?}");
}

#[test]
fn known_oddities_occur() {
    let catalog = CatalogClient::open();
    let page = |brand: &str| {
        let query = format!("filter.brand={brand}&filter.limit=50&filter.locationId={LOCATION}");
        catalog.get(&format!("/v1/products?{query}"))["data"].as_array().unwrap().clone()
    };

    let products: Vec<Value> = ["Kroger", "Happy+Paws", "Northpine", "Simple+Truth+Organic"].map(page).concat();

    let some = |odd: fn(&Value) -> bool| assert!(products.iter().any(odd));
    some(|product| product["itemInformation"] == json!([]));
    some(|product| product.get("temperature").is_none());
    some(|product| product["items"][0].get("price").is_none());
    some(|product| product["items"][0].get("inventory").is_none());
    some(|product| product["items"][0]["price"]["promo"] == 0.0);
    some(|product| product["items"][0]["price"]["promo"] == product["items"][0]["price"]["regular"]);
    let one = catalog.get("/v1/products/0001111041700");
    assert_eq!(one.get("meta"), None);
}

#[test]
fn wrong_product_query_is_refused_in_krogers_words() {
    let catalog = CatalogClient::open();
    let refused = |query: &str, reason: &str| {
        assert_eq!(catalog.refused(&format!("/v1/products{query}")), (400, reason.to_owned()), "{query}");
    };
    refused("", "Invalid parameters");
    refused("?filter.term=mi", "Invalid parameters");
    refused("?filter.term=a+b+c+d+e+f+g+h+i", "Invalid parameters");
    refused("?filter.term=milk&filter.fulfillment=pickup", "Invalid parameters");
    refused("?filter.term=milk&filter.locationId=123", "Field 'locationId' must have a length of 8 characters");
    refused("?filter.term=milk&filter.limit=51", "Field 'limit' must be a number between 1 and 50 (inclusive)");
    refused("?filter.term=milk&filter.start=0", "Field 'start' must be a number between 1 and 250 (inclusive)");
    refused("/123", "UPC must have a length of 13 characters");
    assert_eq!(catalog.refused("/v1/products/0009999999999"), (404, String::new()));
}

#[test]
fn locations_are_found_near_a_place_or_refused_in_krogers_words() {
    let catalog = CatalogClient::open();
    let ids = |query: &str| -> Vec<String> {
        let page = catalog.get(&format!("/v1/locations?{query}"));
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|location| location["locationId"].as_str().unwrap().to_owned())
            .collect()
    };
    let refused = |query: &str, reason: &str| {
        assert_eq!(catalog.refused(&format!("/v1/locations?{query}")), (400, reason.to_owned()), "{query}");
    };

    assert_eq!(ids("filter.zipCode.near=45039&filter.limit=1"), [LOCATION]);
    assert_eq!(ids("filter.latLong.near=39.31,-84.27&filter.limit=1"), [LOCATION]);
    assert_eq!(ids("filter.lat.near=39.31&filter.lon.near=-84.27&filter.limit=1"), [LOCATION]);
    assert_eq!(ids("filter.zipCode.near=99999"), Vec::<String>::new());
    assert_eq!(ids("filter.chain=QFC&filter.department=01,11").len(), 2);
    refused("filter.zipCode.near=4503", "Field 'filter.zipCode.near' must 5 digits");
    refused("filter.limit=201", "Field 'limit' must be a number between 1 and 200 (inclusive)");
    refused("filter.department=99", "Field 'filter.department' contains invalid department ID(s)");
    let radius = "Field 'filter.radiusInMiles' outside of distance limits, distance range is 1 - 100 miles.";
    refused("filter.radiusInMiles=101", radius);
    refused("filter.latLong.near=91,0", "Field 'filter.latLong.near' improper coordinate location, must be on Earth");
}

#[test]
fn get_and_head_find_a_location_a_chain_and_a_department() {
    let catalog = CatalogClient::open();
    for (path, key, value) in [
        ("/v1/locations/01400376", "name", "Kroger Landen"),
        ("/v1/chains/KING%20SOOPERS", "domain", "kingsoopers.com"),
        ("/v1/departments/09", "name", "Pharmacy"),
    ] {
        assert_eq!(catalog.get(path)["data"][key], value);
        let head = catalog.call("HEAD", path);
        assert_eq!((head.status(), head.body.as_str()), (Some(204), ""), "{path}");
    }
    for path in ["/v1/locations/09999999", "/v1/chains/NOBODY", "/v1/departments/99"] {
        assert_eq!(catalog.refused(path), (404, String::new()));
        assert_eq!(catalog.call("HEAD", path).status(), Some(404), "{path}");
    }
    assert_eq!(catalog.refused("/v1/departments/9"), (400, "Invalid department ID".to_owned()));
    assert_eq!(catalog.get("/v1/chains")["data"].as_array().unwrap().len(), 8);
    assert_eq!(catalog.get("/v1/departments")["data"].as_array().unwrap().len(), 14);
}

#[test]
fn products_need_their_scope_and_locations_any_token() {
    let catalog = CatalogClient::open();
    let customer = catalog.sandbox.sign_in();
    let as_customer = |path: &str| {
        let token = customer["access_token"].as_str().unwrap();
        catalog.sandbox.call(&format!("GET {path}\nauthorization: Bearer {token}"), "").status()
    };

    assert_eq!(as_customer("/v1/products?filter.term=milk"), Some(403));
    assert_eq!(as_customer("/v1/locations"), Some(200));
    assert_eq!(catalog.sandbox.get("/v1/locations").status(), Some(401));
    assert_eq!(catalog.call("GET", "/v1/identity/profile").status(), Some(403));
}

#[test]
fn faults_meet_the_catalog_too() {
    let catalog = CatalogClient::open();
    catalog.sandbox.fault(&json!({"match": {"path": "/v1/chains"}, "times": 1, "action": {"status": 503}}));

    assert_eq!(catalog.call("GET", "/v1/chains").status(), Some(503));
    assert_eq!(catalog.call("GET", "/v1/chains").status(), Some(200));
}
