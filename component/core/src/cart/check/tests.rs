//! What a check tells of each item. Nothing is added.

use serde_json::json;

use crate::cart::check::{CartCheck, Concern, check_cart_items};
use crate::cart::order::{self, Given};
use crate::catalog::product::Cents;
use crate::catalog::tests::{EGGS, LANDEN, MILK, Shop, product_json};
use crate::item::Modality;

fn item(upc: &str, quantity: u32, modality: Modality) -> Given {
    Given { upc: upc.to_owned(), quantity, modality: Some(modality) }
}

fn check(shop: &Shop, items: &[Given]) -> CartCheck {
    let draft = order::many(items, Modality::Pickup).unwrap();
    check_cart_items(shop.cx(), &shop.user, &draft, None).unwrap()
}

fn is_unknown(concerns: &[Concern]) -> bool {
    matches!(concerns, [Concern::UnknownUpc(_)])
}

#[test]
fn a_check_tells_the_concerns_and_the_cost_of_each_item() {
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

    let check = check(&shop, &items);

    let concerns: Vec<_> = check.lines.iter().map(|line| line.concerns.clone()).collect();
    let too_many = vec![Concern::TooMany { most: 2 }, Concern::LowStock];
    let unknown = concerns.last().unwrap().clone();
    assert!(is_unknown(&unknown), "{unknown:?}");
    assert_eq!(
        concerns,
        [
            vec![],
            vec![Concern::NotOffered(Modality::Delivery), Concern::OutOfStock],
            too_many.clone(),
            too_many,
            vec![Concern::NotSold],
            unknown,
        ]
    );
    assert!(check.lines[0].is_ready() && !check.is_ready());
    assert_eq!((check.estimated_total, check.not_in_total), (Cents(398), 5));
    assert_eq!(shop.asked().len(), 2);
}

#[test]
fn a_list_without_prices_makes_the_check_ask_for_each_product() {
    let shop = Shop::at_landen();
    shop.answer(&json!([{ "upc": MILK, "description": "Milk" }]));
    shop.answer(&product_json(MILK, "1 gal", 1.99, "HIGH"));

    let check = check(&shop, &[item(MILK, 1, Modality::Pickup)]);

    assert_eq!(check.estimated_total, Cents(199));
    assert_eq!(shop.asked()[1], format!("/v1/products/{MILK}?filter.locationId={LANDEN}"));
}

#[test]
fn a_check_without_a_location_tells_only_unknown_upcs() {
    let shop = Shop::open();
    shop.answer(&json!([{ "upc": MILK, "description": "Milk" }]));
    let items = [item(MILK, 1, Modality::Pickup), item(EGGS, 1, Modality::Pickup)];

    let check = check(&shop, &items);

    assert_eq!(check.location, None);
    assert!(!check.is_ready());
    assert_eq!(check.lines[0].concerns, [Concern::NoLocation]);
    assert!(is_unknown(&check.lines[1].concerns), "{:?}", check.lines[1].concerns);
    assert_eq!(shop.asked().len(), 1);
}
