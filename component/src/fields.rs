//! Reads the fields of a JSON body, of a query and of a tool's arguments, each into its type.
//!
//! A field that is not known is refused: it is most often a misspelt one. An error names the field and says what is
//! allowed. An argument of a tool is read leniently if its meaning is clear. A field of HTTP never is.

pub(crate) mod json;
pub(crate) mod values;

use serde_json::{Map, Value};

use crate::edge::LARGEST_MESSAGE;
use kroger_core::failure::Failure;
use kroger_core::json::tree_size;
use kroger_core::text::cleaned;

/// How a caller writes its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The JSON of a body, where each value has its type.
    Json,
    /// The text of a query.
    Query,
    /// The JSON of a model, which may put a number in quotes or a list in a text.
    Tool,
}

/// The place of a value: its name in an error, such as `items[2].upc`, and how the caller writes values.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    name: String,
    source: Source,
}

impl Place {
    /// The body of an HTTP call.
    pub(crate) fn body() -> Self {
        Self { name: String::new(), source: Source::Json }
    }

    /// All parameters of a query.
    pub(crate) fn query() -> Self {
        Self { name: String::new(), source: Source::Query }
    }

    /// The arguments of a tool.
    pub(crate) fn arguments() -> Self {
        Self { name: String::new(), source: Source::Tool }
    }

    pub(crate) fn field(&self, field: &str) -> Self {
        let name = if self.name.is_empty() { field.to_owned() } else { format!("{}.{field}", self.name) };
        Self { name, source: self.source }
    }

    pub(crate) fn element(&self, index: usize) -> Self {
        Self { name: format!("{}[{index}]", self.name), source: self.source }
    }

    /// The failure of a value that is not what is `allowed`.
    pub(crate) fn refuse(&self, allowed: &str) -> Failure {
        let name = if self.name.is_empty() { "body" } else { &self.name };
        Failure::invalid_argument(name, allowed)
    }

    fn is_lenient(&self) -> bool {
        self.source == Source::Tool
    }
}

/// A value that can be read from a field.
pub(crate) trait Field: Sized {
    /// Reads `value`, which is `None` if the field is absent or null.
    fn read(value: Option<Value>, place: &Place) -> Result<Self, Failure>;
}

impl<T: Field> Field for Option<T> {
    /// A model may give a blank text for an argument that it does not use.
    fn read(value: Option<Value>, place: &Place) -> Result<Self, Failure> {
        let is_blank = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
        let value = value.filter(|value| !(place.is_lenient() && is_blank(value)));
        value.map(|value| T::read(Some(value), place)).transpose()
    }
}

/// The fields of one object. Each is taken once.
pub(crate) struct Fields<'a> {
    fields: Map<String, Value>,
    place: &'a Place,
}

impl<'a> Fields<'a> {
    /// Reads the object at `place`. Refuses a value that is no object, and an object with a field that is not `known`.
    pub(crate) fn of(value: Option<Value>, place: &'a Place, known: &[&str]) -> Result<Self, Failure> {
        let fields = match parsed(value, place) {
            Some(Value::Object(fields)) => fields,
            None if place.is_lenient() && place.name.is_empty() => Map::new(),
            _ => return Err(place.refuse(&format!("{} with {}", object(place), listed(place, known)))),
        };
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(unknown_field(place, unknown, known)),
            None => Ok(Self { fields, place }),
        }
    }

    pub(crate) fn take<T: Field>(&mut self, name: &str) -> Result<T, Failure> {
        T::read(self.fields.remove(name).filter(|value| !value.is_null()), &self.place.field(name))
    }
}

fn object(place: &Place) -> &'static str {
    if place.is_lenient() { "an object" } else { "a JSON object" }
}

fn listed(place: &Place, known: &[&str]) -> String {
    match (known, place.is_lenient()) {
        ([], true) => "none".to_owned(),
        ([], false) => "no field at all".to_owned(),
        _ => format!("`{}`", known.join("`, `")),
    }
}

fn unknown_field(place: &Place, name: &str, known: &[&str]) -> Failure {
    let name = cleaned(name, 64);
    let kind = if place.is_lenient() { "argument" } else { "field" };
    place.field(&name).refuse(&format!("there is no such {kind}; known are {}", listed(place, known)))
}

/// Reads a list or an object that a model wrote as JSON text.
fn parsed(value: Option<Value>, place: &Place) -> Option<Value> {
    let Some(Value::String(text)) = &value else { return value };
    if tree_size(text.as_bytes()) > LARGEST_MESSAGE {
        return value;
    }
    match serde_json::from_str(text) {
        Ok(inner @ (Value::Array(_) | Value::Object(_))) if place.is_lenient() => Some(inner),
        _ => value,
    }
}

/// Declares a struct that is read from the fields of an object.
macro_rules! fields {
    ($(#[$about:meta])* $name:ident { $($(#[$told:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        pub(crate) struct $name {
            $($(#[$told])* pub(crate) $field: $type,)*
        }

        impl $crate::fields::Field for $name {
            fn read(
                value: Option<serde_json::Value>,
                place: &$crate::fields::Place,
            ) -> Result<Self, kroger_core::failure::Failure> {
                #[allow(unused_mut, unused_variables, reason = "an object may have no fields")]
                let mut fields = $crate::fields::Fields::of(value, place, &[$(stringify!($field)),*])?;
                Ok(Self { $($field: fields.take(stringify!($field))?,)* })
            }
        }
    };
}
pub(crate) use fields;

/// Declares the arguments of a tool, or a part of them. The comments of the fields are texts for the model.
macro_rules! arguments {
    ($(#[$about:meta])* $name:ident { $($fields:tt)* }) => {
        $crate::fields::fields! {
            $(#[$about])*
            #[derive(schemars::JsonSchema)]
            #[schemars(deny_unknown_fields)]
            $name { $($fields)* }
        }
    };
}
pub(crate) use arguments;

arguments! {
    /// Takes no fields.
    Nothing {}
}
