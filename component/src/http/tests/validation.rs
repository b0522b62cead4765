//! `/admin/tokens/validate` and `/admin/tokens/status`.

use super::*;
use kroger_core::ports::Ports as _;

/// Signed in, after a periodic refresh that got the app's own token.
fn running() -> Server {
    let server = signed_in();
    server.world.answer_with_tokens("canary-app", "unused");
    maintenance::tidy(server.context()).unwrap();
    server
}

#[test]
fn offline_validation_lists_its_checks_and_sends_nothing() {
    let server = running();
    let sent = server.world.sent().len();

    let answer = server.get("/admin/tokens/validate");

    let check = |name: &str, detail: &str| json!({ "name": name, "ok": true, "detail": detail });
    assert_eq!(
        (answer.status, answer.json()),
        (
            200,
            json!({
                "healthy": true, "issues": [],
                "tokens": {
                    "client_credentials": { "valid": true, "checks": [
                        check("credentials", "Kroger accepted them"),
                        check("shape", "printable and without spaces"),
                        check("expiry", "expires in 1800 seconds"),
                    ] },
                    "users": { "user_default": { "valid": true, "checks": [
                        check("shape", "printable and without spaces"),
                        check("expiry", "expires in 1800 seconds"),
                        check("scope", "profile.compact cart.basic:write"),
                        check("refresh_token", "there is one"),
                        check("lineage", "generation 1.0.0, a sign-in"),
                    ] } },
                },
                "server": { "valid": true, "checks": [
                    check("store_readable", "it was read"),
                    check("store_writable", "a value was written and found again"),
                    check("rescue", "nothing waits to be saved"),
                    check("last_tick", "the last periodic refresh was 0 seconds ago"),
                ] },
            })
        )
    );
    assert_eq!(server.world.sent().len(), sent);
}

#[test]
fn online_validation_asks_kroger_once_per_token_and_refreshes_none() {
    let server = running();
    let before = server.world.sent().len();
    server.world.answer(200, "{}");
    server.world.answer(401, r#"{"error":"invalid_token"}"#);

    let found = server.get("/admin/tokens/validate?online=true").json();

    assert_eq!(found["tokens"]["client_credentials"]["valid"], true);
    let user = &found["tokens"]["users"]["user_default"];
    assert_eq!((&user["valid"], &user["checks"][5]["name"]), (&json!(false), &json!("online")));
    assert_eq!(found["healthy"], false);
    assert!(found["issues"][0].as_str().unwrap().starts_with("the token of user_default: Kroger rejects it"));
    let asked: Vec<_> = server.world.sent().into_iter().skip(before).map(|request| request.path).collect();
    assert_eq!(asked, ["/v1/products?filter.term=milk&filter.limit=1", "/v1/identity/profile"]);
}

#[test]
fn validation_takes_online_as_true_or_false() {
    let server = running();

    assert_eq!(server.get("/admin/tokens/validate?online=false").status, 200);
    for wrong in ["", "1", "TRUE"] {
        let answer = server.get(&format!("/admin/tokens/validate?online={wrong}"));
        assert_eq!(answer.problem(), (422, "invalid_argument".to_owned()), "{wrong}");
    }
}

#[test]
fn validation_checks_an_outside_pair_without_adopting_it() {
    let server = server();
    let expires_at = server.world.wall_now().as_secs() - 5;
    let block = format!("KROGER_USER_REFRESH_TOKEN=r\nKROGER_USER_TOKEN_EXPIRES_AT={expires_at}\n");
    server.world.set(Bucket::Env, "mirror", block.as_bytes()).unwrap();

    let user = server.get("/admin/tokens/validate").json()["tokens"]["users"]["user_default"].clone();

    assert_eq!(user["checks"][1]["detail"], "expired 5 seconds ago; it is refreshed on first use");
    assert!(user["checks"][4]["detail"].as_str().unwrap().contains(".env"));
    assert!(server.world.stored(Bucket::Store).into_keys().all(|key| !key.starts_with("grant.")));
}

#[test]
fn status_reports_issues_and_tokens_in_short() {
    let server = running();
    let listed = server.get("/admin/tokens").json();
    let well = server.get("/admin/tokens/status").json();
    server.world.advance(Duration::from_secs(130));
    let late = server.get("/admin/tokens/status").json();

    assert_eq!((&well["healthy"], &well["issues"]), (&json!(true), &json!([])));
    assert_eq!(well["tokens"]["client_credentials"], listed["client_credentials"]);
    assert_eq!(well["tokens"]["users"], listed["user_tokens"]);
    assert_eq!(
        well["background_refresh"],
        json!({ "running": true, "last_tick_seconds_ago": 0, "check_interval_seconds": 60 })
    );
    assert_eq!(
        well["persistence"],
        json!({ "enabled": true, "store": "keyvalue", "readable": true, "writable": true, "waiting_to_be_saved": 0 })
    );
    assert_eq!((&late["healthy"], &late["background_refresh"]["running"]), (&json!(false), &json!(false)));
    assert_eq!(late["background_refresh"]["last_tick_seconds_ago"], 130);
    assert!(late["issues"][0].as_str().unwrap().starts_with("the server: the last periodic refresh was 130 seconds"));
}

#[test]
fn failing_store_is_an_issue_and_no_error() {
    let server = running();
    server.world.set_store_mood(StoreMood::Failing);

    for path in ["/admin/tokens/validate", "/admin/tokens/status"] {
        let answer = server.get(path);
        assert_eq!((answer.status, &answer.json()["healthy"]), (200, &json!(false)), "{path}");
        assert!(answer.text.contains("the store cannot be read"), "{path}: {}", answer.text);
    }
    assert_eq!(server.get("/admin/tokens/status").json()["persistence"]["enabled"], false);
}

#[test]
fn user_named_like_a_route_can_be_forgotten() {
    let server = server();
    for (user, path) in [("status", "stat%75s"), ("validate", "v%61lidate"), ("refresh", "r%65fresh")] {
        server.sign_in(&format!("/auth/authorize?user_id={user}"));

        let forgotten = server.call_with("DELETE", &format!("/admin/tokens/{path}"), &[], "");

        assert_eq!((forgotten.status, &forgotten.json()["user_id"]), (200, &json!(user)));
    }
    assert_eq!(server.get("/admin/tokens").json()["user_tokens"], json!({}));
}
