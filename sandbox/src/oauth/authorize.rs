//! The rules of the authorize endpoint: what an application may ask for, and the code that a
//! consent brings.
//!
//! Never exchanges a code: `code_exchange` does.

use std::time::{Duration, SystemTime};

use url::Url;

use super::{
    authorization_server::{AuthorizationCode, AuthorizationServer, CustomerSignIn},
    refusals::AuthorizationRefusal,
};
use crate::{app::App, parameters::Parameters};

/// How long a code is valid. A program exchanges it at once, so a short time is enough.
const CODE_LIFETIME: Duration = Duration::from_mins(2);

/// A valid request, ready to be shown to the customer.
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    state: Option<String>,
    code_challenge: Option<String>,
}

impl AuthorizationServer {
    /// Parses an authorization request, and refuses one that the application may not send.
    pub(crate) fn authorization_request(
        &self,
        parameters: &Parameters,
    ) -> Result<AuthorizationRequest, AuthorizationRefusal> {
        if parameters.has_repeats() {
            return Err(AuthorizationRefusal::Repeated);
        }
        let (app, redirect_uri) = self.app_and_redirect_uri(parameters)?;
        if parameters.value("response_type") != Some("code") {
            return Err(AuthorizationRefusal::ResponseType);
        }
        let scope = parameters.value("scope").unwrap_or_default();
        if !app.allows_scope(scope) {
            return Err(AuthorizationRefusal::Scope);
        }
        let code_challenge = code_challenge(parameters)?;
        if app.client_secret.is_none() && code_challenge.is_none() {
            return Err(AuthorizationRefusal::ChallengeMissing);
        }
        Ok(AuthorizationRequest {
            client_id: app.client_id.clone(),
            redirect_uri: redirect_uri.into(),
            scope: scope.split_whitespace().collect::<Vec<_>>().join(" "),
            state: parameters.value("state").map(String::from),
            code_challenge: code_challenge.map(String::from),
        })
    }

    fn app_and_redirect_uri<'a>(&self, parameters: &'a Parameters) -> Result<(&App, &'a str), AuthorizationRefusal> {
        let client_id = parameters.value("client_id").unwrap_or_default();
        let app = self.app(client_id).ok_or(AuthorizationRefusal::ClientId)?;
        let redirect_uri = parameters.value("redirect_uri").unwrap_or_default();
        if !app.allows_redirect(redirect_uri) {
            return Err(AuthorizationRefusal::RedirectUri);
        }
        Ok((app, redirect_uri))
    }

    /// Records that `user` consents, and returns the URL for the browser to open next, with a code.
    pub(crate) fn allow(&mut self, now: SystemTime, request: &AuthorizationRequest, user: &str) -> String {
        self.codes.retain(|_, code| now < code.expires_at);
        let code = self.mint.token();
        let location = request.location(&[("code", &code)]);
        let issued = AuthorizationCode {
            sign_in: self.sign_ins.len(),
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.code_challenge.clone(),
            expires_at: now + CODE_LIFETIME,
        };
        self.codes.insert(code, issued);
        self.sign_ins.push(CustomerSignIn {
            user: user.into(),
            client_id: request.client_id.clone(),
            scope: request.scope.clone(),
            revoked: false,
        });
        location
    }
}

impl AuthorizationRequest {
    /// Returns the URL for the browser to open next after the customer declined.
    pub(crate) fn denied(&self) -> String {
        self.location(&[("error", "access_denied"), ("error_description", "The customer denied the request")])
    }

    fn location(&self, answer: &[(&str, &str)]) -> String {
        let Ok(mut url) = Url::parse(&self.redirect_uri) else {
            return self.redirect_uri.clone();
        };
        url.query_pairs_mut().extend_pairs(answer).extend_pairs(self.state.as_ref().map(|state| ("state", state)));
        url.into()
    }
}

fn code_challenge(parameters: &Parameters) -> Result<Option<&str>, AuthorizationRefusal> {
    let method = parameters.value("code_challenge_method");
    let Some(challenge) = parameters.value("code_challenge") else {
        return match method {
            Some(_) => Err(AuthorizationRefusal::ChallengeMissing),
            None => Ok(None),
        };
    };
    // Without a method Kroger assumes S256; RFC 7636 assumes plain.
    if method.is_some_and(|method| method != "S256") {
        return Err(AuthorizationRefusal::ChallengeMethod);
    }
    let url_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(url_safe) {
        return Err(AuthorizationRefusal::ChallengeShape);
    }
    Ok(Some(challenge))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn refusal(parameters: &[(&str, &str)]) -> Option<AuthorizationRefusal> {
        let profile_only = App { scopes: vec!["profile.compact".into()], ..App::sandbox() };
        let server = AuthorizationServer::new(vec![profile_only, App::sandbox_public()], [0; 32]);
        let mut asked = vec![
            ("client_id", "sandbox-client"),
            ("redirect_uri", "http://localhost:9004/auth/callback"),
            ("response_type", "code"),
            ("scope", "profile.compact"),
        ];
        for (name, value) in parameters {
            asked.retain(|(known, _)| known != name);
            asked.push((name, value));
        }
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish();
        server.authorization_request(&Parameters::parse(query.as_bytes())).err()
    }

    #[test]
    fn registered_client_may_ask_with_or_without_pkce() {
        assert_eq!(refusal(&[]), None);
        assert_eq!(refusal(&[("code_challenge", CHALLENGE)]), None);
        let s256 = ("code_challenge_method", "S256");
        assert_eq!(refusal(&[("code_challenge", CHALLENGE), s256]), None);
    }

    #[test]
    fn each_wrong_parameter_has_its_own_refusal() {
        use AuthorizationRefusal as Refusal;
        for (parameter, expected) in [
            (("client_id", "stranger"), Refusal::ClientId),
            (("client_id", ""), Refusal::ClientId),
            (("redirect_uri", "http://example.com/auth/callback"), Refusal::RedirectUri),
            (("redirect_uri", ""), Refusal::RedirectUri),
            (("response_type", "token"), Refusal::ResponseType),
            (("scope", "profile.compact cart.basic:write"), Refusal::Scope),
            (("scope", ""), Refusal::Scope),
            (("code_challenge", "short"), Refusal::ChallengeShape),
            (("code_challenge_method", "S256"), Refusal::ChallengeMissing),
            (("client_id", "sandbox-public"), Refusal::ChallengeMissing),
        ] {
            assert_eq!(refusal(&[parameter]), Some(expected), "{parameter:?}");
        }
        let plain = [("code_challenge", CHALLENGE), ("code_challenge_method", "plain")];
        assert_eq!(refusal(&plain), Some(Refusal::ChallengeMethod));
    }
}
