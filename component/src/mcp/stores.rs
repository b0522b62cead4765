//! The tools that find locations (supermarkets), chains and departments, and set the preferred location. Tools and
//! texts say store, as people do. The code says location.

use schemars::JsonSchema;
use serde::Serialize;

use super::call::Call;
use super::tool::{Effect, Reply, Tool};
use crate::fields::values::{Degrees, List, Text, Whole};
use crate::fields::{Nothing, arguments};
use kroger_core::catalog::location::{Day, Hours, Location, LocationId, WEEK};
use kroger_core::catalog::locations::{self, LARGEST_RADIUS, LocationQuery, LocationsFound, Near};
use kroger_core::catalog::preferred_location;
use kroger_core::failure::{Correction, Failure, NextStep};

/// A location as a model names it: by its id.
pub(super) type LocationArgument = Text;

/// The most locations listed for a zip code. More would not help to choose.
const CANDIDATES: u32 = 5;

/// Reads the location, if one is given. Answers a zip code in its place with the locations near it, and does not
/// guess which one is meant.
pub(super) fn location_argument(
    call: &Call<'_>,
    given: Option<LocationArgument>,
) -> Result<Option<LocationId>, Failure> {
    given.map(|text| location_id(call, &text.0)).transpose()
}

fn location_id(call: &Call<'_>, text: &str) -> Result<LocationId, Failure> {
    // A model that wrote a number lost its leading zeros.
    let padded = if text.bytes().all(|byte| byte.is_ascii_digit()) && (6..8).contains(&text.len()) {
        format!("{text:0>8}")
    } else {
        text.to_owned()
    };
    let allowed = match LocationId::parse(&padded) {
        Ok(id) => return Ok(id),
        Err(allowed) => allowed,
    };
    let Ok(near) = Near::zip_code(text) else {
        return Err(Failure {
            next: NextStep::Correct(Correction::SearchLocations),
            ..Failure::invalid_argument("store_id", allowed)
        });
    };
    let query = LocationQuery { near: Some(near), limit: Some(CANDIDATES), ..LocationQuery::default() };
    let found = locations::find_locations(call.cx, call.user, &query)?;
    let listed: Vec<String> = found.locations.iter().map(|store| format!("\n- {}", line(store))).collect();
    let question = format!("it is a zip code, not a store. Stores near it: {}", listed.concat());
    Err(Failure { next: NextStep::Correct(Correction::AskWhich), ..Failure::invalid_argument("store_id", &question) })
}

arguments! {
    /// The arguments of `find_stores`.
    FindInput {
        /// 5 digits; the configured zip code if absent.
        zip_code: Option<Text>,
        /// Degrees north, with longitude, instead of a zip code.
        latitude: Option<Degrees<90>>,
        /// Degrees east; west is negative.
        longitude: Option<Degrees<180>>,
        radius_miles: Option<Whole<1, LARGEST_RADIUS>>,
        /// A name from list_chains: KROGER, RALPHS, KING SOOPERS.
        chain: Option<Text>,
        /// Ids from list_departments; a store must have all of them.
        departments: Option<List<Text>>,
        /// 5 if absent.
        limit: Option<Whole<1, 200>>,
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Locations {
    stores: Vec<LocationLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    near: Option<String>,
    radius_miles: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LocationLine {
    store_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<String>,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

impl From<&Location> for LocationLine {
    fn from(store: &Location) -> Self {
        Self {
            store_id: store.id.as_str().to_owned(),
            name: store.name.clone(),
            chain: store.chain.clone(),
            address: store.address.line(),
            phone: store.phone.clone(),
        }
    }
}

pub(super) fn line(store: &Location) -> String {
    format!("{} {}, {}", store.id.as_str(), store.name, store.address.line())
}

/// Finds stores near a place.
pub(super) struct FindStores;

impl Tool for FindStores {
    const NAME: &'static str = "find_stores";
    const TITLE: &'static str = "Find stores";
    const DESCRIPTION: &'static str =
        "Finds stores of Kroger and its chains near a zip code or a place, the nearest first.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = true;
    type Input = FindInput;
    type Output = Locations;

    fn run(call: &Call<'_>, input: FindInput) -> Result<Reply<Locations>, Failure> {
        let (query, note) = query(input)?;
        let mut found = locations::find_locations(call.cx, call.user, &query)?;
        found.notes.extend(note);
        let text = found_text(&found);
        let stores = found.locations.iter().map(LocationLine::from).collect();
        let value = Locations { stores, near: found.near, radius_miles: found.radius_miles, notes: found.notes };
        Ok(Reply { value, text })
    }
}

/// The query, and a note about a correction of the input.
fn query(input: FindInput) -> Result<(LocationQuery, Option<String>), Failure> {
    let (near, note) = match (input.zip_code, input.latitude, input.longitude) {
        (Some(zip), None, None) => zip_code(&zip.0).map(|(near, note)| (Some(near), note))?,
        (None, Some(latitude), Some(longitude)) => {
            (Some(Near::Place { latitude: latitude.0, longitude: longitude.0 }), None)
        }
        (None, None, None) => (None, None),
        _ => {
            let allowed = "either a zip code, or latitude and longitude together";
            return Err(Failure::invalid_argument("zip_code", allowed));
        }
    };
    let query = LocationQuery {
        near,
        radius_miles: input.radius_miles.map(|radius| radius.0),
        chain: input.chain.map(|chain| chain.0),
        departments: input.departments.map_or_else(Vec::new, |list| list.0.into_iter().map(|id| id.0).collect()),
        limit: Some(input.limit.map_or(CANDIDATES, |limit| limit.0)),
    };
    Ok((query, note))
}

/// Reads a zip code. A number lost its leading zeros; a zip code has two of them at most.
fn zip_code(text: &str) -> Result<(Near, Option<String>), Failure> {
    let has_lost_zeros = (3..5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let zip = if has_lost_zeros { format!("{text:0>5}") } else { text.to_owned() };
    let near = Near::zip_code(&zip).map_err(|allowed| Failure::invalid_argument("zip_code", allowed))?;
    Ok((near, has_lost_zeros.then(|| format!("The zip code {text} was read as {zip}."))))
}

fn found_text(found: &LocationsFound) -> String {
    let mut lines: Vec<String> = found.locations.iter().map(|store| format!("- {}", line(store))).collect();
    lines.extend(found.notes.iter().cloned());
    let next = match (found.locations.is_empty(), found.radius_miles < LARGEST_RADIUS) {
        (true, true) => "Next: try a larger radius_miles or another zip code.",
        (true, false) => "Next: try another zip code.",
        _ => "Next: set_preferred_store with the id that the user chooses; prices and stock are then that store's.",
    };
    lines.push(next.to_owned());
    lines.join("\n")
}

arguments! {
    /// The argument of the tools for one store.
    LocationInput {
        /// 8 letters or digits, from find_stores.
        store_id: LocationArgument,
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LocationDetails {
    #[serde(flatten)]
    line: LocationLine,
    /// The hours of each day, in the store's time zone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hours: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    departments: Vec<String>,
}

/// Shows one store.
pub(super) struct GetStore;

impl Tool for GetStore {
    const NAME: &'static str = "get_store";
    const TITLE: &'static str = "Store details";
    const DESCRIPTION: &'static str = "Shows one store: address, phone, opening hours, departments.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = true;
    type Input = LocationInput;
    type Output = LocationDetails;

    fn run(call: &Call<'_>, input: LocationInput) -> Result<Reply<LocationDetails>, Failure> {
        let store = locations::location(call.cx, call.user, &location_id(call, &input.store_id.0)?)?;
        let hours = store.hours.as_ref().map(hours).unwrap_or_default();
        let open = if hours.is_empty() { String::new() } else { format!("\nOpen: {}", hours.join("; ")) };
        let text = format!("{}{open}\nNext: set_preferred_store makes it the user's store.", line(&store));
        Ok(Reply { value: details(&store, hours), text })
    }
}

fn details(store: &Location, hours: Vec<String>) -> LocationDetails {
    LocationDetails {
        line: store.into(),
        hours,
        timezone: store.hours.as_ref().and_then(|hours| hours.timezone.clone()),
        departments: store.departments.iter().filter_map(|department| department.name.clone()).collect(),
    }
}

/// Groups days with equal hours: `monday-friday 06:00-23:00`.
fn hours(hours: &Hours) -> Vec<String> {
    if hours.open_24_hours {
        return vec!["every day, 24 hours".to_owned()];
    }
    let mut told: Vec<(usize, usize, String)> = Vec::new();
    for (index, day) in hours.week.iter().enumerate() {
        let Some(day) = day else { continue };
        match told.last_mut() {
            Some((_, last, same)) if *last + 1 == index && *same == times(day) => *last = index,
            _ => told.push((index, index, times(day))),
        }
    }
    let days = |first: usize, last: usize| {
        if first == last { WEEK[first].to_owned() } else { format!("{}-{}", WEEK[first], WEEK[last]) }
    };
    told.into_iter().map(|(first, last, times)| format!("{} {times}", days(first, last))).collect()
}

fn times(day: &Day) -> String {
    if day.open_24_hours { "24 hours".to_owned() } else { format!("{}-{}", day.open, day.close) }
}

/// Chooses the user's store.
pub(super) struct SetPreferredStore;

impl Tool for SetPreferredStore {
    const NAME: &'static str = "set_preferred_store";
    const TITLE: &'static str = "Choose the user's store";
    const DESCRIPTION: &'static str = "Remembers the user's choice of store. Prices, stock and aisles are then those of this \
        store. Set only a store that the user chose.";
    const EFFECT: Effect = Effect::Sets;
    const ASKS_KROGER: bool = true;
    type Input = LocationInput;
    type Output = LocationLine;

    fn run(call: &Call<'_>, input: LocationInput) -> Result<Reply<LocationLine>, Failure> {
        let store = preferred_location::set(call.cx, call.user, &location_id(call, &input.store_id.0)?)?;
        let text =
            format!("The user's store is now {}.\nNext: search_products shows its prices and stock.", line(&store));
        Ok(Reply { value: (&store).into(), text })
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Chains {
    chains: Vec<ChainLine>,
}

#[derive(Serialize, JsonSchema)]
struct ChainLine {
    /// The name to give find_stores.
    chain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// Lists the chains.
pub(super) struct ListChains;

impl Tool for ListChains {
    const NAME: &'static str = "list_chains";
    const TITLE: &'static str = "List chains";
    const DESCRIPTION: &'static str = "Lists Kroger's chains by the names that find_stores takes.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = true;
    type Input = Nothing;
    type Output = Chains;

    fn run(call: &Call<'_>, _: Nothing) -> Result<Reply<Chains>, Failure> {
        let chains = locations::chains(call.cx, call.user)?;
        let chains: Vec<ChainLine> =
            chains.into_iter().map(|chain| ChainLine { chain: chain.name, name: chain.friendly_name }).collect();
        let names: Vec<&str> = chains.iter().map(|chain| chain.chain.as_str()).collect();
        let text = format!("{}\nNext: find_stores with one of them as chain.", names.join(", "));
        Ok(Reply { value: Chains { chains }, text })
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Departments {
    departments: Vec<DepartmentLine>,
}

#[derive(Serialize, JsonSchema)]
struct DepartmentLine {
    department_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// Lists the departments.
pub(super) struct ListDepartments;

impl Tool for ListDepartments {
    const NAME: &'static str = "list_departments";
    const TITLE: &'static str = "List departments";
    const DESCRIPTION: &'static str = "Lists the departments that a store may have, by the ids that find_stores takes.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = true;
    type Input = Nothing;
    type Output = Departments;

    fn run(call: &Call<'_>, _: Nothing) -> Result<Reply<Departments>, Failure> {
        let departments = locations::departments(call.cx, call.user)?;
        let departments: Vec<DepartmentLine> = departments
            .into_iter()
            .map(|department| DepartmentLine { department_id: department.id, name: department.name })
            .collect();
        let told: Vec<String> = departments
            .iter()
            .map(|one| format!("{} {}", one.department_id, one.name.as_deref().unwrap_or_default()))
            .collect();
        let text = format!("{}\nNext: find_stores with one of the ids in departments.", told.join(", "));
        Ok(Reply { value: Departments { departments }, text })
    }
}
