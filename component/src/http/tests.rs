//! The routes, asked as a caller asks them, in a world of their own.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::core::user::UserId;
use crate::core::{Context as Cx, maintenance};
use crate::core::{grants, mirror, tokens};
use crate::ports::{Bucket, SendError};
use crate::testing::{StoreMood, World};

const UPC: &str = "0001111041700";
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const NETWORK_ERROR: &str = "Token refresh failed after 3 attempts.\n\n\
    Action required:\n1. Check network connectivity\n2. If network is OK, user needs to re-authenticate";

/// Status and body, or none.
type KrogersAnswer = Result<(u16, &'static str), SendError>;

/// A server on `localhost:9004`, in a world of its own.
struct Server {
    world: Arc<World>,
    service: Service,
    settings: Arc<Settings>,
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Status and code of a well-formed problem.
    #[track_caller]
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["type"], format!("urn:kroger-mcp:{code}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string() && problem["retryable"].is_boolean());
        let retry_after = problem["retry_after"].as_u64().map(|seconds| seconds.to_string());
        assert_eq!(self.header("retry-after"), retry_after.unwrap_or_default());
        (self.status, code)
    }

    #[track_caller]
    fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

fn server() -> Server {
    server_with(&[("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "canary-secret")])
}

fn server_with(variables: &[(&str, &str)]) -> Server {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = Arc::new(Settings::from_variables(variables).unwrap());
    let world = Arc::new(World::new().with_optional_buckets());
    Server { world, service: Service::new(Ok(Arc::clone(&settings))), settings }
}

/// With `user_default` signed in, for 1,800 seconds.
fn signed_in() -> Server {
    let server = server();
    server.sign_in("/auth/authorize");
    server
}

impl Server {
    fn send(&self, request: Request<Bytes>) -> Answer {
        let world: SharedPorts = self.world.clone();
        let response = block_on(self.service.serve(request, world));
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    fn call_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://localhost:9004{path}"));
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost:9004");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
    }

    fn get(&self, path: &str) -> Answer {
        self.call_with("GET", path, &[], "")
    }

    fn put(&self, path: &str, body: &Value) -> Answer {
        self.call_with("PUT", path, &[("content-type", "application/json")], &body.to_string())
    }

    fn state(&self, authorize: &str) -> String {
        self.get(authorize).json()["state"].as_str().unwrap().to_owned()
    }

    fn sign_in(&self, authorize: &str) -> Answer {
        let state = self.state(authorize);
        self.world.answer_with_tokens("canary-access-1", "canary-refresh-1");
        self.get(&format!("/auth/callback?code=canary-code&state={state}"))
    }

    fn context(&self) -> Cx<'_> {
        Cx { settings: &self.settings, ports: &*self.world }
    }

    /// What was sent, but for sign-ins.
    fn sent_paths(&self) -> Vec<String> {
        self.world.sent().into_iter().map(|request| request.path).filter(|path| path.contains("cart")).collect()
    }
}

#[test]
fn liveness_is_answered_without_a_look_at_the_store() {
    let server = server();
    server.world.set_store_mood(StoreMood::Failing);

    let answer = server.get("/livez");

    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "alive" })));
}

#[test]
fn readiness_fails_while_the_store_does_not_keep_what_it_is_told() {
    let server = server();
    assert_eq!(server.get("/readyz").status, 200);

    for mood in [StoreMood::Failing, StoreMood::Forgetful] {
        server.world.set_store_mood(mood);
        assert_eq!(server.get("/readyz").problem(), (503, "store_unavailable".to_owned()), "{mood:?}");
    }
}

#[test]
fn readiness_fails_while_a_pair_waits_to_be_rescued() {
    let server = server();
    server.world.set(Bucket::Rescue, "grant.x.1", b"{}").unwrap();

    let answer = server.get("/readyz");

    assert_eq!(answer.problem(), (503, "store_unavailable".to_owned()));
    assert!(answer.detail().contains("wait in memory"));
}

#[test]
fn health_says_degraded_and_why_until_somebody_makes_the_passes() {
    let server = signed_in();
    server.world.answer_with_tokens("canary-app", "unused");

    let before = server.get("/health").json();
    maintenance::tidy(server.context()).unwrap();
    let after = server.get("/health").json();
    server.world.advance(Duration::from_secs(121));
    let later = server.get("/health").json();

    assert_eq!(before["status"], "degraded");
    assert!(before["reasons"][0].as_str().unwrap().starts_with("no periodic refresh"), "{before}");
    assert_eq!(
        after,
        json!({
            "status": "healthy", "service": "kroger-mcp", "version": env!("CARGO_PKG_VERSION"),
            "timestamp": "2025-01-18T12:00:00Z",
            "token_status": {
                "client_token_valid": true, "user_token_valid": true,
                "auto_refresh_enabled": true, "persistence_enabled": true,
            },
        })
    );
    assert_eq!(later["token_status"]["auto_refresh_enabled"], false);
}

#[test]
fn health_is_answered_with_200_even_where_the_store_fails() {
    let server = signed_in();
    server.world.set_store_mood(StoreMood::Failing);

    let answer = server.get("/health");

    assert_eq!(answer.status, 200);
    let health = answer.json();
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["token_status"]["persistence_enabled"], false);
    assert_eq!(health["token_status"]["user_token_valid"], false);
}

#[test]
fn config_tells_where_tokens_stand_in_the_first_systems_words() {
    let server = signed_in();
    let told = |path: &str| {
        let management = server.get(path).json()["token_management"].clone();
        (management["client_token"].as_str().unwrap().to_owned(), management["user_token"].as_str().unwrap().to_owned())
    };

    assert_eq!(told("/config").1, "valid (expires in 1800s)");
    assert_eq!(told("/config?user_id=nobody").1, "not_configured");
    assert_eq!(told("/config").0, "expired (will refresh on next use)");
    server.world.answer_with_tokens("canary-app", "unused");
    maintenance::tidy(server.context()).unwrap();
    server.world.advance(Duration::from_secs(600));
    assert_eq!(told("/config"), ("valid (expires in 1200s)".to_owned(), "valid (expires in 1200s)".to_owned()));
    server.world.advance(Duration::from_secs(1_800));
    assert_eq!(told("/config").1, "expired (will refresh automatically)");
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    server.put("/cart/add/simple", &json!({ "upc": UPC }));
    assert_eq!(told("/config").1, "re-authentication required");
}

#[test]
fn config_has_every_key_of_the_contract() {
    let config = server().get("/config").json();

    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&config["token_management"]), "auto_refresh client_token persistence success_rate user_token");
    assert_eq!(config["default_location"], json!({ "zip_code": null, "store_id": null, "radius_miles": 10 }));
    assert_eq!(
        config["default_fulfillment"],
        json!({ "type": "PICKUP", "delivery_type": null, "force_kroger_delivery": false })
    );
    assert_eq!(
        config["features"],
        json!({
            "automatic_token_refresh": true, "persistent_storage": true, "retry_with_backoff": true,
            "env_file_updates": true, "background_refresh_task": false,
        })
    );
    assert_eq!(keys(&config["llm_instructions"]), "authentication cart_operations error_recovery token_storage");
    assert_eq!(config["token_management"]["success_rate"], Value::Null);
}

#[test]
fn a_pair_in_the_env_file_is_told_and_not_taken() {
    let server = server();
    let block = |expires_at: u64| {
        format!("KROGER_USER_ACCESS_TOKEN=a\nKROGER_USER_REFRESH_TOKEN=r\nKROGER_USER_TOKEN_EXPIRES_AT={expires_at}\n")
    };
    let now = server.world.wall_now().as_secs();
    let told = |expires_at| {
        server.world.set(Bucket::Env, "mirror", block(expires_at).as_bytes()).unwrap();
        server.get("/config").json()["token_management"]["user_token"].clone()
    };

    assert_eq!(told(now + 1_234), "valid in .env (expires in 1234s)");
    assert_eq!(server.get("/health").json()["token_status"]["user_token_valid"], true);
    let listed = server.get("/admin/tokens").json()["user_tokens"]["user_default"].clone();
    assert_eq!((&listed["status"], &listed["source"]), (&json!("valid"), &json!("env_file")));
    assert_eq!(told(now - 1), "expired in .env (will refresh on first use)");

    let grants = server.world.stored(Bucket::Store).into_keys().filter(|key| key.starts_with("grant.")).count();
    assert_eq!(grants, 0);
    assert_eq!(mirror::offered(server.context()).len(), 1);
}

#[test]
fn authorize_gives_a_program_the_link_and_sends_a_browser_on() {
    let server = server();

    let program = server.get("/auth/authorize?scope=cart.basic:write");
    let browser = server.call_with("GET", "/auth/authorize", &[("accept", BROWSER)], "");

    let answer = program.json();
    assert_eq!(answer["redirect_uri"], "http://localhost:9004/auth/callback");
    assert_eq!(answer["scope"], "cart.basic:write");
    assert!(answer["instructions"].as_str().unwrap().contains("authorization_url"));
    let link = answer["authorization_url"].as_str().unwrap();
    assert!(link.starts_with("https://api.kroger.com/v1/connect/oauth2/authorize?response_type=code&client_id=app&"));
    assert!(link.contains(answer["state"].as_str().unwrap()));
    assert_eq!(browser.status, 303);
    assert!(browser.header("location").starts_with("https://api.kroger.com/"));
    assert_eq!(browser.header("cache-control"), "no-store");
}

#[test]
fn authorize_refuses_a_wrong_scope_and_says_what_credentials_are_missing() {
    assert_eq!(server().get("/auth/authorize?scope=a%22b").problem(), (422, "invalid_argument".to_owned()));

    let answer = server_with(&[]).get("/auth/authorize");

    assert_eq!(answer.problem(), (503, "client_credentials_rejected".to_owned()));
    assert!(answer.detail().starts_with("Invalid Kroger API credentials. Please check KROGER_CLIENT_ID and"));
}

#[test]
fn a_completed_sign_in_is_saved_and_says_what_was_done() {
    let server = server();

    let answer = server.sign_in("/auth/authorize");

    assert_eq!(
        (answer.status, answer.json()),
        (
            200,
            json!({
                "message": "Authentication successful - tokens saved automatically",
                "user_id": "user_default", "expires_in": 1800, "expires_at_readable": "2025-01-18T12:30:00Z",
                "token_management": {
                    "auto_refresh": "enabled", "persistence": "enabled to keyvalue",
                    "env_file_updated": true, "success_rate": null,
                },
                "next_steps": [
                    "Add to the cart with PUT /cart/add/simple; the token is refreshed by itself.",
                    "See where the tokens stand at GET /admin/tokens.",
                ],
            })
        )
    );
    assert_eq!((answer.header("referrer-policy"), answer.header("cache-control")), ("no-referrer", "no-store"));
}

#[test]
fn a_person_sees_a_page_that_names_them_safely_and_runs_nothing() {
    let server = server();
    let state = server.state("/auth/authorize?user_id=%3Cscript%3Ealert(1)%3C/script%3E");
    server.world.answer_with_tokens("a", "r");

    let page = server.call_with("GET", &format!("/auth/callback?code=c&state={state}"), &[("accept", BROWSER)], "");

    assert_eq!(page.status, 200);
    assert!(page.text.contains("You are signed in") && page.text.contains("&lt;script&gt;alert(1)"), "{}", page.text);
    assert!(!page.text.contains("<script") && !page.text.contains(&state), "{}", page.text);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'unsafe-inline';"));
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("cache-control"), "no-store");
}

#[test]
fn a_redirect_that_nobody_started_or_that_is_incomplete_stores_nothing() {
    let server = server();

    for query in ["", "?code=x", "?state=1.x", "?code=x&state=1.x", "?code=x&state=%00", "?code=%ff&state=1.x"] {
        let answer = server.get(&format!("/auth/callback{query}"));
        assert_eq!(answer.problem(), (400, "invalid_argument".to_owned()), "{query}");
    }

    assert!(server.world.sent().is_empty());
}

#[test]
fn a_state_serves_once_and_for_ten_minutes() {
    let server = server();
    let (first, late) = (server.state("/auth/authorize"), server.state("/auth/authorize"));
    server.world.answer_with_tokens("a", "r");
    let callback = |state: &str| server.get(&format!("/auth/callback?code=c&state={state}"));

    assert_eq!(callback(&first).status, 200);
    let again = callback(&first);
    server.world.advance(Duration::from_secs(600));
    let too_late = callback(&late);

    assert_eq!(again.problem().0, 400);
    assert!(again.detail().contains("used before"), "{}", again.detail());
    assert_eq!(too_late.problem().0, 400);
    assert!(too_late.detail().contains("10 minutes"), "{}", too_late.detail());
    assert_eq!(server.world.sent().len(), 1);
}

#[test]
fn a_person_who_declines_is_told_plainly_and_the_state_is_spent() {
    let server = server();
    let state = server.state("/auth/authorize");
    let path = format!("/auth/callback?error=access_denied&error_description=%3Cb%3Eevil%3C/b%3E&state={state}");

    let page = server.call_with("GET", &path, &[("accept", BROWSER)], "");
    let late = server.get(&format!("/auth/callback?code=c&state={state}"));

    assert_eq!(page.status, 400);
    assert!(page.text.contains("declined on Kroger&#39;s page") && !page.text.contains("evil"), "{}", page.text);
    assert_eq!(late.problem().0, 400);
    assert!(server.world.sent().is_empty());
}

#[test]
fn a_person_whose_sign_in_failed_is_told_why_and_may_start_again_as_the_same_user() {
    let server = server();
    let page = |query: &str| {
        let page = server.call_with("GET", &format!("/auth/callback?{query}"), &[("accept", BROWSER)], "");
        assert!(!page.text.contains('`') && !page.text.contains("send the call again"), "{}", page.text);
        page
    };
    let again = "href=\"/auth/authorize?user_id=ann+%26+ben&amp;scope=cart.basic%3Awrite\"";
    let start = || server.state("/auth/authorize?user_id=ann%20%26%20ben&scope=cart.basic:write");

    let refused = start();
    server.world.answer(400, r#"{"error":"invalid_grant","error_description":"expired code"}"#);
    let by_kroger = page(&format!("code=c&state={refused}"));
    let used = page(&format!("code=c&state={refused}"));
    let down = page(&format!("code=c&state={}", start()));
    let declined = page(&format!("error=access_denied&state={}", start()));
    let old = start();
    server.world.advance(Duration::from_secs(600));
    let expired = page(&format!("code=c&state={old}"));
    let unknown = page("code=c&state=1.x");

    for (page, status, words) in [
        (&by_kroger, 400, "Kroger did not accept"),
        (&used, 400, "signed in already"),
        (&down, 503, "Kroger could not complete"),
        (&declined, 400, "declined"),
        (&expired, 400, "10 minutes"),
    ] {
        assert_eq!(page.status, status, "{words}");
        assert!(page.text.contains(words) && page.text.contains(again), "{words}: {}", page.text);
    }
    assert_eq!(unknown.status, 400);
    assert!(unknown.text.contains("not known") && !unknown.text.contains("href"), "{}", unknown.text);
}

/// The link that an add hands out to whoever is not signed in.
fn link(server: &Server) -> String {
    let refused = server.put("/cart/add/simple", &json!({ "upc": UPC }));
    assert_eq!(refused.problem(), (401, "reauthorize".to_owned()));
    refused.json()["authorization_url"].as_str().unwrap().to_owned()
}

fn state_of(link: &str) -> String {
    let link = url::Url::parse(link).unwrap();
    link.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

#[test]
fn calls_that_fail_share_a_link_for_as_long_as_it_works() {
    let server = server();

    let first = link(&server);
    assert_eq!(link(&server), first);
    server.get(&format!("/auth/callback?error=access_denied&state={}", state_of(&first)));
    let after_declining = link(&server);
    server.world.answer_with_tokens("a", "r");
    assert_eq!(server.get(&format!("/auth/callback?code=c&state={}", state_of(&after_declining))).status, 200);
    server.call_with("DELETE", "/admin/tokens/user_default", &[], "");
    let after_signing_in = link(&server);
    server.call_with("DELETE", "/admin/tokens/user_default", &[], "");
    let after_deletion = link(&server);
    server.world.advance(Duration::from_secs(301));
    let after_five_minutes = link(&server);

    let links = [first, after_declining, after_signing_in, after_deletion, after_five_minutes];
    for (index, link) in links.iter().enumerate() {
        assert!(!links[..index].contains(link), "link {index} is dead");
    }
    server.world.answer_with_tokens("a", "r");
    assert_eq!(server.get(&format!("/auth/callback?code=c&state={}", state_of(&links[4]))).status, 200);
}

#[test]
fn whoever_lacks_a_scope_or_is_rejected_gets_a_link_of_their_own() {
    let server = server_with(&[("KROGER_CLIENT_ID", "app"), ("KROGER_SCOPE", "profile.compact")]);
    server.sign_in("/auth/authorize?user_id=ann");
    let add = || server.call_with("PUT", "/cart/add/simple?user_id=ann", &[], r#"{"upc":"1"}"#);
    let sign_in = |refused: &Answer| {
        let link = refused.json()["authorization_url"].as_str().expect("a link").to_owned();
        server.world.answer_with_tokens("a", "r");
        let state = state_of(&link);
        assert_eq!(server.get(&format!("/auth/callback?code=c&state={state}")).json()["user_id"], "ann");
        link
    };

    server.world.answer(403, r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#);
    let lacking = add();
    assert_eq!(lacking.problem(), (403, "scope_missing".to_owned()));
    assert!(lacking.detail().contains("cart.basic:write"));
    assert!(sign_in(&lacking).contains("scope=profile.compact+cart.basic%3Awrite"));

    server.world.answer(401, r#"{"error":"invalid_token"}"#);
    server.world.answer_with_tokens("a2", "r2");
    server.world.answer(401, r#"{"error":"invalid_token"}"#);
    let rejected = add();
    assert_eq!(rejected.problem(), (401, "token_rejected".to_owned()));
    sign_in(&rejected);
}

#[test]
fn whoever_is_unknown_leaves_nothing_behind_for_good() {
    let server = server();
    server.world.answer_with_tokens("canary-app", "unused");
    maintenance::tidy(server.context()).unwrap();
    let keys = || -> Vec<String> { server.world.stored(Bucket::Store).into_keys().collect() };
    let before = keys();

    for id in ["ann", "ben"] {
        let path = format!("/cart/add/simple?user_id={id}");
        let refused = server.call_with("PUT", &path, &[], r#"{"upc":"1"}"#).json();
        let state = state_of(refused["authorization_url"].as_str().unwrap());
        assert_eq!(server.call_with("DELETE", &format!("/admin/tokens/{id}"), &[], "").status, 200);
        assert_eq!(server.get(&format!("/auth/callback?code=c&state={state}")).problem().0, 400);
        server.state(&format!("/auth/authorize?user_id={id}"));
    }
    server.world.advance(Duration::from_secs(1_200));
    maintenance::tidy(server.context()).unwrap();

    assert_eq!(keys(), before);
    assert_eq!(server.world.sent().len(), 1);
}

#[test]
fn a_first_sign_in_does_not_outlive_a_deletion_that_overtakes_it() {
    let server = server();
    let ann = UserId::parse("ann").unwrap();
    let state = server.state("/auth/authorize?user_id=ann");
    server.world.answer_with_tokens("a", "r");

    let (world, settings, user) = (Arc::clone(&server.world), Arc::clone(&server.settings), ann.clone());
    server.world.interrupt_before(grants::roots_key(&ann.key()), move || {
        tokens::forget(Cx { settings: &settings, ports: &*world }, &user).unwrap();
    });
    let late = server.get(&format!("/auth/callback?code=c&state={state}"));

    assert_eq!(late.problem().0, 400);
    assert!(server.world.sent().is_empty());
}

#[test]
fn a_sign_in_under_way_is_not_swept() {
    let server = server();
    let state = server.state("/auth/authorize");
    server.world.advance(Duration::from_secs(599));
    server.world.answer_with_tokens("canary-app", "unused");
    maintenance::tidy(server.context()).unwrap();

    server.world.answer_with_tokens("a", "r");

    assert_eq!(server.get(&format!("/auth/callback?code=c&state={state}")).status, 200);
}

#[test]
fn what_is_not_known_of_an_add_is_told_by_its_cause() {
    let cases: [(KrogersAnswer, &str); 6] = [
        (Err(SendError::Unknown), "Kroger's answer did not arrive"),
        (Ok((500, "")), "Kroger answered 500"),
        (Ok((408, "")), "Kroger answered 408"),
        (Ok((200, "<html>")), "not Kroger's"),
        (Err(SendError::NotSent), "could not be reached"),
        (Ok((503, "")), "answered 503"),
    ];
    for (answer, words) in cases {
        let server = signed_in();
        for _ in 0..3 {
            match answer {
                Ok((status, body)) => server.world.answer(status, body),
                Err(error) => server.world.lose_answer(error),
            }
        }
        let told = server.put("/cart/add/simple", &json!({ "upc": UPC })).detail();
        assert!(told.contains(words), "{answer:?}: {told}");
        let is_reached = words != "could not be reached";
        assert!(!is_reached || !told.contains("could not be reached"), "{answer:?}: {told}");
    }
}

#[test]
fn a_quota_is_told_with_the_time_that_kroger_names() {
    for (named, seconds) in [(Some("5"), 5), (Some("0"), 1), (None, 60)] {
        let server = signed_in();
        for _ in 0..3 {
            server.world.answer_later(429, named);
        }

        let answer = server.put("/cart/add/simple", &json!({ "upc": UPC }));

        assert_eq!(answer.problem(), (429, "quota_exhausted".to_owned()));
        assert_eq!(answer.json()["retry_after"], seconds);
        assert!(answer.detail().contains("PUT /v1/cart/add"), "{}", answer.detail());
        assert_eq!(answer.detail().contains("5,000"), named.is_none(), "{}", answer.detail());
    }
}

#[test]
fn an_item_is_added_by_body_or_by_query() {
    let server = signed_in();
    server.world.answer(204, "");
    server.world.answer(204, "");

    let by_body = server.put("/cart/add/simple", &json!({ "upc": UPC, "quantity": 2, "modality": "delivery" }));
    let query = format!("/cart/add/simple?upc={UPC}&quantity=2&modality=DELIVERY&unknown=ignored");
    let by_query = server.call_with("PUT", &query, &[], "");

    let expected = json!({
        "success": true, "upc": UPC, "quantity": 2, "message": "Added 2x item to cart",
        "token_status": "valid (expires in 1800s)",
    });
    assert_eq!((by_body.status, by_body.json()), (200, expected.clone()));
    assert_eq!((by_query.status, by_query.json()), (200, expected));
    let bodies: Vec<_> = server.world.sent().into_iter().skip(1).map(|request| request.body).collect();
    assert_eq!(bodies[0], bodies[1]);
}

#[test]
fn a_corrected_barcode_is_noted() {
    let server = signed_in();
    server.world.answer(204, "");

    let added = server.put("/cart/add/simple", &json!({ "upc": "011110417008", "quantity": null })).json();

    assert_eq!((&added["upc"], &added["quantity"]), (&json!(UPC), &json!(1)));
    assert!(added["notes"][0].as_str().unwrap().contains("check digit"));
}

#[test]
fn items_are_added_in_one_request() {
    let server = signed_in();
    server.world.answer(204, "");

    let added =
        server.put("/cart/add", &json!({ "items": [{ "upc": UPC }, { "upc": "0001111041195", "quantity": 3 }] }));

    assert_eq!(added.json(), json!({ "message": "Items added to cart successfully", "items_added": 2 }));
    assert_eq!(server.sent_paths(), ["/v1/cart/add"]);
}

#[test]
fn a_wrong_argument_is_named_with_what_is_allowed_and_nothing_is_sent() {
    let server = signed_in();
    let cases = [
        ("/cart/add/simple", "{", "`body`"),
        ("/cart/add/simple", "null", "`body`"),
        ("/cart/add/simple", "[]", "`body`"),
        ("/cart/add/simple", "{}", "`upc` is not valid: it is missing"),
        ("/cart/add/simple", r#"{"upc":1}"#, "`upc` is not valid: a JSON string"),
        ("/cart/add/simple", r#"{"upc":"milk"}"#, "`upc`"),
        ("/cart/add/simple", r#"{"upc":"1","quantity":"2"}"#, "`quantity` is not valid: a whole number from 1 to 999"),
        ("/cart/add/simple", r#"{"upc":"1","quantity":1.5}"#, "`quantity`"),
        ("/cart/add/simple", r#"{"upc":"1","quantity":-1}"#, "`quantity`"),
        ("/cart/add/simple", r#"{"upc":"1","quantity":1000}"#, "`quantity`"),
        ("/cart/add/simple", r#"{"upc":"1","quantity":99999999999}"#, "`quantity`"),
        ("/cart/add/simple", r#"{"upc":"1","modality":"SHIP"}"#, "`modality` is not valid: PICKUP or DELIVERY"),
        ("/cart/add/simple", r#"{"upc":"1","price":1}"#, "`price` is not valid: there is no such field"),
        ("/cart/add/simple?upc=1", r#"{"upc":"2"}"#, "`upc` is not valid: the item is in the body already"),
        ("/cart/add/simple", "", "`upc` is not valid: it is missing"),
        ("/cart/add/simple?upc=1&quantity=%2B2", "", "`quantity`"),
        ("/cart/add/simple?upc=1&upc=2", "", "`upc` is not valid: it is given more than once"),
        ("/cart/add/simple?upc=%ff", "", "`upc` is not valid: UTF-8"),
        ("/cart/add/simple?upc=1&modality=x", "", "`modality`"),
        ("/cart/add", "", "`body`"),
        ("/cart/add", "{}", "`items` is not valid: it is missing"),
        ("/cart/add", r#"{"items":[]}"#, "`items`"),
        ("/cart/add", r#"{"items":{}}"#, "`items`"),
        ("/cart/add", r#"{"items":[1]}"#, "`items[0]`"),
        ("/cart/add", r#"{"items":[{"upc":"1"},{"upc":"1","size":1}]}"#, "`items[1].size`"),
        ("/cart/add", r#"{"items":[{"upc":"1"},{"upc":"x"}]}"#, "`items[1].upc`"),
    ];
    for (path, body, start) in cases {
        let answer = server.call_with("PUT", path, &[("content-type", "application/json")], body);
        assert_eq!(answer.problem(), (422, "invalid_argument".to_owned()), "{path} {body}");
        assert!(answer.detail().starts_with(start), "{path} {body}: {}", answer.detail());
    }

    assert!(server.sent_paths().is_empty());
}

#[test]
fn nesting_without_end_is_refused() {
    let server = signed_in();

    let answer = server.call_with("PUT", "/cart/add", &[], &"[".repeat(100_000));

    assert_eq!(answer.problem(), (422, "invalid_argument".to_owned()));
}

#[test]
fn a_body_is_json_whatever_its_type_says() {
    let server = signed_in();
    // What `curl -d` says, what `fetch` says of a string, nothing at all.
    let types = [&[("content-type", "application/x-www-form-urlencoded")][..], &[("content-type", "text/plain")], &[]];

    for stated in types {
        server.world.answer(204, "");
        let added = server.call_with("PUT", "/cart/add/simple", stated, r#"{"upc":"1"}"#);
        assert_eq!(added.status, 200, "{stated:?}: {}", added.text);
    }

    let form = server.call_with("PUT", "/cart/add/simple", types[0], "upc=1");
    assert_eq!(form.problem(), (422, "invalid_argument".to_owned()));
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let large = signed_in().call_with("PUT", "/cart/add", &[], &" ".repeat(LARGEST_REQUEST + 1));

    assert_eq!(large.problem(), (413, "too_large".to_owned()));
}

#[test]
fn a_field_that_is_given_twice_is_refused_at_any_depth() {
    let server = signed_in();
    let cases = [
        ("/cart/add/simple", r#"{"upc":"1","quantity":1,"quantity":99}"#),
        ("/cart/add/simple", r#"{"upc":"1","\u0075pc":"2"}"#),
        ("/cart/add", r#"{"items":[{"upc":"1"}],"items":[]}"#),
        ("/cart/add", r#"{"items":[{"upc":"1","upc":"2"}]}"#),
    ];

    for (path, body) in cases {
        let answer = server.call_with("PUT", path, &[], body);
        assert_eq!(answer.problem(), (422, "invalid_argument".to_owned()), "{body}");
        assert!(answer.detail().contains("given more than once"), "{}", answer.detail());
    }

    assert!(server.sent_paths().is_empty());
}

#[test]
fn a_user_is_named_by_one_header_at_most() {
    let server = server();
    server.sign_in("/auth/authorize?user_id=ann");
    let names = [("x-kroger-user", "ann"), ("x-kroger-user", "ben")];

    let both = server.call_with("PUT", "/cart/add/simple", &names, r#"{"upc":"1"}"#);

    assert_eq!(both.problem(), (422, "invalid_argument".to_owned()));
    assert!(both.detail().contains("X-Kroger-User") && both.detail().contains("more than once"), "{}", both.detail());
    assert!(server.sent_paths().is_empty());
}

#[test]
fn head_announces_no_body_and_does_not_spend_a_sign_in() {
    let server = server();
    let state = server.state("/auth/authorize");
    let callback = format!("/auth/callback?code=c&state={state}");

    let head = server.call_with("HEAD", "/livez", &[], "");
    assert_eq!((head.status, head.header("content-length"), head.text.as_str()), (200, "", ""));
    for path in ["/auth/authorize", &callback] {
        let refused = server.call_with("HEAD", path, &[], "");
        assert_eq!((refused.status, refused.header("allow")), (405, "GET"), "{path}");
        let wrong = server.call_with("POST", path, &[], "");
        assert_eq!((wrong.problem().0, wrong.header("allow")), (405, "GET"), "{path}");
    }

    server.world.answer_with_tokens("a", "r");
    assert_eq!(server.get(&callback).status, 200);
}

#[test]
fn a_user_is_named_by_header_or_parameter_and_not_by_two_names() {
    let server = server();
    server.sign_in("/auth/authorize?user_id=ann");
    server.world.answer(204, "");
    server.world.answer(204, "");
    let add = |path: &str, user: &str| server.call_with("PUT", path, &[("x-kroger-user", user)], r#"{"upc":"1"}"#);

    assert_eq!(add("/cart/add/simple", "ann").status, 200);
    assert_eq!(add("/cart/add/simple?user_id=ann", "ann").status, 200);
    let both = add("/cart/add/simple?user_id=ben", "ann");
    assert_eq!(both.problem(), (422, "invalid_argument".to_owned()));
    assert_eq!(add("/cart/add/simple", "nobody").problem(), (401, "reauthorize".to_owned()));
    assert_eq!(add("/cart/add/simple", &"x".repeat(257)).problem(), (422, "invalid_argument".to_owned()));
}

#[test]
fn whoever_is_not_signed_in_gets_the_steps_and_a_link() {
    let server = server();

    let answer = server.put("/cart/add/simple", &json!({ "upc": UPC }));

    assert_eq!(answer.problem(), (401, "reauthorize".to_owned()));
    assert!(answer.detail().starts_with("User not authenticated.\n\nAction required for LLM agent:\n1. Navigate to"));
    assert!(answer.detail().contains("re-authenticate"));
    assert!(!answer.header("www-authenticate").is_empty());
    let problem = answer.json();
    assert!(problem["authorization_url"].as_str().unwrap().starts_with("https://api.kroger.com/"));
    assert_eq!(problem["retryable"], false);
}

#[test]
fn each_failure_of_kroger_has_its_status_and_code() {
    let cases: [(KrogersAnswer, u16, &str); 7] = [
        (Ok((400, r#"{"code":"API-4101-400","reason":"Cannot parse parameters"}"#)), 422, "upstream_rejected"),
        (Ok((403, r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#)), 403, "scope_missing"),
        (Ok((200, "<html>")), 504, "outcome_unknown"),
        (Ok((302, "")), 502, "upstream_rejected"),
        (Ok((500, "")), 504, "outcome_unknown"),
        (Err(SendError::Unknown), 504, "outcome_unknown"),
        (Err(SendError::NotSent), 503, "upstream_unavailable"),
    ];
    for (answer, status, code) in cases {
        let server = signed_in();
        match answer {
            Ok((status, body)) => server.world.answer(status, body),
            Err(error) => server.world.lose_answer(error),
        }
        let problem = server.put("/cart/add/simple", &json!({ "upc": UPC })).problem();
        assert_eq!(problem, (status, code.to_owned()), "{answer:?}");
    }
}

#[test]
fn a_refresh_that_fails_three_times_says_so_and_when_to_try_again() {
    let server = signed_in();
    server.world.advance(Duration::from_secs(1_800));

    let answer = server.put("/cart/add/simple", &json!({ "upc": UPC }));

    assert_eq!(answer.problem(), (503, "upstream_unavailable".to_owned()));
    assert_eq!(answer.detail(), NETWORK_ERROR);
    let problem = answer.json();
    assert_eq!(problem["retryable"], true);
    assert!(problem["retry_after"].as_u64().unwrap() >= 1);
}

#[test]
fn a_store_that_fails_is_told_and_nothing_is_sent() {
    let server = signed_in();
    server.world.set_store_mood(StoreMood::Failing);

    for answer in [server.put("/cart/add/simple", &json!({ "upc": UPC })), server.get("/admin/tokens")] {
        assert_eq!(answer.problem(), (503, "store_unavailable".to_owned()));
    }

    assert!(server.sent_paths().is_empty());
}

#[test]
fn the_list_of_tokens_has_every_key_and_no_token() {
    let server = signed_in();
    server.world.answer_with_tokens("canary-app", "unused");
    maintenance::tidy(server.context()).unwrap();

    let tokens = server.get("/admin/tokens").json();

    assert_eq!(
        tokens,
        json!({
            "client_credentials": {
                "exists": true, "status": "valid", "expires_at": 1_737_203_400_u64,
                "expires_at_readable": "2025-01-18T12:30:00Z", "expires_in": "1800 seconds",
                "will_refresh": "automatically",
            },
            "user_tokens": { "user_default": {
                "status": "valid", "expires_at": 1_737_203_400_u64,
                "expires_at_readable": "2025-01-18T12:30:00Z", "expires_in": "1800 seconds",
                "will_refresh": "automatically", "has_refresh_token": true,
                "scope": "profile.compact cart.basic:write", "source": "oauth",
                "refreshed_at": 1_737_201_600_u64, "refreshed_at_readable": "2025-01-18T12:00:00Z",
            } },
            "token_storage": {
                "file_exists": true, "file_path": "keyvalue",
                "auto_refresh_enabled": true, "persistence_enabled": true,
            },
            "settings": {
                "refresh_buffer_seconds": 300, "check_interval_seconds": 60, "max_retries": 3, "success_rate": null,
            },
        })
    );
}

#[test]
fn a_token_goes_from_valid_over_expiring_and_expired_to_reauthorize() {
    let server = signed_in();
    let token = || server.get("/admin/tokens").json()["user_tokens"]["user_default"].clone();

    server.world.advance(Duration::from_secs(1_770));
    let expiring = token();
    server.world.advance(Duration::from_secs(42));
    let expired = token();
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    server.call_with("POST", "/admin/tokens/refresh", &[], "");
    let refused = token();

    assert_eq!((&expiring["status"], &expiring["expires_in"]), (&json!("expiring_soon"), &json!("30 seconds")));
    assert_eq!((&expired["status"], &expired["will_refresh"]), (&json!("expired"), &json!("on next use")));
    assert_eq!(expired["expired_ago"], "12 seconds ago");
    assert_eq!((&refused["status"], &refused["last_error"]), (&json!("reauthorize"), &json!("refused")));
    assert!(refused["reason"].as_str().unwrap().contains("re-authenticate"));
}

#[test]
fn a_forced_refresh_answers_the_new_token_and_that_it_was_saved() {
    let server = signed_in();
    server.world.advance(Duration::from_secs(60));
    server.world.answer_with_tokens("canary-access-2", "canary-refresh-2");

    let refreshed = server.call_with("POST", "/admin/tokens/refresh", &[], "");

    assert_eq!(
        refreshed.json(),
        json!({
            "message": "Token refreshed successfully", "user_id": "user_default", "expires_at": 1_737_203_460_u64,
            "expires_at_readable": "2025-01-18T12:31:00Z", "auto_saved": true,
        })
    );
}

#[test]
fn a_forced_refresh_needs_a_user_with_a_refresh_token_and_no_body() {
    let server = server();
    let state = server.state("/auth/authorize?user_id=ann");
    server.world.answer(200, r#"{"access_token":"a","expires_in":1800,"token_type":"bearer"}"#);
    assert_eq!(server.get(&format!("/auth/callback?code=c&state={state}")).status, 200);
    let refresh = |query: &str, body: &str| {
        server.call_with("POST", &format!("/admin/tokens/refresh{query}"), &[], body).problem()
    };

    assert_eq!(refresh("?user_id=ann", ""), (400, "invalid_argument".to_owned()));
    assert_eq!(refresh("?user_id=nobody", ""), (404, "not_found".to_owned()));
    assert_eq!(refresh("", r#"{"user_id":"ann"}"#), (422, "invalid_argument".to_owned()));
}

#[test]
fn a_forgotten_user_is_signed_out_and_gone_from_the_env_file() {
    let server = signed_in();
    assert!(!server.world.stored(Bucket::Env).is_empty());

    let forgotten = server.call_with("DELETE", "/admin/tokens/user%5Fdefault", &[], "");

    assert_eq!((forgotten.status, &forgotten.json()["user_id"]), (200, &json!("user_default")));
    assert!(server.world.stored(Bucket::Env).is_empty());
    assert_eq!(server.put("/cart/add/simple", &json!({ "upc": UPC })).status, 401);
    assert_eq!(server.call_with("DELETE", "/admin/tokens/%ff", &[], "").problem().0, 422);
}

#[test]
fn an_unknown_route_and_a_wrong_method_are_problems_too() {
    let server = server();

    let nowhere = server.get("/nowhere");
    let wrong_method = server.call_with("POST", "/cart/add", &[], "{}");

    assert_eq!(nowhere.problem(), (404, "not_found".to_owned()));
    assert_eq!(wrong_method.problem(), (405, "method_not_allowed".to_owned()));
    assert_eq!(wrong_method.header("allow"), "PUT");
    assert_eq!(server.call_with("HEAD", "/livez", &[], "").status, 200);
}

#[test]
fn a_host_that_is_not_known_may_only_ask_whether_we_live() {
    let server = server_with(&[
        ("KROGER_REDIRECT_URI", "https://kroger.example.com/auth/callback"),
        ("KROGER_ALLOWED_ORIGINS", "http://kroger-mcp:9004"),
    ]);
    let status = |host: &str| server.call_with("GET", "/config", &[("host", host)], "").status;

    for known in ["localhost", "LOCALHOST:80", "127.0.0.1:9004", "[::1]:9004", "kroger.example.com", "kroger-mcp:9004"]
    {
        assert_eq!(status(known), 200, "{known}");
    }
    for unknown in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "a@localhost", "", "192.168.0.1"] {
        assert_eq!(status(unknown), 403, "{unknown}");
    }
    assert_eq!(server.call_with("GET", "/livez", &[("host", "10.1.2.3:9004")], "").status, 200);
    let refused = server.call_with("GET", "/config", &[("host", "evil.example")], "");
    assert_eq!(refused.problem(), (403, "forbidden_origin".to_owned()));
    assert!(refused.json()["action"].as_str().unwrap().contains("KROGER_ALLOWED_ORIGINS"));
}

#[test]
fn a_request_without_a_host_may_only_ask_whether_we_live() {
    let server = server();
    let ask = |path: &str| server.send(Request::get(path).body(Bytes::new()).unwrap());

    assert_eq!(ask("/livez").status, 200);
    assert_eq!(ask("/config").problem(), (403, "forbidden_origin".to_owned()));
}

#[test]
fn a_page_of_another_origin_is_refused_and_an_allowed_one_may_read() {
    let server = server_with(&[("KROGER_ALLOWED_ORIGINS", "https://app.example.com")]);
    let ask = |method: &str, origin: &str| server.call_with(method, "/config", &[("origin", origin)], "");

    for foreign in ["https://evil.example", "null", "http://localhost:3000", "https://localhost:9004", "garbage"] {
        let refused = ask("GET", foreign);
        assert_eq!(refused.problem(), (403, "forbidden_origin".to_owned()), "{foreign}");
        assert_eq!(refused.header("access-control-allow-origin"), "");
        assert_eq!(ask("OPTIONS", foreign).status, 403, "{foreign}");
    }
    for known in ["https://app.example.com", "http://localhost:9004"] {
        let answer = ask("GET", known);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, known));
        assert_eq!(answer.header("vary"), "Origin");
    }
    let preflight = ask("OPTIONS", "https://app.example.com");
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-methods").contains("PUT"));
    assert!(preflight.header("access-control-allow-headers").contains("Content-Type"));
}

#[test]
fn a_page_of_another_site_may_link_here_and_not_fetch_behind_the_persons_back() {
    let server = server_with(&[("KROGER_CLIENT_ID", "app"), ("KROGER_ALLOWED_ORIGINS", "https://app.example.com")]);
    let ask = |site: &str, mode: &str, dest: &str| {
        let headers = [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
        server.call_with("GET", "/auth/authorize", &headers, "")
    };

    for (site, mode, dest) in
        [("cross-site", "no-cors", "image"), ("same-site", "no-cors", "script"), ("cross-site", "navigate", "iframe")]
    {
        assert_eq!(ask(site, mode, dest).problem(), (403, "forbidden_origin".to_owned()), "{site} {mode} {dest}");
    }
    assert!(server.world.stored(Bucket::Store).is_empty());
    for (site, mode, dest) in
        [("cross-site", "navigate", "document"), ("none", "navigate", "document"), ("same-origin", "cors", "empty")]
    {
        assert_eq!(ask(site, mode, dest).status, 200, "{site} {mode} {dest}");
    }
    let allowed = [("origin", "https://app.example.com"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")];
    assert_eq!(server.call_with("GET", "/auth/authorize", &allowed, "").status, 200);
}

#[test]
fn a_request_that_could_not_be_read_is_an_invalid_argument_of_422() {
    let response = server().service.refuse(Unreadable::Malformed);

    assert_eq!(response.status(), 422);
    assert!(String::from_utf8_lossy(response.body()).contains("invalid_argument"));
}

#[test]
fn settings_that_do_not_parse_are_named_by_every_route_and_not_shown() {
    let variables =
        [("KROGER_API_BASE_URL", "https://user:canary@api.kroger.com"), ("KROGER_CLIENT_SECRET", "can ary")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::from_variables(variables).map(Arc::new);
    let broken = Server { service: Service::new(settings), ..server() };

    for path in ["/livez", "/config", "/nowhere"] {
        let answer = broken.get(path);
        assert_eq!(answer.problem(), (500, "misconfigured".to_owned()), "{path}");
        assert!(answer.text.contains("KROGER_API_BASE_URL") && answer.text.contains("KROGER_CLIENT_SECRET"));
        assert!(!answer.text.contains("canary") && !answer.text.contains("can ary"), "{}", answer.text);
    }
}

#[test]
fn no_answer_and_no_log_shows_a_secret() {
    let server = server();
    let mut seen = String::new();
    let mut note = |answer: Answer| write!(seen, "{}{:?}", answer.text, answer.headers).unwrap();

    note(server.sign_in("/auth/authorize"));
    server.world.answer_with_tokens("canary-access-2", "canary-refresh-2");
    note(server.call_with("POST", "/admin/tokens/refresh", &[], ""));
    server.world.answer(204, "");
    note(server.put("/cart/add/simple", &json!({ "upc": UPC })));
    server.world.answer(401, r#"{"error":"invalid_token"}"#);
    server.world.answer(500, "canary-body");
    note(server.put("/cart/add/simple", &json!({ "upc": UPC })));
    server.world.answer(200, r#"{"access_token":"canary-broken"#);
    note(server.call_with("POST", "/admin/tokens/refresh", &[], ""));
    for path in ["/health", "/readyz", "/config", "/admin/tokens", "/auth/callback?code=canary-code&state=canary-state"]
    {
        note(server.get(path));
    }
    write!(seen, "{:?}", server.world.logged()).unwrap();

    assert!(seen.len() > 4_000);
    assert!(!seen.contains("canary"), "{seen}");
}
