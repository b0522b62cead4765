//! Reading JSON bodies strictly and saying in our own words what is wrong with
//! them. A field that is not known is refused: it is most often a misspelt one.
//! So is one that is given twice, of which one reader takes the first and
//! another the last.
//!
//! The `Content-Type` is not looked at: `curl -d` says that each body is a form.
//! No page of another origin can make use of that, its origin is refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
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
    pub(super) fn of_body(body: &[u8], known: &[&str]) -> Result<Self, Problem> {
        let Unique(value) = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
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

    /// A number that is not whole, or none at all, is not `allowed`. `2.0` is
    /// whole: JSON knows one kind of number, and some callers write all of them so.
    pub(super) fn whole_number(&mut self, field: &str, allowed: &str) -> Result<Option<u32>, Problem> {
        let Some(value) = self.take(field) else { return Ok(None) };
        let number = value.as_u64().or_else(|| whole(value.as_f64()?)).and_then(|number| u32::try_from(number).ok());
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

fn whole(number: f64) -> Option<u64> {
    let digits = (number.fract() == 0.0).then(|| format!("{number:.0}"))?;
    digits.parse().ok()
}

fn listed(known: &[&str]) -> String {
    if known.is_empty() { "no field at all".to_owned() } else { format!("`{}`", known.join("`, `")) }
}

fn unreadable(error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    let allowed = match error.classify() {
        Category::Data => format!("a field is given more than once, at {place}; give it once"),
        Category::Io | Category::Syntax | Category::Eof => {
            format!("valid JSON; it ends or goes wrong at {place}")
        }
    };
    Problem::invalid_argument("body", &allowed)
}

/// A JSON value, no object of which has two fields of one name. Nothing else
/// about a value is an error of its making.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Unique(value))) = entries.next_entry::<String, Unique>()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a field twice"));
            }
        }
        Ok(fields.into())
    }
}
