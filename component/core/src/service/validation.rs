//! Checks everything that keeps people signed in: each token, the periodic refresh
//! and the store.
//!
//! It refreshes nothing, takes no pair from outside, and shows no token. Online, it
//! asks Kroger once with each access token, by a call that changes nothing.

use std::time::Duration;

use crate::Context;
use crate::grant::lineage::Grant;
use crate::grant::records;
use crate::grant::status::{self, Held, Status, TokenState};
use crate::kroger::api_error::ApiError;
use crate::kroger::limits::Endpoint;
use crate::kroger::wire;
use crate::ports::{SendError, Timestamp};
use crate::secret::Secret;
use crate::service::finding::{
    AccessTokenFinding, AfterExpiry, CredentialsFinding, Finding, LineageFinding, NotAsked, OnlineFinding, PassFinding,
    RefreshTokenFinding, ScopeFinding, StoreFinding,
};
use crate::service::maintenance;
use crate::settings::EnvironmentPair;
use crate::store::health::{self, Persistence};
use crate::store::rescue;
use crate::upstream::app_token::{self, AppTokenState, StoredAppToken};
use crate::upstream::quota::{self, Purpose};
use crate::user::UserId;

/// The most users in one validation. A person reads no more.
pub const MOST_USERS: usize = 1_000;

const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time for all questions to Kroger together.
const PATIENCE: Duration = Duration::from_secs(20);
/// The question needs a scope that only a customer's token has.
const USERS_QUESTION: Question = Question { path: "/v1/identity/profile", endpoint: Endpoint::Identity };
/// The question needs the scope that the app's own token has.
const CLIENTS_QUESTION: Question =
    Question { path: "/v1/products?filter.term=milk&filter.limit=1", endpoint: Endpoint::Products };
const CART_SCOPE: &str = "cart.basic:write";

/// The extent of a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The store only.
    Offline,
    /// One call to Kroger for each access token that has not expired.
    Online,
}

/// One check of a validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: CheckName,
    pub ok: bool,
    pub finding: Finding,
}

/// The stable name of a check, for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckName {
    Shape,
    Expiry,
    Scope,
    RefreshToken,
    Lineage,
    Online,
    Credentials,
    StoreReadable,
    StoreWritable,
    Rescue,
    LastTick,
}

impl CheckName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shape => "shape",
            Self::Expiry => "expiry",
            Self::Scope => "scope",
            Self::RefreshToken => "refresh_token",
            Self::Lineage => "lineage",
            Self::Online => "online",
            Self::Credentials => "credentials",
            Self::StoreReadable => "store_readable",
            Self::StoreWritable => "store_writable",
            Self::Rescue => "rescue",
            Self::LastTick => "last_tick",
        }
    }
}

/// The checks of a validation, by subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The checks of the app's credentials and its own token.
    pub client: Vec<Check>,
    /// The checks of each user, in the order of ids.
    pub users: Vec<(UserId, Vec<Check>)>,
    /// The checks of the store and the periodic refresh.
    pub server: Vec<Check>,
}

/// The subject of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckSubject<'a> {
    Server,
    App,
    User(&'a UserId),
}

impl Validation {
    /// The checks that found something wrong, each with its subject.
    pub fn issues(&self) -> Vec<(CheckSubject<'_>, &Check)> {
        let users = self.users.iter().map(|(user, checks)| (CheckSubject::User(user), checks));
        let all = [(CheckSubject::Server, &self.server), (CheckSubject::App, &self.client)].into_iter().chain(users);
        all.flat_map(|(subject, checks)| checks.iter().map(move |check| (subject, check)))
            .filter(|(_, check)| !check.ok)
            .collect()
    }
}

pub fn are_good(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.ok)
}

/// Checks the server and the first [`MOST_USERS`] users.
pub fn validate(cx: Context<'_>, reach: Reach) -> Validation {
    // None if the store cannot be read; the server's checks report that.
    validate_users(cx, reach, &status::list(cx, MOST_USERS).unwrap_or_default())
}

/// Checks the server and these users.
pub fn validate_users(cx: Context<'_>, reach: Reach, users: &[Held]) -> Validation {
    let until = cx.ports.monotonic_now() + PATIENCE;
    let asking = Asking { cx, reach, until };
    Validation { server: server(cx), client: client(&asking), users: checked(&asking, users) }
}

fn check(name: CheckName, ok: bool, finding: Finding) -> Check {
    Check { name, ok, finding }
}

fn server(cx: Context<'_>) -> Vec<Check> {
    let is_readable = health::is_readable(cx);
    let readable =
        if is_readable { Finding::Store(StoreFinding::Readable) } else { Finding::Store(StoreFinding::Unreadable) };
    let waiting = rescue::waiting(cx).map_or(0, |keys| keys.len());
    let rescue = if waiting == 0 {
        Finding::Store(StoreFinding::NothingUnsaved)
    } else {
        Finding::Store(StoreFinding::Unsaved(waiting))
    };
    vec![
        check(CheckName::StoreReadable, is_readable, readable),
        store_writable(cx),
        check(CheckName::Rescue, waiting == 0, rescue),
        last_tick(cx),
    ]
}

fn store_writable(cx: Context<'_>) -> Check {
    let (ok, finding) = match health::persistence(cx) {
        Persistence::Kept => (true, Finding::Store(StoreFinding::Keeps)),
        Persistence::Forgets => (false, Finding::Store(StoreFinding::Forgets)),
        Persistence::Failed => (false, Finding::Store(StoreFinding::Unwritable)),
    };
    check(CheckName::StoreWritable, ok, finding)
}

fn last_tick(cx: Context<'_>) -> Check {
    let is_running = maintenance::is_running(cx).unwrap_or(false);
    let finding = last_tick_age(cx)
        .map_or(Finding::Pass(PassFinding::Never), |age| Finding::Pass(PassFinding::Last { age, is_running }));
    check(CheckName::LastTick, is_running, finding)
}

/// Time since the last periodic refresh on this store. None: there was none.
pub fn last_tick_age(cx: Context<'_>) -> Option<Duration> {
    let tick = maintenance::last_tick(cx).ok().flatten()?;
    Some(cx.ports.wall_now().since(tick.at))
}

fn client(asking: &Asking<'_>) -> Vec<Check> {
    let cx = asking.cx;
    let (ok, finding) = match (&cx.settings.client, app_token::stored(cx)) {
        (None, _) => (false, Finding::Credentials(CredentialsFinding::ClientIdMissing)),
        (Some(client), _) if client.secret.is_none() => (true, Finding::Credentials(CredentialsFinding::PublicClient)),
        (Some(_), Ok(Some(stored))) => return client_token(asking, &stored),
        (Some(_), Ok(None)) => (false, Finding::Credentials(CredentialsFinding::NotTried)),
        (Some(_), Err(_)) => (false, Finding::Credentials(CredentialsFinding::Unknown)),
    };
    vec![check(CheckName::Credentials, ok, finding)]
}

fn client_token(asking: &Asking<'_>, stored: &StoredAppToken) -> Vec<Check> {
    let now = asking.cx.ports.wall_now();
    let (access_token, expires_at) = match &stored.state {
        AppTokenState::Token { access_token, expires_at } => (access_token, *expires_at),
        AppTokenState::CredentialsRejected => {
            return vec![check(CheckName::Credentials, false, Finding::Credentials(CredentialsFinding::Rejected))];
        }
        AppTokenState::Unavailable => {
            return vec![check(CheckName::Credentials, false, Finding::Credentials(CredentialsFinding::Unanswered))];
        }
    };
    let is_valid = now < expires_at;
    let mut checks = vec![
        check(CheckName::Credentials, true, Finding::Credentials(CredentialsFinding::Accepted)),
        shape(&[Some(access_token)]),
        expiry(expires_at, now, AfterExpiry::Renewed),
    ];
    checks.extend(asking.ask(CLIENTS_QUESTION, is_valid.then_some(access_token)));
    checks
}

fn checked(asking: &Asking<'_>, users: &[Held]) -> Vec<(UserId, Vec<Check>)> {
    let checks = |held: &Held| match held {
        Held::InStore(status) => user(asking, status),
        Held::Outside { pair, .. } => outside_pair(asking, pair),
    };
    users.iter().map(|held| (held.user().clone(), checks(held))).collect()
}

fn user(asking: &Asking<'_>, status: &Status) -> Vec<Check> {
    let cx = asking.cx;
    let tokens = &status.grant.tokens;
    let next = match status.state {
        TokenState::Reauthorize { .. } => AfterExpiry::SignInNeeded,
        TokenState::OfAnotherApp => AfterExpiry::OfAnotherApp,
        TokenState::Valid | TokenState::ExpiringSoon | TokenState::Expired => AfterExpiry::Refreshed,
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

/// Checks a pair outside the store that the next call would take.
fn outside_pair(asking: &Asking<'_>, pair: &EnvironmentPair) -> Vec<Check> {
    let now = asking.cx.ports.wall_now();
    let is_valid = status::outside_left(pair, now).is_some();
    let has_refresh_token = pair.refresh_token.is_some();
    let refresh_token = if has_refresh_token {
        Finding::RefreshToken(RefreshTokenFinding::Present)
    } else {
        Finding::RefreshToken(RefreshTokenFinding::MissingOutside)
    };
    let mut checks = vec![
        shape(&[pair.access_token.as_ref(), pair.refresh_token.as_ref()]),
        expiry(Timestamp::from_secs(pair.expires_at), now, AfterExpiry::RefreshedOnFirstUse),
        scope(None),
        check(CheckName::RefreshToken, has_refresh_token, refresh_token),
        check(CheckName::Lineage, true, Finding::Lineage(LineageFinding::Outside)),
    ];
    checks.extend(asking.ask(USERS_QUESTION, pair.access_token.as_ref().filter(|_| is_valid)));
    checks
}

/// Checks the characters of tokens: a token goes into a header or a form (RFC 6750
/// § 2.1, RFC 6749 § A.12, A.17).
fn shape(tokens: &[Option<&Secret>]) -> Check {
    let is_token = |token: &Secret| {
        let text = token.expose();
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let ok = tokens.iter().flatten().all(|token| is_token(token));
    check(
        CheckName::Shape,
        ok,
        if ok {
            Finding::AccessToken(AccessTokenFinding::WellFormed)
        } else {
            Finding::AccessToken(AccessTokenFinding::Malformed)
        },
    )
}

fn expiry(expires_at: Timestamp, now: Timestamp, then: AfterExpiry) -> Check {
    if now < expires_at {
        return check(
            CheckName::Expiry,
            true,
            Finding::AccessToken(AccessTokenFinding::ExpiresIn(expires_at.since(now))),
        );
    }
    check(
        CheckName::Expiry,
        false,
        Finding::AccessToken(AccessTokenFinding::Expired { ago: now.since(expires_at), then }),
    )
}

fn scope(scope: Option<&str>) -> Check {
    let Some(scope) = scope else { return check(CheckName::Scope, true, Finding::Scope(ScopeFinding::Unknown)) };
    if scope.split(' ').any(|token| token == CART_SCOPE) {
        return check(CheckName::Scope, true, Finding::Scope(ScopeFinding::Granted(scope.to_owned())));
    }
    check(CheckName::Scope, false, Finding::Scope(ScopeFinding::CartMissing(scope.to_owned())))
}

fn refresh_token(status: &Status) -> Check {
    let has_one = status.grant.tokens.refresh_token.is_some();
    let finding = match (has_one, status.state, status.last_error) {
        (false, ..) => Finding::RefreshToken(RefreshTokenFinding::Missing),
        (true, TokenState::Reauthorize { probably_spent: true }, _) => {
            Finding::RefreshToken(RefreshTokenFinding::Spent)
        }
        (true, TokenState::Reauthorize { probably_spent: false }, _) => {
            Finding::RefreshToken(RefreshTokenFinding::Refused)
        }
        (true, TokenState::OfAnotherApp, _) => Finding::RefreshToken(RefreshTokenFinding::OfAnotherApp),
        (true, _, Some(outcome)) => Finding::RefreshToken(RefreshTokenFinding::LastRefreshFailed(outcome)),
        (true, _, None) => Finding::RefreshToken(RefreshTokenFinding::Present),
    };
    check(CheckName::RefreshToken, finding == Finding::RefreshToken(RefreshTokenFinding::Present), finding)
}

/// Checks that the current grant's record is in the durable store.
fn lineage(cx: Context<'_>, grant: &Grant) -> Check {
    let is_stored = records::is_stored(cx, &grant.user_id.key(), grant.ticket);
    check(
        CheckName::Lineage,
        is_stored,
        Finding::Lineage(LineageFinding::InStore { ticket: grant.ticket, parent: grant.parent, is_stored }),
    )
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
    /// Asks Kroger about `access_token`. None: this validation is offline.
    fn ask(&self, question: Question, access_token: Option<&Secret>) -> Option<Check> {
        if self.reach == Reach::Offline {
            return None;
        }
        let (ok, finding) = match access_token {
            None => (false, Finding::Online(OnlineFinding::NotAsked(NotAsked::NoValidToken))),
            Some(_) if self.cx.ports.monotonic_now() >= self.until => {
                (false, Finding::Online(OnlineFinding::NotAsked(NotAsked::NoTimeLeft)))
            }
            Some(access_token) => self.kroger(question, access_token),
        };
        Some(check(CheckName::Online, ok, finding))
    }

    fn kroger(&self, question: Question, access_token: &Secret) -> (bool, Finding) {
        // Validations leave a part of the quota to other users' calls.
        let asker = self.cx.settings.default_user.key();
        if let Err(refusal) = quota::spend(self.cx, question.endpoint, Purpose::Browse, &asker) {
            return (false, Finding::Online(OnlineFinding::NotAsked(NotAsked::Quota(refusal.cause))));
        }
        let answer = self.cx.ports.send(&wire::read_request(question.path, access_token), SEND_TIMEOUT);
        let response = match answer {
            Ok(response) => response,
            Err(SendError::NotSent) => return (false, Finding::Online(OnlineFinding::NotReached)),
            Err(SendError::Unknown) => return (false, Finding::Online(OnlineFinding::NoAnswer)),
        };
        quota::observe(self.cx, question.endpoint, &response);
        match (response.status, ApiError::parse(&response.body)) {
            (200..=299, _) => (true, Finding::Online(OnlineFinding::TokenAccepted)),
            (401, _) => (false, Finding::Online(OnlineFinding::TokenRejected)),
            (403, Some(_)) => (true, Finding::Online(OnlineFinding::TokenLacksScope)),
            (status, _) => (false, Finding::Online(OnlineFinding::Answered(status))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Cause, QuotaTrouble};
    use crate::grant::lineage::{Current, Record, Source, Tokens};
    use crate::grant::on_demand;
    use crate::ports::Ports as _;
    use crate::settings::Settings;
    use crate::store::ticket::Root;
    use crate::testing::{StoreMood, TestWorld};

    const REFUSED: &str = r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#;

    fn settings() -> Settings {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "secret")];
        Settings::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    /// `ann` signed in, and a periodic refresh that got the app's own token.
    fn sign_in(cx: Context<'_>, world: &TestWorld, scope: &str, refresh_token: Option<&str>) {
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
        checks.iter().find(|check| check.name.as_str() == name).unwrap_or_else(|| panic!("no check {name}: {checks:?}"))
    }

    #[test]
    fn a_good_sign_in_passes_each_check_and_nothing_is_sent() {
        let (world, settings) = (TestWorld::new().with_optional_buckets(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "profile.compact cart.basic:write", Some("canary-refresh"));
        let sent = world.sent().len();

        let found = validate(cx, Reach::Offline);

        assert_eq!(found.issues(), []);
        let names = |checks: &[Check]| checks.iter().map(|check| check.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names(&found.server), ["store_readable", "store_writable", "rescue", "last_tick"]);
        assert_eq!(names(&found.client), ["credentials", "shape", "expiry"]);
        assert_eq!(names(&found.users[0].1), ["shape", "expiry", "scope", "refresh_token", "lineage"]);
        assert_eq!(
            of(&found.users[0].1, "expiry").finding,
            Finding::AccessToken(AccessTokenFinding::ExpiresIn(Duration::from_secs(1_800)))
        );
        let lineage = Finding::Lineage(LineageFinding::InStore {
            ticket: Root::numbered(1).ticket(),
            parent: None,
            is_stored: true,
        });
        assert_eq!(of(&found.users[0].1, "lineage").finding, lineage);
        assert_eq!(world.sent().len(), sent);
    }

    #[test]
    fn what_a_sign_in_lacks_is_an_issue_that_says_what_to_do() {
        let (world, settings) = (TestWorld::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "profile.compact", None);
        world.advance(Duration::from_secs(1_812));

        let found = validate(cx, Reach::Offline);

        let ann = &found.users[0].1;
        let expired = Finding::AccessToken(AccessTokenFinding::Expired {
            ago: Duration::from_secs(12),
            then: AfterExpiry::SignInNeeded,
        });
        assert_eq!(of(ann, "expiry").finding, expired);
        assert_eq!(of(ann, "scope").finding, Finding::Scope(ScopeFinding::CartMissing("profile.compact".to_owned())));
        assert!(!of(ann, "refresh_token").ok);
        assert!(!of(&found.server, "last_tick").ok);
        let issues = found.issues();
        let age = Duration::from_secs(1_812);
        let last_pass = check(CheckName::LastTick, false, Finding::Pass(PassFinding::Last { age, is_running: false }));
        assert!(issues.contains(&(CheckSubject::User(&found.users[0].0), of(ann, "expiry"))), "{issues:?}");
        assert!(issues.contains(&(CheckSubject::Server, &last_pass)), "{issues:?}");
    }

    #[test]
    fn a_refused_refresh_token_is_told_from_a_missing_one() {
        let (world, settings) = (TestWorld::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "cart.basic:write", Some("canary-refresh"));
        world.advance(Duration::from_secs(1_900));
        world.answer(400, REFUSED);
        on_demand::refresh(cx, &UserId::parse("ann").unwrap()).unwrap_err();

        let found = validate(cx, Reach::Offline);

        let refresh_token = of(&found.users[0].1, "refresh_token");
        assert_eq!(
            *refresh_token,
            check(CheckName::RefreshToken, false, Finding::RefreshToken(RefreshTokenFinding::Refused))
        );
    }

    #[test]
    fn online_each_valid_token_is_asked_about_once_and_none_is_refreshed() {
        let (world, settings) = (TestWorld::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "cart.basic:write", Some("canary-refresh"));
        let cases = [
            (200, "{}", true, Finding::Online(OnlineFinding::TokenAccepted)),
            (401, r#"{"error":"invalid_token"}"#, false, Finding::Online(OnlineFinding::TokenRejected)),
            (
                403,
                r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#,
                true,
                Finding::Online(OnlineFinding::TokenLacksScope),
            ),
            (500, "", false, Finding::Online(OnlineFinding::Answered(500))),
        ];
        for (status, body, ok, finding) in cases {
            let before = world.sent().len();
            world.answer(status, body);
            world.answer(status, body);

            let found = validate(cx, Reach::Online);

            let online = of(&found.users[0].1, "online");
            assert_eq!(*online, check(CheckName::Online, ok, finding), "{status}");
            let paths: Vec<_> = world.sent().into_iter().skip(before).map(|request| request.path).collect();
            assert_eq!(paths, [CLIENTS_QUESTION.path, USERS_QUESTION.path]);
        }
    }

    #[test]
    fn an_expired_token_is_not_asked_about() {
        let (world, settings) = (TestWorld::new(), settings());
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "cart.basic:write", Some("canary-refresh"));
        world.advance(Duration::from_secs(1_900));
        let sent = world.sent().len();

        let found = validate(cx, Reach::Online);

        assert_eq!(
            of(&found.users[0].1, "online").finding,
            Finding::Online(OnlineFinding::NotAsked(NotAsked::NoValidToken))
        );
        assert_eq!(world.sent().len(), sent);
    }

    #[test]
    fn a_question_counts_in_the_daily_quota_and_is_not_asked_beyond_it() {
        let mut settings = settings();
        settings.quotas.identity = 1;
        let world = TestWorld::new();
        let cx = Context { settings: &settings, ports: &world };
        sign_in(cx, &world, "cart.basic:write", Some("canary-refresh"));
        for _ in 0..3 {
            world.answer(200, "{}");
        }
        assert!(of(&validate(cx, Reach::Online).users[0].1, "online").ok);

        let again = validate(cx, Reach::Online);

        let online = of(&again.users[0].1, "online");
        assert!(
            matches!(
                online.finding,
                Finding::Online(OnlineFinding::NotAsked(NotAsked::Quota(Cause::Quota(_, QuotaTrouble::UsedUp { .. }))))
            ),
            "{online:?}"
        );
    }

    #[test]
    fn a_store_that_fails_or_forgets_is_an_issue_and_no_error() {
        let (world, settings) = (TestWorld::new(), settings());
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
