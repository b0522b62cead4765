//! Asks Kroger whether it accepts the app's credentials.
//!
//! It stores nothing: the token that Kroger may answer with is dropped.

use std::time::Duration;

use crate::Context;
use crate::kroger::api_error::ApiError;
use crate::kroger::token_response::{TokenVerdict, verdict};
use crate::kroger::wire;

const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Kroger's verdict on the app's client id and secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    Accepted,
    /// There is no secret to check, and nothing was sent.
    NoSecret,
    Rejected,
    /// Kroger knows the app, and refuses it the scope of the request.
    ScopeRefused(ApiError),
    /// No answer says so.
    NotKnown,
}

/// Asks for a token of the app's own.
pub fn check(cx: Context<'_>) -> Credentials {
    let Some(client) = cx.settings.client.as_ref().filter(|client| client.secret.is_some()) else {
        return Credentials::NoSecret;
    };
    let answer = cx.ports.send(&wire::client_credentials_request(&cx.settings.token_path, client), SEND_TIMEOUT);
    match answer.map(|response| verdict(&response, cx.ports.wall_now())) {
        Ok(TokenVerdict::Granted(_)) => Credentials::Accepted,
        Ok(TokenVerdict::ClientRefused) => Credentials::Rejected,
        Ok(TokenVerdict::RequestRefused(error)) => Credentials::ScopeRefused(error),
        Ok(
            TokenVerdict::Refused
            | TokenVerdict::Busy { .. }
            | TokenVerdict::Failed { .. }
            | TokenVerdict::Unintelligible,
        )
        | Err(_) => Credentials::NotKnown,
    }
}
