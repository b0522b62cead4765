//! The values of fields: texts, numbers, flags, words and lists. Each checks its range and decides nothing else.
//!
//! A model may put a number in quotes, give one value in place of a list, or write a list as JSON text. Texts, degrees,
//! words and lists are read from models alone.

use schemars::{JsonSchema, json_schema};
use serde_json::Value;

use super::{Field, Place, Source, parsed};
use kroger_core::failure::Failure;

/// Gives a type the schema of its values, in place and without a name.
macro_rules! schema {
    (($($generics:tt)*) $type:ty, |$generator:pat_param| $schema:expr) => {
        impl<$($generics)*> schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema($generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}
pub(crate) use schema;

/// Declares an argument that is one of some words. Reads them in any case.
macro_rules! choices {
    ($(#[$about:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($variant,)*
        }

        impl $crate::fields::Field for $name {
            fn read(value: Option<serde_json::Value>, place: &$crate::fields::Place) -> Result<Self, kroger_core::failure::Failure> {
                $crate::fields::values::choice(value.as_ref(), place, &[$(($word, Self::$variant)),*])
            }
        }

        $crate::fields::values::schema! { () $name, |_| schemars::json_schema!({ "type": "string", "enum": [$($word),*] }) }
    };
}
pub(crate) use choices;

pub(crate) fn choice<T: Copy>(value: Option<&Value>, place: &Place, words: &[(&str, T)]) -> Result<T, Failure> {
    let given = value.and_then(Value::as_str).map(|text| text.trim().replace(['-', ' '], "_"));
    let known = given.and_then(|given| words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&given)));
    known.map(|(_, choice)| *choice).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        place.refuse(&format!("one of {}", words.join(", ")))
    })
}

/// A text. A number is read as its digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

impl Field for Text {
    fn read(value: Option<Value>, place: &Place) -> Result<Self, Failure> {
        match value {
            Some(Value::String(text)) => Ok(Self(text.trim().to_owned())),
            Some(Value::Number(number)) if number.is_u64() => Ok(Self(number.to_string())),
            None => Err(place.refuse("it is missing; a text")),
            Some(_) => Err(place.refuse("a text")),
        }
    }
}

schema! { () Text, |_| json_schema!({ "type": "string" }) }

/// A whole number from `LEAST` to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole<const LEAST: u32, const MOST: u32>(pub(crate) u32);

impl<const LEAST: u32, const MOST: u32> Field for Whole<LEAST, MOST> {
    fn read(value: Option<Value>, place: &Place) -> Result<Self, Failure> {
        let number = value.as_ref().and_then(|value| whole(value, place.source));
        let number = number.filter(|number| (LEAST..=MOST).contains(number));
        number.map(Self).ok_or_else(|| place.refuse(&format!("a whole number from {LEAST} to {MOST}")))
    }
}

/// JSON has one kind of number, so `2.0` is whole. A query has digits alone, without a sign. A model may also quote a
/// number.
fn whole(value: &Value, source: Source) -> Option<u32> {
    match (value, source) {
        (Value::Number(number), _) => whole_number(number.as_f64()?),
        (Value::String(text), Source::Tool) => whole_number(text.trim().parse().ok()?),
        (Value::String(text), Source::Query) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

fn whole_number(number: f64) -> Option<u32> {
    let is_whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
    is_whole.then_some(number as u32)
}

schema! { (const LEAST: u32, const MOST: u32) Whole<LEAST, MOST>, |_| json_schema!({ "type": "integer", "minimum": LEAST, "maximum": MOST }) }

/// Degrees of latitude or longitude, from `-MOST` to `MOST`. A number in quotes is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Degrees<const MOST: u32>(pub(crate) f64);

impl<const MOST: u32> Field for Degrees<MOST> {
    fn read(value: Option<Value>, place: &Place) -> Result<Self, Failure> {
        let degrees = match value {
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let degrees = degrees.filter(|degrees| degrees.abs() <= f64::from(MOST));
        degrees.map(Self).ok_or_else(|| place.refuse(&format!("degrees from -{MOST} to {MOST}")))
    }
}

schema! { (const MOST: u32) Degrees<MOST>, |_| json_schema!({ "type": "number", "minimum": -i64::from(MOST), "maximum": MOST }) }

/// Yes or no. A query says `true` or `false`; a model may use other words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

impl Field for Flag {
    fn read(value: Option<Value>, place: &Place) -> Result<Self, Failure> {
        let flag = match (&value, place.source) {
            (Some(Value::Bool(flag)), _) => Some(*flag),
            (Some(Value::String(text)), Source::Tool) => word(text.trim()),
            (Some(Value::String(text)), Source::Query) => text.parse().ok(),
            _ => None,
        };
        flag.map(Self).ok_or_else(|| place.refuse("true or false"))
    }
}

fn word(text: &str) -> Option<bool> {
    let is_one_of = |words: [&str; 3]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    let (yes, no) = (is_one_of(["true", "yes", "1"]), is_one_of(["false", "no", "0"]));
    (yes || no).then_some(yes)
}

schema! { () Flag, |_| json_schema!({ "type": "boolean" }) }

/// A list. One value alone is a list of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T: Field> Field for List<T> {
    fn read(value: Option<Value>, place: &Place) -> Result<Self, Failure> {
        let values = match parsed(value, place) {
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
            None => return Err(place.refuse("it is missing; a list")),
        };
        let each = values.into_iter().enumerate();
        each.map(|(index, value)| T::read(Some(value), &place.element(index))).collect::<Result<_, _>>().map(Self)
    }
}

schema! { (T: JsonSchema) List<T>, |generator| json_schema!({ "type": "array", "items": generator.subschema_for::<T>() }) }

#[cfg(test)]
mod tests {
    use serde_json::json;

    use kroger_core::failure::Cause;

    use super::*;
    use crate::fields::arguments;

    choices! {
        /// A way.
        Way { InStore = "in_store", Pickup = "PICKUP" }
    }

    arguments! {
        /// The arguments of a test.
        Given {
            /// How many.
            count: Option<Whole<1, 9>>,
            way: Option<Way>,
            names: List<Text>,
            is_wanted: Option<Flag>,
        }
    }

    fn read(value: Value) -> Result<Given, String> {
        Given::read(Some(value), &Place::arguments()).map_err(|failure| match failure.cause {
            Cause::Argument { field, allowed } => format!("`{field}` is not valid: {allowed}."),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn model_may_quote_numbers_and_flags_and_omit_list_brackets() {
        let given = read(json!({ "count": "2.0", "names": 1_111, "is_wanted": "Yes" })).unwrap();

        assert_eq!(given.count, Some(Whole(2)));
        assert_eq!(given.names.0, [Text("1111".to_owned())]);
        assert_eq!(given.is_wanted, Some(Flag(true)));
    }

    #[test]
    fn word_is_read_in_any_case_and_unknown_word_is_refused() {
        let way = |text: &str| read(json!({ "names": [], "way": text })).map(|given| given.way);

        assert_eq!(way("In-Store"), Ok(Some(Way::InStore)));
        assert_eq!(way(" pickup "), Ok(Some(Way::Pickup)));
        assert_eq!(way("drone"), Err("`way` is not valid: one of in_store, PICKUP.".to_owned()));
    }

    #[test]
    fn json_text_is_read_as_a_list() {
        let given = read(json!({ "names": "[\"milk\", \" eggs \"]", "count": "" })).unwrap();

        assert_eq!(given.names.0, [Text("milk".to_owned()), Text("eggs".to_owned())]);
        assert_eq!(given.count, None);
    }

    #[test]
    fn error_names_the_place_and_what_is_allowed() {
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

    #[test]
    fn query_takes_digits_and_true_or_false_alone() {
        let number = |text: &str| Whole::<0, 9>::read(Some(text.into()), &Place::query().field("count")).ok();
        let flag = |text: &str| Flag::read(Some(text.into()), &Place::query().field("online")).ok();

        assert_eq!((number("2"), flag("true"), flag("false")), (Some(Whole(2)), Some(Flag(true)), Some(Flag(false))));
        for wrong in ["", "+2", "2.0", " 2", "yes"] {
            assert_eq!((number(wrong), flag(wrong)), (None, None), "{wrong}");
        }
    }
}
