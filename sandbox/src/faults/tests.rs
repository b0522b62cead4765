//! The faults as callers ask for them.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use super::{action::CannedAnswer, *};

fn faults(list: &Value) -> Result<CallFaults, String> {
    let mut faults = CallFaults::default();
    faults.add(list.to_string().as_bytes())?;
    Ok(faults)
}

fn firings(faults: &mut CallFaults, calls: usize) -> Vec<bool> {
    (0..calls).map(|_| faults.meet(&Method::GET, "/x").is_some()).collect()
}

#[test]
fn times_fires_first_calls_and_nth_fires_once() {
    let fire = |when: Value| {
        let mut fault = json!({"action": "drop_before"});
        fault.as_object_mut().unwrap().extend(when.as_object().unwrap().clone());
        firings(&mut faults(&json!([fault])).unwrap(), 3)
    };
    assert_eq!(fire(json!({"times": 2})), [true, true, false]);
    assert_eq!(fire(json!({"nth": 2})), [false, true, false]);
    assert_eq!(fire(json!({})), [true, true, true]);
}

#[test]
fn probability_fires_at_its_rate_and_repeats_with_its_seed() {
    let fire = |seed: u64| {
        let list = json!([{"probability": 0.3, "action": "garbage", "seed": seed}]);
        firings(&mut faults(&list).unwrap(), 10_000)
    };
    let fired = fire(1).into_iter().filter(|fired| *fired).count();
    assert!((2_800..3_200).contains(&fired), "{fired}");
    assert_eq!(fire(1), fire(1));
    assert_ne!(fire(1), fire(2));
}

#[test]
fn first_fault_that_fires_decides() {
    let mut faults = faults(&json!([
        {"match": {"method": "put"}, "action": "drop_before"},
        {"match": {"path": "/x"}, "times": 1, "action": "drop_after"},
        {"action": "garbage"},
    ]))
    .unwrap();
    assert_eq!(faults.meet(&Method::GET, "/x"), Some(FaultAction::DropAfter));
    assert_eq!(faults.meet(&Method::GET, "/x"), Some(FaultAction::Garbage));
    assert_eq!(faults.meet(&Method::PUT, "/x"), Some(FaultAction::DropBefore));
    let listing = faults.listing();
    let counts = |at: usize| (listing[at]["matched"].as_u64(), listing[at]["fired"].as_u64());
    assert_eq!(counts(0), (Some(1), Some(1)));
    assert_eq!(counts(1), (Some(2), Some(1)));
    assert_eq!(counts(2), (Some(1), Some(1)));
}

#[test]
fn requested_answer_keeps_its_headers_and_json_type() {
    let action = |action: Value| FaultAction::parse(action).unwrap();
    let text = |name: &str| HeaderValue::from_str(name).unwrap();
    let expected = CannedAnswer {
        status: StatusCode::TOO_MANY_REQUESTS,
        headers: vec![
            (HeaderName::from_static("retry-after"), text("7")),
            (HeaderName::from_static("content-type"), text("application/json")),
        ],
        body: r#"{"a":1}"#.into(),
    };
    let asked = json!({"status": 429, "headers": {"Retry-After": 7}, "body": {"a": 1}});
    assert_eq!(action(asked), FaultAction::Status(expected));
    assert_eq!(action(json!({"status_after": 502})), FaultAction::StatusAfter(StatusCode::BAD_GATEWAY));
    assert_eq!(action(json!({"delay_ms": 5})), FaultAction::DelayMs(5));
}

#[test]
fn one_wrong_fault_rejects_the_whole_list() {
    for (fault, word) in [
        (json!({"action": "explode"}), "explode"),
        (json!({"action": {"status": 99}}), "between 200 and 599"),
        (json!({"action": {"status": 500, "status_after": 500}}), "exactly one"),
        (json!({"action": {"delay_ms": 5, "body": "x"}}), "exactly one"),
        (json!({"action": {"statuss": 500}}), "statuss"),
        (json!({"action": {"status": 500, "headers": {"a b": "c"}}}), "a b"),
        (json!({"action": 5}), "a name or an object"),
        (json!({"match": {"host": "x"}, "action": "garbage"}), "host"),
        (json!({"times": 1, "nth": 1, "action": "garbage"}), "only one"),
        (json!({"probability": 1.5, "action": "garbage"}), "between 0 and 1"),
        (json!({"nth": 0, "action": "garbage"}), "from 1"),
        (json!({"times": 1}), "action"),
    ] {
        let mut taken = CallFaults::default();
        let list = json!([{"action": "garbage"}, fault]).to_string();
        let error = taken.add(list.as_bytes()).unwrap_err();
        assert!(error.contains(word) && error.contains("fault 1"), "{error}");
        assert_eq!(taken.len(), 0);
    }
}
