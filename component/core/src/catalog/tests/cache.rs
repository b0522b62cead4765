//! What the cache answers.

use std::time::Duration;

use serde_json::json;

use super::{LANDEN, MILK, Shop, product_json, query};
use crate::catalog::location::LocationId;
use crate::catalog::locations::location;
use crate::failure::Code;

#[test]
fn a_question_is_asked_once_a_minute() {
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
fn a_failed_answer_is_not_kept() {
    let shop = Shop::open();
    let shop = Shop { world: shop.world.with_cache(), ..shop };
    shop.world.answer(404, "");
    shop.answer(&json!({ "locationId": LANDEN }));
    let id = LocationId::parse(LANDEN).unwrap();

    assert_eq!(location(shop.cx(), &shop.user, &id).unwrap_err().code, Code::NotFound);
    assert_eq!(location(shop.cx(), &shop.user, &id).unwrap().id, id);
}
