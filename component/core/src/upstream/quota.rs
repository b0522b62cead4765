//! Kroger's daily quotas: an app may make a limited number of calls to each endpoint
//! within 24 hours from the first. Each send is counted in the store, so that all
//! processes and restarts share one count, and nothing is sent beyond it.
//!
//! The count is advisory. A store that cannot count stops no call, since a cart add
//! that Kroger would have accepted must not fail for a number. Kroger rejects calls
//! over its own limit; this count only avoids most of them.
//!
//! The last part of `products` and `cart` is a reserve for adding to the cart.
//! Browsing and repeats of a call never use it. Nothing here sends.
//!
//! Users share what is left: `is_within_share` says how. Users are counted in a fixed
//! number of places, so that made-up users leave a bounded number of keys.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::{Cause, Failure, QuotaTrouble};
use crate::grant::records;
use crate::kroger::limits::{Endpoint, Limits};
use crate::kroger::retry_after::{LONGEST_RETRY_AFTER, retry_after};
use crate::ports::{Bucket, Event, Response, StoreError, Timestamp};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::user::UserKey;
use crate::{CLOCK_SKEW, Context};

/// A window's length, from its first call.
pub const WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// The calls of a day that are never shared out.
const FREE: u64 = 10;

/// The places in which users are counted. Users of one place share a part.
const PLACES: u64 = 64;

/// The purpose of a call decides whether it may use the reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Browsing. It must not use the reserve.
    Browse,
    /// A cart add, or a check on its behalf. It may use all of the quota.
    Cart,
    /// Another send of the same call. It must not use the reserve.
    Repeat,
}

/// The state of an endpoint's quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaStatus {
    pub endpoint: Endpoint,
    pub limit: u64,
    pub used: u64,
    /// The part of the limit that is kept for adding to the cart.
    pub reserve: u64,
    /// None: no call was made since the last window ended.
    pub window_started_at: Option<Timestamp>,
    /// Kroger asked for no calls until then.
    pub blocked_until: Option<Timestamp>,
}

/// The window in which calls are counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    number: u64,
    started_at: Timestamp,
    blocked_until: Option<Timestamp>,
}

impl Stored for Window {
    const KIND: Kind = Kind::QuotaWindow;
    const VERSION: u32 = 1;
}

/// Why a call is not sent.
enum Refusal {
    UsedUp { resets_at: Timestamp },
    OnlyReserveLeft { resets_at: Timestamp },
    ShareUsedUp { resets_at: Timestamp },
    Blocked { until: Timestamp },
}

impl Limits {
    fn allowance(&self, endpoint: Endpoint, purpose: Purpose) -> u64 {
        match purpose {
            Purpose::Cart => self.of(endpoint),
            Purpose::Browse | Purpose::Repeat => self.of(endpoint) - self.reserve(endpoint),
        }
    }
}

/// Whether a user may make another call. `used` of the `allowance` are used, `late` of
/// them by this user after the first half.
///
/// The first half is free for all. After that a user has at most as many calls as are
/// left for everybody else. So a single user uses three quarters of a day's calls at
/// most, and each further user half of the rest.
fn is_within_share(allowance: u64, used: u64, late: u64) -> bool {
    is_free(allowance, used) || late < allowance.saturating_sub(used)
}

fn is_free(allowance: u64, used: u64) -> bool {
    used < FREE.max(allowance / 2)
}

/// Counts one call to `endpoint` for `user`, which is about to be sent.
///
/// # Errors
/// `quota_exhausted`, where it must not be sent.
pub(crate) fn spend(cx: Context<'_>, endpoint: Endpoint, purpose: Purpose, user: &UserKey) -> Result<(), Failure> {
    match count(cx, endpoint, purpose, user) {
        Ok(None) => Ok(()),
        Ok(Some(refusal)) => Err(refusal.failure(cx, endpoint)),
        Err(_) => {
            cx.ports.log(&Event::StoreTrouble { doing: "counting a call to Kroger" });
            Ok(())
        }
    }
}

/// Notes for all processes until when Kroger's 429 asks for no calls to `endpoint`.
pub(crate) fn observe(cx: Context<'_>, endpoint: Endpoint, response: &Response) {
    let now = cx.ports.wall_now();
    let Some(wait) = retry_after(response, now).filter(|wait| response.status == 429 && !wait.is_zero()) else {
        return;
    };
    if block(cx, endpoint, now, now + wait).is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "noting until when Kroger takes no calls" });
    }
}

/// The state of each endpoint's quota.
pub fn statuses(cx: Context<'_>) -> Result<Vec<QuotaStatus>, StoreError> {
    Endpoint::ALL.into_iter().map(|endpoint| status(cx, endpoint)).collect()
}

fn status(cx: Context<'_>, endpoint: Endpoint) -> Result<QuotaStatus, StoreError> {
    let now = cx.ports.wall_now();
    let window = window(cx, endpoint)?;
    let blocked_until = window.as_ref().and_then(|window| window.blocked(now));
    let open = window.filter(|window| window.is_open(now));
    let used = match &open {
        Some(window) => cx.ports.increment(&counter_key(endpoint, window.number), 0)?,
        None => 0,
    };
    Ok(QuotaStatus {
        endpoint,
        limit: cx.settings.quotas.of(endpoint),
        used,
        reserve: cx.settings.quotas.reserve(endpoint),
        window_started_at: open.map(|window| window.started_at),
        blocked_until,
    })
}

impl QuotaStatus {
    pub fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    pub fn resets_at(&self) -> Option<Timestamp> {
        self.window_started_at.map(|start| start + WINDOW)
    }
}

fn window_key(endpoint: Endpoint) -> String {
    Key::QuotaWindow { endpoint }.to_string()
}

fn counter_key(endpoint: Endpoint, window: u64) -> String {
    Key::QuotaCount { endpoint, window }.to_string()
}

/// The counter of the late calls of `user`. All users who never signed in have one
/// together, because their number is free.
fn share_key(cx: Context<'_>, endpoint: Endpoint, window: u64, user: &UserKey) -> Result<String, StoreError> {
    let is_known = *user == cx.settings.default_user.key() || records::has_signed_in(cx, user)?;
    let hash = || user.to_string().bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let place = if is_known { 1 + hash() % PLACES } else { 0 };
    Ok(Key::QuotaShare { endpoint, window, place }.to_string())
}

fn window(cx: Context<'_>, endpoint: Endpoint) -> Result<Option<Window>, StoreError> {
    codec::read(cx, Bucket::Store, &window_key(endpoint))
}

/// Counts one call, or says why it must not be sent. The counter is read before it is
/// raised, so that a refused call is not counted. The raised value is checked too,
/// because other callers may raise it at the same time.
fn count(cx: Context<'_>, endpoint: Endpoint, purpose: Purpose, user: &UserKey) -> Result<Option<Refusal>, StoreError> {
    let now = cx.ports.wall_now();
    let last = window(cx, endpoint)?;
    if let Some(until) = last.as_ref().and_then(|window| window.blocked(now)) {
        return Ok(Some(Refusal::Blocked { until }));
    }
    let window = match last {
        Some(window) if window.is_open(now) => window,
        last => open(cx, endpoint, last.map_or(1, |last| last.number + 1), now)?,
    };
    let resets_at = window.started_at + WINDOW;
    let counter = counter_key(endpoint, window.number);
    let allowance = cx.settings.quotas.allowance(endpoint, purpose);
    let spent = cx.ports.increment(&counter, 0)?;
    let is_shared = spent < allowance && !is_free(allowance, spent);
    let share = if is_shared { Some(share_key(cx, endpoint, window.number, user)?) } else { None };
    if let Some(share) = &share
        && !is_within_share(allowance, spent, cx.ports.increment(share, 0)?)
    {
        return Ok(Some(Refusal::ShareUsedUp { resets_at }));
    }
    if spent < allowance && cx.ports.increment(&counter, 1)? <= allowance {
        if let Some(share) = share {
            cx.ports.increment(&share, 1)?;
        }
        return Ok(None);
    }
    if allowance == cx.settings.quotas.of(endpoint) {
        return Ok(Some(Refusal::UsedUp { resets_at }));
    }
    Ok(Some(Refusal::OnlyReserveLeft { resets_at }))
}

/// Opens window `number`. Callers that come at the same time open the same window and
/// count in it.
fn open(cx: Context<'_>, endpoint: Endpoint, number: u64, now: Timestamp) -> Result<Window, StoreError> {
    let window = Window { number, started_at: now, blocked_until: None };
    cx.ports.set(Bucket::Store, &window_key(endpoint), &codec::encode(&window))?;
    Ok(window)
}

fn block(cx: Context<'_>, endpoint: Endpoint, now: Timestamp, until: Timestamp) -> Result<(), StoreError> {
    let window = match window(cx, endpoint)? {
        Some(window) => window,
        None => open(cx, endpoint, 1, now)?,
    };
    let blocked = Window { blocked_until: Some(until), ..window };
    cx.ports.set(Bucket::Store, &window_key(endpoint), &codec::encode(&blocked))
}

/// True if no call counts in window `number` of `endpoint` any more.
pub(crate) fn is_over(cx: Context<'_>, endpoint: Endpoint, number: u64) -> Result<bool, StoreError> {
    Ok(window(cx, endpoint)?.is_some_and(|window| number < window.number))
}

impl Window {
    /// Whether `now` is in the window. A window that begins in the future does not count:
    /// a clock was set.
    fn is_open(&self, now: Timestamp) -> bool {
        self.started_at <= now + CLOCK_SKEW && now < self.started_at + WINDOW
    }

    fn blocked(&self, now: Timestamp) -> Option<Timestamp> {
        let longest = now + LONGEST_RETRY_AFTER + CLOCK_SKEW;
        self.blocked_until.filter(|until| now < *until && *until <= longest)
    }
}

impl Refusal {
    fn failure(&self, cx: Context<'_>, endpoint: Endpoint) -> Failure {
        let limits = &cx.settings.quotas;
        let limit = limits.of(endpoint);
        let (cause, until) = match *self {
            Self::UsedUp { resets_at: until } => (Cause::Quota(endpoint, QuotaTrouble::UsedUp { limit, until }), until),
            Self::OnlyReserveLeft { resets_at: until } => (
                Cause::Quota(
                    endpoint,
                    QuotaTrouble::OnlyReserveLeft { limit, reserve: limits.reserve(endpoint), until },
                ),
                until,
            ),
            Self::ShareUsedUp { resets_at: until } => {
                (Cause::Quota(endpoint, QuotaTrouble::ShareUsedUp { limit, until }), until)
            }
            Self::Blocked { until } => (Cause::Quota(endpoint, QuotaTrouble::Blocked { until }), until),
        };
        Failure::from(cause).retry_after(until.since(cx.ports.wall_now()).max(Duration::from_secs(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;
    use crate::ports::Ports as _;
    use crate::settings::Settings;
    use crate::testing::{BEGINNING, StoreMood, TestWorld};
    use crate::user::UserId;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::from_variables(variables).unwrap()
    }

    fn ten_with_two_in_reserve() -> Settings {
        settings(&[
            ("KROGER_QUOTA_PRODUCTS", "10"),
            ("KROGER_QUOTA_CART", "10"),
            ("KROGER_QUOTA_LOCATIONS", "10"),
            ("KROGER_QUOTA_RESERVE_PERCENT", "20"),
        ])
    }

    fn user() -> UserKey {
        UserId::parse("user_default").unwrap().key()
    }

    fn answer(status: u16, retry_after: &str) -> Response {
        Response { status, retry_after: Some(retry_after.to_owned()), date: None, body: Vec::new() }
    }

    /// How many calls are let through, of 20.
    fn let_through(cx: Context<'_>, endpoint: Endpoint, purpose: Purpose) -> usize {
        (0..20).filter(|_| spend(cx, endpoint, purpose, &user()).is_ok()).count()
    }

    #[test]
    fn browsing_leaves_the_reserve_to_the_cart() {
        let (settings, world) = (ten_with_two_in_reserve(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };

        assert_eq!(let_through(cx, Endpoint::Products, Purpose::Browse), 8);
        assert_eq!(let_through(cx, Endpoint::Products, Purpose::Cart), 2);
        assert_eq!(let_through(cx, Endpoint::Cart, Purpose::Repeat), 8);
        assert_eq!(let_through(cx, Endpoint::Locations, Purpose::Browse), 10);
    }

    #[test]
    fn a_refused_call_names_its_endpoint_and_is_not_counted() {
        let (settings, world) = (ten_with_two_in_reserve(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let_through(cx, Endpoint::Cart, Purpose::Cart);
        world.advance(Duration::from_secs(3_600));

        let refused = spend(cx, Endpoint::Cart, Purpose::Cart, &user()).unwrap_err();

        assert_eq!(refused.code, Code::QuotaExhausted);
        assert_eq!(refused.retry_after, Some(Duration::from_secs(23 * 3_600)));
        let until = BEGINNING + Duration::from_secs(24 * 3_600);
        assert_eq!(refused.cause, Cause::Quota(Endpoint::Cart, QuotaTrouble::UsedUp { limit: 10, until }));
        assert_eq!(status(cx, Endpoint::Cart).unwrap().used, 10);
    }

    #[test]
    fn a_window_begins_with_its_first_call_and_ends_a_day_later() {
        let (settings, world) = (ten_with_two_in_reserve(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        world.advance(Duration::from_secs(60));
        let_through(cx, Endpoint::Cart, Purpose::Cart);
        let first = status(cx, Endpoint::Cart).unwrap();

        world.advance(WINDOW.saturating_sub(Duration::from_millis(1)));
        let last_moment = spend(cx, Endpoint::Cart, Purpose::Cart, &user());
        world.advance(Duration::from_millis(1));
        let unused = status(cx, Endpoint::Cart).unwrap();
        let next_day = spend(cx, Endpoint::Cart, Purpose::Cart, &user());

        assert_eq!(first.resets_at(), Some(BEGINNING + Duration::from_secs(60) + WINDOW));
        assert!(last_moment.is_err());
        assert_eq!((unused.used, unused.window_started_at), (0, None));
        assert!(next_day.is_ok());
        assert_eq!(status(cx, Endpoint::Cart).unwrap().used, 1);
        assert!(is_over(cx, Endpoint::Cart, 1).unwrap() && !is_over(cx, Endpoint::Cart, 2).unwrap());
    }

    #[test]
    fn a_window_from_a_clock_that_was_ahead_locks_nothing() {
        let (settings, world) = (ten_with_two_in_reserve(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        open(cx, Endpoint::Cart, 1, BEGINNING + Duration::from_secs(3_600)).unwrap();
        world.increment_by(&counter_key(Endpoint::Cart, 1), 10);

        assert!(spend(cx, Endpoint::Cart, Purpose::Cart, &user()).is_ok());
    }

    #[test]
    fn krogers_429_blocks_its_endpoint_for_as_long_as_it_asks() {
        let (settings, world) = (ten_with_two_in_reserve(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };

        observe(cx, Endpoint::Cart, &answer(503, "7"));
        assert!(spend(cx, Endpoint::Cart, Purpose::Cart, &user()).is_ok());
        observe(cx, Endpoint::Cart, &answer(429, "7"));

        let refused = spend(cx, Endpoint::Cart, Purpose::Cart, &user()).unwrap_err();
        assert_eq!(refused.retry_after, Some(Duration::from_secs(7)));
        assert!(spend(cx, Endpoint::Products, Purpose::Browse, &user()).is_ok());
        assert_eq!(status(cx, Endpoint::Cart).unwrap().blocked_until, Some(BEGINNING + Duration::from_secs(7)));
        world.advance(Duration::from_secs(7));
        assert!(spend(cx, Endpoint::Cart, Purpose::Cart, &user()).is_ok());
        assert_eq!(status(cx, Endpoint::Cart).unwrap().used, 2);
    }

    #[test]
    fn a_store_that_cannot_count_stops_no_call() {
        let (settings, world) = (ten_with_two_in_reserve(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        world.set_store_mood(StoreMood::Failing);

        assert_eq!(let_through(cx, Endpoint::Cart, Purpose::Cart), 20);
        assert_eq!(world.logged()[0], Event::StoreTrouble { doing: "counting a call to Kroger" });
    }

    #[test]
    fn a_user_leaves_the_others_a_part() {
        // Of 40 calls a day: how many each user gets, one after the other.
        for (limit, expected) in
            [(3, &[3, 0][..]), (10, &[10, 0]), (40, &[30, 5, 3, 1, 1, 0]), (1_000, &[750, 125, 63, 31, 16, 8])]
        {
            let (settings, world) = (settings(&[("KROGER_QUOTA_CART", &limit.to_string())]), TestWorld::new());
            let cx = Context { settings: &settings, ports: &world };
            let users = ["ann", "bob", "cid", "dan", "eve", "fay"].map(|name| UserId::parse(name).unwrap().key());
            for user in &users {
                cx.ports.set(Bucket::Store, &records::head_key(user), b"1.0.0").unwrap();
            }

            let granted: Vec<usize> = users[..expected.len()]
                .iter()
                .map(|user| {
                    let spent = |_: &u64| spend(cx, Endpoint::Cart, Purpose::Cart, user).is_ok();
                    (0..limit * 2).filter(spent).count()
                })
                .collect();

            assert_eq!(granted, expected, "{limit}");
        }
    }

    #[test]
    fn made_up_users_have_one_part_together_and_one_key() {
        let (settings, world) = (settings(&[("KROGER_QUOTA_PRODUCTS", "40")]), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let spend = |name: &str| {
            let user = UserId::parse(name).unwrap().key();
            spend(cx, Endpoint::Products, Purpose::Cart, &user)
        };

        let granted = (0..100).filter(|n| spend(&format!("stranger{n}")).is_ok()).count();

        assert_eq!(granted, 30);
        let refused = spend("stranger7").unwrap_err();
        assert!(matches!(refused.cause, Cause::Quota(_, QuotaTrouble::ShareUsedUp { limit: 40, .. })));
        assert!(spend(settings.default_user.as_str()).is_ok());
        let keys = world.list_keys(Bucket::Store, None).unwrap().keys;
        assert_eq!(keys.iter().filter(|key| key.starts_with("quota.products.1.")).count(), 2);
        assert!(is_over(cx, Endpoint::Products, 0).unwrap());
    }
}
