//! Which clients the token endpoint accepts, and how it refuses the others.

use super::*;

#[test]
fn client_credentials_bring_no_refresh_token() {
    let mut server = server(TokenSettings::default());
    let text = "grant_type=client_credentials&scope=product.compact";
    let response = server.answer_token_request(at(0), BASIC, &form(text)).ok().unwrap();
    assert_eq!(response.expires_in, 1800);
    assert_eq!(response.scope, "product.compact");
    assert!(response.refresh_token.is_none());
}

#[test]
fn client_token_acts_for_no_customer() {
    let mut server = server(TokenSettings::default());
    let response = server.answer_token_request(at(0), BASIC, &form("grant_type=client_credentials")).ok().unwrap();
    let refusal = server.customer_of(at(0), Some(&response.access_token), "profile.compact");
    assert_eq!(refusal, Err(BearerRefusal::Scope));
}

#[test]
fn each_mistake_has_its_refusal() {
    let mut server = server(TokenSettings::default());
    let mut refusal = |authorization, text| server.answer_token_request(at(0), authorization, &form(text)).err();
    let wrong = Some("Basic c2FuZGJveC1jbGllbnQ6d3Jvbmc=");
    for (authorization, text, expected) in [
        (wrong, "grant_type=client_credentials", TokenRefusal::Credentials),
        (Some("Bearer x"), "grant_type=client_credentials", TokenRefusal::Credentials),
        (None, "grant_type=client_credentials", TokenRefusal::Credentials),
        (
            None,
            "grant_type=client_credentials&client_id=sandbox-client&client_secret=sandbox-secret",
            TokenRefusal::CredentialsInBody,
        ),
        (None, "grant_type=client_credentials&client_id=sandbox-public", TokenRefusal::Credentials),
        (BASIC, "grant_type=password", TokenRefusal::GrantType),
        (BASIC, "", TokenRefusal::GrantType),
        (BASIC, "grant_type=client_credentials&scope=cart.basic:write", TokenRefusal::Scope),
        (BASIC, "grant_type=authorization_code&code=none", TokenRefusal::Code),
        (BASIC, "grant_type=refresh_token&refresh_token=none", TokenRefusal::RefreshToken),
        (BASIC, "grant_type=refresh_token", TokenRefusal::RefreshToken),
        (BASIC, "grant_type=refresh_token&scope=a&scope=b", TokenRefusal::Repeated),
    ] {
        assert_eq!(refusal(authorization, text), Some(expected), "{text}");
    }
}

#[test]
fn public_client_needs_no_secret() {
    let mut server = server(TokenSettings::default());
    let code = code(&mut server, "sandbox-public", &challenge());
    let text = format!(
        "grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}\
         &client_id=sandbox-public&code_verifier={VERIFIER}"
    );
    let pair = server.answer_token_request(at(0), None, &form(&text)).ok().unwrap();
    let refresh_token = pair.refresh_token.unwrap();
    let text = format!("grant_type=refresh_token&client_id=sandbox-public&refresh_token={refresh_token}");
    assert!(server.answer_token_request(at(0), None, &form(&text)).is_ok());
}
