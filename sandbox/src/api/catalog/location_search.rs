//! Which stores a search finds: those near a place, nearest first, with what was asked for.

use super::locations::{STORES, Store};

const MILES_OF_EARTH: f64 = 3_958.8;

/// Degrees north and east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

/// What a search starts from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Near {
    /// Everywhere, in the order of the table.
    Anywhere,
    At(Place),
    /// A zip code that the sandbox does not know: nothing is near it.
    Nowhere,
}

/// What a search for stores asks for.
pub(crate) struct Wanted<'a> {
    pub(crate) near: Near,
    /// Counts only where there is a place to be near to.
    pub(crate) radius_in_miles: f64,
    pub(crate) chain: Option<&'a str>,
    /// All of them.
    pub(crate) departments: Vec<&'a str>,
    /// One of them, where there are any.
    pub(crate) ids: Vec<&'a str>,
}

pub(crate) fn by_id(id: &str) -> Option<&'static Store> {
    STORES.iter().find(|store| store.id == id)
}

pub(crate) fn search(wanted: &Wanted<'_>) -> Vec<&'static Store> {
    let mut found: Vec<(f64, &Store)> = STORES
        .iter()
        .filter(|store| wanted.accepts(store))
        .map(|store| (wanted.near.miles_to(store), store))
        .filter(|(distance, _)| *distance <= wanted.radius_in_miles)
        .collect();
    found.sort_by(|(near, _), (far, _)| near.total_cmp(far));
    found.into_iter().map(|(_, store)| store).collect()
}

impl Near {
    fn miles_to(self, store: &Store) -> f64 {
        match self {
            Self::Anywhere => 0.0,
            Self::At(place) => miles(place, store.place()),
            Self::Nowhere => f64::INFINITY,
        }
    }
}

impl Wanted<'_> {
    fn accepts(&self, store: &Store) -> bool {
        let has = |department: &&str| store.departments().any(|own| own == *department);
        let of_chain = self.chain.is_none_or(|chain| chain.eq_ignore_ascii_case(store.chain));
        let named = self.ids.is_empty() || self.ids.contains(&store.id);
        of_chain && named && self.departments.iter().all(has)
    }
}

impl Store {
    pub(crate) fn place(&self) -> Place {
        Place { latitude: self.latitude, longitude: self.longitude }
    }

    pub(crate) fn departments(&self) -> impl Iterator<Item = &'static str> {
        let codes: &'static str = self.departments;
        (0..codes.len() / 2).map(move |at| &codes[2 * at..2 * at + 2])
    }
}

/// Where a zip code is, as far as the sandbox knows the country: where a store with that code is,
/// or one with the same first three digits, which are the same post office's.
pub(crate) fn place_of_zip(zip: &str) -> Near {
    let exact = STORES.iter().find(|store| store.zip == zip);
    let region = || STORES.iter().find(|store| store.zip[..3] == zip[..3]);
    exact.or_else(region).map_or(Near::Nowhere, |store| Near::At(store.place()))
}

/// The great-circle distance, by the haversine formula.
fn miles(from: Place, to: Place) -> f64 {
    let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
    let across = from.latitude.to_radians().cos() * to.latitude.to_radians().cos();
    let chord = half(from.latitude, to.latitude) + across * half(from.longitude, to.longitude);
    2.0 * MILES_OF_EARTH * chord.sqrt().asin()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::locations::{CHAINS, DEPARTMENTS};
    use super::*;

    fn wanted() -> Wanted<'static> {
        Wanted { near: Near::Anywhere, radius_in_miles: 10.0, chain: None, departments: vec![], ids: vec![] }
    }

    #[test]
    fn each_store_has_an_id_of_its_division_a_known_chain_and_known_departments() {
        let ids: HashSet<&str> = STORES.iter().map(|store| store.id).collect();
        assert_eq!(ids.len(), STORES.len());
        for store in &STORES {
            let chain = CHAINS.iter().find(|chain| chain.name == store.chain).unwrap();
            assert!(store.id.len() == 8 && chain.divisions.contains(&&store.id[..3]), "{}", store.id);
            assert!(store.departments().all(|own| DEPARTMENTS.iter().any(|(id, _)| *id == own)), "{}", store.id);
        }
    }

    #[test]
    fn stores_near_a_place_come_nearest_first_and_none_beyond_the_radius() {
        let near = place_of_zip("45202");
        let ids = |radius_in_miles: f64| {
            let found = search(&Wanted { near, radius_in_miles, ..wanted() });
            found.into_iter().map(|store| store.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(5.0), ["01400943", "01400413"]);
        assert!(ids(30.0).contains(&"01400376") && !ids(10.0).contains(&"01400376"));
    }

    #[test]
    fn a_zip_code_without_a_store_is_where_its_region_is() {
        assert_eq!(place_of_zip("45299"), place_of_zip("45202"));
        assert_eq!(place_of_zip("99999"), Near::Nowhere);
    }

    #[test]
    fn a_store_must_have_all_the_departments_and_be_of_the_chain() {
        let departments = search(&Wanted { departments: vec!["09", "07"], ..wanted() });
        assert!(!departments.is_empty() && departments.iter().all(|store| store.departments.contains("07")));
        let chain = search(&Wanted { chain: Some("ralphs"), ..wanted() });
        assert_eq!(chain.len(), 3);
    }
}
