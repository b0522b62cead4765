//! What the simulation does not judge: how long a refresh waits, and for whom.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::core::authorization;
use crate::core::failure::Failure;
use crate::core::maintenance::RefreshOutcome;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::ports::{Bucket, Ports as _};
use crate::testing::World;

const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);

struct App {
    world: Arc<World>,
    settings: Settings,
}

impl App {
    /// With these users signed in, whose tokens live 1,800 seconds.
    fn with(users: &[&str]) -> Self {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "secret")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let app = Self {
            world: Arc::new(World::new().with_optional_buckets()),
            settings: Settings::from_variables(variables).unwrap(),
        };
        for user in users {
            let link = authorization::authorize(app.cx(), &id(user), None).unwrap();
            app.world.answer_with_tokens("A1", &format!("{user}-R1"));
            authorization::complete(app.cx(), &Secret::new("code"), &link.state).unwrap();
        }
        app
    }

    fn cx(&self) -> Context<'_> {
        Context { settings: &self.settings, ports: &*self.world }
    }

    /// What the timer does for `user`, and how long it takes.
    fn keep(&self, user: &str) -> (Result<RefreshOutcome, Failure>, Duration) {
        self.timed(|| maintenance::refresh_user(self.cx(), &id(user)))
    }

    fn timed<T>(&self, deed: impl FnOnce() -> T) -> (T, Duration) {
        let began = self.world.monotonic_now();
        let done = deed();
        (done, self.world.monotonic_now().saturating_sub(began))
    }

    fn refreshes(&self) -> usize {
        let sent = self.world.sent();
        sent.iter()
            .filter(|request| String::from_utf8_lossy(&request.body).contains("grant_type=refresh_token"))
            .count()
    }
}

fn id(user: &str) -> UserId {
    UserId::parse(user).unwrap()
}

#[test]
fn the_timer_does_not_wait_through_a_pause_while_others_are_due() {
    let app = App::with(&["alice"]);
    app.world.advance(HALF_AN_HOUR);
    app.world.answer_later(503, Some("20"));

    let (outcome, took) = app.keep("alice");

    assert_eq!(outcome, Ok(RefreshOutcome::Postponed));
    assert!(took <= PASS_PATIENCE, "{took:?}");
    assert_eq!(app.refreshes(), 1);
}

#[test]
fn the_timer_waits_through_a_pause_that_is_short() {
    let app = App::with(&["alice"]);
    app.world.advance(HALF_AN_HOUR);
    app.world.answer_later(503, Some("2"));
    app.world.answer_with_tokens("A2", "alice-R2");

    let (outcome, took) = app.keep("alice");

    assert_eq!(outcome, Ok(RefreshOutcome::Refreshed));
    assert!(took >= Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_call_that_needs_a_token_waits_through_a_longer_pause() {
    let app = App::with(&["alice"]);
    app.world.advance(HALF_AN_HOUR);
    app.world.answer_later(503, Some("20"));
    app.world.answer_with_tokens("A2", "alice-R2");

    let (grant, took) = app.timed(|| grant(app.cx(), &id("alice"), Need::Usable));

    assert_eq!(grant.unwrap().tokens.access_token.expose(), "A2");
    assert!(took >= Duration::from_secs(20), "{took:?}");
}

#[test]
fn a_429_for_one_user_holds_the_timer_back_for_all_until_its_retry_after() {
    let app = App::with(&["alice", "bob"]);
    app.world.advance(HALF_AN_HOUR);
    app.world.answer_later(429, Some("40"));

    let (alice, _) = app.keep("alice");
    let (bob, took) = app.keep("bob");
    app.world.advance(Duration::from_secs(40));
    app.world.answer_with_tokens("A2", "bob-R2");
    let (bob_later, _) = app.keep("bob");

    assert_eq!((alice, bob), (Ok(RefreshOutcome::Postponed), Ok(RefreshOutcome::Postponed)));
    assert_eq!(took, Duration::ZERO);
    assert_eq!(bob_later, Ok(RefreshOutcome::Refreshed));
    assert_eq!(app.refreshes(), 2);
}

#[test]
fn a_429_without_retry_after_holds_the_timer_back_for_a_second() {
    let app = App::with(&["alice", "bob"]);
    app.world.advance(HALF_AN_HOUR);
    app.world.answer_later(429, None);
    app.world.answer_with_tokens("A2", "alice-R2");
    app.world.answer_with_tokens("A2", "bob-R2");

    let (_, alice_took) = app.keep("alice");
    let (bob, _) = app.keep("bob");

    assert!(alice_took >= Duration::from_secs(1), "{alice_took:?}");
    assert_eq!(bob, Ok(RefreshOutcome::Refreshed));
}

#[test]
fn a_429_for_one_user_does_not_keep_a_call_of_another_waiting() {
    let app = App::with(&["alice", "bob"]);
    app.world.advance(HALF_AN_HOUR);
    app.world.answer_later(429, Some("40"));
    app.world.answer_with_tokens("A2", "bob-R2");

    let (_, _) = app.keep("alice");
    let (bob, took) = app.timed(|| grant(app.cx(), &id("bob"), Need::Usable));

    assert!(bob.is_ok());
    assert_eq!(took, Duration::ZERO);
}

#[test]
fn no_retry_after_holds_the_timer_back_for_longer_than_a_window() {
    let app = App::with(&["alice", "bob"]);
    app.world.advance(HALF_AN_HOUR);
    app.world.answer_later(429, Some("86400"));
    app.keep("alice").0.unwrap();

    app.world.advance(Duration::from_secs(299));
    let (before, _) = app.keep("bob");
    app.world.advance(Duration::from_secs(2));
    app.world.answer_with_tokens("A2", "bob-R2");
    let (after, _) = app.keep("bob");

    assert_eq!((before, after), (Ok(RefreshOutcome::Postponed), Ok(RefreshOutcome::Refreshed)));
}

/// The simulation does not see it in fifty thousand seeds: whoever misses it
/// looks once more before anything is sent.
#[test]
fn a_pair_that_is_saved_just_as_it_is_looked_for_is_found() {
    let app = App::with(&["alice"]);
    app.world.advance(HALF_AN_HOUR);
    app.world.answer_with_tokens("A2", "alice-R2");
    assert_eq!(app.keep("alice").0, Ok(RefreshOutcome::Refreshed));
    let user = id("alice").key();
    // The hint was not moved yet.
    app.world.delete(Bucket::Store, &format!("head.{user}")).unwrap();
    let key = format!("grant.{user}.1.0.1");
    let record = app.world.get(Bucket::Store, &key).unwrap().expect("the refreshed grant");
    app.world.delete(Bucket::Store, &key).unwrap();
    app.world.set(Bucket::Rescue, &key, &record).unwrap();
    let (world, saved) = (Arc::clone(&app.world), key.clone());
    app.world.interrupt_after_reading(key, move || {
        world.set(Bucket::Store, &saved, &record).unwrap();
        world.delete(Bucket::Rescue, &saved).unwrap();
    });

    let current = grants::current(app.cx(), &user).unwrap();

    let Current::Grant(grant) = current else { panic!("{current:?}") };
    assert_eq!(grant.ticket.step, 1);
}
