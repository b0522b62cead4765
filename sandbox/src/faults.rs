//! Faults on request: which call meets one, and which. Only decides; `chaos` carries it out.

use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What happens to a call that meets a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Answered without being processed.
    Status(Answer),
    /// Processed; then this status and nothing else is answered.
    StatusAfter(StatusCode),
    /// Held up for so many milliseconds, then processed.
    DelayMs(u64),
    /// The connection is closed; nothing was processed.
    DropBefore,
    /// Processed; then the connection is closed without an answer.
    DropAfter,
    /// Processed; then half of the answer's body, and the connection is closed.
    Truncate,
    /// Processed; then 200 with something that is no API's answer.
    Garbage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: String,
}

/// The faults in force, in the order they were asked for.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

struct Fault {
    /// As it was asked for.
    asked: Map<String, Value>,
    matcher: Matcher,
    when: When,
    action: Action,
    random: SplitMix64,
    matched: u64,
    fired: u64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Matcher {
    method: Option<String>,
    path: Option<String>,
}

enum When {
    Always,
    Probability(f64),
    /// The first so many matching calls.
    Times(u64),
    /// Only this matching call, counted from 1.
    Nth(u64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultRequest {
    #[serde(rename = "match", default)]
    matcher: Matcher,
    probability: Option<f64>,
    times: Option<u64>,
    nth: Option<u64>,
    action: Value,
    #[serde(default)]
    seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionRequest {
    status: Option<u16>,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Option<Value>,
    status_after: Option<u16>,
    delay_ms: Option<u64>,
}

impl Faults {
    /// Adds the faults of a JSON list: all of them, or none and the reason.
    pub(crate) fn add(&mut self, list: &[u8]) -> Result<(), String> {
        let list: Vec<Map<String, Value>> =
            serde_json::from_slice(list).map_err(|error| format!("the body must be a JSON list of faults: {error}"))?;
        let parsed: Result<Vec<Fault>, String> = list
            .into_iter()
            .enumerate()
            .map(|(at, asked)| Fault::parse(asked).map_err(|error| format!("fault {at}: {error}")))
            .collect();
        self.0.extend(parsed?);
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to this call: the first fault that matches and fires decides, and those
    /// behind it do not see the call.
    pub(crate) fn meet(&mut self, method: &Method, path: &str) -> Option<Action> {
        self.0.iter_mut().filter(|fault| fault.matcher.matches(method, path)).find_map(Fault::fire)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Each fault as it was asked for, with how many calls it `matched` and how often it `fired`.
    pub(crate) fn listing(&self) -> Value {
        self.0.iter().map(Fault::listing).collect()
    }
}

impl Fault {
    fn parse(asked: Map<String, Value>) -> Result<Self, String> {
        let request = FaultRequest::deserialize(Value::Object(asked.clone())).map_err(|error| error.to_string())?;
        Ok(Self {
            when: When::parse(&request)?,
            action: Action::parse(request.action)?,
            matcher: request.matcher,
            random: SplitMix64(request.seed),
            asked,
            matched: 0,
            fired: 0,
        })
    }

    fn fire(&mut self) -> Option<Action> {
        self.matched += 1;
        let fires = match self.when {
            When::Always => true,
            When::Probability(probability) => self.random.fraction() < probability,
            When::Times(times) => self.fired < times,
            When::Nth(nth) => self.matched == nth,
        };
        if !fires {
            return None;
        }
        self.fired += 1;
        Some(self.action.clone())
    }

    fn listing(&self) -> Value {
        let mut listed = self.asked.clone();
        listed.insert("matched".into(), self.matched.into());
        listed.insert("fired".into(), self.fired.into());
        listed.into()
    }
}

impl Matcher {
    fn matches(&self, method: &Method, path: &str) -> bool {
        let method_fits = |wanted: &String| wanted.eq_ignore_ascii_case(method.as_str());
        self.method.as_ref().is_none_or(method_fits) && self.path.as_ref().is_none_or(|wanted| wanted == path)
    }
}

impl When {
    fn parse(request: &FaultRequest) -> Result<Self, String> {
        match (request.probability, request.times, request.nth) {
            (None, None, None) => Ok(Self::Always),
            (Some(chance), None, None) if (0.0..=1.0).contains(&chance) => Ok(Self::Probability(chance)),
            (Some(_), None, None) => Err("`probability` must be between 0 and 1".into()),
            (None, Some(times), None) => Ok(Self::Times(times)),
            (None, None, Some(nth)) if nth > 0 => Ok(Self::Nth(nth)),
            (None, None, Some(_)) => Err("`nth` counts from 1".into()),
            _ => Err("give only one of `probability`, `times`, `nth`".into()),
        }
    }
}

impl Action {
    fn parse(asked: Value) -> Result<Self, String> {
        match asked {
            Value::String(name) => Self::named(&name),
            Value::Object(_) => {
                ActionRequest::deserialize(asked).map_err(|error| format!("`action`: {error}"))?.try_into()
            }
            _ => Err("`action` must be a name or an object".into()),
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        match name {
            "drop_before" => Ok(Self::DropBefore),
            "drop_after" => Ok(Self::DropAfter),
            "truncate" => Ok(Self::Truncate),
            "garbage" => Ok(Self::Garbage),
            _ => Err(format!("`action` {name:?} is none of drop_before, drop_after, truncate, garbage")),
        }
    }
}

impl TryFrom<ActionRequest> for Action {
    type Error = String;

    fn try_from(asked: ActionRequest) -> Result<Self, String> {
        let decorated = asked.body.is_some() || !asked.headers.is_empty();
        match (asked.status, asked.status_after, asked.delay_ms) {
            (Some(code), None, None) => answer(code, asked.headers, asked.body).map(Self::Status),
            (None, Some(code), None) if !decorated => status(code).map(Self::StatusAfter),
            (None, None, Some(ms)) if !decorated => Ok(Self::DelayMs(ms)),
            _ => Err("`action` must have exactly one of `status` (with `headers` and `body` if \
                      wanted), `status_after`, `delay_ms`"
                .into()),
        }
    }
}

fn status(code: u16) -> Result<StatusCode, String> {
    match StatusCode::from_u16(code) {
        Ok(status) if (200..600).contains(&code) => Ok(status),
        _ => Err(format!("a status must be between 200 and 599, not {code}")),
    }
}

fn answer(code: u16, asked: Map<String, Value>, body: Option<Value>) -> Result<Answer, String> {
    let mut headers = Vec::new();
    for (name, value) in asked {
        headers.push(header(&name, &value).ok_or_else(|| format!("header {name:?} is not valid"))?);
    }
    let (body, media_type) = match body {
        None => (String::new(), None),
        Some(Value::String(text)) => (text, Some("text/plain; charset=utf-8")),
        Some(json) => (json.to_string(), Some("application/json")),
    };
    let typed = headers.iter().any(|(name, _)| name == "content-type");
    if let Some(media_type) = media_type.filter(|_| !typed) {
        headers.push((HeaderName::from_static("content-type"), HeaderValue::from_static(media_type)));
    }
    Ok(Answer { status: status(code)?, headers, body })
}

/// A header whose value is given as a string or, as with `Retry-After`, as a number.
fn header(name: &str, value: &Value) -> Option<(HeaderName, HeaderValue)> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some((name.parse().ok()?, text.parse().ok()?))
}

/// The same seed fires at the same calls, whatever else the machine does.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0, less than 1; the upper 32 bits are enough for a probability.
    fn fraction(&mut self) -> f64 {
        let upper = u32::try_from(self.next() >> 32).unwrap_or_default();
        f64::from(upper) / 4_294_967_296.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(list: &Value) -> Result<Faults, String> {
        let mut faults = Faults::default();
        faults.add(list.to_string().as_bytes())?;
        Ok(faults)
    }

    fn firings(faults: &mut Faults, calls: usize) -> Vec<bool> {
        (0..calls).map(|_| faults.meet(&Method::GET, "/x").is_some()).collect()
    }

    #[test]
    fn times_are_the_first_calls_nth_is_one_call_and_neither_is_all() {
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
    fn a_probability_is_met_and_the_same_seed_fires_at_the_same_calls() {
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
    fn the_first_that_matches_and_fires_decides_and_later_ones_do_not_see_the_call() {
        let mut faults = faults(&json!([
            {"match": {"method": "put"}, "action": "drop_before"},
            {"match": {"path": "/x"}, "times": 1, "action": "drop_after"},
            {"action": "garbage"},
        ]))
        .unwrap();
        assert_eq!(faults.meet(&Method::GET, "/x"), Some(Action::DropAfter));
        assert_eq!(faults.meet(&Method::GET, "/x"), Some(Action::Garbage));
        assert_eq!(faults.meet(&Method::PUT, "/x"), Some(Action::DropBefore));
        let listing = faults.listing();
        let counts = |at: usize| (listing[at]["matched"].as_u64(), listing[at]["fired"].as_u64());
        assert_eq!(counts(0), (Some(1), Some(1)));
        assert_eq!(counts(1), (Some(2), Some(1)));
        assert_eq!(counts(2), (Some(1), Some(1)));
    }

    #[test]
    fn an_answer_has_its_own_headers_and_a_json_body_says_so() {
        let action = |action: Value| Action::parse(action).unwrap();
        let text = |name: &str| HeaderValue::from_str(name).unwrap();
        let expected = Answer {
            status: StatusCode::TOO_MANY_REQUESTS,
            headers: vec![
                (HeaderName::from_static("retry-after"), text("7")),
                (HeaderName::from_static("content-type"), text("application/json")),
            ],
            body: r#"{"a":1}"#.into(),
        };
        let asked = json!({"status": 429, "headers": {"Retry-After": 7}, "body": {"a": 1}});
        assert_eq!(action(asked), Action::Status(expected));
        assert_eq!(action(json!({"status_after": 502})), Action::StatusAfter(StatusCode::BAD_GATEWAY));
        assert_eq!(action(json!({"delay_ms": 5})), Action::DelayMs(5));
    }

    #[test]
    fn what_is_wrong_with_a_fault_is_said_and_none_of_the_list_is_taken() {
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
            let mut taken = Faults::default();
            let list = json!([{"action": "garbage"}, fault]).to_string();
            let error = taken.add(list.as_bytes()).unwrap_err();
            assert!(error.contains(word) && error.contains("fault 1"), "{error}");
            assert_eq!(taken.len(), 0);
        }
    }
}
