//! Locations, and the preferred one.

use crate::failure::{Correction, NextStep};
use serde_json::json;

use super::{LANDEN, Shop};
use crate::catalog::location::LocationId;
use crate::catalog::locations::{LocationQuery, Near, find_locations};
use crate::catalog::preferred_location::{self, PreferredBy};
use crate::failure::Code;

#[test]
fn locations_are_near_the_configured_zip_code_by_default() {
    let shop = Shop::with(&[("KROGER_DEFAULT_ZIP_CODE", "45202"), ("KROGER_DEFAULT_RADIUS_MILES", "25")]);
    for _ in 0..3 {
        shop.answer(&json!([{ "locationId": LANDEN, "name": "Kroger Landen" }, { "locationId": "?" }]));
    }
    let find = |query: LocationQuery| find_locations(shop.cx(), &shop.user, &query).unwrap();

    let found = find(LocationQuery::default());
    find(LocationQuery { near: Near::zip_code("45039-1234").ok(), radius_miles: Some(5), ..LocationQuery::default() });
    find(LocationQuery {
        near: Near::place(39.1, -84.5).ok(),
        chain: Some("king soopers".to_owned()),
        departments: vec!["9".to_owned(), "13".to_owned()],
        limit: Some(3),
        ..LocationQuery::default()
    });

    assert_eq!((found.locations.len(), found.radius_miles), (1, 25));
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
fn a_search_for_locations_needs_a_place_and_valid_bounds() {
    let shop = Shop::open();
    let near = Near::zip_code("45202").ok();
    for (wrong, field) in [
        (LocationQuery::default(), "zip_code"),
        (LocationQuery { near: near.clone(), radius_miles: Some(101), ..LocationQuery::default() }, "radius_miles"),
        (LocationQuery { near: near.clone(), limit: Some(201), ..LocationQuery::default() }, "limit"),
        (LocationQuery { near, departments: vec!["pharmacy".to_owned()], ..LocationQuery::default() }, "department"),
    ] {
        let failure = find_locations(shop.cx(), &shop.user, &wrong).unwrap_err();
        assert_eq!(failure.next, NextStep::Correct(Correction::Argument(field.to_owned())));
    }
    assert!(Near::zip_code("4520").is_err() && Near::place(91.0, 0.0).is_err());
}

#[test]
fn a_preferred_location_counts_until_it_is_cleared() {
    let shop = Shop::at_landen();
    shop.answer(&json!({ "locationId": "70300022", "name": "Ralphs Downtown LA" }));
    let ralphs = LocationId::parse("70300022").unwrap();
    let of = || preferred_location::of(shop.cx(), &shop.user).unwrap().unwrap();

    assert_eq!((of().location.as_str(), of().source), (LANDEN, PreferredBy::Configured));
    preferred_location::set(shop.cx(), &shop.user, &ralphs).unwrap();
    assert_eq!((of().location.as_str(), of().source), ("70300022", PreferredBy::Chosen));
    shop.world.answer(404, "");
    let nowhere = LocationId::parse("99999999").unwrap();
    assert_eq!(preferred_location::set(shop.cx(), &shop.user, &nowhere).unwrap_err().code, Code::NotFound);
    assert_eq!(of().location, ralphs);
    preferred_location::clear(shop.cx(), &shop.user).unwrap();
    assert_eq!(of().source, PreferredBy::Configured);
}
