//! The store and the tokens in it, by the component's own judgement.

use serde_json::Value;

use super::{Point, Verdict};
use crate::cli::ask::{self, text};
use crate::cli::print::{printable, short};
use crate::keep::sqlite;
use crate::{Given, Settings, StoreLocation, cache_directory};
use crate::{Host, StartError};

/// Opens the store, if there is one, and has the component validate all.
pub(super) async fn points(store: StoreLocation, given: &Given) -> Vec<Point> {
    if matches!(sqlite::is_store(&store.directory), Ok(false)) {
        return vec![Point::bad("sign-in", "nobody is signed in; sign in: kroger-mcp login")];
    }
    let Ok(settings) = Settings::to_look(given, store) else { return Vec::new() };
    match Host::start(settings, cache_directory().as_deref()) {
        Ok(host) => validated(&host).await,
        Err(StartError::Store(error)) => vec![Point::bad("store", error.to_string())],
        Err(error) => vec![Point::bad("component", error.to_string())],
    }
}

async fn validated(host: &Host) -> Vec<Point> {
    match ask::get(host, "/admin/tokens/validate").await {
        Ok(answer) => of_answer(&answer),
        Err(_) => vec![Point::bad("tokens", "the component cannot look at them; KROGER_LOG=debug says why")],
    }
}

fn of_answer(answer: &Value) -> Vec<Point> {
    let mut points = vec![Point::good("store", "it opens, and nothing in it is damaged")];
    points.extend(checks(&answer["server"]).map(server_point));
    points.extend(group("app's token", &answer["tokens"]["client_credentials"], Verdict::Warning));
    let users = answer["tokens"]["users"].as_object();
    if users.is_none_or(serde_json::Map::is_empty) {
        points.push(Point::bad("sign-in", "nobody is signed in; sign in: kroger-mcp login"));
    }
    for (user, validated) in users.into_iter().flatten() {
        points.extend(group(&format!("token of {}", printable(&short(user))), validated, Verdict::Bad));
    }
    points
}

fn checks(validated: &Value) -> impl Iterator<Item = &Value> {
    validated["checks"].as_array().into_iter().flatten()
}

fn server_point(check: &Value) -> Point {
    let name = match check["name"].as_str().unwrap_or_default() {
        "last_tick" => "timer".to_owned(),
        other => other.replace('_', " "),
    };
    let detail = text(check, "detail").unwrap_or_default();
    let verdict = if check["ok"] == true { Verdict::Good } else { Verdict::Bad };
    // Tokens are refreshed on use, too.
    let verdict = if name == "timer" && verdict == Verdict::Bad { Verdict::Warning } else { verdict };
    Point::new(name, verdict, detail)
}

/// One good point where all is good, else each check that is not. A token that
/// has expired and has nothing else wrong with it is renewed when it is used.
fn group(name: &str, validated: &Value, otherwise: Verdict) -> Vec<Point> {
    let wrong: Vec<&Value> = checks(validated).filter(|check| check["ok"] != true).collect();
    let mends_itself = wrong.iter().all(|check| check["name"] == "expiry");
    let verdict = if mends_itself { Verdict::Note } else { otherwise };
    let point = |check: &&Value| Point::new(name, verdict, text(check, "detail").unwrap_or_default());
    let mut points: Vec<Point> = wrong.iter().map(point).collect();
    if points.is_empty() {
        let names: Vec<String> =
            checks(validated).filter_map(|check| text(check, "name")).map(|name| name.replace('_', " ")).collect();
        points.push(Point::good(name, format!("good: {}", names.join(", "))));
    }
    points
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_good_token_is_one_point_and_each_fault_of_another_is_its_own() {
        let good = json!({"valid": true, "checks": [{"name": "refresh_token", "ok": true, "detail": "x"}]});
        let bad = json!({"valid": false, "checks": [
            {"name": "shape", "ok": true, "detail": "x"},
            {"name": "expiry", "ok": false, "detail": "expired"},
            {"name": "refresh_token", "ok": false, "detail": "sign in again"},
        ]});
        let expired = json!({"valid": false, "checks": [
            {"name": "expiry", "ok": false, "detail": "expired; it is refreshed on next use"},
            {"name": "refresh_token", "ok": true, "detail": "x"},
        ]});
        let tick = json!({"checks": [{"name": "last_tick", "ok": false, "detail": "let the server run"}]});

        let points = of_answer(&json!({
            "server": tick, "tokens": {"client_credentials": good, "users": {"ann": good, "bob": bad, "cyd": expired}},
        }));

        let told: Vec<(&str, Verdict, &str)> =
            points.iter().map(|point| (point.name.as_str(), point.verdict, point.detail.as_str())).collect();
        assert_eq!(
            told[1..],
            [
                ("timer", Verdict::Warning, "let the server run"),
                ("app's token", Verdict::Good, "good: refresh token"),
                ("token of ann", Verdict::Good, "good: refresh token"),
                ("token of bob", Verdict::Bad, "expired"),
                ("token of bob", Verdict::Bad, "sign in again"),
                ("token of cyd", Verdict::Note, "expired; it is refreshed on next use"),
            ]
        );
    }
}
