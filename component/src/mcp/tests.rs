//! Calls `/mcp` as a client does, in a world of its own.

use std::sync::Arc;

use axum::body::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::edge::{SharedPorts, block_on};
use crate::http::Service;
use kroger_core::settings::Settings;
use kroger_core::testing::TestWorld;

mod account;
mod attacks;
mod cart;
mod consent;
mod overview;
mod products;
mod protocol;
mod recent;
mod signed_out;
mod stores;
mod words;

const UPC: &str = "0001111041700";
const STORE: &str = "01400376";

struct Server {
    world: Arc<TestWorld>,
    service: Service,
}

/// A server on `localhost:9004`, with the app's credentials.
fn server() -> Server {
    server_with(&[])
}

fn server_with(variables: &[(&str, &str)]) -> Server {
    let own = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "canary-secret")];
    let variables = own.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = Arc::new(Settings::from_variables(variables).unwrap());
    let world = Arc::new(TestWorld::new().with_optional_buckets());
    Server { world, service: Service::new(Ok(settings)) }
}

fn signed_in() -> Server {
    let server = server();
    server.sign_in();
    server
}

/// A server with a location for prices and stock, and with the app's token.
fn shop() -> Server {
    let server = server_with(&[("KROGER_DEFAULT_STORE_ID", STORE), ("KROGER_DEFAULT_ZIP_CODE", "45039")]);
    server.world.answer(200, r#"{"access_token":"canary-app","expires_in":1800}"#);
    server
}

fn product(upc: &str, description: &str, price: f64, stock: &str) -> Value {
    json!({
        "upc": upc,
        "description": description,
        "aisleLocations": [{ "description": "Aisle 35" }],
        "items": [{
            "size": "1 gal",
            "soldBy": "UNIT",
            "inventory": { "stockLevel": stock },
            "price": { "regular": price, "promo": 0 },
            "fulfillment": { "curbside": true, "delivery": true, "inStore": true, "shipToHome": false },
        }],
    })
}

fn location() -> Value {
    json!({
        "locationId": STORE,
        "chain": "KROGER",
        "name": "Kroger Landen",
        "phone": "5551234567",
        "address": { "addressLine1": "2900 W. St. Rt. 22 & 3", "city": "Maineville", "state": "OH", "zipCode": "45039" },
        "hours": {
            "timezone": "America/New_York",
            "monday": { "open": "06:00", "close": "23:00" },
            "tuesday": { "open": "06:00", "close": "23:00" },
            "sunday": { "open": "07:00", "close": "22:00" },
        },
        "departments": [{ "departmentId": "01", "name": "Drug" }],
    })
}

/// The address to which Kroger sends a person who agreed.
fn redirected(link: &str) -> String {
    let link = url::Url::parse(link).unwrap();
    let (_, state) = link.query_pairs().find(|(name, _)| name == "state").unwrap();
    format!("http://localhost:9004/auth/callback?code=canary-code&state={state}")
}

fn json_of(answer: &http::Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_else(|_| panic!("{answer:?}"))
}

/// The result of a tool.
#[derive(Debug)]
struct ToolOutcome(Value);

impl ToolOutcome {
    fn text(&self) -> &str {
        self.0["content"][0]["text"].as_str().unwrap()
    }

    /// The `structuredContent` of a result that is no error.
    #[track_caller]
    fn value(&self) -> &Value {
        assert_eq!(self.0["isError"], false, "{}", self.0);
        &self.0["structuredContent"]
    }

    /// The code of an error.
    #[track_caller]
    fn error(&self) -> &str {
        assert_eq!(self.0["isError"], true, "{}", self.0);
        self.0["_meta"]["kroger-mcp/problem"]["code"].as_str().unwrap()
    }
}

impl Server {
    /// Signs in by the address that a person pastes.
    fn sign_in(&self) {
        let link = self.call("sign_in", &json!({ "browser": "elsewhere" })).value()["url"].as_str().unwrap().to_owned();
        self.world.answer_with_tokens("canary-access-1", "canary-refresh-1");
        self.call("complete_sign_in", &json!({ "redirect_url": redirected(&link) })).value();
    }

    /// Sets Kroger's answer to the next request.
    fn answer(&self, data: &Value) {
        self.world.answer(200, json!({ "data": data }).to_string());
    }

    /// The path of the last request to Kroger.
    fn asked(&self) -> String {
        self.world.sent().last().map(|request| request.path.clone()).unwrap_or_default()
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> http::Response<Bytes> {
        self.send("GET", path, headers)
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> http::Response<Bytes> {
        let uri = format!("http://localhost:9004{path}");
        let mut request = Request::builder().method(method).uri(uri).header("host", "localhost:9004");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let world: SharedPorts = self.world.clone();
        block_on(self.service.serve(request.body(Bytes::new()).unwrap(), world))
    }

    fn post(&self, headers: &[(&str, &str)], body: &Value) -> http::Response<Bytes> {
        self.post_text(&[&[("accept", "application/json, text/event-stream")], headers].concat(), &body.to_string())
    }

    /// Posts any text, even one that is no message.
    fn post_text(&self, headers: &[(&str, &str)], body: &str) -> http::Response<Bytes> {
        let mut request = Request::post("http://localhost:9004/mcp")
            .header("host", "localhost:9004")
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let world: SharedPorts = self.world.clone();
        block_on(self.service.serve(request.body(body.to_owned().into()).unwrap(), world))
    }

    /// Asks by revision 2026-07-28, as a client without capabilities.
    fn ask(&self, method: &str, params: Value) -> Value {
        self.ask_as(&json!({}), method, params)
    }

    /// Asks by revision 2026-07-28, as a client with these capabilities.
    fn ask_as(&self, capabilities: &Value, method: &str, mut params: Value) -> Value {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        });
        let name = params["name"].as_str().or(params["uri"].as_str()).unwrap_or_default().to_owned();
        let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        if !name.is_empty() {
            headers.push(("mcp-name", &name));
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        json_of(&self.post(&headers, &body))
    }

    /// Calls a tool. Its answer must match its output schema.
    #[track_caller]
    fn call(&self, tool: &str, arguments: &Value) -> ToolOutcome {
        let answer = self.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        assert!(answer["error"].is_null(), "{answer}");
        let outcome = ToolOutcome(answer["result"].clone());
        if outcome.0["isError"] == false {
            let listed = self.ask("tools/list", json!({}));
            let tools = listed["result"]["tools"].as_array().unwrap();
            let schema = &tools.iter().find(|listed| listed["name"] == tool).unwrap()["outputSchema"];
            assert_form(outcome.value(), schema, tool);
        }
        outcome
    }
}

/// Checks that `value` matches `schema` and has no field that the schema does not name.
#[track_caller]
fn assert_form(value: &Value, schema: &Value, place: &str) {
    let kind = schema["type"].as_str().unwrap_or_else(|| panic!("{place}: {schema}"));
    let is_kind = match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    };
    assert!(is_kind, "{place} is not {kind}: {value}");
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(required.as_str().unwrap()).is_some(), "{place} lacks {required}: {value}");
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        assert_form(field, &schema["properties"][name], &format!("{place}.{name}"));
    }
    for element in value.as_array().into_iter().flatten() {
        assert_form(element, &schema["items"], &format!("{place}[]"));
    }
}
