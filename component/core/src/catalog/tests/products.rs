//! One product, and how people call the ways to get it.

use serde_json::json;

use super::{EGGS, LANDEN, MILK, Shop, product_json};
use crate::catalog::one_product::product;
use crate::catalog::page_request::Fulfillment;
use crate::catalog::product::Stock;
use crate::failure::Code;
use crate::failure::{Cause, Missing};
use crate::item::Upc;
use crate::item::product_number::ProductNumber;

#[test]
fn a_product_is_read_at_the_location_or_not_found() {
    let shop = Shop::at_landen();
    shop.answer(&product_json(MILK, "1 gal", 1.99, "HIGH"));
    shop.world.answer(404, "");
    let read = |upc| product(shop.cx(), &shop.user, &ProductNumber::parse(upc).unwrap(), None);

    let found = read(MILK).unwrap();
    let unknown = read(EGGS).unwrap_err();

    assert_eq!((found.product.stock, found.location.unwrap().as_str()), (Stock::High, LANDEN));
    assert_eq!(shop.asked()[0], format!("/v1/products/{MILK}?filter.locationId={LANDEN}"));
    assert_eq!(unknown.code, Code::NotFound);
    assert_eq!(unknown.cause, Cause::NotFound(Missing::Product(Upc::parse(EGGS).unwrap())));
}

#[test]
fn fulfillment_is_read_from_krogers_codes_and_common_names() {
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

#[test]
fn a_barcode_shows_its_product_and_says_so() {
    let shop = Shop::at_landen();
    shop.world.answer(404, "");
    shop.answer(&json!([product_json(MILK, "1 gal", 1.99, "HIGH")]));
    shop.answer(&product_json(MILK, "1 gal", 1.99, "HIGH"));

    let number = ProductNumber::parse("0011110417008").unwrap();
    let found = product(shop.cx(), &shop.user, &number, None).unwrap();

    assert_eq!(found.product.upc.as_str(), MILK);
    assert!(found.note.unwrap().contains("check digit"));
}
