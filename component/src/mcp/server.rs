//! The server as the SDK sees it: lists the tools, resources and prompts, and passes each request to the one that it
//! names. Has no rule of its own.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, GetPromptRequestParams, GetPromptResponse, Implementation,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::call::Call;
use super::consent::{self, CallIdentity};
use super::means::Means;
use super::told::Told;
use super::tool::{Entry, entry, failed};
use super::{account, cart, products, prompts, recent, resources, stores};
use crate::edge::Caller;
use kroger_core::Context;
use kroger_core::settings::Settings;
use kroger_core::text::cleaned;

const INSTRUCTIONS: &str = include_str!("instructions.md");

const VERSIONS: &[ProtocolVersion] =
    &[ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// The tools, in the order of the list. The order never changes by itself: a client caches the list, and a model
/// learns it.
static TOOLS: [Entry; 15] = [
    entry::<products::SearchProducts>(),
    entry::<products::GetProduct>(),
    entry::<stores::FindStores>(),
    entry::<stores::GetStore>(),
    entry::<stores::SetPreferredStore>(),
    entry::<cart::CheckCartItems>(),
    entry::<cart::AddToCart>(),
    entry::<account::SignIn>(),
    entry::<account::CompleteSignIn>(),
    entry::<account::SignOut>(),
    entry::<account::TokenStatus>(),
    entry::<account::QuotaStatus>(),
    entry::<account::GetProfile>(),
    entry::<stores::ListChains>(),
    entry::<stores::ListDepartments>(),
];

/// The tools that are listed only if the operator turned the log on.
static TOOLS_OF_LOG: [Entry; 2] = [entry::<recent::ViewRecentAdds>(), entry::<recent::ForgetRecentAdds>()];

/// The names of all tools, of the log's too.
#[cfg(test)]
pub(crate) fn tool_names() -> Vec<&'static str> {
    TOOLS.iter().chain(&TOOLS_OF_LOG).map(|tool| tool.name).collect()
}

#[derive(Clone)]
pub(crate) struct Server {
    settings: Arc<Settings>,
    /// The list of tools. Made at its first use: the schemas cost more than a call.
    listed: Arc<OnceLock<Vec<Tool>>>,
}

impl Server {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, listed: Arc::default() }
    }

    fn call(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = caller(context)?;
        let Some(tool) = tools(&self.settings).find(|tool| tool.name == request.name) else {
            return Err(unknown_tool(&self.settings, &request.name));
        };
        let cx = Context { settings: &self.settings, ports: &*caller.ports };
        let call = Call { cx, user: &caller.user, means: Means::of(context) };
        let identity = CallIdentity::of(&request);
        if let Some(refusal) = consent::resume(&call, &identity, &request)? {
            return Ok(failed(&Told::from(&refusal)).into());
        }
        match (tool.run)(&call, request.arguments) {
            Ok(result) => Ok(result.into()),
            Err(failure) => consent::answer(&call, &identity, &failure),
        }
    }
}

fn tools(settings: &Settings) -> impl Iterator<Item = &'static Entry> {
    let of_log: &[Entry] = if settings.recent_adds.is_some() { &TOOLS_OF_LOG } else { &[] };
    TOOLS.iter().chain(of_log)
}

/// The caller, which the route puts into the request. It is missing only if the request came by no route.
fn caller(context: &RequestContext<RoleServer>) -> Result<&Caller, ErrorData> {
    let caller = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Caller>());
    caller.ok_or_else(|| ErrorData::internal_error("The request came by no route.", None))
}

fn unknown_tool(settings: &Settings, name: &str) -> ErrorData {
    let names: Vec<&str> = tools(settings).map(|tool| tool.name).collect();
    let name = cleaned(name, 64);
    ErrorData::invalid_params(format!("There is no tool `{name}`; there are {}.", names.join(", ")), None)
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts().build();
        let about = Implementation::new("kroger-mcp", env!("CARGO_PKG_VERSION"))
            .with_title("Kroger")
            .with_description("Keeps a Kroger customer signed in, finds products and stores, and adds to the cart.");
        ServerConfig::new(capabilities).with_server_info(about).with_instructions(INSTRUCTIONS)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(VERSIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let listed = self.listed.get_or_init(|| tools(&self.settings).map(|tool| (tool.definition)()).collect());
        Ok(ListToolsResult::with_all_items(listed.clone()))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::list()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let caller = caller(&context)?;
        let cx = Context { settings: &self.settings, ports: &*caller.ports };
        let call = Call { cx, user: &caller.user, means: Means::Words };
        resources::read(&call, &request.uri).map(ReadResourceResponse::from)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::get(&request.name, request.arguments.as_ref()).map(GetPromptResponse::from)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(request, &context)
    }
}
