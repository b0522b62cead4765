//! The tools, resources and prompts that the conformance suite calls by name,
//! over the very layer that serves ours. Built only with the feature
//! `conformance`, for no one but the suite.
#![expect(deprecated, reason = "the older revisions have what the newest drops")]

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, CompleteRequestParams, CompleteResult,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, InputRequiredResult, JsonObject, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel, LoggingMessageNotificationParam,
    PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, RequestStateCodec, ServerCapabilities, ServerConfig, SetLevelRequestParams, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use kroger_core::settings::Settings;

/// A red pixel.
const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
/// A WAV file without a sample.
const AUDIO: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

const TOOLS: [&str; 20] = [
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_error_handling",
    "test_tool_with_logging",
    "test_tool_with_progress",
    "test_missing_capability",
    "test_streaming_elicitation",
    "test_logging_tool",
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
    WITH_HEADER,
];

/// Has an argument that a header repeats.
const WITH_HEADER: &str = "test_tool_with_header";

/// Known to all: the suite changes what was sealed, and has no key.
const KEY: &[u8; 32] = b"for the conformance suite alone.";

#[derive(Clone)]
pub(super) struct Server;

fn seal(state: &str) -> String {
    RequestStateCodec::new_unchecked(*KEY).seal(state.as_bytes())
}

fn open(sealed: &str) -> Result<String, ErrorData> {
    let opened = RequestStateCodec::new_unchecked(*KEY).open(sealed).ok();
    let refused = || ErrorData::invalid_params("requestState was changed", None);
    opened.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(refused)
}

impl Server {
    pub(super) fn new(_: Arc<Settings>) -> Self {
        Self
    }

    /// The tools that ask for input, and go on when they have it.
    fn ask(request: &CallToolRequestParams) -> Result<CallToolResponse, ErrorData> {
        let has = |name: &str| {
            let given = request.input_responses.as_ref().and_then(|given| given.get(name));
            given.is_some_and(Value::is_object)
        };
        let state = request.request_state.as_deref().map(open).transpose()?;
        let asked = match (&*request.name, state.as_deref()) {
            ("test_input_required_result_elicitation" | "test_streaming_elicitation", _) if has("user_name") => None,
            ("test_input_required_result_elicitation" | "test_streaming_elicitation", _) => {
                Some((json!({ "user_name": form("What is your name?", "name") }), None))
            }
            ("test_input_required_result_sampling", _) if has("capital_question") => None,
            ("test_input_required_result_sampling", _) => {
                Some((json!({ "capital_question": sampling("What is the capital of France?") }), None))
            }
            ("test_input_required_result_list_roots", _) if has("client_roots") => None,
            ("test_input_required_result_list_roots", _) => Some((json!({ "client_roots": roots() }), None)),
            ("test_input_required_result_multiple_inputs", Some(_)) if has("user_name") && has("greeting") => None,
            ("test_input_required_result_multiple_inputs", _) => Some((
                json!({
                    "user_name": form("What is your name?", "name"),
                    "greeting": sampling("Generate a greeting"),
                    "client_roots": roots(),
                }),
                Some("asked"),
            )),
            ("test_input_required_result_multi_round", Some("second")) if has("step2") => None,
            ("test_input_required_result_multi_round", Some("first")) if has("step1") => {
                Some((json!({ "step2": form("What is your favorite color?", "color") }), Some("second")))
            }
            ("test_input_required_result_multi_round", _) => {
                Some((json!({ "step1": form("What is your name?", "name") }), Some("first")))
            }
            ("test_input_required_result_capabilities", _) => Some((json!({ "sampled": sampling("Hello") }), None)),
            (_, Some("asked")) if has("confirm") => None,
            _ => Some((json!({ "confirm": form("Please confirm", "ok") }), Some("asked"))),
        };
        match asked {
            None => Ok(said("state-ok")?.into()),
            Some((requests, state)) => Ok(InputRequiredResult::new(Some(read(requests)?), state.map(seal)).into()),
        }
    }
}

fn form(message: &str, field: &str) -> Value {
    let kind = if field == "ok" { "boolean" } else { "string" };
    let schema = json!({ "type": "object", "properties": { field: { "type": kind } }, "required": [field] });
    json!({ "method": "elicitation/create", "params": { "mode": "form", "message": message, "requestedSchema": schema } })
}

fn sampling(text: &str) -> Value {
    let message = json!({ "role": "user", "content": { "type": "text", "text": text } });
    json!({ "method": "sampling/createMessage", "params": { "messages": [message], "maxTokens": 100 } })
}

fn roots() -> Value {
    json!({ "method": "roots/list", "params": {} })
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// A whole result, which says so.
fn whole<T: DeserializeOwned>(mut value: Value) -> Result<T, ErrorData> {
    value["resultType"] = "complete".into();
    read(value)
}

fn said(text: &str) -> Result<CallToolResult, ErrorData> {
    whole(json!({ "content": [{ "type": "text", "text": text }] }))
}

fn content(tool: &str) -> Value {
    let image = json!({ "type": "image", "data": IMAGE, "mimeType": "image/png" });
    let resource = |uri: &str, kind: &str, text: &str| json!({ "type": "resource", "resource": { "uri": uri, "mimeType": kind, "text": text } });
    match tool {
        "test_image_content" => json!([image]),
        "test_audio_content" => json!([{ "type": "audio", "data": AUDIO, "mimeType": "audio/wav" }]),
        "test_embedded_resource" => {
            json!([resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")])
        }
        "test_multiple_content_types" => json!([
            { "type": "text", "text": "Multiple content types test:" },
            image,
            resource("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
        ]),
        _ => json!([{ "type": "text", "text": "This is a simple text response for testing." }]),
    }
}

fn tool(name: &'static str) -> Tool {
    let schema = if name == WITH_HEADER {
        json!({
            "type": "object",
            "properties": { "region": { "type": "string", "x-mcp-header": "Region" } },
            "required": ["region"],
        })
    } else {
        json!({ "type": "object", "properties": {} })
    };
    let schema: JsonObject = read(schema).unwrap_or_default();
    Tool::new(name, "What the conformance suite calls.", schema)
}

async fn log(context: &RequestContext<RoleServer>) {
    for message in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(message));
        let _ = context.peer.notify_logging_message(message).await;
    }
}

async fn progress(context: &RequestContext<RoleServer>) {
    let Some(token) = context.meta.get_progress_token() else { return };
    for progress in [0.0, 50.0, 100.0] {
        let params = ProgressNotificationParam::new(token.clone(), progress).with_total(100.0);
        let _ = context.peer.notify_progress(params).await;
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .enable_completions()
            .enable_logging();
        ServerConfig::new(capabilities.build())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        TOOLS.iter().find(|known| **known == name).map(|name| tool(name))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(|name| tool(name)).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match &*request.name {
            "test_error_handling" => {
                let mut failed = said("This tool intentionally returns an error for testing")?;
                failed.is_error = Some(true);
                Ok(failed.into())
            }
            "test_tool_with_logging" => {
                log(&context).await;
                Ok(said("Logged.")?.into())
            }
            "test_tool_with_progress" => {
                progress(&context).await;
                Ok(said("Done.")?.into())
            }
            "test_missing_capability" => {
                let sampling: ClientCapabilities = read(json!({ "sampling": {} }))?;
                let has_it = context.client_capabilities().is_some_and(|given| given.sampling.is_some());
                if has_it {
                    Ok(said("Done.")?.into())
                } else {
                    Err(ErrorData::missing_required_client_capability(sampling))
                }
            }
            name if name.starts_with("test_input_required") || name == "test_streaming_elicitation" => {
                Self::ask(&request)
            }
            name if TOOLS.contains(&name) => Ok(whole::<CallToolResult>(json!({ "content": content(name) }))?.into()),
            _ => Err(ErrorData::invalid_params("no such tool", None)),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        whole(json!({ "resources": [
            { "uri": "test://static-text", "name": "text", "mimeType": "text/plain" },
            { "uri": "test://static-binary", "name": "binary", "mimeType": "image/png" },
        ] }))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        whole(json!({ "resourceTemplates": [{ "uriTemplate": "test://template/{id}/data", "name": "template" }] }))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let content = match (uri.as_str(), id) {
            ("test://static-text", _) => {
                json!({ "mimeType": "text/plain", "text": "This is the content of the static text resource." })
            }
            ("test://static-binary", _) => json!({ "mimeType": "image/png", "blob": IMAGE }),
            (_, Some(id)) => {
                let text = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                json!({ "mimeType": "application/json", "text": text.to_string() })
            }
            _ => return Err(ErrorData::resource_not_found("Resource not found", Some(json!({ "uri": uri })))),
        };
        let mut content = content;
        content["uri"] = uri.into();
        Ok(whole::<ReadResourceResult>(json!({ "contents": [content] }))?.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let argument = |name: &str| json!({ "name": name, "description": "An argument", "required": true });
        whole(json!({ "prompts": [
            { "name": "test_simple_prompt", "description": "Says something" },
            { "name": "test_prompt_with_arguments", "description": "Says them", "arguments": [argument("arg1"), argument("arg2")] },
            { "name": "test_prompt_with_embedded_resource", "description": "Embeds", "arguments": [argument("resourceUri")] },
            { "name": "test_prompt_with_image", "description": "Shows" },
            { "name": "test_input_required_result_prompt", "description": "Asks" },
        ] }))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let given = |name: &str| {
            let given = request.arguments.as_ref().and_then(|arguments| arguments.get(name)?.as_str());
            given.unwrap_or_default().to_owned()
        };
        let text = |text: &str| json!({ "type": "text", "text": text });
        let contents = match request.name.as_str() {
            "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
            "test_prompt_with_arguments" => {
                vec![text(&format!("Prompt with arguments: arg1='{}', arg2='{}'", given("arg1"), given("arg2")))]
            }
            "test_prompt_with_embedded_resource" => {
                let resource = json!({
                    "uri": given("resourceUri"),
                    "mimeType": "text/plain",
                    "text": "Embedded resource content for testing.",
                });
                vec![
                    json!({ "type": "resource", "resource": resource }),
                    text("Please process the embedded resource above."),
                ]
            }
            "test_prompt_with_image" => {
                let image = json!({ "type": "image", "data": IMAGE, "mimeType": "image/png" });
                vec![image, text("Please analyze the image above.")]
            }
            "test_input_required_result_prompt" => {
                if request.input_responses.is_none() {
                    let asked = json!({ "user_context": form("What context should the prompt use?", "context") });
                    return Ok(InputRequiredResult::new(Some(read(asked)?), None).into());
                }
                vec![text("With the context that was given.")]
            }
            _ => return Err(ErrorData::invalid_params("no such prompt", None)),
        };
        let messages: Vec<Value> =
            contents.into_iter().map(|content| json!({ "role": "user", "content": content })).collect();
        Ok(whole::<GetPromptResult>(json!({ "messages": messages }))?.into())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Ok(CompleteResult::default())
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }
}
