//! The rules of the token endpoint: which client asks, and for which grant type.
//!
//! Counts every decision. The rules of the grants with a customer are in `code_exchange` and
//! `refresh`.

use std::time::SystemTime;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{authorization_server::AuthorizationServer, issue::TokenResponse, refusals::TokenRefusal};
use crate::{app::CLIENT_SCOPE, parameters::Parameters};

impl AuthorizationServer {
    /// Decides on a token request and counts the decision.
    ///
    /// `authorization` is the value of the `Authorization` header.
    pub(crate) fn answer_token_request(
        &mut self,
        now: SystemTime,
        authorization: Option<&str>,
        form: &Parameters,
    ) -> Result<TokenResponse, TokenRefusal> {
        let answer = self.decide_token_request(now, authorization, form);
        let counts = self.token_requests.entry(counted_grant_type(form)).or_default();
        match &answer {
            Ok(_) => counts.ok += 1,
            Err(_) => counts.refused += 1,
        }
        answer
    }

    fn decide_token_request(
        &mut self,
        now: SystemTime,
        authorization: Option<&str>,
        form: &Parameters,
    ) -> Result<TokenResponse, TokenRefusal> {
        if form.has_repeats() {
            return Err(TokenRefusal::Repeated);
        }
        let client_id = self.authenticate(authorization, form)?;
        match counted_grant_type(form) {
            "client_credentials" => self.issue_to_client(now, &client_id, form),
            "authorization_code" => self.exchange_code(now, &client_id, form),
            "refresh_token" => self.refresh_access_token(now, &client_id, form),
            _ => Err(TokenRefusal::GrantType),
        }
    }

    /// Returns the `client_id` of the client that asks.
    ///
    /// A confidential client proves it with Basic credentials. A public client only claims it.
    fn authenticate(&self, authorization: Option<&str>, form: &Parameters) -> Result<String, TokenRefusal> {
        let Some(header) = authorization else {
            return self.public_client(form);
        };
        let (client_id, secret) = basic_credentials(header).ok_or(TokenRefusal::Credentials)?;
        let app = self.app(&client_id).ok_or(TokenRefusal::Credentials)?;
        let known = app.client_secret.as_ref().is_some_and(|known| *known == secret);
        if known { Ok(client_id) } else { Err(TokenRefusal::Credentials) }
    }

    fn public_client(&self, form: &Parameters) -> Result<String, TokenRefusal> {
        let client_id = form.value("client_id").ok_or(TokenRefusal::Credentials)?;
        let app = self.app(client_id).ok_or(TokenRefusal::Credentials)?;
        if app.client_secret.is_some() || form.value("client_secret").is_some() {
            return Err(TokenRefusal::CredentialsInBody);
        }
        Ok(client_id.into())
    }

    fn issue_to_client(
        &mut self,
        now: SystemTime,
        client_id: &str,
        form: &Parameters,
    ) -> Result<TokenResponse, TokenRefusal> {
        let app = self.app(client_id).ok_or(TokenRefusal::Credentials)?;
        if app.client_secret.is_none() {
            return Err(TokenRefusal::Credentials);
        }
        let scope = form.value("scope").unwrap_or(CLIENT_SCOPE);
        if scope != CLIENT_SCOPE || !app.allows_scope(scope) {
            return Err(TokenRefusal::Scope);
        }
        Ok(self.issue(now, None, scope.into(), None))
    }
}

/// Returns the grant type of the request, or `other` if the sandbox does not know it.
fn counted_grant_type(form: &Parameters) -> &'static str {
    match form.value("grant_type") {
        Some("authorization_code") => "authorization_code",
        Some("client_credentials") => "client_credentials",
        Some("refresh_token") => "refresh_token",
        _ => "other",
    }
}

fn basic_credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client_id, secret) = decoded.split_once(':')?;
    Some((client_id.into(), secret.into()))
}
