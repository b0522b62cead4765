//! Finds locations near a place, one location by its id, and all chains and
//! departments. The cache may answer.

use crate::failure::{Cause, Missing};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::Context;
use crate::catalog::cache::Freshness;
use crate::catalog::cached_read::{CachedRead, without_data};
use crate::catalog::lenient::list;
use crate::catalog::location::{Chain, Department, Location, LocationId};
use crate::catalog::page_request::spaced;
use crate::failure::{Code, Failure};
use crate::kroger::limits::Endpoint;
use crate::text::{cleaned_json, is_clean};
use crate::upstream::quota::Purpose;
use crate::user::UserId;

const LOCATIONS: CachedRead =
    CachedRead { endpoint: Endpoint::Locations, purpose: Purpose::Browse, freshness: Freshness::Hour };

/// The largest radius that Kroger takes, in miles.
pub const LARGEST_RADIUS: u32 = 100;

/// A search for locations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocationQuery {
    /// None: anywhere if a chain is named, else near the configured zip code.
    pub near: Option<Near>,
    /// 1 to 100 miles. None: the configured radius.
    pub radius_miles: Option<u32>,
    /// The name of a chain, in any case: `king soopers`.
    pub chain: Option<String>,
    /// Ids of departments. A location must have all of them.
    pub departments: Vec<String>,
    /// The most locations: 1 to 200. None: 10.
    pub limit: Option<u32>,
}

/// The place to be near to.
#[derive(Clone, Debug, PartialEq)]
pub enum Near {
    ZipCode(String),
    /// In degrees; north and east are positive.
    Place {
        latitude: f64,
        longitude: f64,
    },
}

/// Locations, nearest first.
#[derive(Clone, Debug, PartialEq)]
pub struct LocationsFound {
    pub locations: Vec<Location>,
    /// The place that was searched near, in words.
    pub near: Option<String>,
    pub radius_miles: u32,
    pub notes: Vec<String>,
}

/// Locations in Kroger's form.
#[derive(Clone, Debug, PartialEq)]
pub struct LocationPage {
    pub data: Vec<Value>,
    pub meta: Value,
    pub(crate) left_out: usize,
}

impl Near {
    /// Reads a zip code of 5 digits, or a ZIP+4.
    ///
    /// # Errors
    /// The allowed values, in words.
    pub fn zip_code(text: &str) -> Result<Self, &'static str> {
        // The first five digits of a ZIP+4 are the place.
        let zip = text.trim().split('-').next().unwrap_or_default();
        let is_zip = zip.len() == 5 && zip.bytes().all(|byte| byte.is_ascii_digit());
        if is_zip { Ok(Self::ZipCode(zip.to_owned())) } else { Err("a zip code of 5 digits, such as 45202") }
    }

    /// Checks a latitude and a longitude, in degrees.
    ///
    /// # Errors
    /// The allowed values, in words.
    pub fn place(latitude: f64, longitude: f64) -> Result<Self, &'static str> {
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        if is_on_earth {
            Ok(Self::Place { latitude, longitude })
        } else {
            Err("degrees north from -90 to 90, and east from -180 to 180")
        }
    }

    fn words(&self) -> String {
        match self {
            Self::ZipCode(zip) => zip.clone(),
            Self::Place { latitude, longitude } => format!("{latitude}, {longitude}"),
        }
    }
}

/// Finds the locations that match `query`.
///
/// # Errors
/// `invalid_argument` if no place is named or configured, among others.
pub fn find_locations(cx: Context<'_>, user: &UserId, query: &LocationQuery) -> Result<LocationsFound, Failure> {
    let page = location_page(cx, user, query)?;
    let locations: Vec<Location> = page.data.iter().filter_map(Location::read).collect();
    let near = near(cx, query).map(|near| near.words());
    let radius_miles = radius(cx, query);
    let mut notes = Vec::new();
    if page.left_out > 0 {
        notes.push(format!("{} of Kroger's locations could not be read and were left out.", page.left_out));
    }
    if locations.is_empty() && near.is_some() && radius_miles < LARGEST_RADIUS {
        notes.push(format!("There is no such location within {radius_miles} miles; a larger radius may find one."));
    }
    Ok(LocationsFound { locations, near, radius_miles, notes })
}

/// Finds the same as [`find_locations`], in Kroger's form.
pub fn location_page(cx: Context<'_>, user: &UserId, query: &LocationQuery) -> Result<LocationPage, Failure> {
    let answer = LOCATIONS.answer(cx, user, &path(cx, query)?)?;
    let sent = answer.get("data").map(|_| list(&answer, "data")).ok_or_else(|| without_data(Endpoint::Locations))?;
    let data: Vec<Value> =
        sent.iter().filter(|value| Location::read(value).is_some()).cloned().map(cleaned_json).collect();
    let left_out = sent.len() - data.len();
    let meta = answer.get("meta").filter(|meta| meta.is_object()).cloned().map_or_else(|| json!({}), cleaned_json);
    Ok(LocationPage { data, meta, left_out })
}

fn near(cx: Context<'_>, query: &LocationQuery) -> Option<Near> {
    let configured = || cx.settings.default_location.zip_code.clone().map(Near::ZipCode);
    query.near.clone().or_else(|| if query.chain.is_some() { None } else { configured() })
}

fn radius(cx: Context<'_>, query: &LocationQuery) -> u32 {
    query.radius_miles.unwrap_or(cx.settings.default_location.radius_miles)
}

fn path(cx: Context<'_>, query: &LocationQuery) -> Result<String, Failure> {
    let near = near(cx, query);
    if near.is_none() && query.chain.is_none() {
        return Err(Failure::invalid_argument("zip_code", "a zip code or a place to be near to; none is configured"));
    }
    let radius = number("radius_miles", radius(cx, query), LARGEST_RADIUS)?;
    let limit = number("limit", query.limit.unwrap_or(10), 200)?;
    let mut pairs = Serializer::new(String::new());
    match near {
        Some(Near::ZipCode(zip)) => drop(pairs.append_pair("filter.zipCode.near", &zip)),
        Some(Near::Place { latitude, longitude }) => {
            pairs.append_pair("filter.latLong.near", &format!("{latitude},{longitude}"));
        }
        None => {}
    }
    pairs.append_pair("filter.radiusInMiles", &radius).append_pair("filter.limit", &limit);
    if let Some(chain) = &query.chain {
        pairs.append_pair("filter.chain", &plain("chain", chain)?.to_uppercase());
    }
    if !query.departments.is_empty() {
        let departments: Result<Vec<String>, Failure> = query.departments.iter().map(|id| department(id)).collect();
        pairs.append_pair("filter.department", &departments?.join(","));
    }
    Ok(format!("/v1/locations?{}", spaced(&pairs.finish())))
}

fn number(field: &str, number: u32, most: u32) -> Result<String, Failure> {
    if (1..=most).contains(&number) {
        return Ok(number.to_string());
    }
    Err(Failure::invalid_argument(field, &format!("a whole number from 1 to {most}")))
}

fn plain<'a>(field: &str, text: &'a str) -> Result<&'a str, Failure> {
    let text = text.trim();
    let is_plain = (1..=64).contains(&text.chars().count()) && is_clean(text);
    if is_plain { Ok(text) } else { Err(Failure::invalid_argument(field, "1 to 64 characters")) }
}

fn department(id: &str) -> Result<String, Failure> {
    let id = id.trim();
    let is_id = (1..=2).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_id { Ok(format!("{id:0>2}")) } else { Err(Failure::invalid_argument("department", "2 digits, such as 09")) }
}

/// Reads one location.
///
/// # Errors
/// `not_found` if Kroger has no such location.
pub fn location(cx: Context<'_>, user: &UserId, id: &LocationId) -> Result<Location, Failure> {
    let value = location_value(cx, user, id)?;
    Location::read(&value).ok_or_else(|| no_such_location(id))
}

/// Refuses a location that Kroger does not have. Kroger answers a search at such a
/// location with products that lack prices and stock.
///
/// Accepts the location if Kroger cannot be asked.
pub(crate) fn confirm(cx: Context<'_>, user: &UserId, id: Option<&LocationId>) -> Result<(), Failure> {
    match id.map(|id| location(cx, user, id)) {
        Some(Err(failure)) if failure.code == Code::NotFound => Err(failure),
        _ => Ok(()),
    }
}

/// Reads the same as [`location`], in Kroger's form.
pub fn location_value(cx: Context<'_>, user: &UserId, id: &LocationId) -> Result<Value, Failure> {
    let path = format!("/v1/locations/{}", id.as_str());
    let answer = LOCATIONS.answer(cx, user, &path).map_err(|failure| match failure.code {
        Code::NotFound => no_such_location(id),
        _ => failure,
    })?;
    list(&answer, "data")
        .iter()
        .find(|value| Location::read(value).is_some())
        .cloned()
        .map(cleaned_json)
        .ok_or_else(|| without_data(Endpoint::Locations))
}

fn no_such_location(id: &LocationId) -> Failure {
    Cause::NotFound(Missing::Location(id.as_str().to_owned())).into()
}

/// Reads all chains that Kroger owns.
pub fn chains(cx: Context<'_>, user: &UserId) -> Result<Vec<Chain>, Failure> {
    Ok(all(cx, user, Endpoint::Chains, "/v1/chains")?.iter().filter_map(Chain::read).collect())
}

/// Reads all departments that a location may have.
pub fn departments(cx: Context<'_>, user: &UserId) -> Result<Vec<Department>, Failure> {
    Ok(all(cx, user, Endpoint::Departments, "/v1/departments")?.iter().filter_map(Department::read).collect())
}

fn all(cx: Context<'_>, user: &UserId, endpoint: Endpoint, path: &str) -> Result<Vec<Value>, Failure> {
    let source = CachedRead { endpoint, purpose: Purpose::Browse, freshness: Freshness::Day };
    let answer = source.answer(cx, user, path)?;
    answer.get("data").map(|_| list(&answer, "data").to_vec()).ok_or_else(|| without_data(endpoint))
}
