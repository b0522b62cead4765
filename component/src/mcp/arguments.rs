//! Reading what a model gives a tool: forgiving where the meaning is clear (a
//! number in quotes, one item where a list is wanted, a list as JSON text),
//! strict where it is not. An error names the field and says what is allowed.

use std::borrow::Cow;

use rmcp::model::JsonObject;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use kroger_core::failure::Failure;

/// A value that a tool takes. `None`: it was not given.
pub(super) trait Argument: Sized {
    /// `place` is what it is called in an error: `items[2].upc`.
    fn read(value: Option<Value>, place: &str) -> Result<Self, Failure>;
}

/// Declares the arguments of a tool, or a part of them: a struct whose fields'
/// comments are what the model is told about them.
macro_rules! arguments {
    ($(#[$about:meta])* $name:ident { $($(#[$told:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$told])* pub(super) $field: $type,)*
        }

        impl $crate::mcp::arguments::Argument for $name {
            fn read(value: Option<serde_json::Value>, place: &str) -> Result<Self, kroger_core::failure::Failure> {
                #[allow(unused_mut, unused_variables, reason = "a tool may take no argument")]
                let mut fields = $crate::mcp::arguments::Fields::of(value, place, &[$(stringify!($field)),*])?;
                Ok(Self { $($field: fields.take(stringify!($field))?,)* })
            }
        }
    };
}
pub(super) use arguments;

/// Declares an argument that is one of some words, which are read in any case.
macro_rules! choices {
    ($(#[$about:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name {
            $($variant,)*
        }

        impl $crate::mcp::arguments::Argument for $name {
            fn read(value: Option<serde_json::Value>, place: &str) -> Result<Self, kroger_core::failure::Failure> {
                $crate::mcp::arguments::choice(value.as_ref(), place, &[$(($word, Self::$variant)),*])
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($word),*] })
            }
        }
    };
}
pub(super) use choices;

pub(super) fn choice<T: Copy>(value: Option<&Value>, place: &str, words: &[(&str, T)]) -> Result<T, Failure> {
    let given = value.and_then(Value::as_str).map(|text| text.trim().replace(['-', ' '], "_"));
    let known = given.and_then(|given| words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&given)));
    known.map(|(_, choice)| *choice).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Failure::invalid_argument(place, &format!("one of {}", words.join(", ")))
    })
}

/// The fields of one object.
pub(super) struct Fields<'a> {
    fields: JsonObject,
    place: &'a str,
}

impl<'a> Fields<'a> {
    /// A field that is not known is refused: it is most often a misspelt one.
    pub(super) fn of(value: Option<Value>, place: &'a str, known: &[&str]) -> Result<Self, Failure> {
        let listed = if known.is_empty() { "none".to_owned() } else { format!("`{}`", known.join("`, `")) };
        let fields = match parsed(value) {
            Some(Value::Object(fields)) => fields,
            None if place.is_empty() => JsonObject::new(),
            _ => return Err(Failure::invalid_argument(place, &format!("an object with {listed}"))),
        };
        if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            let name: String = unknown.chars().filter(|c| !c.is_control()).take(64).collect();
            let allowed = format!("there is no such argument; known are {listed}");
            return Err(Failure::invalid_argument(&within(place, &name), &allowed));
        }
        Ok(Self { fields, place })
    }

    pub(super) fn take<T: Argument>(&mut self, name: &str) -> Result<T, Failure> {
        T::read(self.fields.remove(name).filter(|value| !value.is_null()), &within(self.place, name))
    }
}

fn within(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

/// Some models write a list or an object as JSON text.
fn parsed(value: Option<Value>) -> Option<Value> {
    let Some(Value::String(text)) = &value else { return value };
    match serde_json::from_str(text) {
        Ok(inner @ (Value::Array(_) | Value::Object(_))) => Some(inner),
        _ => value,
    }
}

impl<T: Argument> Argument for Option<T> {
    fn read(value: Option<Value>, place: &str) -> Result<Self, Failure> {
        let is_given = value.as_ref().is_some_and(|value| value.as_str().is_none_or(|text| !text.trim().is_empty()));
        if is_given { T::read(value, place).map(Some) } else { Ok(None) }
    }
}

/// A text; a number is taken for its digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

impl Argument for Text {
    fn read(value: Option<Value>, place: &str) -> Result<Self, Failure> {
        match value {
            Some(Value::String(text)) => Ok(Self(text.trim().to_owned())),
            Some(Value::Number(number)) if number.is_u64() => Ok(Self(number.to_string())),
            None => Err(Failure::invalid_argument(place, "it is missing; a text")),
            Some(_) => Err(Failure::invalid_argument(place, "a text")),
        }
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A whole number from `LEAST` to `MOST`; digits in quotes are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole<const LEAST: u32, const MOST: u32>(pub(super) u32);

impl<const LEAST: u32, const MOST: u32> Argument for Whole<LEAST, MOST> {
    fn read(value: Option<Value>, place: &str) -> Result<Self, Failure> {
        let number = value.as_ref().and_then(whole);
        let number = number.filter(|number| (LEAST..=MOST).contains(number));
        number
            .map(Self)
            .ok_or_else(|| Failure::invalid_argument(place, &format!("a whole number from {LEAST} to {MOST}")))
    }
}

/// `2`, `2.0`, `"2"`, `"2.0"`.
fn whole(value: &Value) -> Option<u32> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let is_whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
    is_whole.then_some(number as u32)
}

impl<const LEAST: u32, const MOST: u32> JsonSchema for Whole<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": LEAST, "maximum": MOST })
    }
}

/// Degrees of latitude or longitude, up to `MOST` either way; a number in quotes
/// is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Degrees<const MOST: u32>(pub(super) f64);

impl<const MOST: u32> Argument for Degrees<MOST> {
    fn read(value: Option<Value>, place: &str) -> Result<Self, Failure> {
        let degrees = match value {
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let degrees = degrees.filter(|degrees| degrees.abs() <= f64::from(MOST));
        degrees.map(Self).ok_or_else(|| Failure::invalid_argument(place, &format!("degrees from -{MOST} to {MOST}")))
    }
}

impl<const MOST: u32> JsonSchema for Degrees<MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Degrees".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": -i64::from(MOST), "maximum": MOST })
    }
}

/// Yes or no, as JSON or in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flag(pub(super) bool);

impl Argument for Flag {
    fn read(value: Option<Value>, place: &str) -> Result<Self, Failure> {
        let flag = match &value {
            Some(Value::Bool(flag)) => Some(*flag),
            Some(Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Some(true),
                "false" | "no" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        flag.map(Self).ok_or_else(|| Failure::invalid_argument(place, "true or false"))
    }
}

impl JsonSchema for Flag {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Flag".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

/// A list; one value alone is a list of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T: Argument> Argument for List<T> {
    fn read(value: Option<Value>, place: &str) -> Result<Self, Failure> {
        let values = match parsed(value) {
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
            None => return Err(Failure::invalid_argument(place, "it is missing; a list")),
        };
        let each = values.into_iter().enumerate();
        each.map(|(index, value)| T::read(Some(value), &format!("{place}[{index}]")))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "List".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<T>() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    choices! {
        /// A way.
        Way { InStore = "in_store", Pickup = "PICKUP" }
    }

    arguments! {
        /// What a test takes.
        Given {
            /// How many.
            count: Option<Whole<1, 9>>,
            way: Option<Way>,
            names: List<Text>,
            is_wanted: Option<Flag>,
        }
    }

    fn read(value: Value) -> Result<Given, String> {
        Given::read(Some(value), "").map_err(|failure| super::super::told::Told::from(&failure).detail)
    }

    #[test]
    fn numbers_and_flags_are_read_from_text_and_one_value_is_a_list() {
        let given = read(json!({ "count": "2.0", "names": 1_111, "is_wanted": "Yes" })).unwrap();

        assert_eq!(given.count, Some(Whole(2)));
        assert_eq!(given.names.0, [Text("1111".to_owned())]);
        assert_eq!(given.is_wanted, Some(Flag(true)));
    }

    #[test]
    fn a_word_is_read_in_any_case_and_another_is_refused_with_those_there_are() {
        let way = |text: &str| read(json!({ "names": [], "way": text })).map(|given| given.way);

        assert_eq!(way("In-Store"), Ok(Some(Way::InStore)));
        assert_eq!(way(" pickup "), Ok(Some(Way::Pickup)));
        assert_eq!(way("drone"), Err("`way` is not valid: one of in_store, PICKUP.".to_owned()));
    }

    #[test]
    fn a_list_that_is_json_text_is_read_as_the_list() {
        let given = read(json!({ "names": "[\"milk\", \" eggs \"]", "count": "" })).unwrap();

        assert_eq!(given.names.0, [Text("milk".to_owned()), Text("eggs".to_owned())]);
        assert_eq!(given.count, None);
    }

    #[test]
    fn an_error_names_the_place_and_what_is_allowed() {
        let wrong = [
            (json!({ "names": ["a", {}] }), "`names[1]` is not valid: a text."),
            (json!({ "names": [], "count": 10 }), "`count` is not valid: a whole number from 1 to 9."),
            (json!({ "names": [], "count": 1.5 }), "`count` is not valid: a whole number from 1 to 9."),
            (json!({}), "`names` is not valid: it is missing; a list."),
            (
                json!({ "name": [] }),
                "`name` is not valid: there is no such argument; known are `count`, `way`, `names`, `is_wanted`.",
            ),
        ];
        for (value, detail) in wrong {
            assert_eq!(read(value.clone()).err().as_deref(), Some(detail), "{value}");
        }
    }
}
