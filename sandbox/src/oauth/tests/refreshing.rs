//! Refreshing, rotation and the reuse of spent refresh tokens.

use super::*;
use crate::settings::Reuse;

#[test]
fn refresh_token_of_another_client_is_rejected_and_stays_valid() {
    let mut server = server(TokenSettings::default());
    let pair = sign_in(&mut server);
    let stolen = format!(
        "grant_type=refresh_token&client_id=sandbox-public&refresh_token={}",
        pair.refresh_token.as_deref().unwrap()
    );
    assert_eq!(server.answer_token_request(at(1), None, &form(&stolen)).err(), Some(TokenRefusal::RefreshToken));
    assert!(refresh(&mut server, at(1), &pair).is_ok());
}

#[test]
fn spent_refresh_token_is_rejected_and_counted() {
    let mut server = server(TokenSettings::default());
    let first = sign_in(&mut server);
    let second = refresh(&mut server, at(1), &first).ok().unwrap();
    assert_ne!(first.refresh_token, second.refresh_token);
    assert_eq!(refresh(&mut server, at(1), &first).err(), Some(TokenRefusal::RefreshToken));
    assert_eq!(server.spent_refresh_tokens_presented, 1);
    assert!(is_accepted(&server, at(1), &second));
    assert!(refresh(&mut server, at(1), &second).is_ok());
    let counts = &server.token_requests["refresh_token"];
    assert_eq!((counts.ok, counts.refused), (2, 1));
}

#[test]
fn revoke_family_ends_only_the_sign_in_of_the_reused_token() {
    let settings = TokenSettings { reuse: Reuse::RevokeFamily, ..TokenSettings::default() };
    let mut server = server(settings);
    let other = sign_in(&mut server);
    let first = sign_in(&mut server);
    let second = refresh(&mut server, at(1), &first).ok().unwrap();
    assert_eq!(refresh(&mut server, at(1), &first).err(), Some(TokenRefusal::RefreshToken));
    assert!(!is_accepted(&server, at(1), &first));
    assert!(!is_accepted(&server, at(1), &second));
    assert_eq!(refresh(&mut server, at(1), &second).err(), Some(TokenRefusal::RefreshToken));
    assert!(refresh(&mut server, at(1), &other).is_ok());
}

#[test]
fn spent_token_brings_the_same_pair_during_the_grace() {
    let settings = TokenSettings { reuse: Reuse::GraceSeconds(10), ..TokenSettings::default() };
    let mut server = server(settings);
    let first = sign_in(&mut server);
    let second = refresh(&mut server, at(1), &first).ok().unwrap();
    let again = refresh(&mut server, at(10), &first).ok().unwrap();
    assert_eq!(again.access_token, second.access_token);
    assert_eq!(again.refresh_token, second.refresh_token);
    assert_eq!(again.expires_in, 1800 - 9);
    assert_eq!(refresh(&mut server, at(11), &first).err(), Some(TokenRefusal::RefreshToken));
    assert_eq!(server.spent_refresh_tokens_presented, 2);
}

#[test]
fn refresh_token_stays_valid_without_rotation() {
    let mut server = server(TokenSettings { rotate: false, ..TokenSettings::default() });
    let first = sign_in(&mut server);
    let second = refresh(&mut server, at(1), &first).ok().unwrap();
    assert_eq!(first.refresh_token, second.refresh_token);
    assert_ne!(first.access_token, second.access_token);
    assert!(refresh(&mut server, at(2), &first).is_ok());
}

#[test]
fn omitted_refresh_token_leaves_the_old_one_valid() {
    let mut server = server(TokenSettings { omit_refresh_token: true, ..TokenSettings::default() });
    let first = sign_in(&mut server);
    assert!(refresh(&mut server, at(1), &first).ok().unwrap().refresh_token.is_none());
    assert!(refresh(&mut server, at(2), &first).is_ok());
}
