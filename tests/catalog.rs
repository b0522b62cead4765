//! Reads products, locations and the profile through the real server, from the sandbox.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Kroger, Sandbox, Server, UPC, folder};

const LOCATION: &str = "01400376";

fn started() -> (Sandbox, TempDir, Server) {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    (sandbox, folder, server)
}

fn calls(sandbox: &Sandbox, call: &str) -> Value {
    sandbox.state()["calls"][call].clone()
}

#[test]
fn products_are_found_without_a_sign_in() {
    let (_sandbox, _folder, server) = started();

    let found =
        server.get(&format!("/products/search?term=reduced+fat+milk&locationId={LOCATION}&limit=3")).expect(200);
    let milk = server.get(&format!("/products/{UPC}?locationId={LOCATION}")).expect(200).json();
    let nowhere = server.get(&format!("/products/{UPC}")).expect(200).json();

    let found = found.json();
    assert_eq!(found["data"].as_array().unwrap().len(), 3);
    assert_eq!(found["data"][0], milk["data"]);
    assert_eq!(milk["data"]["items"][0]["price"]["promo"], 1.59);
    assert_eq!(nowhere["data"]["items"][0].get("price"), None);
    let unknown = server.get("/products/0009999999999").expect(404);
    assert_eq!(unknown.code(), "not_found");
}

#[test]
fn prices_are_those_of_the_configured_location() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let command = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"]).at(&sandbox);
    let server = command.env("KROGER_DEFAULT_STORE_ID", LOCATION).env("KROGER_DEFAULT_ZIP_CODE", "45039").serve();

    let milk = server.get(&format!("/products/{UPC}")).expect(200).json();
    let locations = server.get("/locations/search").expect(200).json();

    assert_eq!((&milk["locationId"], &milk["data"]["items"][0]["price"]["regular"]), (&json!(LOCATION), &json!(1.99)));
    assert_eq!(locations["data"][0]["locationId"], LOCATION);
}

#[test]
fn locations_are_found_and_shown() {
    let (_sandbox, _folder, server) = started();

    let near = server.get("/locations/search?zipCode=45202&radiusInMiles=5").expect(200).json();
    let location = server.get(&format!("/locations/{LOCATION}")).expect(200).json();

    assert_eq!(near["data"].as_array().unwrap().len(), 2);
    assert_eq!(location["data"]["name"], "Kroger Landen");
    server.get("/locations/09999999").expect(404);
}

#[test]
fn the_profile_is_read_after_a_sign_in() {
    let (_sandbox, _folder, server) = started();
    server.get("/identity/profile").expect(401);
    server.sign_in();

    let profile = server.get("/identity/profile").expect(200).json();

    assert_eq!(profile["data"]["id"].as_str().unwrap().len(), 36);
}

#[test]
fn a_repeated_question_costs_one_call_across_all_instances() {
    let (sandbox, _folder, server) = started();
    let question = format!("/products/search?term=milk&locationId={LOCATION}");

    let first = server.get(&question).expect(200).json();
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| server.get(&question).expect(200).json())).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });

    assert!(answers.iter().all(|answer| *answer == first));
    assert_eq!(calls(&sandbox, "GET /v1/products"), json!({ "200": 1 }));
    let quotas = server.get("/admin/rate-limits").expect(200).json();
    assert_eq!(quotas["endpoints"]["products"]["used"], 1);
}

/// Asks for another location each time, because an answer is cached for an hour.
#[test]
fn a_transient_fault_is_tried_again_and_a_lasting_one_is_reported() {
    let (sandbox, _folder, server) = started();
    let ask = |location: &str, times: Option<u32>, action: &Value| {
        let path = json!({ "path": format!("/v1/locations/{location}") });
        sandbox.clear_faults();
        sandbox.faults(&json!([{ "match": path, "times": times, "action": action }]));
        server.get(&format!("/locations/{location}"))
    };
    for (location, action) in [
        ("01400376", json!({ "status": 503 })),
        ("01400943", json!("drop_before")),
        ("01400413", json!("drop_after")),
        ("01400441", json!("truncate")),
    ] {
        let answer = ask(location, Some(2), &action);
        assert_eq!((answer.status, sandbox.fired()), (200, 2), "{action}: {}", answer.text);
    }
    for (action, status, code) in [
        (json!({ "status": 500 }), 503, "upstream_unavailable"),
        (json!("garbage"), 502, "upstream_rejected"),
        (json!({ "status": 400, "body": { "code": "X", "reason": "no" } }), 422, "upstream_rejected"),
    ] {
        let answer = ask("70300022", None, &action);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{action}: {}", answer.text);
    }
}
