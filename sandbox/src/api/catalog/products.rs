//! The products: what there is, what it costs where, and which of it a search finds. The same
//! store says the same each time; what varies from store to store does so by a hash.

use std::{iter, sync::LazyLock};

use super::shelves::{Brand, PLUS, QUIRKS, Quirk, SHELVES, Shelf, SoldBy};

/// One product, as it is in every store.
pub(crate) struct Product {
    pub(crate) upc: String,
    pub(crate) brand: &'static str,
    pub(crate) description: String,
    pub(crate) size: &'static str,
    pub(crate) shelf: &'static Shelf,
    pub(crate) quirk: Option<Quirk>,
    cents: u32,
}

/// What one store says of one product that it sells.
pub(crate) struct Offer {
    /// `None`: the store tells no price.
    pub(crate) regular_cents: Option<u32>,
    /// 0 where there is no promotion.
    pub(crate) promo_cents: u32,
    /// `None`: the store does not say.
    pub(crate) stock: Option<&'static str>,
    pub(crate) curbside: bool,
    pub(crate) delivery: bool,
    pub(crate) ship_to_home: bool,
}

/// Everything that is sold somewhere, in the order of the shelves.
pub(crate) fn all() -> &'static [Product] {
    static ALL: LazyLock<Vec<Product>> = LazyLock::new(stock_the_shelves);
    &ALL
}

pub(crate) fn by_upc(upc: &str) -> Option<&'static Product> {
    all().iter().find(|product| product.upc == upc)
}

fn stock_the_shelves() -> Vec<Product> {
    let mut plus = PLUS.iter();
    let mut products = Vec::new();
    for shelf in &SHELVES {
        for (brand, kind_at, (size, cents)) in places(shelf) {
            let description = format!("{} {}", brand.name, shelf.kinds[kind_at]);
            let plu = brand.prefix.is_empty().then(|| plus.next()).flatten();
            let upc = match plu {
                Some(plu) => format!("{plu:0>13}"),
                None => format!("00{}{:05}", brand.prefix, 41_700 + 7 * products.len()),
            };
            let dearer = 10 * u32::try_from(kind_at).unwrap_or_default();
            products.push(Product {
                upc,
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

/// Brands times kinds times sizes.
fn places(shelf: &'static Shelf) -> impl Iterator<Item = (&'static Brand, usize, (&'static str, u32))> {
    shelf
        .brands
        .iter()
        .flat_map(move |brand| {
            (0..shelf.kinds.len()).flat_map(move |kind| iter::repeat((brand, kind)).zip(shelf.sizes.iter().copied()))
        })
        .map(|((brand, kind), size)| (brand, kind, size))
}

impl Product {
    /// What the store says of it; `None` where the store does not sell it.
    pub(crate) fn at(&self, location_id: &str) -> Option<Offer> {
        let roll = |what: &str| hash(&[&self.upc, location_id, what]) % 100;
        if self.quirk == Some(Quirk::Withdrawn) || (self.quirk.is_none() && roll("sold") < 4) {
            return None;
        }
        let reachable = self.quirk != Some(Quirk::InStoreOnly);
        let regular = self.regular_cents(location_id);
        Some(Offer {
            regular_cents: (self.quirk != Some(Quirk::Unpriced) && roll("priced") > 1).then_some(regular),
            promo_cents: self.promo_cents(regular, roll("promo")),
            stock: self.stock(roll("stock")),
            curbside: reachable,
            delivery: reachable && roll("delivery") < 95,
            ship_to_home: reachable && self.quirk.is_none() && roll("ship") < 20,
        })
    }

    /// Prices differ from division to division, by up to 8 percent.
    fn regular_cents(&self, location_id: &str) -> u32 {
        let division = location_id.get(..3).unwrap_or_default();
        let percent = if self.quirk.is_some() { 0 } else { hash(&[division, self.shelf.category]) % 9 };
        self.cents + self.cents * percent / 100
    }

    /// What one costs where `cents` is the price: of what is weighed, that of a pound.
    pub(crate) fn cents_of_one(&self, cents: u32) -> u32 {
        let roll = hash(&[&self.upc, "weight"]);
        let percent_of_a_pound = match (self.shelf.sold_by, self.shelf.category) {
            (SoldBy::Unit, _) => 100,
            (SoldBy::Weight, "Produce") => 20 + roll % 60,
            (SoldBy::Weight, _) => 120 + roll % 200,
        };
        cents * percent_of_a_pound / 100
    }

    /// One in five is on promotion, at four fifths; of the rest, one in ten has a "promotion" at
    /// the regular price.
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

    /// How well a search for `words` finds it: 0 not at all. What the product is called counts
    /// most, and its last word most of all: milk is found before milk chocolate.
    pub(crate) fn relevance(&self, words: &[String]) -> u32 {
        words.iter().map(|word| self.relevance_of(word)).sum()
    }

    pub(crate) fn has_all(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.relevance_of(word) > 0)
    }

    fn relevance_of(&self, word: &str) -> u32 {
        let names = stems(&self.description);
        match names.iter().position(|name| name == word) {
            Some(at) if at + 1 == names.len() => return 12,
            Some(_) => return 8,
            None => {}
        }
        if names.iter().any(|name| name.starts_with(word)) {
            return 4;
        }
        u32::from(stems(self.shelf.category).iter().any(|name| name == word))
    }
}

/// The words of a text as a search compares them: in lower case, without the plural's s.
pub(crate) fn stems(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| stem(&word.to_lowercase())).collect()
}

fn stem(word: &str) -> String {
    match word {
        _ if word.len() < 4 || word.ends_with("ss") => word.to_owned(),
        _ => match (word.strip_suffix("ies"), word.strip_suffix("oes"), word.strip_suffix('s')) {
            (Some(stem), _, _) => format!("{stem}y"),
            (_, Some(stem), _) => format!("{stem}o"),
            (_, _, Some(stem)) => stem.to_owned(),
            _ => word.to_owned(),
        },
    }
}

/// FNV-1a: the same on each machine and in each run.
pub(crate) fn hash(parts: &[&str]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // The low bits of FNV-1a depend on few of the bytes.
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn there_are_a_few_hundred_products_each_with_a_upc_of_its_own() {
        let upcs: HashSet<&str> = all().iter().map(|product| product.upc.as_str()).collect();

        assert_eq!(upcs.len(), all().len());
        assert!((300..600).contains(&all().len()), "{}", all().len());
        assert!(upcs.iter().all(|upc| upc.len() == 13 && upc.bytes().all(|byte| byte.is_ascii_digit())));
    }

    #[test]
    fn the_first_product_is_krogers_two_percent_milk_on_promotion_in_each_store() {
        let milk = by_upc("0001111041700").unwrap();
        let offer = milk.at("01400376").unwrap();

        assert_eq!((milk.description.as_str(), milk.size), ("Kroger 2% Reduced Fat Milk", "1 gal"));
        assert_eq!((offer.regular_cents, offer.promo_cents, offer.stock), (Some(199), 159, Some("HIGH")));
    }

    #[test]
    fn every_quirk_is_some_products_and_the_stores_differ() {
        for (name, quirk) in QUIRKS {
            assert!(all().iter().any(|product| product.description == name && product.quirk == Some(quirk)), "{name}");
        }
        let sold = |store: &str| all().iter().filter(|product| product.at(store).is_some()).count();
        assert!(sold("01400376") < all().len());
        let price = |store: &str| all()[200].at(store).and_then(|offer| offer.regular_cents);
        let prices: HashSet<_> = ["01400376", "70300022", "62000019", "70100109"].map(price).into();
        assert!(prices.len() > 1);
    }

    #[test]
    fn a_word_finds_its_plural_and_what_the_product_is_before_what_it_is_made_of() {
        assert_eq!(stems("Roma Tomatoes & Berries, glass"), ["roma", "tomato", "berry", "glass"]);
        let relevance = |name: &str, words: &str| {
            all().iter().find(|product| product.description == name).unwrap().relevance(&stems(words))
        };
        assert!(relevance("Kroger Chocolate Milk", "milk") > relevance("Kroger Chocolate Milk", "chocolate"));
        assert!(relevance("Kroger Tomato Soup", "tomatoes") > 0);
        assert_eq!(relevance("Kroger Tomato Soup", "milk"), 0);
    }
}
