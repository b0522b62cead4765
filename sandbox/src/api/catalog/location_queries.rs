//! Answers the queries for locations, chains and departments.
//!
//! Pure: turns a query into a JSON body or a refusal. Checks no token.

use serde_json::{Value, json};

use super::{
    location_form::{chain_form, department_form, location_form},
    location_search::{self, Coordinates, LocationQuery, SearchOrigin},
    locations::{CHAINS, DEPARTMENTS},
    query_number::number,
    refusal::CatalogRefusal,
};
use crate::parameters::Parameters;

/// Answers `/v1/locations`.
pub(crate) fn locations_page(query: &Parameters) -> Result<Value, CatalogRefusal> {
    let limit = number(query, "filter.limit", 10, 1..=200)
        .ok_or(CatalogRefusal::Bare("Field 'limit' must be a number between 1 and 200 (inclusive)"))?;
    let radius = number(query, "filter.radiusInMiles", 10, 1..=100).ok_or(CatalogRefusal::Bare(
        "Field 'filter.radiusInMiles' outside of distance limits, distance range is 1 - 100 miles.",
    ))?;
    let list = |name: &str| query.value(name).map(|list| list.split(',').collect()).unwrap_or_default();
    let wanted = LocationQuery {
        origin: origin_filter(query)?,
        radius_in_miles: u32::try_from(radius).unwrap_or_default().into(),
        chain: query.value("filter.chain"),
        departments: list("filter.department"),
        ids: list("filter.locationId"),
    };
    wanted.check()?;
    let found = location_search::search(&wanted);
    let data: Vec<Value> = found.iter().take(limit).map(|location| location_form(location)).collect();
    Ok(json!({"data": data, "meta": {}}))
}

/// Answers `/v1/locations/{id}`.
pub(crate) fn one_location(id: &str) -> Result<Value, CatalogRefusal> {
    if id.len() != 8 {
        return Err(CatalogRefusal::Bare("Field 'locationId' must have a length of 8 characters"));
    }
    let location = location_search::by_id(id).ok_or(CatalogRefusal::Unknown)?;
    Ok(json!({"data": location_form(location), "meta": {}}))
}

/// Answers `/v1/chains`.
pub(crate) fn all_chains() -> Value {
    json!({"data": CHAINS.iter().map(chain_form).collect::<Vec<_>>(), "meta": {}})
}

/// Answers `/v1/chains/{name}`.
pub(crate) fn one_chain(name: &str) -> Result<Value, CatalogRefusal> {
    let chain = CHAINS.iter().find(|chain| chain.name.eq_ignore_ascii_case(name)).ok_or(CatalogRefusal::Unknown)?;
    Ok(json!({"data": chain_form(chain), "meta": {}}))
}

/// Answers `/v1/departments`.
pub(crate) fn all_departments() -> Value {
    json!({"data": DEPARTMENTS.map(department_form), "meta": {}})
}

/// Answers `/v1/departments/{id}`.
pub(crate) fn one_department(id: &str) -> Result<Value, CatalogRefusal> {
    if id.len() != 2 {
        return Err(CatalogRefusal::Nested("LOCATION-2119", "Invalid department ID"));
    }
    let department = DEPARTMENTS.into_iter().find(|(known, _)| *known == id).ok_or(CatalogRefusal::Unknown)?;
    Ok(json!({"data": department_form(department), "meta": {}}))
}

fn origin_filter(query: &Parameters) -> Result<SearchOrigin, CatalogRefusal> {
    if let Some(zip) = query.value("filter.zipCode.near") {
        let is_zip = zip.len() == 5 && zip.bytes().all(|byte| byte.is_ascii_digit());
        let origin = is_zip.then(|| location_search::coordinates_of_zip(zip));
        return origin.ok_or(CatalogRefusal::Bare("Field 'filter.zipCode.near' must 5 digits"));
    }
    let both = query.value("filter.latLong.near").map(|text| text.split_once(',').unwrap_or((text, "")));
    let each = || Some((query.value("filter.lat.near")?, query.value("filter.lon.near")?));
    let Some((latitude, longitude)) = both.or_else(each) else { return Ok(SearchOrigin::Anywhere) };
    let degrees = |text: &str, most: f64| text.trim().parse().ok().filter(|degrees: &f64| degrees.abs() <= most);
    match (degrees(latitude, 90.0), degrees(longitude, 180.0)) {
        (Some(latitude), Some(longitude)) => Ok(SearchOrigin::At(Coordinates { latitude, longitude })),
        _ => Err(CatalogRefusal::Bare("Field 'filter.latLong.near' improper coordinate location, must be on Earth")),
    }
}

impl LocationQuery<'_> {
    fn check(&self) -> Result<(), CatalogRefusal> {
        let is_known = |id: &&str| DEPARTMENTS.iter().any(|(known, _)| known == id);
        if !self.departments.iter().all(is_known) {
            return Err(CatalogRefusal::Bare("Field 'filter.department' contains invalid department ID(s)"));
        }
        if self.ids.iter().any(|id| id.len() != 8) {
            return Err(CatalogRefusal::Bare("Field 'locationId' must have a length of 8 characters"));
        }
        Ok(())
    }
}
