//! The store and the tokens in it, by the component's own judgement.

use super::point::{Point, Verdict};
use crate::cli::opening::stand_in;
use crate::cli::print::{printable, short, span};
use crate::cli::words;
use crate::keep::sqlite;
use crate::{
    Check, Given, Host, Reach, Settings, StartError, StoreLocation, TokenState, TokenStatus, UserChecks, Validation,
    cache_directory,
};

/// More users than a person reads.
const MAX_USERS: u32 = 1_000;

const NOBODY: &str = "nobody is signed in; sign in: kroger-mcp login";

/// A host on the store, or on an empty one in its place.
pub(super) struct Opened {
    pub(super) host: Host,
    is_there: bool,
    _stand_in: Option<tempfile::TempDir>,
}

/// Opens the store, or says why it cannot be opened.
pub(super) fn open(mut store: StoreLocation, given: &Given) -> Result<Opened, Point> {
    let is_there = !matches!(sqlite::is_store(&store.directory), Ok(false));
    let failed = |error: &dyn std::fmt::Display| Point::bad("component", error.to_string());
    let stand_in = if is_there { None } else { Some(stand_in().map_err(|error| failed(&error))?) };
    if let Some(stand_in) = &stand_in {
        store.directory = stand_in.path().into();
    }
    let settings = Settings::to_look(given, store).map_err(|error| failed(&error))?;
    match Host::start(settings, cache_directory().as_deref()) {
        Ok(host) => Ok(Opened { host, is_there, _stand_in: stand_in }),
        Err(StartError::Store(error)) => Err(Point::bad("store", error.to_string())),
        Err(error) => Err(failed(&error)),
    }
}

/// Has the component validate everything in the store. Asks nothing of Kroger.
pub(super) async fn points(opened: &Opened) -> Vec<Point> {
    if !opened.is_there {
        return vec![Point::bad("sign-in", NOBODY)];
    }
    let validation = opened.host.validate(Reach::Offline).await;
    let statuses = opened.host.list_tokens(MAX_USERS).await.unwrap_or_default();
    match validation {
        Ok(validation) => of_validation(&validation, &statuses),
        Err(_) => vec![Point::bad("tokens", "the component cannot look at them; KROGER_LOG=debug says why")],
    }
}

fn of_validation(found: &Validation, statuses: &[TokenStatus]) -> Vec<Point> {
    let mut points = vec![Point::good("store", "it opens, and nothing in it is damaged")];
    points.extend(found.server.iter().map(server_point));
    points.extend(group("app's token", &found.client, None, Verdict::Warning));
    if found.users.is_empty() {
        points.push(Point::bad("sign-in", NOBODY));
    }
    for UserChecks { user_id, checks } in &found.users {
        let status = statuses.iter().find(|status| status.user_id == *user_id);
        points.extend(group(&format!("token of {}", printable(&short(user_id))), checks, status, Verdict::Bad));
    }
    points
}

fn server_point(check: &Check) -> Point {
    let detail = printable(&check.detail);
    match (check.name.as_str(), check.ok) {
        // Tokens are refreshed on use, too.
        ("last_tick", false) => Point::new("timer", Verdict::Warning, detail),
        ("last_tick", true) => Point::good("timer", detail),
        (name, true) => Point::good(name.replace('_', " "), detail),
        (name, false) => Point::bad(name.replace('_', " "), detail),
    }
}

/// One good point if all checks are good, else one point for each that is not. A token that has
/// expired and has no other fault is renewed when it is used.
fn group(name: &str, checks: &[Check], status: Option<&TokenStatus>, otherwise: Verdict) -> Vec<Point> {
    let wrong: Vec<&Check> = checks.iter().filter(|check| !check.ok).collect();
    if wrong.is_empty() {
        let names: Vec<String> = checks.iter().map(|check| check.name.replace('_', " ")).collect();
        return vec![Point::good(name, format!("good: {}", names.join(", ")))];
    }
    let mends_itself = wrong.iter().all(|check| check.name == "expiry");
    let verdict = if mends_itself { Verdict::Note } else { otherwise };
    wrong.iter().map(|check| Point::new(name, verdict, detail(check, status))).collect()
}

/// The words for a check. Where a person must act, the component's words name routes, so these are
/// our own.
fn detail(check: &Check, status: Option<&TokenStatus>) -> String {
    match (check.name.as_str(), status) {
        ("expiry", Some(status)) => expiry(status),
        ("refresh_token", Some(status)) => refresh_token(status),
        _ => printable(&check.detail),
    }
}

fn expiry(status: &TokenStatus) -> String {
    let ago = span(crate::cli::print::now().saturating_sub(status.expires_at));
    match status.state {
        TokenState::Reauthorize => format!("it expired {ago} ago; sign in again: kroger-mcp login"),
        TokenState::OfAnotherApp => format!("it expired {ago} ago; {}", words::OF_ANOTHER_APP),
        TokenState::Valid | TokenState::ExpiringSoon | TokenState::Expired => {
            format!("it expired {ago} ago; it is refreshed on next use")
        }
    }
}

fn refresh_token(status: &TokenStatus) -> String {
    match (status.has_refresh_token, status.state, status.last_error) {
        (false, ..) => "there is none; sign in again before the access token expires: kroger-mcp login".to_owned(),
        (true, TokenState::OfAnotherApp, _) => words::OF_ANOTHER_APP.to_owned(),
        (true, TokenState::Reauthorize, _) => {
            "Kroger refused it, or it was spent by a refresh whose reply was lost; sign in again: kroger-mcp login"
                .to_owned()
        }
        (true, _, Some(error)) => {
            format!("the last refresh failed: {}; it is tried again", words::refresh_error(error))
        }
        (true, _, None) => "there is one".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenSource;

    fn check(name: &str, ok: bool) -> Check {
        Check { name: name.to_owned(), ok, detail: "re-authenticate at /auth/authorize".to_owned() }
    }

    fn user(user_id: &str, checks: Vec<Check>) -> UserChecks {
        UserChecks { user_id: user_id.to_owned(), checks }
    }

    fn status(user_id: &str, state: TokenState) -> TokenStatus {
        TokenStatus {
            user_id: user_id.to_owned(),
            sign_in: Some("1.0".to_owned()),
            state,
            expires_at: 0,
            expires_in: 0,
            has_refresh_token: true,
            scope: String::new(),
            refreshed_at: Some(0),
            source: TokenSource::Oauth,
            last_error: None,
        }
    }

    #[test]
    fn a_good_token_is_one_point_and_each_fault_of_another_is_its_own() {
        let bad = vec![check("shape", true), check("expiry", false), check("refresh_token", false)];
        let found = Validation {
            issues: Vec::new(),
            client: vec![check("refresh_token", true)],
            users: vec![
                user("ann", vec![check("refresh_token", true)]),
                user("bob", bad),
                user("cyd", vec![check("expiry", false), check("refresh_token", true)]),
            ],
            server: vec![check("last_tick", false)],
        };
        let statuses = [status("bob", TokenState::Reauthorize), status("cyd", TokenState::Expired)];

        let points = of_validation(&found, &statuses);

        let told: Vec<(&str, Verdict)> = points.iter().map(|point| (point.name.as_str(), point.verdict)).collect();
        assert_eq!(
            told[1..],
            [
                ("timer", Verdict::Warning),
                ("app's token", Verdict::Good),
                ("token of ann", Verdict::Good),
                ("token of bob", Verdict::Bad),
                ("token of bob", Verdict::Bad),
                ("token of cyd", Verdict::Note),
            ]
        );
        assert!(points[2..].iter().all(|point| !point.detail.contains("/auth/")), "{points:?}");
    }
}
