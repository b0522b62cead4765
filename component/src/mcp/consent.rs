//! Asking the person to sign in, by the best means that the client has, and
//! going on with the call afterwards.
//!
//! Clients of 2026-07-28 that open links are answered `input_required`: they open
//! the link, then repeat the call with the sealed `requestState`. Those of
//! 2025-11-25 get that revision's error, which carries the link. All others get
//! an error in words with the link and the steps. Whichever way, the link is an
//! invitation: its page makes sure that who signs in is the one who asked.

use std::time::Duration;

use http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ElicitRequest, ElicitRequestParams, ElicitationAction, ErrorCode,
    InputRequest, InputRequests, InputRequiredResult, JsonObject, ProtocolVersion, RequestStateCodec,
    RequestStateError, SealOptions,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::tool::{Call, failed};
use kroger_core::Context;
use kroger_core::failure::{Code, Failure};
use kroger_core::grant::records;
use kroger_core::ports::{StoreError, Timestamp};
use kroger_core::secret::base32_sha256;
use kroger_core::settings::Scope;
use kroger_core::sign_in::authorization::{self, LIFETIME};
use kroger_core::sign_in::invitation::{self, Invited};
use kroger_core::sign_in::seal;
use kroger_core::store::ticket::Root;

/// Begins the id of a session whose client opens links (2025-11-25). The session
/// is nothing but this: what the handshake told, kept by the client.
pub(super) const OPENS_LINKS: &str = "links-";
pub(super) const SESSION: &str = "mcp-session-id";

/// `URLElicitationRequiredError` of 2025-11-25.
const URL_ELICITATION_REQUIRED: ErrorCode = ErrorCode(-32042);
/// What the one question is called.
const QUESTION: &str = "sign_in";

/// How long a repeated call waits for the person, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(500);

/// How a client can ask the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    InputRequired,
    UrlError,
    Words,
}

impl Means {
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Self {
        let version = context.protocol_version();
        let is_at_least =
            |least: &ProtocolVersion| version.as_ref().is_some_and(|version| version.as_str() >= least.as_str());
        if is_at_least(&ProtocolVersion::V_2026_07_28) {
            let elicitation = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
            let opens_links = elicitation.is_some_and(|elicitation| elicitation.url.is_some());
            return if opens_links { Self::InputRequired } else { Self::Words };
        }
        let parts = context.extensions.get::<Parts>();
        let session = parts.and_then(|parts| parts.headers.get(SESSION)?.to_str().ok());
        let opens_links = session.is_some_and(|session| session.starts_with(OPENS_LINKS));
        if opens_links && is_at_least(&ProtocolVersion::V_2025_11_25) { Self::UrlError } else { Self::Words }
    }
}

/// Which call it is: a sealed state goes on with no other.
pub(super) struct Deed(String);

impl Deed {
    pub(super) fn of(request: &CallToolRequestParams) -> Self {
        let arguments = request.arguments.as_ref().map(|arguments: &JsonObject| json!(arguments).to_string());
        Self(format!("{}|{}", request.name, base32_sha256(&arguments.unwrap_or_default())))
    }

    fn bound_to(&self, call: &Call<'_>) -> Vec<u8> {
        format!("{}|{}", call.user.key(), self.0).into_bytes()
    }
}

/// What the client carries from one call to the next.
#[derive(Serialize, Deserialize)]
struct Asked {
    at: Timestamp,
    /// The newest sign-in there was.
    root: Option<Root>,
}

/// Opens what a repeated call carries, and waits for the person who went to sign
/// in. A failure: the person does not want to.
pub(super) fn resume(
    call: &Call<'_>,
    deed: &Deed,
    request: &CallToolRequestParams,
) -> Result<Option<Failure>, ErrorData> {
    let Some(state) = &request.request_state else { return Ok(None) };
    let asked = unsealed(call, deed, state)?;
    let answer = request.input_responses.as_ref().and_then(|answers| answers.get(QUESTION));
    let action = answer.and_then(|answer| serde_json::from_value(answer["action"].clone()).ok());
    match action {
        Some(ElicitationAction::Accept) => wait(call, &asked),
        Some(ElicitationAction::Decline | ElicitationAction::Cancel) => return Ok(Some(declined())),
        // Without an answer the call is as good as a first one.
        _ => {}
    }
    Ok(None)
}

fn wait(call: &Call<'_>, asked: &Asked) {
    let deadline = call.cx.ports.monotonic_now() + PATIENCE;
    while call.cx.ports.monotonic_now() < deadline {
        match records::current(call.cx, &call.user.key()) {
            Ok(current) if current.root() > asked.root => return,
            Ok(_) => call.cx.ports.sleep(LOOK),
            Err(_) => return,
        }
    }
}

fn declined() -> Failure {
    Failure::new(
        Code::SignInDeclined,
        "The user did not go on to sign in.",
        "Do not ask again unless the user wants it; then call `sign_in`.",
    )
}

/// The answer to a call that failed. Where a sign-in mends it, the person is
/// asked.
pub(super) fn answer(call: &Call<'_>, deed: &Deed, failure: Failure) -> Result<CallToolResponse, ErrorData> {
    if !is_mended_by_signing_in(&failure) {
        return Ok(failed(&for_agents(failure)).into());
    }
    let scope = scope(&failure).unwrap_or_else(|| call.cx.settings.scope.clone());
    let invited = match invitation::invite(call.cx, call.user, &scope) {
        Ok(invited) => invited,
        Err(failure) => return Ok(failed(&for_agents(failure)).into()),
    };
    match call.means {
        Means::InputRequired => ask(call, deed, &invited),
        Means::UrlError => Err(url_error(&invited)),
        Means::Words => Ok(failed(&in_words(&failure, &invited)).into()),
    }
}

/// A token of the app's own, too, is rejected or lacks a scope; that has no link.
fn is_mended_by_signing_in(failure: &Failure) -> bool {
    match failure.code {
        Code::Reauthorize => true,
        Code::TokenRejected | Code::ScopeMissing => failure.authorization_url.is_some(),
        _ => false,
    }
}

/// What the failed call needs, as its own link has it.
fn scope(failure: &Failure) -> Option<Scope> {
    let link = Url::parse(failure.authorization_url.as_deref()?).ok()?;
    let (_, scope) = link.query_pairs().find(|(name, _)| name == "scope")?;
    Scope::parse(&scope).ok()
}

fn message(invited: &Invited) -> String {
    format!("Connect your Kroger account. The page shows the number {}: go on only if it is the same.", invited.number)
}

fn ask(call: &Call<'_>, deed: &Deed, invited: &Invited) -> Result<CallToolResponse, ErrorData> {
    let params = ElicitRequestParams::UrlElicitationParams {
        meta: None,
        message: message(invited),
        url: invited.url.clone(),
        elicitation_id: invited.id.clone(),
    };
    let question = InputRequest::Elicitation(ElicitRequest::new(params));
    let questions = InputRequests::from([(QUESTION.to_owned(), question)]);
    let state = sealed(call, deed).map_err(|_| ErrorData::internal_error("The token store cannot be used.", None))?;
    Ok(InputRequiredResult::new(Some(questions), Some(state)).into())
}

fn url_error(invited: &Invited) -> ErrorData {
    let elicitation = json!({
        "mode": "url",
        "elicitationId": invited.id,
        "url": invited.url,
        "message": message(invited),
    });
    ErrorData::new(
        URL_ELICITATION_REQUIRED,
        "The user must sign in to Kroger.",
        Some(json!({ "elicitations": [elicitation] })),
    )
}

fn in_words(failure: &Failure, invited: &Invited) -> Failure {
    let what = failure.detail.split("\n\n").next().unwrap_or_default();
    let what = if what.ends_with('.') { what.to_owned() } else { format!("{what}.") };
    // What else was rejected token_status still takes for a sign-in.
    let (then, otherwise) = match failure.code {
        Code::Reauthorize => ("Call token_status until it says signed_in", "browser elsewhere"),
        _ => ("Wait until the user says that it is done", "anew true and browser elsewhere"),
    };
    Failure {
        detail: format!("{what} The user must re-authenticate."),
        next_step: format!(
            "Give the user the link, which works for {} minutes; its page shows the number {}, which you tell the user \
             to compare. {then}, then repeat this call. If the link does not open on the user's device, call sign_in \
             with {otherwise}.",
            authorization::minutes(),
            invited.number
        ),
        authorization_url: Some(invited.url.clone()),
        ..failure.clone()
    }
}

/// In the words of tools, where others' name routes.
pub(super) fn for_agents(failure: Failure) -> Failure {
    const WORDS: [(&str, &str); 4] = [
        ("Start again at /auth/authorize", "Call `sign_in` for a new link"),
        ("start again at /auth/authorize", "call `sign_in` for a new link"),
        ("GET /admin/rate-limits shows each quota", "`quota_status` shows each quota"),
        ("Search for stores near a zip code; each has", "Call `find_stores` with a zip code; each store has"),
    ];
    let told = |text: &str| WORDS.iter().fold(text.to_owned(), |text, (route, tool)| text.replace(route, tool));
    Failure { detail: told(&failure.detail), next_step: told(&failure.next_step), ..failure }
}

fn sealed(call: &Call<'_>, deed: &Deed) -> Result<String, StoreError> {
    let root = records::current(call.cx, &call.user.key())?.root();
    let asked = Asked { at: call.cx.ports.wall_now(), root };
    let bound_to = deed.bound_to(call);
    let sealed = codec(call.cx)?.seal_json_with(&asked, &SealOptions::new().associated_data(&bound_to));
    sealed.map_err(|_| StoreError::Failed)
}

fn unsealed(call: &Call<'_>, deed: &Deed, state: &str) -> Result<Asked, ErrorData> {
    let refused = || ErrorData::invalid_params("`requestState` is not valid here; repeat the call without it.", None);
    let codec = codec(call.cx).map_err(|_| ErrorData::internal_error("The token store cannot be used.", None))?;
    let opened: Result<Asked, RequestStateError> = codec.open_json_with(state, &deed.bound_to(call));
    let now = call.cx.ports.wall_now();
    opened.ok().filter(|asked| now < asked.at + LIFETIME && asked.at < now + LIFETIME).ok_or_else(refused)
}

fn codec(cx: Context<'_>) -> Result<RequestStateCodec, StoreError> {
    RequestStateCodec::try_new(seal::key(cx)?.expose().as_bytes()).map_err(|_| StoreError::Failed)
}
