//! Adds with an idempotency key, Kroger's quotas, and a callback that failed.

use super::*;

/// A keyed add of two bottles.
fn add_with_key(server: &Server, key: &str, upc: &str, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("idempotency-key", key)], headers].concat();
    server.call_with("PUT", "/cart/add/simple", &headers, &json!({ "upc": upc, "quantity": 2 }).to_string())
}

fn adds_sent(server: &Server) -> usize {
    server.sent_paths().iter().filter(|path| *path == "/v1/cart/add").count()
}

#[test]
fn repeated_key_replays_the_first_outcome_and_sends_nothing() {
    let server = signed_in();
    server.world.answer(204, "");

    let first = add_with_key(&server, "k-1", UPC, &[]);
    server.world.advance(Duration::from_secs(23 * 3_600));
    let again = add_with_key(&server, "\"k-1\"", UPC, &[]);
    let as_a_list = server.call_with(
        "PUT",
        "/cart/add",
        &[("idempotency-key", "k-1")],
        &json!({ "items": [{ "upc": UPC, "quantity": 2 }] }).to_string(),
    );

    assert_eq!((first.status, first.header("idempotent-replayed")), (200, ""));
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
    assert_eq!(again.json()["message"], first.json()["message"]);
    assert_eq!(as_a_list.json()["items_added"], 1);
    assert_eq!(as_a_list.header("idempotent-replayed"), "true");
    assert_eq!(adds_sent(&server), 1);
}

#[test]
fn key_belongs_to_its_items_and_its_user() {
    let server = signed_in();
    server.sign_in("/auth/authorize?user_id=bob");
    server.world.answer(204, "");
    server.world.answer(204, "");

    add_with_key(&server, "k", UPC, &[]);
    let other_items = add_with_key(&server, "k", "0001111041195", &[]);
    let other_user = add_with_key(&server, "k", "0001111041195", &[("x-kroger-user", "bob")]);

    assert_eq!(other_items.problem(), (422, "idempotency_conflict".to_owned()));
    assert_eq!((other_user.status, other_user.header("idempotent-replayed")), (200, ""));
    assert_eq!(adds_sent(&server), 2);
}

/// Another customer may sign in under the same name, whose cart has none of these items yet.
#[test]
fn key_outlives_a_new_sign_in_and_ends_with_a_forgotten_user() {
    let server = signed_in();
    server.world.answer(204, "");
    add_with_key(&server, "k", UPC, &[]);

    server.sign_in("/auth/authorize");
    let signed_in_again = add_with_key(&server, "k", UPC, &[]);
    assert_eq!(server.call_with("DELETE", "/admin/tokens/user_default", &[], "").status, 200);
    server.sign_in("/auth/authorize");
    server.world.answer(204, "");
    let forgotten = add_with_key(&server, "k", UPC, &[]);

    assert_eq!((signed_in_again.status, signed_in_again.header("idempotent-replayed")), (200, "true"));
    assert_eq!((forgotten.status, forgotten.header("idempotent-replayed")), (200, ""));
    assert_eq!(adds_sent(&server), 2);
}

#[test]
fn unknown_outcome_is_replayed_and_never_sent_again() {
    let cases: [(KrogersAnswer, u16, &str); 5] = [
        (Err(SendError::Unknown), 504, "outcome_unknown"),
        (Ok((500, "")), 504, "outcome_unknown"),
        (Ok((408, "")), 504, "outcome_unknown"),
        (Ok((200, "<html>")), 504, "outcome_unknown"),
        (Ok((302, "")), 502, "upstream_rejected"),
    ];
    for (answer, status, code) in cases {
        let server = signed_in();
        match answer {
            Ok((status, body)) => server.world.answer(status, body),
            Err(error) => server.world.lose_answer(error),
        }

        let first = add_with_key(&server, "k", UPC, &[]);
        let again = add_with_key(&server, "k", UPC, &[]);

        assert_eq!(first.problem(), (status, code.to_owned()), "{answer:?}");
        assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (first.text.as_str(), "true"));
        assert_eq!(adds_sent(&server), 1, "{answer:?}");
    }
}

#[test]
fn call_that_did_nothing_leaves_its_key_unused() {
    let cases: [(KrogersAnswer, u32, u16); 6] = [
        (Ok((503, "")), 3, 503),
        (Ok((429, "")), 3, 429),
        (Err(SendError::NotSent), 3, 503),
        (Ok((401, "")), 5, 401),
        (Ok((400, r#"{"code":"API-4101-400","reason":"Cannot parse parameters"}"#)), 1, 422),
        (Ok((403, r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#)), 1, 403),
    ];
    for (answer, times, status) in cases {
        let server = signed_in();
        for _ in 0..times {
            match answer {
                Ok((401, _)) => {
                    server.world.answer(401, "");
                    server.world.answer_with_tokens("access-2", "refresh-2");
                }
                Ok((status, body)) => server.world.answer(status, body),
                Err(error) => server.world.lose_answer(error),
            }
        }

        let first = add_with_key(&server, "k", UPC, &[]);
        server.world.forget_answers();
        server.world.answer(204, "");
        let other = add_with_key(&server, "k", "0001111041195", &[]);
        let again = add_with_key(&server, "k", UPC, &[]);

        assert_eq!(first.status, status, "{answer:?}: {}", first.text);
        assert_eq!(other.problem(), (422, "idempotency_conflict".to_owned()), "{answer:?}");
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, ""), "{answer:?}: {}", again.text);
    }
}

#[test]
fn key_has_1_to_255_printable_characters_bare_or_quoted() {
    let server = signed_in();
    let long = "k".repeat(256);
    for wrong in ["", "\"\"", "\"k", "\"k\\\"", "\"a\"b\"", "ключ", "a\tb", long.as_str()] {
        let answer = add_with_key(&server, wrong, UPC, &[]);
        assert_eq!(answer.problem(), (422, "invalid_argument".to_owned()), "{wrong}");
        assert!(answer.detail().contains("Idempotency-Key"), "{}", answer.detail());
    }
    let twice = add_with_key(&server, "a", UPC, &[("idempotency-key", "a")]);
    assert_eq!(twice.problem(), (422, "invalid_argument".to_owned()));
    assert_eq!(adds_sent(&server), 0);
    for right in ["k", &long[1..], "\"a \\\"b\\\\\"", "8e03978e-40d5-43e8-bc93-6894a57f9324"] {
        server.world.answer(204, "");
        assert_eq!(add_with_key(&server, right, UPC, &[]).status, 200, "{right}");
    }
}

#[test]
fn forgetful_store_sends_no_keyed_add() {
    let server = signed_in();
    server.world.set_store_mood(StoreMood::Forgetful);

    let answer = add_with_key(&server, "k", UPC, &[]);

    assert_eq!(answer.problem(), (503, "store_unavailable".to_owned()));
    assert!(answer.detail().contains("Nothing was sent"), "{}", answer.detail());
    assert_eq!(adds_sent(&server), 0);
}

#[test]
fn ledger_holds_neither_key_nor_items_and_is_swept_after_a_day() {
    let server = signed_in();
    let ledger = |server: &Server| -> Vec<String> {
        let stored = server.world.stored(Bucket::Store).into_iter();
        let lines = stored.map(|(key, value)| format!("{key} {}", String::from_utf8_lossy(&value)));
        lines.filter(|line| line.starts_with("add_")).collect()
    };
    server.world.answer(204, "");
    add_with_key(&server, "canary-key", UPC, &[]);
    let others_claim = format!("add_claim.{}.1", "a".repeat(52));
    server.world.increment_by(&others_claim, 1);

    let held = ledger(&server);
    server.world.advance(Duration::from_secs(24 * 3_600));
    maintenance::tidy(server.context()).unwrap();
    let after_a_day = ledger(&server);
    server.world.advance(Duration::from_secs(2 * 3_600));
    maintenance::tidy(server.context()).unwrap();
    let after_more = ledger(&server);
    server.world.advance(Duration::from_secs(26 * 3_600));
    maintenance::tidy(server.context()).unwrap();

    assert_eq!(held.len(), 2, "{held:?}");
    assert!(held.iter().all(|line| !line.contains("canary") && !line.contains(UPC)), "{held:?}");
    assert_eq!(after_a_day.len(), 3, "{after_a_day:?}");
    assert_eq!(after_more.len(), 1, "the abandoned claim was dated: {after_more:?}");
    assert!(ledger(&server).is_empty());
    assert!(!server.world.has_counter(&others_claim));
}

#[test]
fn rate_limits_show_each_endpoint_and_what_the_cart_used() {
    let server = signed_in();
    server.world.answer(503, "");
    server.world.answer(204, "");
    server.put("/cart/add/simple", &json!({ "upc": UPC }));
    server.world.answer_later(429, Some("600"));
    let refused = server.put("/cart/add/simple", &json!({ "upc": UPC }));

    let limits = server.get("/admin/rate-limits").json();
    let withheld = server.put("/cart/add/simple", &json!({ "upc": UPC }));

    assert_eq!(limits["endpoints"].as_object().unwrap().len(), 6);
    let cart = &limits["endpoints"]["cart"];
    assert_eq!((&cart["limit"], &cart["used"], &cart["remaining"]), (&json!(5_000), &json!(3), &json!(4_997)));
    assert_eq!((&cart["reserve"], &limits["window_seconds"]), (&json!(250), &json!(86_400)));
    let started = cart["window_started_at"].as_u64().unwrap();
    assert_eq!(cart["resets_at"], started + 86_400);
    assert!(cart["blocked_until_readable"].is_string());
    assert_eq!(limits["endpoints"]["products"]["resets_at"], Value::Null);
    for answer in [refused, withheld] {
        assert_eq!(answer.problem(), (429, "quota_exhausted".to_owned()));
        assert_eq!(answer.json()["retry_after"], 600);
    }
    assert_eq!(adds_sent(&server), 3);
}

#[test]
fn spent_callback_is_not_retryable() {
    for lost in [SendError::NotSent, SendError::Unknown] {
        let server = server();
        let state = server.state("/auth/authorize");
        server.world.lose_answer(lost);

        let answer = server.get(&format!("/auth/callback?code=code&state={state}"));

        assert_eq!(answer.problem(), (503, "upstream_unavailable".to_owned()));
        assert_eq!(answer.json()["retryable"], false);
        assert_eq!(answer.json()["action"], "Start again at /auth/authorize.");
    }
}

/// A replay needs no look-up: the catalog may be down by then.
#[test]
fn repeat_of_a_barcode_is_answered_without_a_look_up() {
    let server = signed_in();
    server.world.answer(200, r#"{"access_token":"canary-app","expires_in":1800}"#);
    server.world.answer(200, json!({ "data": [{ "upc": UPC, "description": "Milk" }] }).to_string());
    server.world.answer(204, "");

    let first = add_with_key(&server, "k", "11110417008", &[]);
    let again = add_with_key(&server, "k", "11110417008", &[]);

    assert_eq!((first.status, again.status), (200, 200), "{}", again.text);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(first.json()["notes"], again.json()["notes"]);
}
