//! Reads the JSON body of an HTTP call. A field that is given twice is refused: one reader takes the first, another
//! the last.
//!
//! Never looks at the `Content-Type`: `curl -d` calls each body a form. A web page of another origin cannot make use
//! of that, because its origin is refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

use super::{Field, Place};
use kroger_core::failure::Failure;

/// Reads the whole body.
pub(crate) fn read<T: Field>(body: &[u8]) -> Result<T, Failure> {
    let Unique(value) = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    T::read(Some(value), &Place::body())
}

fn unreadable(error: &serde_json::Error) -> Failure {
    let place = format!("line {}, column {}", error.line(), error.column());
    let allowed = match error.classify() {
        Category::Data => format!("a field is given more than once, at {place}; give it once"),
        Category::Io | Category::Syntax | Category::Eof => {
            format!("valid JSON; it ends or goes wrong at {place}")
        }
    };
    Place::body().refuse(&allowed)
}

/// A JSON value. Each of its objects has a field of one name once; `Category::Data` means that one has it twice.
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
