//! The store and the tokens in it, by the component's own judgement.

use super::point::{Point, Verdict};
use crate::cli::opening::stand_in;
use crate::cli::print::{printable, short, span};
use crate::cli::words;
use crate::keep::sqlite;
use crate::{
    Check, CheckName, Given, Host, Reach, Settings, StartError, StoreLocation, Timer, TokenState, TokenStatus,
    UserChecks, Validation, cache_directory,
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

/// Opens the store, or says why it cannot be opened. Opens an empty one if there is none.
pub(super) fn open(store: StoreLocation, given: &Given) -> Result<Opened, Point> {
    if matches!(sqlite::is_store(&store.directory), Ok(false)) {
        return open_empty(store, given);
    }
    Ok(Opened { host: host(store, given)?, is_there: true, _stand_in: None })
}

/// Opens an empty store in place of `store`.
pub(super) fn open_empty(mut store: StoreLocation, given: &Given) -> Result<Opened, Point> {
    let stand_in = stand_in().map_err(|error| failed(&error))?;
    store.directory = stand_in.path().into();
    Ok(Opened { host: host(store, given)?, is_there: false, _stand_in: Some(stand_in) })
}

fn host(store: StoreLocation, given: &Given) -> Result<Host, Point> {
    let settings = Settings::to_look(given, store).map_err(|error| failed(&error))?;
    Host::start(settings, cache_directory().as_deref()).map_err(|error| match error {
        StartError::Store(error) => Point::bad("store", error.to_string()),
        error => failed(&error),
    })
}

fn failed(error: &dyn std::fmt::Display) -> Point {
    Point::bad("component", error.to_string())
}

/// Has the component validate everything in the store. Asks nothing of Kroger.
pub(super) async fn points(opened: &Opened) -> Vec<Point> {
    if !opened.is_there {
        return vec![Point::bad("sign-in", NOBODY)];
    }
    let validation = opened.host.validate(Reach::Offline).await;
    let statuses = opened.host.list_tokens(MAX_USERS).await.unwrap_or_default();
    let timer = opened.host.timer_status().await.ok();
    match validation {
        Ok(validation) => of_validation(&validation, &statuses, timer.as_ref()),
        Err(_) => vec![Point::bad("tokens", "the component cannot look at them; KROGER_LOG=debug says why")],
    }
}

fn of_validation(found: &Validation, statuses: &[TokenStatus], timer: Option<&Timer>) -> Vec<Point> {
    let mut points = vec![Point::good("store", "it opens, and nothing in it is damaged")];
    points.extend(found.server.iter().map(|check| server_point(check, timer)));
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

fn server_point(check: &Check, timer: Option<&Timer>) -> Point {
    if check.name == CheckName::LastTick {
        return timer_point(timer);
    }
    let verdict = if check.ok { Verdict::Good } else { Verdict::Bad };
    Point::new(name(check.name), verdict, printable(&check.detail))
}

/// Whether somebody makes the periodic refresh. Without it, tokens are refreshed on use.
fn timer_point(timer: Option<&Timer>) -> Point {
    const NAME: &str = name(CheckName::LastTick);
    let Some(timer) = timer else { return Point::new(NAME, Verdict::Note, "the store does not say whether it runs") };
    let last = timer.last_pass_ago.map(|ago| format!("the last periodic refresh was {} ago", span(ago)));
    let last = last.unwrap_or_else(|| "no periodic refresh has run".to_owned());
    if timer.running {
        return Point::good(NAME, last);
    }
    let detail = format!("{last}; let `kroger-mcp serve` run, or call `kroger-mcp refresh` from cron");
    Point::new(NAME, Verdict::Warning, detail)
}

/// The name of a check in a report.
const fn name(check: CheckName) -> &'static str {
    match check {
        CheckName::Shape => "shape",
        CheckName::Expiry => "expiry",
        CheckName::Scope => "scope",
        CheckName::RefreshToken => "refresh token",
        CheckName::Lineage => "lineage",
        CheckName::Online => "online",
        CheckName::Credentials => "credentials",
        CheckName::StoreReadable => "store readable",
        CheckName::StoreWritable => "store writable",
        CheckName::Rescue => "rescue",
        CheckName::LastTick => "timer",
    }
}

/// One good point if all checks are good, else one point for each that is not. A token that has
/// expired and has no other fault is renewed when it is used.
fn group(name: &str, checks: &[Check], status: Option<&TokenStatus>, otherwise: Verdict) -> Vec<Point> {
    let wrong: Vec<&Check> = checks.iter().filter(|check| !check.ok).collect();
    if wrong.is_empty() {
        let names: Vec<&str> = checks.iter().map(|check| self::name(check.name)).collect();
        return vec![Point::good(name, format!("good: {}", names.join(", ")))];
    }
    let mends_itself = wrong.iter().all(|check| check.name == CheckName::Expiry);
    let verdict = if mends_itself { Verdict::Note } else { otherwise };
    wrong.iter().map(|check| Point::new(name, verdict, detail(check, status))).collect()
}

/// What a check found. If a person must sign in, the words name the command.
fn detail(check: &Check, status: Option<&TokenStatus>) -> String {
    match (check.name, status) {
        (CheckName::Expiry, Some(status)) => expiry(status),
        (CheckName::RefreshToken, Some(status)) => refresh_token(status),
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
    use crate::{RefreshError, TokenSource};

    fn check(name: CheckName, ok: bool) -> Check {
        Check { name, ok, detail: "as the component says".to_owned() }
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
        let bad =
            vec![check(CheckName::Shape, true), check(CheckName::Expiry, false), check(CheckName::RefreshToken, false)];
        let found = Validation {
            issues: Vec::new(),
            client: vec![check(CheckName::RefreshToken, true)],
            users: vec![
                user("ann", vec![check(CheckName::RefreshToken, true)]),
                user("bob", bad),
                user("cyd", vec![check(CheckName::Expiry, false), check(CheckName::RefreshToken, true)]),
            ],
            server: vec![check(CheckName::LastTick, false)],
        };
        let statuses = [status("bob", TokenState::Reauthorize), status("cyd", TokenState::Expired)];

        let points = of_validation(&found, &statuses, Some(&timer(false, None)));

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
    }

    #[test]
    fn timer_point_says_how_to_have_the_periodic_refresh_run() {
        let stopped = timer_point(Some(&timer(false, Some(600))));
        let never = timer_point(Some(&timer(false, None)));

        assert_eq!(
            stopped.detail,
            "the last periodic refresh was 10m ago; let `kroger-mcp serve` run, or call `kroger-mcp refresh` from cron"
        );
        assert!(never.detail.starts_with("no periodic refresh has run; let `kroger-mcp serve` run"), "{never:?}");
        assert_eq!(timer_point(Some(&timer(true, Some(2)))).verdict, Verdict::Good);
        assert_eq!(timer_point(None).verdict, Verdict::Note);
    }

    #[test]
    fn no_point_names_a_route_a_tool_or_an_export() {
        const NAMES: [CheckName; 11] = [
            CheckName::Shape,
            CheckName::Expiry,
            CheckName::Scope,
            CheckName::RefreshToken,
            CheckName::Lineage,
            CheckName::Online,
            CheckName::Credentials,
            CheckName::StoreReadable,
            CheckName::StoreWritable,
            CheckName::Rescue,
            CheckName::LastTick,
        ];
        let checks = |ok| NAMES.map(|name| check(name, ok)).to_vec();
        let timers = [None, Some(timer(false, None)), Some(timer(false, Some(9))), Some(timer(true, Some(9)))];

        for ((ok, status), timer) in [true, false]
            .into_iter()
            .flat_map(|ok| statuses().into_iter().map(move |status| (ok, status)))
            .flat_map(|case| timers.iter().map(move |timer| (case.clone(), timer)))
        {
            let found = Validation {
                issues: Vec::new(),
                client: checks(ok),
                users: vec![user("ann", checks(ok))],
                server: checks(ok),
            };
            for point in of_validation(&found, &[status], timer.as_ref()) {
                assert_eq!(words::foreign(&point.name), [""; 0], "{point:?}");
                assert_eq!(words::foreign(&point.detail), [""; 0], "{point:?}");
            }
        }
    }

    /// A status in each state, with and without a refresh token and a last error.
    fn statuses() -> Vec<TokenStatus> {
        let states = [
            TokenState::Valid,
            TokenState::ExpiringSoon,
            TokenState::Expired,
            TokenState::Reauthorize,
            TokenState::OfAnotherApp,
        ];
        let all = states.into_iter().flat_map(|state| {
            [(true, None), (true, Some(RefreshError::Busy)), (false, None)].map(|(has_refresh_token, last_error)| {
                TokenStatus { has_refresh_token, last_error, ..status("ann", state) }
            })
        });
        all.collect()
    }

    fn timer(running: bool, last_pass_ago: Option<u64>) -> Timer {
        Timer { running, last_pass_ago, success_rate: None }
    }
}
