//! Reading JSON bodies strictly and saying in our own words what is wrong with
//! them. A field that is not known is refused: it is most often a misspelt one.

use http::HeaderMap;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::problem::Problem;

/// The fields of one JSON object, each taken once.
pub(super) struct Fields {
    fields: Map<String, Value>,
    /// What its fields are called in an error: `items[2].`, or nothing.
    place: String,
}

impl Fields {
    /// The object that is the whole body.
    pub(super) fn of_body(headers: &HeaderMap, body: &[u8], known: &[&str]) -> Result<Self, Problem> {
        check_content_type(headers)?;
        let value = serde_json::from_slice(body).map_err(|error| {
            let place =
                format!("valid JSON; it ends or goes wrong at line {}, column {}", error.line(), error.column());
            Problem::invalid_argument("body", &place)
        })?;
        Self::of_value(value, String::new(), known)
    }

    /// The object at `place`, such as `items[2].`.
    pub(super) fn of_value(value: Value, place: String, known: &[&str]) -> Result<Self, Problem> {
        let Value::Object(fields) = value else {
            let name = if place.is_empty() { "body" } else { place.trim_end_matches('.') };
            return Err(Problem::invalid_argument(name, &format!("a JSON object with {}", listed(known))));
        };
        if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            let name: String = unknown.chars().filter(|c| !c.is_control()).take(64).collect();
            let allowed = format!("there is no such field; known are {}", listed(known));
            return Err(Problem::invalid_argument(&format!("{place}{name}"), &allowed));
        }
        Ok(Self { fields, place })
    }

    fn name(&self, field: &str) -> String {
        format!("{}{field}", self.place)
    }

    /// Null is as good as absent.
    fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field).filter(|value| !value.is_null())
    }

    /// The problem that `field` is not what is `allowed`.
    pub(super) fn refuse(&self, field: &str, allowed: &str) -> Problem {
        Problem::invalid_argument(&self.name(field), allowed)
    }

    pub(super) fn text(&mut self, field: &str, allowed: &str) -> Result<Option<String>, Problem> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.refuse(field, &format!("a JSON string, {allowed}"))),
        }
    }

    /// A number that is not whole, or none at all, is not `allowed`.
    pub(super) fn whole_number(&mut self, field: &str, allowed: &str) -> Result<Option<u32>, Problem> {
        let Some(value) = self.take(field) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.map(Some).ok_or_else(|| self.refuse(field, allowed))
    }

    pub(super) fn list(&mut self, field: &str, allowed: &str) -> Result<Vec<Value>, Problem> {
        match self.take(field) {
            Some(Value::Array(list)) => Ok(list),
            None => Err(self.refuse(field, &format!("it is missing; {allowed}"))),
            Some(_) => Err(self.refuse(field, allowed)),
        }
    }
}

fn listed(known: &[&str]) -> String {
    if known.is_empty() { "no field at all".to_owned() } else { format!("`{}`", known.join("`, `")) }
}

/// A body of no stated type is taken at its word.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(stated) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = stated.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    Err(Problem::invalid_argument("Content-Type", "send JSON, as application/json").with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}
