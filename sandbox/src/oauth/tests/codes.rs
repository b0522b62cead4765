//! The exchange of authorization codes.

use super::*;

#[test]
fn code_is_exchanged_only_once() {
    let mut server = server(TokenSettings::default());
    let code = code(&mut server, "sandbox-client", "");
    let pair = exchange(&mut server, at(1), &code);
    assert!(is_accepted(&server, at(1), &pair));
    let again = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}");
    assert_eq!(server.answer_token_request(at(1), BASIC, &form(&again)).err(), Some(TokenRefusal::Code));
}

#[test]
fn code_is_bound_to_client_redirect_uri_and_time() {
    let attempt = |now, authorization, extra: &str| {
        let mut server = server(TokenSettings::default());
        let code = code(&mut server, "sandbox-client", "");
        let text = format!("grant_type=authorization_code&code={code}&{extra}");
        server.answer_token_request(now, authorization, &form(&text)).err()
    };
    let uri = format!("redirect_uri={REDIRECT_URI}");
    assert_eq!(attempt(at(119), BASIC, &uri), None);
    assert_eq!(attempt(at(120), BASIC, &uri), Some(TokenRefusal::Code));
    assert_eq!(attempt(at(0), BASIC, "x=y"), Some(TokenRefusal::RedirectUri));
    let other = format!("{uri}0");
    assert_eq!(attempt(at(0), BASIC, &other), Some(TokenRefusal::RedirectUri));
    let stranger = format!("{uri}&client_id=sandbox-public");
    assert_eq!(attempt(at(0), None, &stranger), Some(TokenRefusal::Code));
}

#[test]
fn challenge_and_verifier_need_each_other() {
    let attempt = |challenge: &str, verifier: &str| {
        let mut server = server(TokenSettings::default());
        let code = code(&mut server, "sandbox-client", challenge);
        let text = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}{verifier}");
        server.answer_token_request(at(0), BASIC, &form(&text)).err()
    };
    let verifier = format!("&code_verifier={VERIFIER}");
    assert_eq!(attempt(&challenge(), &verifier), None);
    assert_eq!(attempt(&challenge(), ""), Some(TokenRefusal::Code));
    assert_eq!(attempt(&challenge(), &format!("{verifier}x")), Some(TokenRefusal::Code));
    assert_eq!(attempt("", &verifier), Some(TokenRefusal::Code));
}
