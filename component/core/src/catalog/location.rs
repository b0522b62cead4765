//! One location, chain or department, read from whatever Kroger sends. Asks Kroger
//! nothing.

use serde_json::Value;

use crate::catalog::lenient::{first_text, flag, id, list, number, text, texts};

/// The id of a location: 8 ASCII letters or digits.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct LocationId(String);

/// A supermarket. Absent fields are unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    pub id: LocationId,
    pub name: String,
    pub chain: Option<String>,
    pub address: Address,
    pub phone: Option<String>,
    /// Latitude and longitude, in degrees.
    pub place: Option<(f64, f64)>,
    pub hours: Option<Hours>,
    pub departments: Vec<Department>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    pub(crate) line_1: Option<String>,
    pub(crate) line_2: Option<String>,
    pub(crate) city: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) zip_code: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    pub timezone: Option<String>,
    pub open_24_hours: bool,
    /// The days from Monday to Sunday. None: Kroger does not say.
    pub week: [Option<Day>; 7],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// A time of day, such as `06:00`.
    pub open: String,
    pub close: String,
    pub open_24_hours: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Department {
    /// Two digits.
    pub id: String,
    pub name: Option<String>,
}

/// A chain that Kroger owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The name that searches take: `KING SOOPERS`.
    pub name: String,
    /// The name as people write it.
    pub friendly_name: Option<String>,
    pub(crate) division_numbers: Vec<String>,
}

/// The names of the days in Kroger's form, in the order of [`Hours::week`].
pub const WEEK: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl LocationId {
    /// Reads an id.
    ///
    /// # Errors
    /// The allowed values, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let is_id = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_id { Ok(Self(text.to_owned())) } else { Err("8 letters or digits, such as 01400376") }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Location {
    /// Reads a location. None: it has no id.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let id = LocationId::parse(&id(value, "locationId")?).ok()?;
        let name = text(value, "name").or_else(|| text(value, "chain"));
        Some(Self {
            name: name.unwrap_or_else(|| format!("Store {}", id.as_str())),
            id,
            chain: text(value, "chain"),
            address: value.get("address").map(address).unwrap_or_default(),
            phone: text(value, "phone"),
            place: value.get("geolocation").and_then(place),
            hours: value.get("hours").and_then(hours),
            departments: list(value, "departments").iter().filter_map(Department::read).collect(),
        })
    }
}

impl Address {
    /// The known parts, on one line.
    pub fn line(&self) -> String {
        let state = [self.state.as_deref(), self.zip_code.as_deref()].into_iter().flatten().collect::<Vec<_>>();
        let state = Some(state.join(" ")).filter(|text| !text.is_empty());
        let parts = [self.line_1.as_deref(), self.line_2.as_deref(), self.city.as_deref(), state.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

fn address(value: &Value) -> Address {
    Address {
        line_1: text(value, "addressLine1"),
        line_2: text(value, "addressLine2"),
        city: text(value, "city"),
        state: text(value, "state"),
        zip_code: text(value, "zipCode"),
    }
}

/// Reads latitude and longitude. `lenient::number` would refuse the negative
/// degrees of the west.
fn place(value: &Value) -> Option<(f64, f64)> {
    let degrees = |name: &str| match value.get(name)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let both = || {
        let text = text(value, "latLng")?;
        let (latitude, longitude) = text.split_once(',')?;
        Some((latitude.trim().parse().ok()?, longitude.trim().parse().ok()?))
    };
    let place = degrees("latitude").zip(degrees("longitude")).or_else(both);
    place.filter(|(latitude, longitude): &(f64, f64)| latitude.abs() <= 90.0 && longitude.abs() <= 180.0)
}

fn hours(value: &Value) -> Option<Hours> {
    let week = WEEK.map(|name| value.get(name).and_then(day));
    let open_24_hours = flag(value, &["open24", "Open24"]);
    let is_said = open_24_hours.is_some() || week.iter().any(Option::is_some);
    is_said.then(|| Hours { timezone: text(value, "timezone"), open_24_hours: open_24_hours.unwrap_or(false), week })
}

fn day(value: &Value) -> Option<Day> {
    let open_24_hours = flag(value, &["open24", "Open24"]).unwrap_or(false);
    match (time(value, "open"), time(value, "close")) {
        (Some(open), Some(close)) => Some(Day { open, close, open_24_hours }),
        _ if open_24_hours => Some(Day { open: "00:00".to_owned(), close: "24:00".to_owned(), open_24_hours }),
        _ => None,
    }
}

/// Reads a time of day: a text or, as in Kroger's document, minutes after
/// midnight.
fn time(value: &Value, name: &str) -> Option<String> {
    if let Some(Value::Number(_)) = value.get(name) {
        let minutes = number(value, name).filter(|minutes| *minutes <= 1_440.0)?;
        return Some(format!("{:02.0}:{:02.0}", (minutes / 60.0).floor(), minutes % 60.0));
    }
    text(value, name)
}

impl Department {
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let id = ["departmentId", "id"].iter().find_map(|name| id(value, name))?;
        Some(Self { id, name: text(value, "name") })
    }
}

impl Chain {
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Some(Self {
            name: text(value, "name")?,
            friendly_name: first_text(value, &["friendlyBannerName", "defaultTitle"]),
            division_numbers: texts(value, "divisionNumbers"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn landen() -> Value {
        json!({
            "locationId": "01400376", "chain": "KROGER", "name": "Kroger Landen", "phone": "5551234567",
            "address": { "addressLine1": "2900 W. St. Rt. 22 & 3", "city": "Maineville", "state": "OH", "zipCode": "45039" },
            "geolocation": { "latLng": "39.3,-84.2", "latitude": 39.3, "longitude": -84.2 },
            "hours": {
                "timezone": "America/New_York", "open24": false,
                "monday": { "open": "06:00", "close": 1380, "open24": false }, "tuesday": { "open24": true },
            },
            "departments": [{ "departmentId": "01", "name": "Drug" }, { "departmentId": "02" }, { "name": "?" }],
        })
    }

    #[test]
    fn a_location_is_read_whole() {
        let store = Location::read(&landen()).unwrap();

        assert_eq!(store.id.as_str(), "01400376");
        assert_eq!(store.address.line(), "2900 W. St. Rt. 22 & 3, Maineville, OH 45039");
        assert_eq!(store.place, Some((39.3, -84.2)));
        let hours = store.hours.unwrap();
        let monday = hours.week[0].as_ref().unwrap();
        assert_eq!((monday.open.as_str(), monday.close.as_str()), ("06:00", "23:00"));
        assert!(hours.week[1].as_ref().unwrap().open_24_hours && hours.week[2].is_none());
        assert_eq!(store.departments.len(), 2);
    }

    #[test]
    fn a_location_is_read_whatever_one_field_holds() {
        let names: Vec<String> = landen().as_object().unwrap().keys().cloned().collect();
        for name in names.iter().filter(|name| *name != "locationId") {
            for odd in [Value::Null, json!([]), json!({}), json!("x"), json!(5), json!([[]]), json!([null])] {
                let mut value = landen();
                value[name] = odd.clone();
                assert!(Location::read(&value).is_some(), "{name} = {odd}");
            }
        }
        let bare = Location::read(&json!({ "locationId": "01400376" })).unwrap();
        assert_eq!((bare.name.as_str(), bare.address.line().as_str()), ("Store 01400376", ""));
        assert_eq!((bare.place, bare.hours), (None, None));
        for nothing in [json!({}), json!(null), json!({ "locationId": "1" })] {
            assert_eq!(Location::read(&nothing), None);
        }
    }

    #[test]
    fn a_place_is_numbers_or_texts_and_lies_on_earth() {
        let read = |geolocation: Value| {
            let mut value = landen();
            value["geolocation"] = geolocation;
            Location::read(&value).unwrap().place
        };
        assert_eq!(read(json!({ "latLng": "39.3, -84.2" })), Some((39.3, -84.2)));
        assert_eq!(read(json!({ "latitude": "39.3", "longitude": "-84.2" })), Some((39.3, -84.2)));
        assert_eq!(read(json!({ "latitude": 139.3, "longitude": -84.2 })), None);
    }
}
