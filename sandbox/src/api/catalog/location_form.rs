//! Writes locations, chains and departments in Kroger's JSON. Never chooses them.

use serde_json::{Map, Value, json};

use super::{
    hash::hash,
    locations::{Chain, DEPARTMENTS, Location, Opening},
};

const WEEK: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

pub(super) fn location_form(location: &Location) -> Value {
    let departments: Vec<Value> = location.departments().map(|id| department_of(location, id)).collect();
    let mut form = json!({
        "locationId": location.id,
        "storeNumber": &location.id[3..],
        "divisionNumber": &location.id[..3],
        "chain": location.chain,
        "name": format!("{} {}", title_case(location.chain), location.vanity),
        "address": {
            "addressLine1": location.street,
            "city": location.city,
            "state": location.state,
            "zipCode": location.zip,
        },
        "geolocation": {
            "latLng": format!("{},{}", location.latitude, location.longitude),
            "latitude": location.latitude,
            "longitude": location.longitude,
        },
        "departments": departments,
    });
    // A location that does not report its hours has no telephone either.
    if location.opening != Opening::Unreported {
        form["hours"] = hours(location.opening, Some(timezone(location.state)));
        form["phone"] = json!(telephone(location.id));
    }
    form
}

pub(super) fn chain_form(chain: &Chain) -> Value {
    json!({
        "name": chain.name,
        "divisionNumbers": chain.divisions,
        "domain": chain.domain,
        "friendlyBannerName": chain.friendly,
        "modalityCapabilities":
            {"delivery": chain.delivers, "instore": true, "curbside": true, "shiptohome": chain.delivers},
    })
}

pub(super) fn department_form((id, name): (&str, &str)) -> Value {
    json!({"departmentId": id, "name": name})
}

fn department_of(location: &Location, id: &str) -> Value {
    let name = DEPARTMENTS.iter().find(|(known, _)| *known == id).map(|(_, name)| *name);
    let mut form = json!({"departmentId": id, "name": name});
    if matches!(id, "09" | "14") {
        form["phone"] = json!(telephone(&format!("{}{id}", location.id)));
        form["hours"] = hours(Opening::Short, None);
    }
    form
}

fn hours(opening: Opening, timezone: Option<&str>) -> Value {
    let (open, close, open24) = match opening {
        Opening::Always => ("00:00", "00:00", true),
        Opening::Long => ("06:00", "23:00", false),
        Opening::Short | Opening::Unreported => ("08:00", "20:00", false),
    };
    let day = json!({"open": open, "close": close, "open24": open24});
    let mut hours: Map<String, Value> = WEEK.iter().map(|name| ((*name).to_owned(), day.clone())).collect();
    hours.insert("open24".into(), open24.into());
    if let Some(timezone) = timezone {
        hours.insert("timezone".into(), timezone.into());
    }
    hours.into()
}

fn timezone(state: &str) -> &'static str {
    match state {
        "IN" => "America/Indiana/Indianapolis",
        "TN" | "TX" => "America/Chicago",
        "CO" => "America/Denver",
        "AZ" => "America/Phoenix",
        "CA" | "OR" | "WA" => "America/Los_Angeles",
        _ => "America/New_York",
    }
}

/// Returns ten digits. Numbers of the form 555-01xx belong to nobody.
fn telephone(of: &str) -> String {
    format!("55555501{:02}", hash(&[of]) % 100)
}

fn title_case(words: &str) -> String {
    let titled = words.split(' ').map(|word| match word.len() {
        0..=3 => word.to_owned(),
        _ => word[..1].to_owned() + &word[1..].to_lowercase(),
    });
    titled.collect::<Vec<_>>().join(" ")
}
