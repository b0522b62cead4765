//! How tokens end, and what the sandbox forgets.

use super::*;
use crate::oauth::{authorization_server::SWEEP_FROM, refresh::SPENT_TOKENS_KEPT, sign_in_status::SignInStatus};

#[test]
fn access_token_expires() {
    let settings = TokenSettings { access_token_lifetime_seconds: 5, ..TokenSettings::default() };
    let mut server = server(settings);
    let pair = sign_in(&mut server);
    assert_eq!(pair.expires_in, 5);
    assert!(is_accepted(&server, at(4), &pair));
    assert!(!is_accepted(&server, at(5), &pair));
}

#[test]
fn refresh_token_expires() {
    let settings = TokenSettings { refresh_token_lifetime_seconds: 5, ..TokenSettings::default() };
    let mut server = server(settings);
    let pair = sign_in(&mut server);
    assert_eq!(refresh(&mut server, at(5), &pair).err(), Some(TokenRefusal::RefreshToken));
    assert_eq!(server.spent_refresh_tokens_presented, 0);
    assert!(refresh(&mut server, at(4), &pair).is_ok());
}

#[test]
fn expired_customer_refreshes_and_revoked_customer_signs_in_again() {
    let mut server = server(TokenSettings::default());
    let first = sign_in(&mut server);
    assert_eq!(server.sign_in_statuses(at(0), &[])["alice"], SignInStatus::SignedIn(1800));
    assert_eq!(server.expire(at(1), "bob"), 0);
    assert_eq!(server.expire(at(1), "alice"), 1);
    assert!(!is_accepted(&server, at(1), &first));
    assert_eq!(server.sign_in_statuses(at(1), &[])["alice"], SignInStatus::Expired);
    let second = refresh(&mut server, at(2), &first).ok().unwrap();
    assert_eq!(server.revoke("alice"), 1);
    assert!(!is_accepted(&server, at(2), &second));
    assert_eq!(refresh(&mut server, at(2), &second).err(), Some(TokenRefusal::RefreshToken));
    assert_eq!(server.sign_in_statuses(at(2), &[])["alice"], SignInStatus::MustSignIn);
}

#[test]
fn expired_and_oldest_spent_tokens_are_forgotten() {
    let settings = TokenSettings { access_token_lifetime_seconds: 1, ..TokenSettings::default() };
    let mut server = server(settings);
    let mut pair = sign_in(&mut server);
    for second in 0..SPENT_TOKENS_KEPT as u64 + 10 {
        pair = refresh(&mut server, at(second), &pair).ok().unwrap();
    }
    assert!(server.access_tokens.len() <= SWEEP_FROM);
    assert_eq!(server.refresh_tokens.len(), SPENT_TOKENS_KEPT + 1);
}
