//! The rules of the token endpoint, with a clock set by hand.

mod clients;
mod codes;
mod lifetimes;
mod refreshing;

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{
    authorization_server::AuthorizationServer,
    issue::TokenResponse,
    refusals::{BearerRefusal, TokenRefusal},
};
use crate::{app::App, parameters::Parameters, settings::TokenSettings};

const VERIFIER: &str = "a-verifier-that-is-long-enough-for-rfc-7636-xyz";
const REDIRECT_URI: &str = "http://localhost:9004/auth/callback";
const BASIC: Option<&str> = Some("Basic c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ=");

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn server(settings: TokenSettings) -> AuthorizationServer {
    let mut server = AuthorizationServer::new(vec![App::sandbox(), App::sandbox_public()], [7; 32]);
    server.settings = settings;
    server
}

fn form(text: &str) -> Parameters {
    Parameters::parse(text.as_bytes())
}

/// Issues a code for alice to `client_id` at second 0.
fn code(server: &mut AuthorizationServer, client_id: &str, extra: &str) -> String {
    let query = format!(
        "client_id={client_id}&redirect_uri={REDIRECT_URI}&response_type=code\
         &scope=cart.basic:write{extra}"
    );
    let request = server.authorization_request(&form(&query)).ok().unwrap();
    let location = server.allow(at(0), &request, "alice");
    location.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned()
}

fn challenge() -> String {
    format!("&code_challenge={}", URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER)))
}

fn exchange(server: &mut AuthorizationServer, now: SystemTime, code: &str) -> TokenResponse {
    let text = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}");
    server.answer_token_request(now, BASIC, &form(&text)).ok().unwrap()
}

fn sign_in(server: &mut AuthorizationServer) -> TokenResponse {
    let code = code(server, "sandbox-client", "");
    exchange(server, at(0), &code)
}

fn refresh(
    server: &mut AuthorizationServer,
    now: SystemTime,
    token: &TokenResponse,
) -> Result<TokenResponse, TokenRefusal> {
    let refresh_token = token.refresh_token.as_deref().unwrap();
    let text = format!("grant_type=refresh_token&refresh_token={refresh_token}");
    server.answer_token_request(now, BASIC, &form(&text))
}

fn is_accepted(server: &AuthorizationServer, now: SystemTime, token: &TokenResponse) -> bool {
    // The token is for the cart, so a valid one lacks the scope for the profile.
    server.customer_of(now, Some(&token.access_token), "profile.compact") == Err(BearerRefusal::Scope)
}
