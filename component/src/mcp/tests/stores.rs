//! The tools that find stores.

use super::*;

#[test]
fn find_stores_shows_a_line_for_each_store() {
    let server = shop();
    server.answer(&json!([location()]));

    let found = server.call("find_stores", &json!({}));

    assert_eq!(found.value()["near"], "45039");
    assert_eq!(found.value()["stores"][0]["store_id"], STORE);
    assert!(found.text().contains("- 01400376 Kroger Landen, 2900 W. St. Rt. 22 & 3, Maineville"), "{}", found.text());
    assert!(found.text().contains("set_preferred_store"), "{}", found.text());
}

#[test]
fn find_stores_takes_a_zip_code_as_a_number_and_a_place_in_degrees() {
    let server = shop();
    server.answer(&json!([]));
    server.call("find_stores", &json!({ "zip_code": 2_134 })).value();
    let by_zip = server.asked();
    server.answer(&json!([]));
    server.call("find_stores", &json!({ "latitude": 39.31, "longitude": -84 })).value();
    assert!(server.asked().contains("filter.latLong.near=39.31%2C-84&"), "{}", server.asked());
    server.answer(&json!([]));
    server.call("find_stores", &json!({ "latitude": "39.31", "longitude": "-84.27", "radius_miles": "5" })).value();

    assert!(by_zip.contains("filter.zipCode.near=02134"), "{by_zip}");
    assert!(server.asked().contains("filter.latLong.near=39.31%2C-84.27"), "{}", server.asked());
    assert!(server.asked().contains("filter.radiusInMiles=5"), "{}", server.asked());
}

#[test]
fn find_stores_refuses_invalid_places() {
    let server = shop();
    let wrong = [
        (json!({ "zip_code": "Maineville" }), "a zip code of 5 digits"),
        (json!({ "zip_code": "9" }), "a zip code of 5 digits"),
        (json!({ "latitude": "39" }), "latitude and longitude together"),
        (json!({ "latitude": "north", "longitude": "-84" }), "`latitude` is not valid: degrees from -90 to 90"),
        (json!({ "latitude": 39, "longitude": 181 }), "`longitude` is not valid: degrees from -180 to 180"),
        (json!({ "radius_miles": 500 }), "a whole number from 1 to 100"),
    ];

    for (arguments, told) in wrong {
        let refused = server.call("find_stores", &arguments);
        assert_eq!(refused.error(), "invalid_argument", "{arguments}");
        assert!(refused.text().contains(told), "{arguments}: {}", refused.text());
    }
}

#[test]
fn lost_zeros_of_a_zip_code_are_restored_and_noted() {
    let server = shop();
    server.answer(&json!([]));

    let found = server.call("find_stores", &json!({ "zip_code": 2_134, "radius_miles": 100 }));

    assert_eq!(found.value()["notes"][0], "The zip code 2134 was read as 02134.");
    assert!(found.text().ends_with("Next: try another zip code."), "{}", found.text());
}

#[test]
fn get_store_groups_days_with_equal_hours() {
    let server = shop();
    server.answer(&location());

    let shown = server.call("get_store", &json!({ "store_id": STORE }));

    assert_eq!(shown.value()["hours"], json!(["monday-tuesday 06:00-23:00", "sunday 07:00-22:00"]));
    assert_eq!(shown.value()["departments"], json!(["Drug"]));
}

#[test]
fn later_searches_use_the_preferred_store() {
    let server = server();
    server.world.answer(200, r#"{"access_token":"canary-app","expires_in":1800}"#);
    server.answer(&location());
    let chosen = server.call("set_preferred_store", &json!({ "store_id": 1_400_376 }));
    server.answer(&json!([product(UPC, "Milk", 1.99, "HIGH")]));
    let found = server.call("search_products", &json!({ "terms": ["milk"] }));

    assert_eq!(chosen.value()["name"], "Kroger Landen");
    assert_eq!(found.value()["store_id"], STORE);
}

#[test]
fn unknown_store_is_not_chosen() {
    let server = shop();
    server.world.answer(404, "");

    let refused = server.call("set_preferred_store", &json!({ "store_id": "99999999" }));

    assert_eq!(refused.error(), "not_found");
    let preferred = server.ask("resources/read", json!({ "uri": "kroger://preferred-store" }));
    assert!(preferred["result"]["contents"][0]["text"].as_str().unwrap().contains("configured"), "{preferred}");
}

#[test]
fn zip_code_in_place_of_a_store_is_answered_with_stores_near_it() {
    let server = shop();
    server.answer(&json!([location()]));

    let refused = server.call("set_preferred_store", &json!({ "store_id": "45039" }));

    assert_eq!(refused.error(), "invalid_argument");
    assert!(refused.text().contains("- 01400376 Kroger Landen"), "{}", refused.text());
    assert!(refused.text().contains("Next: Ask the user which is meant"), "{}", refused.text());
}

#[test]
fn chains_and_departments_are_listed_as_find_stores_takes_them() {
    let server = shop();
    server.answer(&json!([{ "name": "KING SOOPERS" }, { "name": "KROGER" }]));
    let chains = server.call("list_chains", &json!({}));
    server.answer(&json!([{ "departmentId": "09", "name": "Deli" }]));
    let departments = server.call("list_departments", &json!({}));

    assert_eq!(chains.value()["chains"][0]["chain"], "KING SOOPERS");
    assert_eq!(departments.value()["departments"], json!([{ "department_id": "09", "name": "Deli" }]));
}
