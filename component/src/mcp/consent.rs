//! Asks the person to sign in, by the best means that the client has, and then
//! continues the call.
//!
//! Clients of 2026-07-28 that open links are answered `input_required`: they open
//! the link, then repeat the call with the sealed `requestState`. Clients
//! of 2025-11-25 get that revision's error, which carries the link. All others get
//! an error in words with the link and the steps. The link is always an invitation:
//! its page checks that the person who signs in is the person who asked.

use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ElicitRequest, ElicitRequestParams, ElicitationAction, ErrorCode,
    InputRequest, InputRequests, InputRequiredResult, JsonObject, RequestStateCodec, RequestStateError, SealOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::means::Means;
use super::told::Told;
use super::tool::failed;
use crate::edge::invitation_url;
use kroger_core::Context;
use kroger_core::failure::{Code, Failure, SignInTrouble};
use kroger_core::grant::records;
use kroger_core::ports::{StoreError, Timestamp};
use kroger_core::secret::base32_sha256;
use kroger_core::sign_in::invitation::{self, Invited};
use kroger_core::sign_in::lifetime::{self, LIFETIME};
use kroger_core::sign_in::seal;
use kroger_core::store::ticket::Root;

/// `URLElicitationRequiredError` of 2025-11-25.
const URL_ELICITATION_REQUIRED: ErrorCode = ErrorCode(-32042);
/// The name of the one question.
const QUESTION: &str = "sign_in";

/// The longest wait of a repeated call for the person, and the pause between looks.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(500);

/// The identity of a call. A sealed state continues only the call that it was made for.
pub(super) struct CallIdentity(String);

impl CallIdentity {
    pub(super) fn of(request: &CallToolRequestParams) -> Self {
        let arguments = request.arguments.as_ref().map(|arguments: &JsonObject| json!(arguments).to_string());
        Self(format!("{}|{}", request.name, base32_sha256(&arguments.unwrap_or_default())))
    }

    fn bound_to(&self, call: &Call<'_>) -> Vec<u8> {
        format!("{}|{}", call.user.key(), self.0).into_bytes()
    }
}

/// The state that the client carries from one call to the next.
#[derive(Serialize, Deserialize)]
struct Asked {
    at: Timestamp,
    /// The newest sign-in at that time.
    root: Option<Root>,
}

/// Opens the state of a repeated call and waits for the person to sign in. Returns a
/// failure if the person declined.
pub(super) fn resume(
    call: &Call<'_>,
    identity: &CallIdentity,
    request: &CallToolRequestParams,
) -> Result<Option<Failure>, ErrorData> {
    let Some(state) = &request.request_state else { return Ok(None) };
    let asked = unsealed(call, identity, state)?;
    let answer = request.input_responses.as_ref().and_then(|answers| answers.get(QUESTION));
    let action = answer.and_then(|answer| serde_json::from_value(answer["action"].clone()).ok());
    match action {
        Some(ElicitationAction::Accept) => wait(call, &asked),
        Some(ElicitationAction::Decline | ElicitationAction::Cancel) => {
            return Ok(Some(Failure::sign_in(SignInTrouble::NotWanted)));
        }
        // Without an answer the call counts as a first one.
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

/// Answers a call that failed. If a sign-in solves it, asks the person to sign in.
pub(super) fn answer(
    call: &Call<'_>,
    identity: &CallIdentity,
    failure: &Failure,
) -> Result<CallToolResponse, ErrorData> {
    let Some((user, scope)) = failure.mended_by_sign_in() else { return Ok(failed(&failure.into()).into()) };
    let invited = match invitation::invite(call.cx, user, scope) {
        Ok(invited) => invited,
        Err(failure) => return Ok(failed(&Told::from(&failure)).into()),
    };
    let url = invitation_url(call.cx.settings, &invited.id);
    match call.means {
        Means::InputRequired => ask(call, identity, &invited, url),
        Means::UrlError => Err(url_error(&invited, &url)),
        Means::Words => Ok(failed(&in_words(failure, &invited, url)).into()),
    }
}

fn message(invited: &Invited) -> String {
    format!("Connect your Kroger account. The page shows the number {}: go on only if it is the same.", invited.number)
}

fn ask(
    call: &Call<'_>,
    identity: &CallIdentity,
    invited: &Invited,
    url: String,
) -> Result<CallToolResponse, ErrorData> {
    let params = ElicitRequestParams::UrlElicitationParams {
        meta: None,
        message: message(invited),
        url,
        elicitation_id: invited.id.clone(),
    };
    let question = InputRequest::Elicitation(ElicitRequest::new(params));
    let questions = InputRequests::from([(QUESTION.to_owned(), question)]);
    let state =
        sealed(call, identity).map_err(|_| ErrorData::internal_error("The token store cannot be used.", None))?;
    Ok(InputRequiredResult::new(Some(questions), Some(state)).into())
}

fn url_error(invited: &Invited, url: &str) -> ErrorData {
    let elicitation = json!({
        "mode": "url",
        "elicitationId": invited.id,
        "url": url,
        "message": message(invited),
    });
    ErrorData::new(
        URL_ELICITATION_REQUIRED,
        "The user must sign in to Kroger.",
        Some(json!({ "elicitations": [elicitation] })),
    )
}

fn in_words(failure: &Failure, invited: &Invited, url: String) -> Told {
    // With every other code `token_status` says `signed_in` all along, so that an agent
    // cannot wait for it.
    let (then, otherwise) = match failure.code {
        Code::Reauthorize => ("Call token_status until it says signed_in", "browser elsewhere"),
        _ => ("Wait until the user says that it is done", "anew true and browser elsewhere"),
    };
    let told = Told::from(failure);
    Told {
        detail: format!("{} The user must re-authenticate.", told.detail),
        next_step: format!(
            "Give the user the link, which works for {} minutes; its page shows the number {}, which you tell the user \
             to compare. {then}, then repeat this call. If the link does not open on the user's device, call sign_in \
             with {otherwise}.",
            lifetime::minutes(),
            invited.number
        ),
        link: Some(url),
        ..told
    }
}

fn sealed(call: &Call<'_>, identity: &CallIdentity) -> Result<String, StoreError> {
    let root = records::current(call.cx, &call.user.key())?.root();
    let asked = Asked { at: call.cx.ports.wall_now(), root };
    let bound_to = identity.bound_to(call);
    let sealed = codec(call.cx)?.seal_json_with(&asked, &SealOptions::new().associated_data(&bound_to));
    sealed.map_err(|_| StoreError::Failed)
}

fn unsealed(call: &Call<'_>, identity: &CallIdentity, state: &str) -> Result<Asked, ErrorData> {
    let refused = || ErrorData::invalid_params("`requestState` is not valid here; repeat the call without it.", None);
    let codec = codec(call.cx).map_err(|_| ErrorData::internal_error("The token store cannot be used.", None))?;
    let opened: Result<Asked, RequestStateError> = codec.open_json_with(state, &identity.bound_to(call));
    let now = call.cx.ports.wall_now();
    opened.ok().filter(|asked| now < asked.at + LIFETIME && asked.at < now + LIFETIME).ok_or_else(refused)
}

fn codec(cx: Context<'_>) -> Result<RequestStateCodec, StoreError> {
    RequestStateCodec::try_new(seal::seal_key(cx)?.expose().as_bytes()).map_err(|_| StoreError::Failed)
}
