//! Whether all that keeps people signed in is as it should be: each token, the
//! periodic refresh and the store, check by check.
//!
//! It refreshes nothing, takes no pair from outside, and shows no token. Where
//! it is told to, it asks Kroger once with each access token, by a call that
//! changes nothing.

use std::time::Duration;

use crate::Context;
use crate::grant::lineage::Grant;
use crate::grant::records;
use crate::grant::tokens::{self, OF_ANOTHER_APP, State, Status};
use crate::kroger::{self, ApiError};
use crate::ports::{SendError, Timestamp};
use crate::secret::Secret;
use crate::service::maintenance;
use crate::settings::EnvironmentPair;
use crate::store::health::{self, Persistence};
use crate::store::rescue;
use crate::upstream::app_token::{self, Stored};
use crate::upstream::quota::{self, Endpoint, Purpose};
use crate::user::UserId;

/// More users than a person would read.
pub const MOST_USERS: usize = 1_000;

const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long Kroger is asked, all tokens together.
const PATIENCE: Duration = Duration::from_secs(20);
/// Needs a scope that only a customer's token has.
const USERS_QUESTION: Question = Question { path: "/v1/identity/profile", endpoint: Endpoint::Identity };
/// Needs the scope that the app's own token has.
const CLIENTS_QUESTION: Question =
    Question { path: "/v1/products?filter.term=milk&filter.limit=1", endpoint: Endpoint::Products };
const CART_SCOPE: &str = "cart.basic:write";

/// How far a validation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The store only.
    Offline,
    /// One call to Kroger for each access token that has not expired.
    Online,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
    /// What was found; where it is not good, what to do.
    pub detail: String,
}

/// What was found of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Of the app's credentials and its own token.
    pub client: Vec<Check>,
    /// Of each user, in the order of ids.
    pub users: Vec<(UserId, Vec<Check>)>,
    /// Of the store and the periodic refresh.
    pub server: Vec<Check>,
}

impl Validation {
    /// Whatever is not good, each with whom it is about.
    pub fn issues(&self) -> Vec<String> {
        let wrong = |subject: &str, checks: &[Check]| -> Vec<String> {
            checks.iter().filter(|check| !check.ok).map(|check| format!("{subject}: {}", check.detail)).collect()
        };
        let mut issues = wrong("the server", &self.server);
        issues.extend(wrong("the app's own token", &self.client));
        for (user, checks) in &self.users {
            issues.extend(wrong(&format!("the token of {}", user.as_str()), checks));
        }
        issues
    }
}

pub fn are_good(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.ok)
}

pub fn validate(cx: Context<'_>, reach: Reach) -> Validation {
    let until = cx.ports.monotonic_now() + PATIENCE;
    let asking = Asking { cx, reach, until };
    Validation { server: server(cx), client: client(&asking), users: users(&asking) }
}

fn check(name: &'static str, ok: bool, detail: impl Into<String>) -> Check {
    Check { name, ok, detail: detail.into() }
}

fn server(cx: Context<'_>) -> Vec<Check> {
    let is_readable = health::is_readable(cx);
    let readable = if is_readable { "it was read" } else { "the store cannot be read; check its disk and permissions" };
    let waiting = rescue::waiting(cx).map_or(0, |keys| keys.len());
    let rescue = match waiting {
        0 => "nothing waits to be saved".to_owned(),
        _ => format!("{waiting} refreshed tokens wait in memory; mend the store before the server is stopped"),
    };
    vec![
        check("store_readable", is_readable, readable),
        store_writable(cx),
        check("rescue", waiting == 0, rescue),
        last_tick(cx),
    ]
}

fn store_writable(cx: Context<'_>) -> Check {
    let (ok, detail) = match health::persistence(cx) {
        Persistence::Kept => (true, "a value was written and found again"),
        Persistence::Forgets => (false, "the store forgets what it was told; use a host whose store is durable"),
        Persistence::Failed => (false, "the store cannot be written; check its disk space and permissions"),
    };
    check("store_writable", ok, detail)
}

fn last_tick(cx: Context<'_>) -> Check {
    const HOW_TO_HAVE_ONE: &str = "let the server run, or call `kroger-mcp refresh` from cron";

    let is_running = maintenance::is_running(cx).unwrap_or(false);
    let detail = match last_tick_age(cx) {
        Some(age) if is_running => format!("the last periodic refresh was {} seconds ago", age.as_secs()),
        Some(age) => format!("the last periodic refresh was {} seconds ago; {HOW_TO_HAVE_ONE}", age.as_secs()),
        None => format!("no periodic refresh has run; {HOW_TO_HAVE_ONE}"),
    };
    check("last_tick", is_running, detail)
}

/// Time since the last periodic refresh on this store; none: there was none.
pub fn last_tick_age(cx: Context<'_>) -> Option<Duration> {
    let tick = maintenance::last_tick(cx).ok().flatten()?;
    Some(cx.ports.wall_now().since(tick.at))
}

fn client(asking: &Asking<'_>) -> Vec<Check> {
    let cx = asking.cx;
    let Some(client) = &cx.settings.client else {
        return vec![check("credentials", false, "KROGER_CLIENT_ID is not set; get it at developer.kroger.com")];
    };
    if client.secret.is_none() {
        return vec![check("credentials", true, "a public client, which has no token of its own")];
    }
    match app_token::stored(cx) {
        Ok(Some(stored)) => client_token(asking, &stored),
        Ok(None) => vec![check("credentials", false, "not tried yet; the next periodic refresh tries them")],
        Err(_) => vec![check("credentials", false, "the store cannot be read, so nothing is known of them")],
    }
}

fn client_token(asking: &Asking<'_>, stored: &Stored) -> Vec<Check> {
    let now = asking.cx.ports.wall_now();
    let (access_token, expires_at) = match &stored.state {
        app_token::State::Token { access_token, expires_at } => (access_token, *expires_at),
        app_token::State::CredentialsRejected => {
            let detail = "Kroger rejected them; correct KROGER_CLIENT_ID and KROGER_CLIENT_SECRET";
            return vec![check("credentials", false, detail)];
        }
        app_token::State::Unavailable => {
            let detail = "Kroger did not answer at the last try; check network connectivity";
            return vec![check("credentials", false, detail)];
        }
    };
    let is_valid = now < expires_at;
    let mut checks = vec![
        check("credentials", true, "Kroger accepted them"),
        shape(&[Some(access_token)]),
        expiry(expires_at, now, "it is renewed on next use"),
    ];
    checks.extend(asking.ask(CLIENTS_QUESTION, is_valid.then_some(access_token)));
    checks
}

/// None where the store cannot be read, which the server's checks tell.
fn users(asking: &Asking<'_>) -> Vec<(UserId, Vec<Check>)> {
    let cx = asking.cx;
    let mut found: Vec<_> = tokens::all(cx, MOST_USERS).unwrap_or_default();
    let default = &cx.settings.default_user;
    let outside = tokens::known(cx, default).ok().and_then(|known| known.outside);
    if outside.is_some() {
        found.retain(|status| status.grant.user_id != *default);
    }
    let mut users: Vec<_> = found.iter().map(|status| (status.grant.user_id.clone(), user(asking, status))).collect();
    users.extend(outside.map(|pair| (default.clone(), outside_pair(asking, &pair))));
    users.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    users
}

fn user(asking: &Asking<'_>, status: &Status) -> Vec<Check> {
    let cx = asking.cx;
    let tokens = &status.grant.tokens;
    let next = match status.state {
        State::Reauthorize { .. } => "re-authenticate at /auth/authorize",
        State::OfAnotherApp => OF_ANOTHER_APP,
        State::Valid | State::ExpiringSoon | State::Expired => "it is refreshed on next use",
    };
    let mut checks = vec![
        shape(&[Some(&tokens.access_token), tokens.refresh_token.as_ref()]),
        expiry(tokens.expires_at, cx.ports.wall_now(), next),
        scope(tokens.scope.as_deref()),
        refresh_token(status),
        lineage(cx, &status.grant),
    ];
    checks.extend(asking.ask(USERS_QUESTION, status.state.is_good().then_some(&tokens.access_token)));
    checks
}

/// A pair that the next call would take, and that is not taken yet.
fn outside_pair(asking: &Asking<'_>, pair: &EnvironmentPair) -> Vec<Check> {
    let now = asking.cx.ports.wall_now();
    let is_valid = tokens::outside_left(pair, now).is_some();
    let has_refresh_token = pair.refresh_token.is_some();
    let refresh_token = if has_refresh_token { "there is one" } else { "there is none; re-authenticate in time" };
    let mut checks = vec![
        shape(&[pair.access_token.as_ref(), pair.refresh_token.as_ref()]),
        expiry(Timestamp::from_secs(pair.expires_at), now, "it is refreshed on first use"),
        scope(None),
        check("refresh_token", has_refresh_token, refresh_token),
        check("lineage", true, "from the environment or .env; the next call takes it into the store"),
    ];
    checks.extend(asking.ask(USERS_QUESTION, pair.access_token.as_ref().filter(|_| is_valid)));
    checks
}

/// A token goes into a header or a form (RFC 6750 § 2.1, RFC 6749 § A.12, A.17).
fn shape(tokens: &[Option<&Secret>]) -> Check {
    let is_token = |token: &Secret| {
        let text = token.expose();
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let ok = tokens.iter().flatten().all(|token| is_token(token));
    let detail = if ok { "printable and without spaces" } else { "a token is empty or damaged; re-authenticate" };
    check("shape", ok, detail)
}

fn expiry(expires_at: Timestamp, now: Timestamp, next: &str) -> Check {
    if now < expires_at {
        return check("expiry", true, format!("expires in {} seconds", expires_at.since(now).as_secs()));
    }
    check("expiry", false, format!("expired {} seconds ago; {next}", now.since(expires_at).as_secs()))
}

fn scope(scope: Option<&str>) -> Check {
    let Some(scope) = scope else { return check("scope", true, "not known; Kroger did not say") };
    if scope.split(' ').any(|token| token == CART_SCOPE) {
        return check("scope", true, scope);
    }
    check("scope", false, format!("{scope}; {CART_SCOPE} is missing, so re-authenticate with it to use the cart"))
}

fn refresh_token(status: &Status) -> Check {
    let has_one = status.grant.tokens.refresh_token.is_some();
    let detail = match (has_one, status.state, status.last_error) {
        (false, ..) => "there is none; re-authenticate at /auth/authorize before the access token expires".to_owned(),
        (true, State::Reauthorize { probably_spent: true }, _) => {
            "it was probably spent by a refresh whose reply was lost; re-authenticate at /auth/authorize".to_owned()
        }
        (true, State::Reauthorize { probably_spent: false }, _) => {
            "Kroger refused it; re-authenticate at /auth/authorize".to_owned()
        }
        (true, State::OfAnotherApp, _) => OF_ANOTHER_APP.to_owned(),
        (true, _, Some(outcome)) => format!("the last refresh failed: {}; it is tried again", outcome.words()),
        (true, _, None) => "there is one".to_owned(),
    };
    let is_dead = matches!(status.state, State::Reauthorize { .. } | State::OfAnotherApp);
    check("refresh_token", has_one && !is_dead && status.last_error.is_none(), detail)
}

/// Whether the current grant's record is in the durable store.
fn lineage(cx: Context<'_>, grant: &Grant) -> Check {
    let origin = match grant.parent {
        Some(parent) => format!("generation {}, refreshed from {parent}", grant.ticket),
        None => format!("generation {}, a sign-in", grant.ticket),
    };
    if records::is_stored(cx, &grant.user_id.key(), grant.ticket) {
        return check("lineage", true, origin);
    }
    check("lineage", false, format!("{origin}, is not in the store yet; mend the store before the server is stopped"))
}

/// A call that changes nothing, to learn whether a token is accepted.
#[derive(Clone, Copy)]
struct Question {
    path: &'static str,
    endpoint: Endpoint,
}

struct Asking<'a> {
    cx: Context<'a>,
    reach: Reach,
    until: Duration,
}

impl Asking<'_> {
    /// What Kroger says of `access_token`; nothing where it is not to be asked.
    fn ask(&self, question: Question, access_token: Option<&Secret>) -> Option<Check> {
        if self.reach == Reach::Offline {
            return None;
        }
        let (ok, detail) = match access_token {
            None => (false, "not asked: there is no valid access token, and a validation refreshes none".to_owned()),
            Some(_) if self.cx.ports.monotonic_now() >= self.until => {
                (false, "not asked: the other tokens took all the time".to_owned())
            }
            Some(access_token) => self.kroger(question, access_token),
        };
        Some(check("online", ok, detail))
    }

    fn kroger(&self, question: Question, access_token: &Secret) -> (bool, String) {
        if let Err(refusal) = quota::spend(self.cx, question.endpoint, Purpose::Browse) {
            return (false, format!("not asked: {}", refusal.detail));
        }
        let answer = self.cx.ports.send(&kroger::read_request(question.path, access_token), SEND_TIMEOUT);
        let response = match answer {
            Ok(response) => response,
            Err(SendError::NotSent) => return (false, "Kroger could not be reached; check the network".to_owned()),
            Err(SendError::Unknown) => return (false, "Kroger did not answer in time".to_owned()),
        };
        quota::observe(self.cx, question.endpoint, &response);
        match (response.status, ApiError::parse(&response.body)) {
            (200..=299, _) => (true, "Kroger accepts it".to_owned()),
            (401, _) => (false, "Kroger rejects it; refresh it with POST /admin/tokens/refresh".to_owned()),
            (403, Some(_)) => (true, "Kroger knows it; it lacks the scope of this question".to_owned()),
            (status, _) => (false, format!("Kroger answered {status}, which says nothing of the token")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::lineage::{Current, Record, Source, Tokens};
    use crate::ports::Ports as _;
    use crate::settings::Settings;
    use crate::store::ticket::Root;
    use crate::testing::{StoreMood, World};

    const REFUSED: &str = r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#;

    fn settings() -> Settings {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "secret")];
        Settings::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    /// `ann` signed in, and a periodic refresh that got the app's own token.
    fn sign_in(cx: Context<'_>, world: &World, scope: &str, refresh_token: Option<&str>) {
        let user = UserId::parse("ann").unwrap();
        let now = world.wall_now();
        let tokens = Tokens {
            app: None,
            access_token: Secret::new("canary-access"),
            refresh_token: refresh_token.map(Secret::new),
            obtained_at: now,
            expires_at: now + Duration::from_secs(1_800),
            scope: Some(scope.to_owned()),
        };
        let record = Record::sign_in(user.clone(), tokens, Source::OAuth, &Current::Absent);
        let root = records::take_root(cx, &user.key()).unwrap();
        assert_eq!(root, Root::numbered(1));
        records::write(cx, &user.key(), root.ticket(), &record).unwrap();
        world.answer_with_tokens("canary-app", "unused");
        maintenance::tidy(cx).unwrap();
    }

    fn of<'a>(checks: &'a [Check], name: &str) -> &'a Check {
        checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name}: {checks:?}"))
    }

    #[test]
    fn a_good_sign_in_passes_each_check_and_nothing_is_sent() {
        let (world, settings) = (World::new().with_optional_buckets(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "profile.compact cart.basic:write", Some("canary-refresh"));
        let sent = world.sent().len();

        let found = validate(cx, Reach::Offline);

        assert_eq!(found.issues(), Vec::<String>::new());
        let names = |checks: &[Check]| checks.iter().map(|check| check.name).collect::<Vec<_>>();
        assert_eq!(names(&found.server), ["store_readable", "store_writable", "rescue", "last_tick"]);
        assert_eq!(names(&found.client), ["credentials", "shape", "expiry"]);
        assert_eq!(names(&found.users[0].1), ["shape", "expiry", "scope", "refresh_token", "lineage"]);
        assert_eq!(of(&found.users[0].1, "expiry").detail, "expires in 1800 seconds");
        assert_eq!(of(&found.users[0].1, "lineage").detail, "generation 1.0.0, a sign-in");
        assert_eq!(world.sent().len(), sent);
    }

    #[test]
    fn what_a_sign_in_lacks_is_an_issue_that_says_what_to_do() {
        let (world, settings) = (World::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "profile.compact", None);
        world.advance(Duration::from_secs(1_812));

        let found = validate(cx, Reach::Offline);

        let ann = &found.users[0].1;
        assert_eq!(of(ann, "expiry").detail, "expired 12 seconds ago; re-authenticate at /auth/authorize");
        assert!(!of(ann, "scope").ok && of(ann, "scope").detail.contains("cart.basic:write is missing"));
        assert!(!of(ann, "refresh_token").ok);
        assert!(!of(&found.server, "last_tick").ok);
        let issues = found.issues();
        assert!(issues.contains(&format!("the token of ann: {}", of(ann, "expiry").detail)), "{issues:?}");
        assert!(issues.iter().any(|issue| issue.starts_with("the server: the last periodic refresh was 1812 seconds")));
    }

    #[test]
    fn a_refused_refresh_token_is_told_from_a_missing_one() {
        let (world, settings) = (World::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "cart.basic:write", Some("canary-refresh"));
        world.advance(Duration::from_secs(1_900));
        world.answer(400, REFUSED);
        tokens::refresh(cx, &UserId::parse("ann").unwrap()).unwrap_err();

        let found = validate(cx, Reach::Offline);

        let refresh_token = of(&found.users[0].1, "refresh_token");
        assert!(!refresh_token.ok && refresh_token.detail.starts_with("Kroger refused it"), "{refresh_token:?}");
    }

    #[test]
    fn online_each_valid_token_is_asked_about_once_and_none_is_refreshed() {
        let (world, settings) = (World::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "cart.basic:write", Some("canary-refresh"));
        let cases = [
            (200, "{}", true, "Kroger accepts it"),
            (401, r#"{"error":"invalid_token"}"#, false, "Kroger rejects it"),
            (403, r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#, true, "Kroger knows it"),
            (500, "", false, "Kroger answered 500"),
        ];
        for (status, body, ok, words) in cases {
            let before = world.sent().len();
            world.answer(status, body);
            world.answer(status, body);

            let found = validate(cx, Reach::Online);

            let online = of(&found.users[0].1, "online");
            assert_eq!(online.ok, ok, "{status}: {online:?}");
            assert!(online.detail.starts_with(words), "{status}: {online:?}");
            let paths: Vec<_> = world.sent().into_iter().skip(before).map(|request| request.path).collect();
            assert_eq!(paths, [CLIENTS_QUESTION.path, USERS_QUESTION.path]);
        }
    }

    #[test]
    fn an_expired_token_is_not_asked_about() {
        let (world, settings) = (World::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "cart.basic:write", Some("canary-refresh"));
        world.advance(Duration::from_secs(1_900));
        let sent = world.sent().len();

        let found = validate(cx, Reach::Online);

        assert!(of(&found.users[0].1, "online").detail.starts_with("not asked"));
        assert_eq!(world.sent().len(), sent);
    }

    #[test]
    fn a_question_counts_in_the_daily_quota_and_is_not_asked_beyond_it() {
        let mut settings = settings();
        settings.quotas.identity = 1;
        let world = World::new();
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "cart.basic:write", Some("canary-refresh"));
        for _ in 0..3 {
            world.answer(200, "{}");
        }
        assert!(of(&validate(cx, Reach::Online).users[0].1, "online").ok);

        let again = validate(cx, Reach::Online);

        let online = of(&again.users[0].1, "online");
        assert!(!online.ok && online.detail.starts_with("not asked:"), "{online:?}");
    }

    #[test]
    fn a_store_that_fails_or_forgets_is_an_issue_and_no_error() {
        let (world, settings) = (World::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        for (mood, is_readable) in [(StoreMood::Failing, false), (StoreMood::Forgetful, true)] {
            world.set_store_mood(mood);

            let found = validate(cx, Reach::Offline);

            assert_eq!(of(&found.server, "store_readable").ok, is_readable, "{mood:?}");
            assert!(!of(&found.server, "store_writable").ok, "{mood:?}");
            assert!(!found.issues().is_empty());
        }
    }
}
