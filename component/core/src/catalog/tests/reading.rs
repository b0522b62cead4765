//! Kroger's failures, the tokens that read, and the quota.

use crate::failure::{CallTrouble, Cause};
use serde_json::json;

use super::{Shop, query};
use crate::Context;
use crate::catalog::locations::chains;
use crate::catalog::profile::profile;
use crate::catalog::search::search_products;
use crate::failure::Code;
use crate::kroger::limits::Endpoint;
use crate::ports::SendError;
use crate::settings::Settings;
use crate::testing::TestWorld;
use crate::upstream::quota;

#[test]
fn a_lost_answer_is_asked_for_again_up_to_the_configured_tries() {
    let shop = Shop::open();
    shop.world.lose_answer(SendError::Unknown);
    shop.world.answer(503, "");
    shop.answer(&json!([{ "name": "KROGER", "divisionNumbers": ["014"] }]));
    assert_eq!(chains(shop.cx(), &shop.user).unwrap()[0].name, "KROGER");

    for _ in 0..3 {
        shop.world.answer(500, "");
    }
    let failure = chains(shop.cx(), &shop.user).unwrap_err();
    assert_eq!(failure.code, Code::UpstreamUnavailable);
    assert_eq!(failure.cause, Cause::Call(Endpoint::Chains, CallTrouble::Unavailable(500)));
    assert!(failure.retry_after.is_some());
    assert_eq!(shop.asked().len(), 6);
}

#[test]
fn a_rejected_app_token_is_replaced_once() {
    let shop = Shop::open();
    shop.world.answer(401, r#"{"error":"invalid_token"}"#);
    shop.world.answer(200, r#"{"access_token":"second","expires_in":1800}"#);
    shop.answer(&json!([]));
    chains(shop.cx(), &shop.user).unwrap();
    let last = shop.world.sent().pop().unwrap();
    assert!(last.headers.contains(&("authorization", "Bearer second".to_owned())));

    for token in ["third", "fourth"] {
        shop.world.answer(401, "");
        shop.world.answer(200, format!(r#"{{"access_token":"{token}","expires_in":1800}}"#));
    }
    shop.world.answer(401, "");
    let failure = chains(shop.cx(), &shop.user).unwrap_err();
    assert_eq!(failure.code, Code::TokenRejected);
    assert_eq!(failure.mended_by_sign_in(), None);
}

#[test]
fn a_public_client_reads_with_the_users_token_and_asks_for_scope() {
    let variables = [
        ("KROGER_CLIENT_ID", "app"),
        ("KROGER_USER_ACCESS_TOKEN", "users-own"),
        ("KROGER_USER_TOKEN_EXPIRES_AT", "1737203400"),
    ];
    let settings =
        Settings::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let world = TestWorld::new();
    let cx = Context { settings: &settings, ports: &world };
    world.answer(200, r#"{"data":[]}"#);
    world.answer(403, r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#);

    chains(cx, &settings.default_user).unwrap();
    let failure = search_products(cx, &settings.default_user, &query(&["milk"])).unwrap_err();

    assert!(world.sent()[0].headers.contains(&("authorization", "Bearer users-own".to_owned())));
    assert_eq!(failure.code, Code::ScopeMissing);
    let (user, scope) = failure.mended_by_sign_in().unwrap();
    assert_eq!(*user, settings.default_user);
    assert!(scope.as_str().contains("product.compact"));
}

#[test]
fn an_answer_that_is_not_krogers_is_refused() {
    for (status, body) in [(200, "<html>"), (200, "[]"), (404, "<html>"), (302, ""), (200, r#"{"meta":{}}"#)] {
        let shop = Shop::open();
        shop.world.answer(status, body);
        let failure = chains(shop.cx(), &shop.user).unwrap_err();
        assert_eq!(failure.code, Code::UpstreamNonsense, "{status} {body}");
    }
}

#[test]
fn a_used_up_quota_sends_nothing() {
    let shop = Shop::with(&[("KROGER_QUOTA_CHAINS", "1")]);
    shop.answer(&json!([]));
    chains(shop.cx(), &shop.user).unwrap();

    let failure = chains(shop.cx(), &shop.user).unwrap_err();

    assert_eq!(failure.code, Code::QuotaExhausted);
    assert_eq!(shop.asked().len(), 1);
    let used = quota::statuses(shop.cx()).unwrap().into_iter().find(|one| one.endpoint == Endpoint::Chains);
    assert_eq!(used.unwrap().used, 1);
}

#[test]
fn the_profile_is_read_with_the_users_token_and_never_kept() {
    let variables = [
        ("KROGER_CLIENT_ID", "app"),
        ("KROGER_CLIENT_SECRET", "s"),
        ("KROGER_USER_ACCESS_TOKEN", "users-own"),
        ("KROGER_USER_TOKEN_EXPIRES_AT", "1737203400"),
    ];
    let settings =
        Settings::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let world = TestWorld::new().with_cache();
    let cx = Context { settings: &settings, ports: &world };
    world.answer(200, r#"{"data":{"id":"53990804-cfd1"},"meta":{}}"#);

    let profile = profile(cx, &settings.default_user).unwrap();

    assert_eq!(profile.id, "53990804-cfd1");
    assert!(world.sent()[0].headers.contains(&("authorization", "Bearer users-own".to_owned())));
    for bucket in [crate::ports::Bucket::Store, crate::ports::Bucket::Cache] {
        let stored = world.stored(bucket);
        assert!(!stored.values().any(|value| String::from_utf8_lossy(value).contains("53990804")));
    }
}
