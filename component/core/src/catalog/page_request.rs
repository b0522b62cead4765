//! One request for a page of products, as Kroger's `GET /v1/products` takes it.
//! Sends nothing.

use url::form_urlencoded::Serializer;

use crate::catalog::location::LocationId;
use crate::failure::Failure;
use crate::item::Upc;
use crate::text::is_clean;

/// The most products of one page, and of one list of ids.
pub const MOST_PRODUCTS: u32 = 50;
pub(super) const LAST_START: u32 = 250;
const MOST_WORDS: usize = 8;

/// A way to get a product, as a filter of Kroger's search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fulfillment {
    InStore,
    Pickup,
    Delivery,
    Shipping,
}

/// What Kroger searches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    Term {
        term: Term,
        /// One brand, or several separated by `|`. Kroger compares upper and lower
        /// case.
        brand: Option<String>,
    },
    Brand(String),
    /// 1 to [`MOST_PRODUCTS`] products.
    Upcs(Vec<Upc>),
}

/// Words to search for: 3 to 200 characters, 8 words at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term(String);

/// One call to Kroger's products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    pub filter: Filter,
    pub selection: Selection,
}

/// The part of what a filter finds that one page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// None: Kroger answers without price, stock, aisle and fulfillment.
    pub location: Option<LocationId>,
    /// A product must be offered in all of these ways. Empty: in any way.
    pub fulfillment: Vec<Fulfillment>,
    /// The most products of the page: 1 to [`MOST_PRODUCTS`].
    pub limit: u32,
    /// How many products to skip: 0 to 250.
    pub start: u32,
}

impl Fulfillment {
    /// Reads Kroger's code or a common name, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().replace(['-', '_', ' '], "").as_str() {
            "ais" | "instore" | "store" => Some(Self::InStore),
            "csp" | "curbside" | "curbsidepickup" | "pickup" => Some(Self::Pickup),
            "dth" | "delivery" | "deliverytohome" => Some(Self::Delivery),
            "sth" | "shipping" | "ship" | "shiptohome" => Some(Self::Shipping),
            _ => None,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::InStore => "ais",
            Self::Pickup => "csp",
            Self::Delivery => "dth",
            Self::Shipping => "sth",
        }
    }
}

impl Term {
    /// Reads a search term and keeps its first eight words, the most that Kroger
    /// takes. A note tells if words were dropped.
    ///
    /// # Errors
    /// The allowed values, in words.
    pub fn parse(text: &str) -> Result<(Self, Option<String>), &'static str> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let term = words.iter().take(MOST_WORDS).copied().collect::<Vec<_>>().join(" ");
        let is_term = (3..=200).contains(&term.chars().count()) && is_clean(&term);
        if !is_term {
            return Err("3 to 200 characters, 8 words at most, such as `whole milk`");
        }
        let note = (words.len() > MOST_WORDS)
            .then(|| format!("Kroger takes eight words at most, so this was searched for: {term}."));
        Ok((Self(term), note))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Selection {
    /// Checks the numbers against Kroger's bounds.
    ///
    /// # Errors
    /// `invalid_argument`, which names `limit` or `start`.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if !(1..=MOST_PRODUCTS).contains(&self.limit) {
            return Err(Failure::invalid_argument("limit", "a whole number from 1 to 50"));
        }
        if self.start > LAST_START {
            return Err(Failure::invalid_argument("start", "a whole number from 0 to 250"));
        }
        Ok(())
    }

    fn append_to(&self, query: &mut Serializer<'_, String>) {
        query.extend_pairs(self.location.iter().map(|location| ("filter.locationId", location.as_str())));
        if !self.fulfillment.is_empty() {
            let codes: Vec<&str> = self.fulfillment.iter().map(|one| one.code()).collect();
            query.append_pair("filter.fulfillment", &codes.join(","));
        }
        query.append_pair("filter.limit", &self.limit.to_string());
        // Kroger's document counts from 1, so 0 is told by silence.
        if self.start > 0 {
            query.append_pair("filter.start", &self.start.to_string());
        }
    }
}

impl PageRequest {
    /// The path and query of the request.
    pub(super) fn path(&self) -> String {
        let mut query = Serializer::new(String::new());
        match &self.filter {
            Filter::Term { term, brand } => {
                query.append_pair("filter.term", term.as_str());
                query.extend_pairs(brand.iter().map(|brand| ("filter.brand", brand)));
            }
            Filter::Brand(brand) => {
                query.append_pair("filter.brand", brand);
            }
            Filter::Upcs(upcs) => {
                let upcs: Vec<&str> = upcs.iter().map(Upc::as_str).collect();
                query.append_pair("filter.productId", &upcs.join(","));
            }
        }
        self.selection.append_to(&mut query);
        format!("/v1/products?{}", spaced(&query.finish()))
    }
}

/// Writes a space as `%20`. A plus means a space only in forms; an API need not
/// read it so.
pub(super) fn spaced(query: &str) -> String {
    query.replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(filter: Filter) -> PageRequest {
        PageRequest { filter, selection: Selection { location: None, fulfillment: Vec::new(), limit: 10, start: 0 } }
    }

    #[test]
    fn a_page_request_encodes_each_filter() {
        let (term, _) = Term::parse("half & half  milk").unwrap();
        let selection = Selection {
            location: Some(LocationId::parse("01400376").unwrap()),
            fulfillment: vec![Fulfillment::Pickup, Fulfillment::Delivery],
            limit: 10,
            start: 10,
        };
        let filter = Filter::Term { term, brand: Some("Kroger|Simple Truth".to_owned()) };
        let searched = PageRequest { filter, selection };
        let named = ["0001111041700", "0000000004011"].map(|upc| Upc::parse(upc).unwrap());

        assert_eq!(
            searched.path(),
            "/v1/products?filter.term=half%20%26%20half%20milk&filter.brand=Kroger%7CSimple%20Truth\
             &filter.locationId=01400376&filter.fulfillment=csp%2Cdth&filter.limit=10&filter.start=10"
        );
        assert_eq!(
            request(Filter::Upcs(named.to_vec())).path(),
            "/v1/products?filter.productId=0001111041700%2C0000000004011&filter.limit=10"
        );
    }

    #[test]
    fn a_term_has_three_characters_and_eight_words_at_most() {
        assert!(Term::parse(" mi ").is_err() && Term::parse("").is_err() && Term::parse(&"x".repeat(201)).is_err());
        let (term, note) = Term::parse("a b c d e f g h i").unwrap();
        assert_eq!(term.as_str(), "a b c d e f g h");
        assert!(note.unwrap().contains("a b c d e f g h."));
        assert_eq!(Term::parse("oat milk").unwrap().1, None);
    }
}
