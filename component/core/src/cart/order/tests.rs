//! The product that each item of a call means, with Kroger's list of products scripted.

use serde_json::json;

use super::*;
use crate::catalog::tests::{EGGS, LANDEN, MILK, Shop};
use crate::ports::SendError;

const TEA: &str = "0011110417008";

fn given(upc: &str, quantity: u32) -> Given {
    Given { upc: upc.to_owned(), quantity, modality: None }
}

fn draft(upcs: &[&str]) -> Draft {
    let items: Vec<Given> = upcs.iter().map(|upc| given(upc, 1)).collect();
    many(&items, Modality::Pickup).unwrap()
}

fn resolve(shop: &Shop, upcs: &[&str]) -> Result<Order, Failure> {
    draft(upcs).resolve(shop.cx(), &shop.user)
}

fn sent(order: &Order) -> Vec<&str> {
    order.items.iter().map(|item| item.upc.as_str()).collect()
}

/// Kroger has these products and no others.
fn shop_with(upcs: &[&str]) -> Shop {
    let shop = Shop::open();
    let products: Vec<_> =
        upcs.iter().map(|upc| json!({ "upc": upc, "description": format!("Product {upc}") })).collect();
    shop.answer(&json!(products));
    shop
}

fn question(failure: &Failure) -> &str {
    match &failure.cause {
        crate::failure::Cause::Argument { allowed, .. } => allowed,
        cause => panic!("{cause:?}"),
    }
}

#[test]
fn an_error_names_the_wrong_field_of_the_item() {
    let wrong = many(&[given(MILK, 1), given(MILK, 0)], Modality::Pickup).unwrap_err();

    assert_eq!(wrong, Failure::invalid_argument("items[1].quantity", "a whole number from 1 to 999"));
}

#[test]
fn an_order_of_no_items_or_too_many_is_refused() {
    for count in [0, MOST_ITEMS + 1] {
        assert!(many(&vec![given(MILK, 1); count], Modality::Pickup).is_err(), "{count}");
    }
}

#[test]
fn an_item_takes_the_default_modality_and_notes_corrections() {
    let shop = shop_with(&[MILK]);

    let order = one(&given("1111041700", 2), Modality::Delivery).unwrap();
    let order = order.resolve(shop.cx(), &shop.user).unwrap();

    assert_eq!(sent(&order), [MILK]);
    assert_eq!(order.items[0].modality, Modality::Delivery);
    assert_eq!(order.notes, ["The UPC 1111041700 was read as 0001111041700."]);
}

#[test]
fn numbers_in_krogers_form_are_sent_without_asking() {
    let shop = Shop::open();

    let order = resolve(&shop, &[MILK, EGGS]).unwrap();

    assert_eq!((sent(&order), order.notes.len()), (vec![MILK, EGGS], 0));
    assert!(shop.asked().is_empty());
}

/// What a caller gives, and the one product of Kroger's that it means.
#[test]
fn the_one_reading_that_kroger_knows_is_sent_with_a_note() {
    for (given, meant) in [
        ("0011110417008", MILK),
        ("11110417008", MILK),
        ("011110417008", MILK),
        ("00011110417008", MILK),
        ("(01)00011110417008(17)261231", MILK),
        ("1,111,041,700", MILK),
        ("4011", "0000000004011"),
        ("211421005998", "0021142100000"),
        ("0021142100599", "0021142100000"),
        ("4006381333931", "0400638133393"),
        ("04252614", "0004210000526"),
    ] {
        let shop = shop_with(&[meant]);

        let order = resolve(&shop, &[given]).unwrap();

        assert_eq!((sent(&order), order.notes.len()), (vec![meant], 1), "{given}");
        assert_eq!(shop.asked().len(), 1, "{given}");
    }
}

#[test]
fn a_scales_label_is_not_called_krogers_upc_of_a_barcode() {
    let order = resolve(&shop_with(&["0021142100000"]), &["211421005998"]).unwrap();

    assert!(order.notes[0].contains("price") && !order.notes[0].contains("check digit"), "{:?}", order.notes);
}

#[test]
fn a_number_that_kroger_does_not_know_is_asked_about() {
    for unknown in ["0011110417008", "11110417008", "011110417008", "12345", "4011", "211421005998"] {
        let shop = shop_with(&[]);

        let failure = resolve(&shop, &[EGGS, unknown]).unwrap_err();

        assert_eq!(failure.code, Code::InvalidArgument, "{unknown}");
        assert_eq!(failure.next, crate::failure::NextStep::Correct(crate::failure::Correction::AskWhich));
        assert!(question(&failure).contains("Kroger knows no product"), "{}", question(&failure));
    }
}

#[test]
fn a_number_that_means_two_products_is_asked_about() {
    let failure = resolve(&shop_with(&[MILK, TEA]), &["11110417008"]).unwrap_err();

    assert!(question(&failure).contains(&format!("{MILK} Product {MILK}")), "{}", question(&failure));
    assert!(question(&failure).contains(&format!("{TEA} Product {TEA}")), "{}", question(&failure));
}

/// Otherwise the caller would have no way to name that product.
#[test]
fn a_upc_that_looks_like_a_barcode_stands_for_itself_if_kroger_knows_it() {
    for known in [&[TEA][..], &[MILK, TEA]] {
        let order = resolve(&shop_with(known), &[TEA]).unwrap();

        assert_eq!((sent(&order), order.notes.len()), (vec![TEA], 0));
    }
}

#[test]
fn a_known_product_is_remembered_for_a_day() {
    let shop = shop_with(&[MILK]).with_cache();

    for _ in 0..2 {
        assert_eq!(sent(&resolve(&shop, &["011110417008"]).unwrap()), [MILK]);
        shop.world.advance(std::time::Duration::from_secs(23 * 3_600));
    }

    assert_eq!(shop.asked().len(), 1);
}

#[test]
fn fifty_numbers_cost_one_call() {
    let upcs: Vec<String> = (1..=50).map(|number| format!("{:011}", 50_000_000_000_u64 + number * 7)).collect();
    let upcs: Vec<&str> = upcs.iter().map(String::as_str).filter(|upc| draft(&[upc]).upcs().len() == 1).collect();
    let known: Vec<String> = upcs.iter().map(|upc| format!("00{upc}")).collect();
    let shop = shop_with(&known.iter().map(String::as_str).collect::<Vec<_>>());

    let order = resolve(&shop, &upcs).unwrap();

    assert_eq!((order.items.len(), shop.asked().len()), (upcs.len(), 1));
}

#[test]
fn a_clear_number_is_sent_with_a_note_while_the_catalog_is_down() {
    let shop = Shop::open();
    shop.world.lose_answer(SendError::NotSent);

    let order = resolve(&shop, &["011110417008", EGGS]).unwrap();

    assert_eq!(sent(&order), [MILK, EGGS]);
    assert!(order.notes[1].contains("could not be asked whether it has 0001111041700"), "{:?}", order.notes);
    assert_eq!(order.notes.len(), 2);
}

#[test]
fn a_number_with_two_readings_waits_for_the_catalog() {
    for upc in [TEA, "11110417008"] {
        let shop = Shop::open();

        let failure = resolve(&shop, &[upc]).unwrap_err();

        assert_eq!(failure.code, Code::InvalidArgument);
        assert!(failure.retry_after.is_some());
        assert!(question(&failure).contains("cannot be asked"), "{}", question(&failure));
    }
}

/// An app that may not read products can still add each UPC of Kroger's.
#[test]
fn a_upc_that_looks_like_a_barcode_is_sent_if_no_wait_would_help() {
    let shop = Shop::open();
    shop.world.answer(403, r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#);

    assert_eq!(sent(&resolve(&shop, &[TEA]).unwrap()), [TEA]);
}

#[test]
fn a_check_reads_a_number_as_an_add_does() {
    let shop = Shop::at_landen();
    let milk = json!([crate::catalog::tests::product_json(MILK, "1 gal", 1.99, "HIGH")]);
    shop.answer(&milk);
    shop.answer(&json!([]));

    let check = crate::cart::check::check_cart_items(shop.cx(), &shop.user, &draft(&[TEA]), None).unwrap();

    assert_eq!((check.lines[0].item.upc.as_str(), check.is_ready()), (MILK, true));
    assert!(check.notes[0].contains("check digit"), "{:?}", check.notes);
    assert!(shop.asked()[0].contains(LANDEN));
}
