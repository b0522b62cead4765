//! Builds operations, and puts them into one document with the schemas that they name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::examples;
use super::faults::Fault;

const PROBLEM: &str = "application/problem+json";
const JSON: &str = "application/json";

/// One method of one path.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    object: Value,
    schemas: Vec<(String, RefOr<Schema>)>,
    faults: Vec<Fault>,
}

pub(super) fn operation(method: &'static str, path: &'static str, id: &str, tag: &str) -> Operation {
    let object = json!({ "operationId": id, "tags": [tag], "responses": {} });
    Operation { method, path, object, schemas: Vec::new(), faults: Vec::new() }
}

impl Operation {
    /// Sets the summary and the description, for an agent that chooses a tool.
    pub(super) fn says(mut self, summary: &str, description: &str) -> Self {
        self.object["summary"] = summary.into();
        self.object["description"] = description.into();
        self
    }

    /// Adds a parameter. `place` is `query`, `header` or `path`. Only those of the path are required.
    pub(super) fn parameter(mut self, place: &str, name: &str, description: &str, schema: Value) -> Self {
        let required = place == "path";
        let mut parameter = json!({ "name": name, "in": place, "required": required, "description": description });
        parameter["schema"] = schema;
        let parameters = self.object.as_object_mut().unwrap().entry("parameters").or_insert_with(|| json!([]));
        parameters.as_array_mut().unwrap().push(parameter);
        self
    }

    /// Adds the parameters of a list of users.
    pub(super) fn paged(self) -> Self {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 1_000, "default": 100 });
        let cursor = json!({ "type": "string" });
        self.parameter("query", "limit", "The most users to answer.", limit).parameter(
            "query",
            "cursor",
            "The `next_cursor` of an earlier answer, to go on there.",
            cursor,
        )
    }

    /// Makes the last parameter required.
    pub(super) fn required(mut self) -> Self {
        let last = self.object["parameters"].as_array_mut().unwrap().last_mut().unwrap();
        last["required"] = true.into();
        self
    }

    pub(super) fn body(mut self, description: &str, schema: &Value, examples: &[(&str, Value)]) -> Self {
        self.object["requestBody"] = json!({
            "required": true, "description": description,
            "content": { JSON: { "schema": schema, "examples": named(examples) } },
        });
        self
    }

    /// Makes the body optional.
    pub(super) fn with_optional_body(mut self) -> Self {
        self.object["requestBody"]["required"] = false.into();
        self
    }

    /// Answers 200 with a `T` as JSON, such as `example`.
    pub(super) fn answers<T: ToSchema + PartialSchema>(mut self, description: &str, example: Value) -> Self {
        let name = T::name().into_owned();
        let mut content = json!({ "schema": reference("schemas", &name) });
        content["example"] = example;
        self.schemas.push((name, T::schema()));
        T::schemas(&mut self.schemas);
        self.responds(200, description, JSON, content)
    }

    /// Answers `status` with a body of `content_type` that `content` describes.
    pub(super) fn responds(mut self, status: u16, description: &str, content_type: &str, content: Value) -> Self {
        let response = &mut self.object["responses"][status.to_string()];
        if response.is_null() {
            *response = json!({ "description": description, "content": {} });
        }
        response["content"][content_type] = content;
        self
    }

    /// Answers `status` without a body, with `header`.
    pub(super) fn redirects(mut self, status: u16, description: &str, header: &str) -> Self {
        self.object["responses"][status.to_string()] = json!({
            "description": description,
            "headers": { header: { "required": true, "schema": { "type": "string" } } },
        });
        self
    }

    /// Links the answer of `status` to the operation `id`, with parameters from the answer.
    pub(super) fn leads_to(mut self, status: u16, id: &str, description: &str, parameters: Value) -> Self {
        let links = &mut self.object["responses"][status.to_string()]["links"];
        links[id] = json!({ "operationId": id, "description": description });
        links[id]["parameters"] = parameters;
        self
    }

    /// Adds failures of this operation.
    pub(super) fn fails(mut self, faults: &[Fault]) -> Self {
        self.faults.extend_from_slice(faults);
        self
    }

    fn finish(mut self) -> Self {
        let mut by_status: BTreeMap<u16, Vec<Fault>> = BTreeMap::new();
        for fault in &self.faults {
            by_status.entry(fault.status).or_default().push(*fault);
        }
        for (status, faults) in by_status {
            self.object["responses"][status.to_string()] = problems(&faults);
        }
        self
    }
}

/// The answer of one status, for all failures that have it.
fn problems(faults: &[Fault]) -> Value {
    let each: Vec<String> = faults.iter().map(|fault| format!("`{}`: {}.", fault.code, fault.when)).collect();
    let examples: Map<String, Value> =
        faults.iter().map(|fault| (fault.example.to_owned(), reference("examples", fault.example))).collect();
    let mut response = json!({
        "description": each.join("\n\n"),
        "content": { PROBLEM: { "schema": reference("schemas", "Problem"), "examples": examples } },
    });
    if faults.iter().any(|fault| fault.is_retryable) {
        let description = "Whole seconds after which the same call may be sent again.";
        response["headers"] = json!({ "Retry-After": {
            "description": description, "schema": { "type": "integer", "minimum": 0 },
        } });
    }
    response
}

fn reference(section: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{section}/{name}") })
}

fn named(examples: &[(&str, Value)]) -> Value {
    examples.iter().map(|(name, value)| ((*name).to_owned(), json!({ "value": value }))).collect::<Map<_, _>>().into()
}

/// The whole document.
pub(super) fn document(info: &Value, tags: &Value, operations: Vec<Operation>, schemas: &[(&str, Value)]) -> Value {
    let mut paths = json!({});
    let mut components: Map<String, Value> =
        schemas.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let mut examples = json!({});
    for operation in operations.into_iter().map(Operation::finish) {
        for (name, schema) in operation.schemas {
            let schema = serde_json::to_value(schema).unwrap();
            let earlier = components.insert(name.clone(), schema.clone());
            assert!(earlier.is_none_or(|earlier| earlier == schema), "two types are called {name}");
        }
        for fault in &operation.faults {
            examples[fault.example] = json!({ "value": examples::problem(fault) });
        }
        paths[operation.path][operation.method.to_ascii_lowercase()] = operation.object;
    }
    json!({
        "openapi": "3.1.0", "info": info, "servers": [{ "url": "/" }], "security": [], "tags": tags,
        "paths": paths, "components": { "schemas": components, "examples": examples },
    })
}
