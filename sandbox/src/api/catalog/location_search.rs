//! Finds the locations near a place, nearest first, that have what the caller asks for.
//!
//! Pure: the table of locations never changes.

use super::locations::{LOCATIONS, Location};

const MILES_OF_EARTH: f64 = 3_958.8;

/// Degrees north and east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Coordinates {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

/// The place that a search starts from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum SearchOrigin {
    /// No place: the search finds locations everywhere, in the order of the table.
    Anywhere,
    At(Coordinates),
    /// A zip code that the sandbox does not know. No location is near it.
    Nowhere,
}

/// A search for locations.
pub(super) struct LocationQuery<'a> {
    pub(super) origin: SearchOrigin,
    /// The radius counts only if the search starts from a place.
    pub(super) radius_in_miles: f64,
    pub(super) chain: Option<&'a str>,
    /// A location must have all of them.
    pub(super) departments: Vec<&'a str>,
    /// A location must be one of them, unless there are none.
    pub(super) ids: Vec<&'a str>,
}

pub(super) fn by_id(id: &str) -> Option<&'static Location> {
    LOCATIONS.iter().find(|location| location.id == id)
}

pub(super) fn search(query: &LocationQuery<'_>) -> Vec<&'static Location> {
    let mut found: Vec<(f64, &Location)> = LOCATIONS
        .iter()
        .filter(|location| query.accepts(location))
        .map(|location| (query.origin.miles_to(location), location))
        .filter(|(distance, _)| *distance <= query.radius_in_miles)
        .collect();
    found.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    found.into_iter().map(|(_, location)| location).collect()
}

impl SearchOrigin {
    fn miles_to(self, location: &Location) -> f64 {
        match self {
            Self::Anywhere => 0.0,
            Self::At(start) => miles(start, location.coordinates()),
            Self::Nowhere => f64::INFINITY,
        }
    }
}

impl LocationQuery<'_> {
    fn accepts(&self, location: &Location) -> bool {
        let has = |department: &&str| location.departments().any(|own| own == *department);
        let of_chain = self.chain.is_none_or(|chain| chain.eq_ignore_ascii_case(location.chain));
        let named = self.ids.is_empty() || self.ids.contains(&location.id);
        of_chain && named && self.departments.iter().all(has)
    }
}

impl Location {
    pub(super) fn coordinates(&self) -> Coordinates {
        Coordinates { latitude: self.latitude, longitude: self.longitude }
    }

    pub(super) fn departments(&self) -> impl Iterator<Item = &'static str> {
        let codes: &'static str = self.departments;
        (0..codes.len() / 2).map(move |at| &codes[2 * at..2 * at + 2])
    }
}

/// Finds a zip code on the map, as far as the sandbox knows the country.
///
/// It is where a location with the same code is, or one with the same first three digits: those
/// belong to the same post office.
pub(super) fn coordinates_of_zip(zip: &str) -> SearchOrigin {
    let exact = LOCATIONS.iter().find(|location| location.zip == zip);
    let region = || LOCATIONS.iter().find(|location| location.zip[..3] == zip[..3]);
    exact.or_else(region).map_or(SearchOrigin::Nowhere, |location| SearchOrigin::At(location.coordinates()))
}

/// Returns the great-circle distance, by the haversine formula.
fn miles(from: Coordinates, to: Coordinates) -> f64 {
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

    fn query() -> LocationQuery<'static> {
        LocationQuery {
            origin: SearchOrigin::Anywhere,
            radius_in_miles: 10.0,
            chain: None,
            departments: vec![],
            ids: vec![],
        }
    }

    #[test]
    fn table_of_locations_is_consistent() {
        let ids: HashSet<&str> = LOCATIONS.iter().map(|location| location.id).collect();
        assert_eq!(ids.len(), LOCATIONS.len());
        for location in &LOCATIONS {
            let chain = CHAINS.iter().find(|chain| chain.name == location.chain).unwrap();
            assert!(location.id.len() == 8 && chain.divisions.contains(&&location.id[..3]), "{}", location.id);
            assert!(location.departments().all(|own| DEPARTMENTS.iter().any(|(id, _)| *id == own)), "{}", location.id);
        }
    }

    #[test]
    fn locations_within_the_radius_come_nearest_first() {
        let origin = coordinates_of_zip("45202");
        let ids = |radius_in_miles: f64| {
            let found = search(&LocationQuery { origin, radius_in_miles, ..query() });
            found.into_iter().map(|location| location.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(5.0), ["01400943", "01400413"]);
        assert!(ids(30.0).contains(&"01400376") && !ids(10.0).contains(&"01400376"));
    }

    #[test]
    fn unknown_zip_code_counts_as_its_region() {
        assert_eq!(coordinates_of_zip("45299"), coordinates_of_zip("45202"));
        assert_eq!(coordinates_of_zip("99999"), SearchOrigin::Nowhere);
    }

    #[test]
    fn location_must_have_all_departments_and_the_chain() {
        let departments = search(&LocationQuery { departments: vec!["09", "07"], ..query() });
        assert!(!departments.is_empty() && departments.iter().all(|location| location.departments.contains("07")));
        let chain = search(&LocationQuery { chain: Some("ralphs"), ..query() });
        assert_eq!(chain.len(), 3);
    }
}
