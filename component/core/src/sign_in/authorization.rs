//! Signing a person in: authorization code with PKCE (RFC 6749 § 4.1, RFC 7636)
//! and a `state` that is used once.
//!
//! A started sign-in is kept in the store, so it outlives a restart. There are
//! 1,000 places for them, taken in turn: who starts more pushes out the oldest.
//! What is long over is swept.
//!
//! | key | value |
//! |---|---|
//! | `signin.places` | counter; its remainder by 1,000 is the next place |
//! | `signin.<place>` | a `Pending` sign-in |
//! | `used.<place>.<hash of state>` | counter; who raises it to 1 may go on |
//! | `signin_link.<user>` | the link that failed calls share |

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::failure::{Code, Failure};
use crate::grant::due;
use crate::grant::lineage::{Current, Grant, Record, Root, SCHEMA_VERSION, Source, Tokens};
use crate::grant::outside_pair::{self, Exported};
use crate::grant::records::{self, Kept, SAVE_TIME};
use crate::grant::refresh;
use crate::kroger::token_response::{TokenResponse, Verdict, verdict};
use crate::ports::{Bucket, Event, SendError, StoreError, Timestamp};
use crate::secret::{Secret, base32_sha256};
use crate::settings::{Client, Scope};
use crate::stopwatch::Stopwatch;
use crate::user::{UserId, UserKey};
use crate::{Context, kroger};

/// How long a person may take to agree.
pub const LIFETIME: Duration = Duration::from_secs(600);
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
const PLACES: u64 = 1_000;
const PLACES_KEY: &str = "signin.places";
const START_AGAIN: &str = "Start again at /auth/authorize.";
/// A shared link is given out while it has this long left.
const LINK_LEFT: Duration = Duration::from_secs(300);
/// What was started this long ago is over for everyone, whatever their clock
/// says and however slow they are.
const LONG_OVER: Duration = Duration::from_secs(2 * LIFETIME.as_secs());

/// A sign-in that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRequest {
    pub authorization_url: String,
    pub redirect_uri: String,
    pub scope: String,
    pub state: String,
}

/// A sign-in that was completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    pub grant: Grant,
    /// What became of the `.env` mirror.
    pub exported: Exported,
    /// False where the grant waits in memory for the store to recover.
    pub is_stored: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    schema_version: u32,
    state_hash: String,
    verifier: Secret,
    user_id: UserId,
    scope: String,
    redirect_uri: String,
    /// The root that was current when it was started.
    root: Option<Root>,
    started_at: Timestamp,
    #[serde(default)]
    returns: Return,
}

/// By which way a person may come back from Kroger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Return {
    /// In any browser.
    #[default]
    Anywhere,
    /// In the one that shows what hashes to this.
    Browser(String),
    /// In none: the caller who began it is given the address.
    Pasted,
}

#[derive(Serialize, Deserialize)]
struct Link {
    schema_version: u32,
    authorization_url: String,
    /// Hash of what the link is made of besides its secrets: with other settings it
    /// leads nowhere.
    #[serde(default)]
    made_of: String,
    place: String,
    state_hash: String,
    started_at: Timestamp,
}

/// What is asked of a sign-in: for whom, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub user_id: UserId,
    pub scope: String,
}

fn pending_key(place: &str) -> String {
    format!("signin.{place}")
}

fn used_key(place: &str, state_hash: &str) -> String {
    format!("used.{place}.{state_hash}")
}

fn link_key(user: &UserKey) -> String {
    format!("signin_link.{user}")
}

/// Starts a sign-in.
pub fn authorize(cx: Context<'_>, user: &UserId, scope: Option<&Scope>) -> Result<AuthorizationRequest, Failure> {
    authorize_for(cx, user, scope.unwrap_or(&cx.settings.scope), Return::Anywhere)
}

/// Starts a sign-in that must come back as `returns` says.
pub fn authorize_for(
    cx: Context<'_>,
    user: &UserId,
    scope: &Scope,
    returns: Return,
) -> Result<AuthorizationRequest, Failure> {
    let client = client(cx)?;
    let current = records::current(cx, &user.key()).map_err(|_| Failure::store_unavailable())?;
    refuse_over_anothers(cx, &current)?;
    start(cx, client, user, scope, returns, current.root()).map_err(|_| Failure::store_unavailable())
}

/// A sign-in of another app's that is alive is nobody's to replace here.
fn refuse_over_anothers(cx: Context<'_>, current: &Current) -> Result<(), Failure> {
    let Current::Grant(grant) = current else { return Ok(()) };
    let Some(other) = grant.of_another(&cx.settings.app) else { return Ok(()) };
    let is_dead = due::is_refused(cx, grant).map_err(|_| Failure::store_unavailable())?;
    if is_dead { Ok(()) } else { Err(Failure::of_another_app(other, &cx.settings.app)) }
}

/// Refuses where the sign-in of `state` may not come back in this browser, which
/// shows `shown`. Nothing is used up: the right way is still open.
pub fn check_browser(cx: Context<'_>, state: &str, shown: Option<&str>) -> Result<(), Failure> {
    const OTHER: &str = "the sign-in was begun in another browser; open the link and agree in one and the same";
    const PASTED: &str = "this sign-in is finished by giving the whole address to the assistant that began it";

    let (_, pending) = taken(cx, state)?;
    match pending.returns {
        Return::Browser(hash) if shown.is_none_or(|shown| base32_sha256(shown) != hash) => {
            Err(Failure::sign_in(Code::SignInUnknown, "state", OTHER))
        }
        Return::Pasted => Err(Failure::sign_in(Code::SignInPasted, "state", PASTED)),
        Return::Browser(_) | Return::Anywhere => Ok(()),
    }
}

/// Refuses where the sign-in of `state` was begun for another than `user`.
/// Nothing is used up.
pub fn check_user(cx: Context<'_>, state: &str, user: &UserId) -> Result<(), Failure> {
    const OTHER: &str = "the sign-in was begun for another user; start again at /auth/authorize";

    let (_, pending) = taken(cx, state)?;
    if pending.user_id == *user { Ok(()) } else { Err(Failure::sign_in(Code::SignInUnknown, "state", OTHER)) }
}

/// A link for a call that failed because `scope` was not granted; calls that
/// fail within minutes share it. None where no link can be made.
pub fn shared_link(cx: Context<'_>, user: &UserId, scope: &Scope) -> Option<String> {
    let key = link_key(&user.key());
    let link: Option<Link> = records::read(cx, Bucket::Store, &key).ok().flatten();
    if let Some(link) = link
        && is_open(cx, user, scope, &link) == Ok(true)
    {
        return Some(link.authorization_url);
    }
    let AuthorizationRequest { authorization_url, state, .. } = authorize(cx, user, Some(scope)).ok()?;
    let link = Link {
        schema_version: SCHEMA_VERSION,
        authorization_url,
        made_of: made_of(cx, scope)?,
        place: place_of(&state)?.to_owned(),
        state_hash: base32_sha256(&state),
        started_at: cx.ports.wall_now(),
    };
    // Unshared, it still works.
    let _ = cx.ports.set(Bucket::Store, &key, &records::encode(&link));
    Some(link.authorization_url)
}

/// Whether whoever opens `link` now can sign `user` in with it.
fn is_open(cx: Context<'_>, user: &UserId, scope: &Scope, link: &Link) -> Result<bool, StoreError> {
    let Some(pending) = pending(cx, &link.place, &link.state_hash)? else { return Ok(false) };
    let now = cx.ports.wall_now();
    let is_fresh = now >= pending.started_at && now + LINK_LEFT < pending.started_at + LIFETIME;
    let is_used = cx.ports.increment(&used_key(&link.place, &link.state_hash), 0)? > 0;
    let is_deleted = records::current(cx, &user.key())?.buried() > pending.root;
    Ok(is_fresh && !is_used && !is_deleted && made_of(cx, scope).is_some_and(|now| now == link.made_of))
}

fn made_of(cx: Context<'_>, scope: &Scope) -> Option<String> {
    let client = cx.settings.client.as_ref()?;
    Some(base32_sha256(kroger::authorization_url(cx.settings, client, scope, "", "").as_str()))
}

fn client(cx: Context<'_>) -> Result<&Client, Failure> {
    cx.settings.client.as_ref().ok_or_else(Failure::client_credentials_missing)
}

fn start(
    cx: Context<'_>,
    client: &Client,
    user: &UserId,
    scope: &Scope,
    returns: Return,
    root: Option<Root>,
) -> Result<AuthorizationRequest, StoreError> {
    let place = (cx.ports.increment(PLACES_KEY, 1)? % PLACES).to_string();
    let state = format!("{place}.{}", random_text(cx));
    let verifier = Secret::new(random_text(cx));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()));
    let pending = Pending {
        schema_version: SCHEMA_VERSION,
        state_hash: base32_sha256(&state),
        verifier,
        user_id: user.clone(),
        scope: scope.as_str().to_owned(),
        redirect_uri: cx.settings.redirect_uri.to_string(),
        root,
        started_at: cx.ports.wall_now(),
        returns,
    };
    cx.ports.set(Bucket::Store, &pending_key(&place), &records::encode(&pending))?;
    Ok(AuthorizationRequest {
        authorization_url: kroger::authorization_url(cx.settings, client, scope, &state, &challenge).into(),
        redirect_uri: pending.redirect_uri,
        scope: pending.scope,
        state,
    })
}

/// 256 random bits in 43 characters: a `state`, and a PKCE verifier (RFC 7636
/// § 4.1).
fn random_text(cx: Context<'_>) -> String {
    let mut bytes = [0; 32];
    cx.ports.random_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that `state` names.
fn place_of(state: &str) -> Option<&str> {
    let (place, _) = state.split_once('.')?;
    let is_place = (1..=3).contains(&place.len()) && place.bytes().all(|byte| byte.is_ascii_digit());
    (is_place && state.len() <= 64).then_some(place)
}

/// The sign-in at `place`, if it is the one of that hash.
fn pending(cx: Context<'_>, place: &str, state_hash: &str) -> Result<Option<Pending>, StoreError> {
    let pending: Option<Pending> = records::read(cx, Bucket::Store, &pending_key(place))?;
    Ok(pending.filter(|pending| pending.state_hash == state_hash))
}

/// Whether `used.<place>.<hash>` still guards a pending sign-in.
pub fn is_pending(cx: Context<'_>, place: &str, state_hash: &str) -> Result<bool, StoreError> {
    Ok(pending(cx, place, state_hash)?.is_some())
}

/// What the sign-in of `state` asks for, be it open, used or expired.
pub fn subject(cx: Context<'_>, state: &str) -> Option<Subject> {
    let pending = pending(cx, place_of(state)?, &base32_sha256(state)).ok()??;
    Some(Subject { user_id: pending.user_id, scope: pending.scope })
}

/// Whether `key`, a sign-in or a shared link, is of no use any more.
pub fn is_long_over(cx: Context<'_>, key: &str) -> Result<bool, StoreError> {
    #[derive(Deserialize)]
    struct Started {
        started_at: Timestamp,
    }

    let Some(Started { started_at }) = records::read(cx, Bucket::Store, key)? else { return Ok(false) };
    let now = cx.ports.wall_now();
    Ok(now.since(started_at).max(started_at.since(now)) >= LONG_OVER)
}

/// How far a sign-in has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The person has not come back from Kroger.
    Open,
    /// The redirect came: it was completed, declined, or is just being so.
    Taken,
    /// Nobody can complete it any more.
    Over,
}

/// How far the sign-in of `state` has come. Writes nothing.
pub fn progress(cx: Context<'_>, state: &str) -> Result<Progress, StoreError> {
    let state_hash = base32_sha256(state);
    let Some(place) = place_of(state) else { return Ok(Progress::Over) };
    let Some(pending) = pending(cx, place, &state_hash)? else { return Ok(Progress::Over) };
    let now = cx.ports.wall_now();
    Ok(if cx.ports.increment(&used_key(place, &state_hash), 0)? > 0 {
        Progress::Taken
    } else if now >= pending.started_at + LIFETIME || now + LIFETIME < pending.started_at {
        Progress::Over
    } else {
        Progress::Open
    })
}

/// Ends the user's sign-ins that are under way, without a trace. Whoever has
/// taken one already finds it gone once their root is taken, see [`complete`].
pub fn end(cx: Context<'_>, user: &UserId) -> Result<(), StoreError> {
    let newest = cx.ports.increment(PLACES_KEY, 0)?;
    let numbers = newest.saturating_sub(PLACES - 1)..=newest;
    for key in numbers.map(|number| pending_key(&(number % PLACES).to_string())) {
        let pending: Option<Pending> = records::read(cx, Bucket::Store, &key)?;
        if pending.is_some_and(|pending| pending.user_id == *user) {
            cx.ports.delete(Bucket::Store, &key)?;
        }
    }
    Ok(())
}

/// Ends the sign-in that `state` names without a grant: the person declined.
pub fn decline(cx: Context<'_>, state: &str) -> Result<(), Failure> {
    take(cx, state).map(|_| ())
}

/// Exchanges the `code` of the redirect for tokens and stores the grant.
///
/// The root is taken, and the user's history read, before the code is spent:
/// after that, nothing but the one write stands between the person's consent
/// and its being kept.
pub fn complete(cx: Context<'_>, code: &Secret, state: &str) -> Result<SignedIn, Failure> {
    let client = client(cx)?;
    let pending = take(cx, state)?;
    let user = pending.user_id.key();
    let root = records::take_root(cx, &user).map_err(|_| spent_for_nothing())?;
    // A deletion that came before this root ended the sign-in, or will see it.
    taken(cx, state).map_err(|failure| Failure { retry_after: None, next_step: START_AGAIN.to_owned(), ..failure })?;
    let before = records::current(cx, &user).map_err(|_| spent_for_nothing())?;
    refuse_if_deleted_since(&pending, &before)?;
    refuse_over_anothers(cx, &before)?;
    let request = kroger::code_request(&cx.settings.token_path, client, code, &pending.redirect_uri, &pending.verifier);
    let stopwatch = Stopwatch::start(cx);
    let answer = cx.ports.send(&request, SEND_TIMEOUT);
    let now = cx.ports.wall_now();
    let response = granted(answer.map(|response| verdict(&response, now)))?;
    let tokens = Tokens {
        app: Some(cx.settings.app.clone()),
        access_token: response.access_token,
        refresh_token: response.refresh_token,
        obtained_at: now,
        expires_at: stopwatch.expiry(cx, response.expires_in),
        scope: response.scope.or_else(|| Some(pending.scope.clone())),
    };
    let record = Record::sign_in(pending.user_id.clone(), tokens, Source::OAuth, &before);
    store(cx, &pending, root, record)
}

/// The pending sign-in of `state`, for the one caller that takes it.
fn take(cx: Context<'_>, state: &str) -> Result<Pending, Failure> {
    const EXPIRED: &str = "the sign-in took longer than 10 minutes; start again at /auth/authorize";
    const USED: &str = "this sign-in was used before; start again at /auth/authorize if you are not signed in";

    let (place, pending) = taken(cx, state)?;
    let now = cx.ports.wall_now();
    if now >= pending.started_at + LIFETIME || now + LIFETIME < pending.started_at {
        return Err(Failure::sign_in(Code::SignInExpired, "state", EXPIRED));
    }
    match cx.ports.increment(&used_key(place, &pending.state_hash), 1) {
        Ok(1) => Ok(pending),
        Ok(_) => Err(Failure::sign_in(Code::SignInUsed, "state", USED)),
        // It may have been raised, and then this state is spent.
        Err(_) => Err(spent_for_nothing()),
    }
}

/// The store failed after the `state` was used, so the same call is of no use.
fn spent_for_nothing() -> Failure {
    Failure::new(
        Code::StoreUnavailable,
        "The token store cannot be read or written, so the sign-in came to nothing. Nothing was stored.",
        "Check the store's disk space and permissions, then start again at /auth/authorize.",
    )
}

/// The sign-in of `state`, and its place, which must still be its own.
fn taken<'a>(cx: Context<'_>, state: &'a str) -> Result<(&'a str, Pending), Failure> {
    const UNKNOWN: &str = "the sign-in is unknown or was overtaken; start again at /auth/authorize";

    let unknown = || Failure::sign_in(Code::SignInUnknown, "state", UNKNOWN);
    let place = place_of(state).ok_or_else(unknown)?;
    let pending = pending(cx, place, &base32_sha256(state)).map_err(|_| Failure::store_unavailable())?;
    pending.map(|pending| (place, pending)).ok_or_else(unknown)
}

/// Whoever deletes a user means the sign-ins under way, too.
fn refuse_if_deleted_since(pending: &Pending, current: &Current) -> Result<(), Failure> {
    if current.buried() <= pending.root {
        return Ok(());
    }
    Err(Failure::new(
        Code::Reauthorize,
        "The user was forgotten while this sign-in was under way, so nothing was stored; re-authenticate.",
        START_AGAIN,
    ))
}

fn granted(answer: Result<Verdict, SendError>) -> Result<TokenResponse, Failure> {
    match answer {
        Ok(Verdict::Granted(response)) => Ok(response),
        Ok(Verdict::Refused) => Err(Failure::sign_in(
            Code::SignInRefused,
            "code",
            "Kroger refused it as invalid, expired or used; start again at /auth/authorize",
        )),
        Ok(Verdict::ClientRefused) => Err(Failure::client_credentials_rejected()),
        Ok(Verdict::RequestRefused(error)) => Err(Failure::new(
            Code::UpstreamRejected,
            format!("Kroger refused the sign-in: {} ({}). Nothing was stored.", error.reason, error.code),
            "Check that KROGER_REDIRECT_URI and KROGER_SCOPE are those registered with Kroger, then start again.",
        )),
        Ok(Verdict::Busy { .. } | Verdict::Failed { .. } | Verdict::Unintelligible) | Err(SendError::NotSent) => {
            Err(unanswered("Kroger did not complete the sign-in."))
        }
        Err(SendError::Unknown) => Err(unanswered("Kroger's answer to the sign-in was lost.")),
    }
}

/// Never with a time to wait: the `state` is used, so the same call is of no use.
fn unanswered(what: &str) -> Failure {
    let detail = format!("{what} Nothing was stored, and the link works once: a new sign-in is needed.");
    Failure::new(Code::UpstreamUnavailable, detail, START_AGAIN)
}

fn store(cx: Context<'_>, pending: &Pending, root: Root, record: Record) -> Result<SignedIn, Failure> {
    let user = pending.user_id.key();
    let ticket = root.ticket();
    let deadline = cx.ports.monotonic_now() + SAVE_TIME;
    let kept = records::keep(cx, &user, ticket, &record, deadline).map_err(|_| unsaved())?;
    // A deletion since then outranks this root; its caller is told so.
    if let Ok(current) = records::current(cx, &user) {
        refuse_if_deleted_since(pending, &current)?;
    }
    let grant = Grant::of(ticket, record).expect("a sign-in is a grant");
    due::enter(cx, &grant);
    cx.ports.log(&Event::SignedIn { user: user.short(), ticket: ticket.to_string() });
    let exported = outside_pair::export(cx, &grant);
    Ok(SignedIn { grant, exported, is_stored: kept == Kept::Stored })
}

fn unsaved() -> Failure {
    Failure::new(
        Code::StoreUnavailable,
        "The sign-in succeeded and could not be saved, so it is lost.",
        "Check the store's disk space and permissions, then start again at /auth/authorize.",
    )
}

/// What is left of a sign-in's time, for people to read.
pub fn minutes() -> u64 {
    LIFETIME.as_secs() / 60
}

const _: () = assert!(refresh::CALL_DEADLINE.as_secs() < LIFETIME.as_secs());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::testing::World;

    fn settings() -> Settings {
        let app = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "hush")];
        Settings::from_variables(app.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    #[test]
    fn a_sign_in_is_open_until_its_redirect_comes_or_its_time_is_over() {
        let (settings, world) = (settings(), World::new());
        let cx = Context { settings: &settings, ports: &world };
        let alice = UserId::parse("alice").unwrap();
        let [declined, forgotten, late] = [(); 3].map(|()| authorize(cx, &alice, None).unwrap().state);

        assert_eq!(progress(cx, &declined), Ok(Progress::Open));
        decline(cx, &declined).unwrap();
        assert_eq!(progress(cx, &declined), Ok(Progress::Taken));
        world.advance(LIFETIME);
        assert_eq!(progress(cx, &late), Ok(Progress::Over));
        end(cx, &alice).unwrap();
        assert_eq!(progress(cx, &forgotten), Ok(Progress::Over));
        assert_eq!(progress(cx, "nobody's"), Ok(Progress::Over));
    }
}
