//! A stranger hides characters in each text that reaches a person or a model.
//!
//! Run with `--nocapture` to see how many were tried.

use serde_json::{Value, json};

use crate::catalog::location::{Chain, Department, Location};
use crate::catalog::page::Page;
use crate::catalog::product::Product;
use crate::kroger::api_error::ApiError;
use crate::kroger::token_response::{TokenVerdict, verdict};
use crate::ports::{Response, Timestamp};
use crate::testing::hidden::{BLANK, each, is_in, laced, texts_of};
use crate::text::cleaned;
use crate::user::UserId;

fn product() -> Value {
    json!({
        "upc": "0001111041700", "productId": "0001111041700", "brand": "Kroger", "categories": ["Dairy", "Milk"],
        "description": "Kroger 2% Milk", "countryOrigin": "UNITED STATES", "temperature": { "indicator": "Cold" },
        "aisleLocations": [{ "description": "Aisle 35" }],
        "images": [{ "perspective": "front", "sizes": [{ "size": "medium", "url": "https://x/front" }] }],
        "items": [{ "size": "1 gal", "price": { "regular": 1.99 } }],
        "new": { "remark": "a field that is not known here" },
    })
}

fn location() -> Value {
    json!({
        "locationId": "01400376", "chain": "KROGER", "name": "Kroger Landen", "phone": "5551234567",
        "address": { "addressLine1": "2900 W. St. Rt. 22 & 3", "addressLine2": "Suite", "city": "Maineville",
            "state": "OH", "zipCode": "45039" },
        "hours": { "timezone": "America/New_York", "monday": { "open": "06:00", "close": "23:00" } },
        "departments": [{ "departmentId": "01", "name": "Drug" }],
    })
}

#[test]
fn hidden_character_in_a_text_of_kroger_is_not_shown() {
    let mut tried = 0;
    for c in each().chain(BLANK.iter().copied()) {
        let read = Product::read(&laced(&product(), c, &["upc", "productId"])).unwrap();
        let store = Location::read(&laced(&location(), c, &["locationId", "departmentId"])).unwrap();
        let chain = Chain::read(&laced(&json!({ "name": "RALPHS", "friendlyBannerName": "Ralphs" }), c, &[])).unwrap();
        let department = Department::read(&json!({ "departmentId": "01", "name": format!("Drug{c}s") })).unwrap();
        let error = json!({ "code": format!("CODE{c}-1"), "reason": format!("The{c} reason") }).to_string();
        let error = ApiError::parse(error.as_bytes()).unwrap();

        let mut texts = vec![error.code, error.reason, store.name, store.address.line(), chain.name];
        texts.extend([read.description].into_iter().chain(read.brand).chain(read.size).chain(read.aisle));
        texts.extend(read.categories.into_iter().chain(read.temperature).chain(read.country_of_origin));
        texts.extend(read.image_url.into_iter().chain(store.chain).chain(store.phone).chain(chain.friendly_name));
        let hours = store.hours.unwrap();
        let monday = hours.week.into_iter().flatten().next().unwrap();
        texts.extend([monday.open, monday.close].into_iter().chain(hours.timezone).chain(department.name));
        texts.extend(store.departments.into_iter().filter_map(|department| department.name));
        tried += texts.len();
        for text in texts {
            assert!(!is_in(&text), "U+{:04X}: {text:?}", u32::from(c));
        }
    }
    println!("hidden characters in texts of Kroger | {tried} texts | none shown");
}

#[test]
fn hidden_character_in_krogers_form_is_not_passed_on() {
    let mut tried = 0;
    for c in each().chain(BLANK.iter().copied()) {
        let data = laced(&product(), c, &["upc", "productId"]);
        let answer = json!({ "data": [data], "meta": { "warnings": [format!("a{c}b")], format!("k{c}"): 1 } });

        let page = Page::read(&answer).unwrap();

        tried += 1;
        for text in texts_of(&json!([page.data, page.meta])) {
            assert!(!is_in(&text), "U+{:04X}: {text:?}", u32::from(c));
        }
        assert_eq!(page.data[0]["upc"], "0001111041700");
    }
    println!("hidden characters in products in Kroger's form | {tried} answers | none passed on");
}

#[test]
fn id_with_a_hidden_character_is_no_id() {
    let mut tried = 0;
    for c in each() {
        for name in ["upc", "productId"] {
            let mut odd = product();
            odd[name] = json!(format!("000111{c}1041700"));
            assert_eq!(Product::read(&odd), None, "{name}, U+{:04X}", u32::from(c));
        }
        let mut odd = location();
        odd["locationId"] = json!(format!("0140{c}0376"));
        assert_eq!(Location::read(&odd), None, "U+{:04X}", u32::from(c));
        let odd = json!({ "departmentId": format!("0{c}1"), "name": "Drug" });
        assert_eq!(Department::read(&odd), None, "U+{:04X}", u32::from(c));
        tried += 4;
    }
    println!("hidden characters in ids of Kroger | {tried} ids | all malformed");
}

#[test]
fn user_id_with_a_hidden_character_is_refused() {
    let mut tried = 0;
    for c in each().chain(BLANK.iter().copied()) {
        for id in [format!("al{c}ice"), format!("{c}alice"), format!("alice{c}"), c.to_string()] {
            assert!(UserId::parse(&id).is_err(), "{id:?}");
            tried += 1;
        }
    }
    for id in ["alice", "user_default", "ann@example.com", "José Müller", "Jose\u{301}", "陳大文", "עדי", "علی", "😀"]
    {
        assert!(UserId::parse(id).is_ok(), "{id}");
    }
    println!("hidden characters in user ids | {tried} ids | all refused");
}

#[test]
fn granted_scope_holds_scope_tokens_only_and_is_short() {
    let granted = |scope: &str| {
        let body = json!({ "access_token": "a", "expires_in": 1_800, "scope": scope }).to_string().into_bytes();
        let response = Response { status: 200, retry_after: None, date: None, body };
        match verdict(&response, Timestamp::from_secs(1_000)) {
            TokenVerdict::Granted(granted) => granted.scope,
            other => panic!("{other:?}"),
        }
    };
    for c in each() {
        let scope = granted(&format!("cart.basic:write pro{c}file.compact"));
        assert_eq!(scope.as_deref(), Some("cart.basic:write"), "U+{:04X}", u32::from(c));
    }
    assert_eq!(granted("profile.compact\u{a0}cart.basic:write"), None);
    assert!(granted(&"x".repeat(900_000)).is_none());
    assert_eq!(granted(&"x".repeat(1_024)).map(|scope| scope.len()), Some(1_024));
    assert!(granted(&"cart.basic:write ".repeat(90_000)).unwrap().len() <= 1_024);
    println!(
        "hidden characters in scopes, and scopes of 900 kB | {} scopes | only scope tokens kept",
        each().count() + 4
    );
}

#[test]
fn text_stays_readable_and_marks_do_not_pile_up() {
    for text in ["Crème fraîche, 8 oz", "Jose\u{301}", "Häagen-Dazs® 14 fl oz", "海苔", "שלום", "मिल्क", "“a” – b…"]
    {
        assert_eq!(cleaned(text, 200), text);
    }
    let pile = format!("z{}", "\u{310}".repeat(100));
    assert_eq!(cleaned(&pile, 200).chars().count(), 5);
    assert_eq!(cleaned(" two\r\nlines\u{2028}more\t ", 200), "two  lines more");
    assert_eq!(cleaned(&"é".repeat(500), 200).chars().count(), 200);
    assert_eq!(cleaned(&format!("{}a", "\u{202e}".repeat(500)), 200), "a");
}
