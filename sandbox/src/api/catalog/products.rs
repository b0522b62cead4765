//! The products, and what each location says of them: price, stock, fulfilment.
//!
//! Never random: what differs between locations comes from a hash, so a location always says the
//! same.

use std::{iter, sync::LazyLock};

use super::{
    hash::hash,
    shelves::{Brand, PLUS, QUIRKS, Quirk, SHELVES, Shelf, SoldBy},
};

/// A product, as it is at every location.
pub(super) struct Product {
    pub(super) upc: String,
    pub(super) brand: &'static str,
    pub(super) description: String,
    pub(super) size: &'static str,
    pub(super) shelf: &'static Shelf,
    pub(super) quirk: Option<Quirk>,
    cents: u32,
}

/// What a location says of a product that it sells.
pub(super) struct LocationOffer {
    /// `None` if the location reports no price.
    pub(super) regular_cents: Option<u32>,
    /// 0 if there is no promotion.
    pub(super) promo_cents: u32,
    /// `None` if the location does not report its stock.
    pub(super) stock: Option<&'static str>,
    pub(super) curbside: bool,
    pub(super) delivery: bool,
    pub(super) ship_to_home: bool,
}

/// Returns all products, in the order of the shelves.
pub(super) fn all() -> &'static [Product] {
    static ALL: LazyLock<Vec<Product>> = LazyLock::new(stock_the_shelves);
    &ALL
}

pub(super) fn by_upc(upc: &str) -> Option<&'static Product> {
    all().iter().find(|product| product.upc == upc)
}

fn stock_the_shelves() -> Vec<Product> {
    let mut plus = PLUS.iter();
    let mut products = Vec::new();
    for shelf in &SHELVES {
        for (brand, kind_at, (size, cents)) in combinations(shelf) {
            let description = format!("{} {}", brand.name, shelf.kinds[kind_at]);
            let plu = brand.prefix.is_empty().then(|| plus.next()).flatten();
            let dearer = 10 * u32::try_from(kind_at).unwrap_or_default();
            products.push(Product {
                upc: upc_of(plu, brand, products.len()),
                brand: brand.name,
                quirk: QUIRKS.iter().find(|(name, _)| *name == description).map(|(_, quirk)| *quirk),
                description,
                size,
                shelf,
                cents: cents * brand.percent / 100 + dearer,
            });
        }
    }
    products
}

fn upc_of(plu: Option<&u32>, brand: &Brand, position: usize) -> String {
    match plu {
        Some(plu) => format!("{plu:0>13}"),
        None => format!("00{}{:05}", brand.prefix, 41_700 + 7 * position),
    }
}

/// Returns every combination of the shelf's brands, kinds and sizes.
fn combinations(shelf: &'static Shelf) -> impl Iterator<Item = (&'static Brand, usize, (&'static str, u32))> {
    shelf
        .brands
        .iter()
        .flat_map(move |brand| {
            (0..shelf.kinds.len()).flat_map(move |kind| iter::repeat((brand, kind)).zip(shelf.sizes.iter().copied()))
        })
        .map(|((brand, kind), size)| (brand, kind, size))
}

impl Product {
    /// Returns what the location says of the product, or `None` if it does not sell it.
    pub(super) fn at(&self, location_id: &str) -> Option<LocationOffer> {
        let roll = |what: &str| hash(&[&self.upc, location_id, what]) % 100;
        if self.quirk == Some(Quirk::Withdrawn) || (self.quirk.is_none() && roll("sold") < 4) {
            return None;
        }
        let reachable = self.quirk != Some(Quirk::InStoreOnly);
        let regular = self.regular_cents(location_id);
        Some(LocationOffer {
            regular_cents: (self.quirk != Some(Quirk::Unpriced) && roll("priced") > 1).then_some(regular),
            promo_cents: self.promo_cents(regular, roll("promo")),
            stock: self.stock(roll("stock")),
            curbside: reachable,
            delivery: reachable && roll("delivery") < 95,
            ship_to_home: reachable && self.quirk.is_none() && roll("ship") < 20,
        })
    }

    /// Returns the regular price. It differs between divisions, by up to 8 percent.
    fn regular_cents(&self, location_id: &str) -> u32 {
        let division = location_id.get(..3).unwrap_or_default();
        let percent = if self.quirk.is_some() { 0 } else { hash(&[division, self.shelf.category]) % 9 };
        self.cents + self.cents * percent / 100
    }

    /// Estimates what one piece costs. For weighed products `cents` is the price of a pound.
    pub(super) fn cents_of_one(&self, cents: u32) -> u32 {
        let roll = hash(&[&self.upc, "weight"]);
        let percent_of_a_pound = match (self.shelf.sold_by, self.shelf.category) {
            (SoldBy::Unit, _) => 100,
            (SoldBy::Weight, "Produce") => 20 + roll % 60,
            (SoldBy::Weight, _) => 120 + roll % 200,
        };
        cents * percent_of_a_pound / 100
    }

    /// Returns the promotion price, or 0.
    ///
    /// One product in five is on promotion, at four fifths of its price. One in ten of the rest has
    /// a "promotion" at the regular price.
    fn promo_cents(&self, regular: u32, roll: u32) -> u32 {
        match (self.quirk, roll) {
            (Some(Quirk::Unpriced), _) => 0,
            (Some(Quirk::Steady), _) | (_, 0..20) => regular * 4 / 5,
            (_, 20..28) => regular,
            _ => 0,
        }
    }

    fn stock(&self, roll: u32) -> Option<&'static str> {
        match (self.quirk, roll) {
            (Some(Quirk::Steady), _) => Some("HIGH"),
            (Some(Quirk::OutOfStock), _) => Some("TEMPORARILY_OUT_OF_STOCK"),
            (_, 0..6) if self.quirk.is_none() => Some("TEMPORARILY_OUT_OF_STOCK"),
            (_, 6..20) => Some("LOW"),
            (_, 20..28) => None,
            _ => Some("HIGH"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn several_hundred_products_have_distinct_upcs() {
        let upcs: HashSet<&str> = all().iter().map(|product| product.upc.as_str()).collect();

        assert_eq!(upcs.len(), all().len());
        assert!((300..600).contains(&all().len()), "{}", all().len());
        assert!(upcs.iter().all(|upc| upc.len() == 13 && upc.bytes().all(|byte| byte.is_ascii_digit())));
    }

    #[test]
    fn known_milk_is_on_promotion() {
        let milk = by_upc("0001111041700").unwrap();
        let offer = milk.at("01400376").unwrap();

        assert_eq!((milk.description.as_str(), milk.size), ("Kroger 2% Reduced Fat Milk", "1 gal"));
        assert_eq!((offer.regular_cents, offer.promo_cents, offer.stock), (Some(199), 159, Some("HIGH")));
    }

    #[test]
    fn every_quirk_occurs_and_locations_differ() {
        for (name, quirk) in QUIRKS {
            assert!(all().iter().any(|product| product.description == name && product.quirk == Some(quirk)), "{name}");
        }
        let sold = |location: &str| all().iter().filter(|product| product.at(location).is_some()).count();
        assert!(sold("01400376") < all().len());
        let price = |location: &str| all()[200].at(location).and_then(|offer| offer.regular_cents);
        let prices: HashSet<_> = ["01400376", "70300022", "62000019", "70100109"].map(price).into();
        assert!(prices.len() > 1);
    }
}
