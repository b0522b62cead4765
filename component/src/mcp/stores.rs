//! The tools that look at stores, chains and departments, and choose the store
//! whose prices and stock are shown.

use schemars::JsonSchema;
use serde::Serialize;

use super::account::Nothing;
use super::arguments::{Degrees, List, Text, Whole, arguments};
use super::call::Call;
use super::tool::{Effect, Reply, Tool};
use kroger_core::catalog::location::{Day, Hours, Location, LocationId, WEEK};
use kroger_core::catalog::locations::{self, LARGEST_RADIUS, LocationQuery, LocationsFound, Near};
use kroger_core::catalog::preferred_location;
use kroger_core::failure::{Failure, NextStep};

/// A store as a model names it; only an id names one.
pub(super) type StoreArgument = Text;

/// What more than these is of no use for a choice.
const CANDIDATES: u32 = 5;

/// The store that is named, if one is. A zip code in its place is answered with
/// the stores near it: which of them is meant is not guessed.
pub(super) fn store_argument(call: &Call<'_>, given: Option<StoreArgument>) -> Result<Option<LocationId>, Failure> {
    given.map(|text| store_id(call, &text.0)).transpose()
}

fn store_id(call: &Call<'_>, text: &str) -> Result<LocationId, Failure> {
    // A number lost the zeros before it.
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
        return Err(Failure { next: NextStep::SearchLocations, ..Failure::invalid_argument("store_id", allowed) });
    };
    let query = LocationQuery { near: Some(near), limit: Some(CANDIDATES), ..LocationQuery::default() };
    let found = locations::find_locations(call.cx, call.user, &query)?;
    let listed: Vec<String> = found.locations.iter().map(|store| format!("\n- {}", line(store))).collect();
    let question = format!("it is a zip code, not a store. Stores near it: {}", listed.concat());
    Err(Failure { next: NextStep::AskWhich, ..Failure::invalid_argument("store_id", &question) })
}

arguments! {
    /// What `find_stores` takes.
    FindInput {
        /// 5 digits; the configured one if absent.
        zip_code: Option<Text>,
        /// Degrees north, with longitude, instead of a zip code.
        latitude: Option<Degrees<90>>,
        /// Degrees east; west is negative.
        longitude: Option<Degrees<180>>,
        radius_miles: Option<Whole<1, LARGEST_RADIUS>>,
        /// As list_chains has it: KROGER, RALPHS, KING SOOPERS.
        chain: Option<Text>,
        /// Ids as list_departments has them; a store must have all of them.
        departments: Option<List<Text>>,
        /// 5 if absent.
        limit: Option<Whole<1, 200>>,
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Stores {
    stores: Vec<StoreLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    near: Option<String>,
    radius_miles: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct StoreLine {
    store_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<String>,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

impl From<&Location> for StoreLine {
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
        "Finds Kroger stores, of all its chains, near a zip code or a place, nearest first.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = true;
    type Input = FindInput;
    type Output = Stores;

    fn run(call: &Call<'_>, input: FindInput) -> Result<Reply<Stores>, Failure> {
        let (query, note) = query(input)?;
        let mut found = locations::find_locations(call.cx, call.user, &query)?;
        found.notes.extend(note);
        let text = found_text(&found);
        let stores = found.locations.iter().map(StoreLine::from).collect();
        let value = Stores { stores, near: found.near, radius_miles: found.radius_miles, notes: found.notes };
        Ok(Reply { value, text })
    }
}

/// What to look for, and what was corrected to get it.
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

/// A number lost the zeros before it, of which a zip code has two at most.
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
    /// For one store.
    StoreInput {
        /// 8 letters or digits, as find_stores gives it.
        store_id: StoreArgument,
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct StoreDetails {
    #[serde(flatten)]
    line: StoreLine,
    /// Each day's, at the store's time.
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
    type Input = StoreInput;
    type Output = StoreDetails;

    fn run(call: &Call<'_>, input: StoreInput) -> Result<Reply<StoreDetails>, Failure> {
        let store = locations::location(call.cx, call.user, &store_id(call, &input.store_id.0)?)?;
        let hours = store.hours.as_ref().map(hours).unwrap_or_default();
        let open = if hours.is_empty() { String::new() } else { format!("\nOpen: {}", hours.join("; ")) };
        let text = format!("{}{open}\nNext: set_preferred_store makes it the user's store.", line(&store));
        Ok(Reply { value: details(&store, hours), text })
    }
}

fn details(store: &Location, hours: Vec<String>) -> StoreDetails {
    StoreDetails {
        line: store.into(),
        hours,
        timezone: store.hours.as_ref().and_then(|hours| hours.timezone.clone()),
        departments: store.departments.iter().filter_map(|department| department.name.clone()).collect(),
    }
}

/// Days alike are told together: `monday-friday 06:00-23:00`.
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
    const DESCRIPTION: &'static str = "Remembers the store the user shops at: prices, stock and aisles are then its. Only \
        what the user chose.";
    const EFFECT: Effect = Effect::Sets;
    const ASKS_KROGER: bool = true;
    type Input = StoreInput;
    type Output = StoreLine;

    fn run(call: &Call<'_>, input: StoreInput) -> Result<Reply<StoreLine>, Failure> {
        let store = preferred_location::set(call.cx, call.user, &store_id(call, &input.store_id.0)?)?;
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
    /// As find_stores wants it.
    chain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// Lists the chains.
pub(super) struct ListChains;

impl Tool for ListChains {
    const NAME: &'static str = "list_chains";
    const TITLE: &'static str = "List chains";
    const DESCRIPTION: &'static str = "Lists the chains that belong to Kroger, by the names that find_stores takes.";
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
