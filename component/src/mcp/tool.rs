//! A tool has a name, schemas, hints, and one function over the core. This file
//! makes its result an MCP result. Each tool has a file of its own.

use std::fmt::Write as _;

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, MetaObject, Tool as Definition, ToolAnnotations};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Value, json};

use super::call::Call;
use super::told::Told;
use crate::fields::{Field, Place};
use kroger_core::failure::Failure;

/// The key in `_meta` under which a program finds the facts of an error's text.
pub(super) const PROBLEM: &str = "kroger-mcp/problem";

/// The effect of a call. A client decides by it whether to ask the user first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Changes nothing.
    Looks,
    /// Changes something. A repeat changes nothing more.
    Sets,
    /// Changes something. A repeat changes it again.
    Adds,
    /// Changes something once. A repeat is refused.
    Spends,
    /// Removes something.
    Removes,
}

/// A result, and the short text that names the next step.
pub(super) struct Reply<T> {
    pub(super) value: T,
    pub(super) text: String,
}

pub(super) trait Tool {
    const NAME: &'static str;
    const TITLE: &'static str;
    const DESCRIPTION: &'static str;
    const EFFECT: Effect;
    /// True if it calls Kroger. False: it uses our own store only.
    const ASKS_KROGER: bool;
    type Input: Field + JsonSchema;
    type Output: Serialize + JsonSchema;

    fn run(call: &Call<'_>, input: Self::Input) -> Result<Reply<Self::Output>, Failure>;
}

/// One tool in the table.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) definition: fn() -> Definition,
    pub(super) run: fn(&Call<'_>, Option<JsonObject>) -> Result<CallToolResult, Failure>,
}

pub(super) const fn entry<T: Tool>() -> Entry {
    Entry { name: T::NAME, definition: definition::<T>, run: run::<T> }
}

fn definition<T: Tool>() -> Definition {
    let hints = ToolAnnotations::new().read_only(T::EFFECT == Effect::Looks).open_world(T::ASKS_KROGER);
    let hints = match T::EFFECT {
        Effect::Looks => hints,
        Effect::Sets => hints.destructive(false).idempotent(true),
        Effect::Adds | Effect::Spends => hints.destructive(false).idempotent(false),
        Effect::Removes => hints.destructive(true).idempotent(true),
    };
    Definition::new(T::NAME, T::DESCRIPTION, schema::<T::Input>(SchemaSettings::draft2020_12()))
        .with_title(T::TITLE)
        .with_raw_output_schema(schema::<T::Output>(SchemaSettings::draft2020_12().for_serialize()).into())
        .with_annotations(hints)
}

/// The schema of `T`, as short as a model needs it: no references, no titles, no
/// dialect, no formats that JSON does not have.
fn schema<T: JsonSchema>(settings: SchemaSettings) -> JsonObject {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    let Value::Object(mut schema) = schema else { return JsonObject::new() };
    schema.remove("description");
    schema.entry("type").or_insert_with(|| "object".into());
    schema.entry("properties").or_insert_with(|| json!({}));
    schema
}

/// Removes titles, formats and `null`. An argument that is null counts as absent, and
/// no result has a null, so the schema does not repeat it for each field.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for noise in ["title", "format"] {
                fields.remove(noise);
            }
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("enum") {
                choices.retain(|choice| !choice.is_null());
            }
            fields.values_mut().for_each(tidy);
        }
        Value::Array(values) => values.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn run<T: Tool>(call: &Call<'_>, arguments: Option<JsonObject>) -> Result<CallToolResult, Failure> {
    let input = T::Input::read(arguments.map(Value::Object), &Place::arguments())?;
    let reply = T::run(call, input)?;
    let value = serde_json::to_value(&reply.value).expect("results have string keys and no failing parts");
    let mut result = CallToolResult::structured(value);
    result.content = vec![ContentBlock::text(reply.text)];
    Ok(result)
}

/// The failure as the model reads it.
///
/// Its structure is in `_meta`: some clients validate `structuredContent` against the
/// output schema, even of an error.
pub(super) fn failed(told: &Told) -> CallToolResult {
    let Told { code, detail, next_step, retry_after, link } = told;
    let mut text = format!("{code}: {detail}\n\nNext: {next_step}");
    let retry_after = retry_after.map(|wait| wait.as_secs().max(1));
    if let Some(seconds) = retry_after {
        let _ = write!(text, "\nTry again after {seconds} s.");
    }
    if let Some(link) = link {
        let _ = write!(text, "\nLink for the user: {link}");
    }
    let mut problem =
        json!({ "code": code, "detail": detail, "retryable": retry_after.is_some(), "action": next_step });
    if let Some(seconds) = retry_after {
        problem["retry_after"] = seconds.into();
    }
    if let Some(link) = link {
        problem["authorization_url"] = link.as_str().into();
    }
    let mut meta = MetaObject::default();
    meta.insert(PROBLEM.to_owned(), problem);
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    result.meta = Some(meta);
    result
}
