//! Both ends of a sign-in, and the links that failed calls answer.

use super::*;

#[test]
fn authorize_answers_programs_and_redirects_browsers() {
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
fn authorize_refuses_wrong_scope_and_missing_credentials() {
    assert_eq!(server().get("/auth/authorize?scope=a%22b").problem(), (422, "invalid_argument".to_owned()));

    let answer = server_with(&[]).get("/auth/authorize");

    assert_eq!(answer.problem(), (503, "client_credentials_rejected".to_owned()));
    assert!(answer.detail().starts_with("Invalid Kroger API credentials. Please check KROGER_CLIENT_ID and"));
}

#[test]
fn completed_sign_in_is_saved_and_reported() {
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
fn sign_in_page_escapes_the_user_and_runs_nothing() {
    let server = server();
    let state = server.state("/auth/authorize?user_id=%3Cscript%3Ealert(1)%3C/script%3E");
    server.world.answer_with_tokens("a", "r");

    let asked = server.call_with("GET", &format!("/auth/callback?code=c&state={state}"), &[("accept", BROWSER)], "");
    let page = server.call_with("POST", &format!("/auth/finish?code=c&state={state}"), &[("accept", BROWSER)], "");

    assert!(asked.text.contains("&lt;script&gt;alert(1)") && !asked.text.contains("<script"), "{}", asked.text);
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
fn unknown_or_incomplete_redirect_stores_nothing() {
    let server = server();

    for query in ["", "?code=x", "?state=1.x", "?code=x&state=1.x", "?code=x&state=%00", "?code=%ff&state=1.x"] {
        let answer = server.get(&format!("/auth/callback{query}"));
        assert_eq!(answer.problem(), (400, "invalid_argument".to_owned()), "{query}");
    }

    assert!(server.world.sent().is_empty());
}

#[test]
fn state_works_once_within_ten_minutes() {
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
fn declined_sign_in_spends_the_state() {
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
fn failed_sign_in_page_links_to_a_new_one_for_the_same_user() {
    let server = server();
    let page = |query: &str| {
        let page = server.call_with("POST", &format!("/auth/finish?{query}"), &[("accept", BROWSER)], "");
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

/// The link that an add answers for a user without a sign-in.
#[test]
fn lost_code_exchange_requires_a_new_sign_in() {
    for (answer, words) in [
        (Err(SendError::Unknown), "answer to the sign-in was lost. Nothing was stored"),
        (Err(SendError::NotSent), "did not complete the sign-in. Nothing was stored"),
        (Ok((503, "")), "did not complete the sign-in. Nothing was stored"),
    ] {
        let server = server();
        let callback = format!("/auth/callback?code=c&state={}", server.state("/auth/authorize"));
        match answer {
            Ok((status, body)) => server.world.answer(status, body),
            Err(error) => server.world.lose_answer(error),
        }

        let unanswered = server.get(&callback);
        let again = server.get(&callback);

        assert_eq!(unanswered.problem(), (503, "upstream_unavailable".to_owned()));
        assert_eq!((unanswered.header("retry-after"), &unanswered.json()["retryable"]), ("", &json!(false)));
        assert_eq!(unanswered.json()["action"], "Start again at /auth/authorize.");
        assert!(unanswered.detail().contains(words), "{}", unanswered.detail());
        assert_eq!(again.problem(), (400, "invalid_argument".to_owned()));
        server.sign_in("/auth/authorize");
        assert_eq!(server.get("/admin/tokens").json()["user_tokens"]["user_default"]["status"], "valid");
    }
}

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
fn links_of_failing_calls_end_when_one_of_them_is_used_and_when_the_user_signs_out() {
    let server = server();
    let complete = |link: &str| {
        server.world.answer_with_tokens("a", "r");
        server.get(&format!("/auth/callback?code=c&state={}", state_of(link))).status
    };

    let (declined, first, second) = (link(&server), link(&server), link(&server));
    server.get(&format!("/auth/callback?error=access_denied&state={}", state_of(&declined)));
    assert_eq!(complete(&declined), 400);
    assert_eq!(complete(&first), 200);
    assert_eq!([complete(&second), complete(&first)], [400, 400]);
    server.call_with("DELETE", "/admin/tokens/user_default", &[], "");
    let before = link(&server);
    server.call_with("DELETE", "/admin/tokens/user_default", &[], "");
    assert_eq!(complete(&before) / 100, 4);
    let last = link(&server);
    server.world.advance(Duration::from_secs(599));
    assert_eq!(complete(&last), 200);
}

#[test]
fn missing_scope_and_rejected_token_get_links_of_their_own() {
    let server = server_with(&[("KROGER_CLIENT_ID", "app"), ("KROGER_SCOPE", "profile.compact")]);
    server.sign_in("/auth/authorize?user_id=ann");
    let add = || server.call_with("PUT", "/cart/add/simple?user_id=ann", &[], r#"{"upc":"0001111041700"}"#);
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
fn unknown_users_leave_no_lasting_record() {
    let server = server();
    server.world.answer_with_tokens("canary-app", "unused");
    maintenance::tidy(server.context()).unwrap();
    // Makes the key that seals all links.
    server.state("/auth/authorize");
    // A sign-out keeps one of 1,024 places, which the next one may have.
    let is_lasting = |key: &String| !key.starts_with("signin_ended.");
    let keys = || server.world.stored(Bucket::Store).into_keys().filter(is_lasting).collect::<Vec<_>>();
    let before = keys();

    for id in ["ann", "ben"] {
        let path = format!("/cart/add/simple?user_id={id}");
        let refused = server.call_with("PUT", &path, &[], r#"{"upc":"0001111041700"}"#).json();
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
fn deletion_ends_a_first_sign_in_under_way() {
    let server = server();
    let ann = UserId::parse("ann").unwrap();
    let state = server.state("/auth/authorize?user_id=ann");
    server.world.answer_with_tokens("a", "r");

    let (world, settings, user) = (Arc::clone(&server.world), Arc::clone(&server.settings), ann.clone());
    server.world.interrupt_before(records::roots_key(&ann.key()), move || {
        sign_out::forget(Cx { settings: &settings, ports: &*world }, &user).unwrap();
    });
    let late = server.get(&format!("/auth/callback?code=c&state={state}"));

    assert_eq!(late.problem(), (401, "reauthorize".to_owned()));
    assert_eq!(server.get("/admin/tokens").json()["user_tokens"], json!({}));
}

#[test]
fn sweep_keeps_a_sign_in_under_way() {
    let server = server();
    let state = server.state("/auth/authorize");
    server.world.advance(Duration::from_secs(599));
    server.world.answer_with_tokens("canary-app", "unused");
    maintenance::tidy(server.context()).unwrap();

    server.world.answer_with_tokens("a", "r");

    assert_eq!(server.get(&format!("/auth/callback?code=c&state={state}")).status, 200);
}

/// The link that a browser goes on to, and the cookie that it gets.
fn gone_on(answer: &Answer) -> (String, String) {
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    (state_of(answer.header("location")), cookie)
}

#[test]
fn own_user_on_loopback_goes_straight_on_and_only_that_browser_comes_back() {
    let server = server();
    let begun = server.call_with("GET", "/auth/authorize", &[("accept", BROWSER), ("sec-fetch-site", "none")], "");
    let (state, cookie) = gone_on(&begun);
    let come_back = |headers: &[(&str, &str)]| {
        server.call_with("GET", &format!("/auth/callback?code=c&state={state}"), headers, "").status
    };

    assert_eq!(begun.status, 303);
    assert!(begun.header("set-cookie").contains("HttpOnly; SameSite=Lax"), "{}", begun.header("set-cookie"));
    for stranger in [&[][..], &[("accept", BROWSER)], &[("cookie", "kroger_sign_in=forged")]] {
        assert_eq!(come_back(stranger), 400);
    }
    let decline = format!("/auth/callback?error=access_denied&state={state}");
    assert_eq!(server.get(&decline).status, 400);
    server.world.answer_with_tokens("a", "r");
    assert_eq!(come_back(&[("accept", BROWSER), ("cookie", &cookie)]), 200);
}

/// The attacks: a page of another site leads a person here, or somebody passes a link on.
#[test]
fn person_who_may_have_been_led_here_is_told_for_whom_and_asked() {
    let usual = "/auth/authorize";
    for (path, site, uri) in [
        ("/auth/authorize?user_id=mallory", "none", None),
        ("/auth/authorize?user_id=mallory", "cross-site", None),
        ("/auth/authorize?scope=profile.compact", "none", None),
        ("/auth/authorize?scope=profile.compact", "cross-site", None),
        (usual, "cross-site", None),
        (usual, "same-site", None),
        (usual, "none", Some("https://kroger.example.com/auth/callback")),
    ] {
        let uri = uri.unwrap_or("http://localhost:9004/auth/callback");
        let server = server_with(&[("KROGER_CLIENT_ID", "app"), ("KROGER_REDIRECT_URI", uri)]);
        let headers = [
            ("accept", BROWSER),
            ("sec-fetch-site", site),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];

        let page = server.call_with("GET", path, &headers, "");

        assert_eq!((page.status, page.header("set-cookie")), (200, ""), "{path} {site}");
        let user = if path.contains("mallory") { "mallory" } else { "user_default" };
        assert!(page.text.contains(&format!("<strong>{user}</strong>")), "{}", page.text);
        let action = page.text.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
        let foreign = [("origin", "https://evil.example")];
        assert_eq!(server.call_with("POST", &format!("/auth/{action}"), &foreign, "").status, 403);
        let agreed = server.call_with("POST", &format!("/auth/{action}"), &[("origin", "http://localhost:9004")], "");
        assert_eq!(agreed.status, 200, "{}", agreed.text);
        assert!(agreed.text.contains("api.kroger.com") && agreed.header("set-cookie").contains("kroger_sign_in="));
    }
}

#[test]
fn browser_that_comes_back_by_a_link_of_somebody_else_is_asked_before_anything_is_saved() {
    let server = server();
    let failed = server.call_with("PUT", "/cart/add/simple?user_id=mallory", &[], r#"{"upc":"1"}"#).json();
    let of_failed_call = state_of(failed["authorization_url"].as_str().unwrap());
    let fewer = server.state("/auth/authorize?scope=profile.compact");
    for (state, name) in [
        (server.state("/auth/authorize?user_id=mallory"), "mallory"),
        (of_failed_call, "mallory"),
        (fewer, "user_default"),
    ] {
        for headers in [&[("accept", BROWSER)][..], &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]] {
            let asked = server.call_with("GET", &format!("/auth/callback?code=c&state={state}"), headers, "");
            assert_eq!(asked.status, 200);
            assert!(asked.text.contains(&format!("<strong>{name}</strong>")), "{}", asked.text);
            assert!(asked.text.contains("Nothing is saved yet"), "{}", asked.text);
        }
        assert!(server.world.sent().is_empty());
    }
}

#[test]
fn redirect_that_names_another_issuer_is_refused_and_ends_nothing() {
    let server = server();
    let state = server.state("/auth/authorize");

    for issuer in ["https://evil.example", "https://api.kroger.com.evil.example", "http://api.kroger.com", "nonsense"] {
        for brought in ["code=c", "error=access_denied"] {
            let refused = server.get(&format!("/auth/callback?{brought}&state={state}&iss={issuer}"));
            assert_eq!(refused.problem().0, 400, "{issuer}");
        }
    }
    assert!(server.world.sent().is_empty());
    server.world.answer_with_tokens("a", "r");
    assert_eq!(server.get(&format!("/auth/callback?code=c&state={state}&iss=https://api.kroger.com")).status, 200);
}
