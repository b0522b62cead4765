//! The answers to failed calls, and the secrets that none of them shows.

use super::*;

#[test]
fn unknown_outcome_of_an_add_names_its_cause() {
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
fn exhausted_quota_names_the_time_that_kroger_gave() {
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
fn missing_sign_in_is_answered_with_steps_and_a_link() {
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
fn refresh_that_fails_three_times_says_when_to_try_again() {
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
fn failing_store_is_reported_and_nothing_is_sent() {
    let server = signed_in();
    server.world.set_store_mood(StoreMood::Failing);

    for answer in [server.put("/cart/add/simple", &json!({ "upc": UPC })), server.get("/admin/tokens")] {
        assert_eq!(answer.problem(), (503, "store_unavailable".to_owned()));
    }

    assert!(server.sent_paths().is_empty());
}

#[test]
fn unreadable_request_is_an_invalid_argument() {
    let response = server().service.refuse(Malformed);

    assert_eq!(response.status(), 422);
    assert!(String::from_utf8_lossy(response.body()).contains("invalid_argument"));
}

#[test]
fn every_route_names_invalid_settings_without_their_values() {
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
    for path in [
        "/health",
        "/readyz",
        "/config",
        "/admin/tokens",
        "/admin/tokens/status",
        "/admin/tokens/validate?online=true",
        "/openapi.json",
        "/auth/callback?code=canary-code&state=canary-state",
    ] {
        note(server.get(path));
    }
    write!(seen, "{:?}", server.world.logged()).unwrap();

    assert!(seen.len() > 4_000);
    assert!(!seen.contains("canary"), "{seen}");
}
