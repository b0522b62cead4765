//! How long a refresh waits, and for whom: the simulation does not judge that.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::failure::{Failure, NextStep, SettingsStep};
use crate::grant::attempts::Intent;
use crate::grant::lineage::{Record, Tokens};
use crate::grant::tries::TriesAt;
use crate::ports::{Bucket, Ports as _};
use crate::secret::Secret;
use crate::service::maintenance::{self, RefreshOutcome};
use crate::settings::Settings;
use crate::sign_in::{authorization, exchange, sign_out};
use crate::store::claim::TryRecords as _;
use crate::store::codec;
use crate::testing::TestWorld;

const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);

struct App {
    world: Arc<TestWorld>,
    settings: Arc<Settings>,
}

impl App {
    /// With these users signed in, whose tokens live 1,800 seconds.
    fn with(users: &[&str]) -> Self {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "secret")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let app = Self {
            world: Arc::new(TestWorld::new().with_optional_buckets()),
            settings: Arc::new(Settings::from_variables(variables).unwrap()),
        };
        for user in users {
            let link = authorization::authorize(app.cx(), &id(user), None).unwrap();
            app.world.answer_with_tokens("A1", &format!("{user}-R1"));
            exchange::complete(app.cx(), &Secret::new("code"), &link.state).unwrap();
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

    /// The user's token has become due, and is refreshed.
    fn refresh(&self, user: &str) {
        self.world.advance(HALF_AN_HOUR);
        self.world.answer_with_tokens("A", &format!("{user}-R{}", self.refreshes() + 2));
        assert_eq!(self.keep(user).0, Ok(RefreshOutcome::Refreshed));
    }

    /// The key and the record of a grant that a store which refused writes left in
    /// the rescue bucket.
    fn refreshed_and_waiting_to_be_saved(&self, user: &str) -> (String, Vec<u8>) {
        self.refresh(user);
        let key = records::grant_key(&id(user).key(), self.current(user).ticket);
        let record = self.world.get(Bucket::Store, &key).unwrap().unwrap();
        self.world.delete(Bucket::Store, &records::head_key(&id(user).key())).unwrap();
        self.world.delete(Bucket::Store, &key).unwrap();
        self.world.set(Bucket::Rescue, &key, &record).unwrap();
        (key, record)
    }

    fn current(&self, user: &str) -> Grant {
        let current = records::current(self.cx(), &id(user).key()).unwrap();
        current.clone().grant().unwrap_or_else(|| panic!("{current:?}"))
    }

    fn current_step(&self, user: &str) -> u64 {
        self.current(user).ticket.step
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
fn a_retry_after_holds_the_timer_back_for_one_window_at_most() {
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

#[test]
fn a_failing_servers_retry_after_does_not_outlive_the_token() {
    let app = App::with(&["alice"]);
    app.world.advance(Duration::from_secs(1_800 - 240));
    app.world.answer_later(503, Some("3600"));
    app.keep("alice").0.unwrap();

    app.world.advance(Duration::from_secs(61));
    app.world.answer_with_tokens("A2", "alice-R2");

    assert_eq!(app.keep("alice").0, Ok(RefreshOutcome::Refreshed));
}

#[test]
fn a_call_waits_five_minutes_at_most_for_a_retry_after() {
    let app = App::with(&["alice"]);
    app.world.advance(HALF_AN_HOUR);
    app.world.answer_later(503, Some("3600"));
    app.keep("alice").0.unwrap();

    app.world.advance(Duration::from_secs(301));
    app.world.answer_with_tokens("A2", "alice-R2");

    assert!(grant(app.cx(), &id("alice"), Need::Usable).is_ok());
}

#[test]
fn the_timer_waits_for_all_of_a_long_pause_and_a_call_does_not() {
    let app = App::with(&["alice"]);
    app.world.advance(HALF_AN_HOUR);
    app.world.answer_later(503, Some("200"));
    app.keep("alice").0.unwrap();
    app.world.advance(Duration::from_secs(21));
    app.world.answer_with_tokens("A2", "alice-R2");

    assert_eq!(app.keep("alice").0, Ok(RefreshOutcome::Postponed));
    assert!(grant(app.cx(), &id("alice"), Need::Usable).is_ok());
}

#[test]
fn a_call_without_a_try_tells_of_the_tries_before_it() {
    let app = App::with(&["alice"]);
    app.world.advance(HALF_AN_HOUR);
    for _ in 0..3 {
        app.world.answer_later(503, Some("4"));
    }
    app.world.answer_later(503, Some("200"));

    let tried = || match grant(app.cx(), &id("alice"), Need::Usable) {
        Err(Trouble::Unavailable { tries, .. }) => tries,
        other => panic!("{other:?}"),
    };

    assert_eq!([tried(), tried()], [3, 3]);
}

// Another rule stands behind each of the rules below: if one of them is broken, the
// simulation does not notice within fifty thousand seeds.

/// A reader that misses it looks once more before anything is sent.
#[test]
fn a_pair_that_is_saved_during_a_look_is_found() {
    let app = App::with(&["alice"]);
    let (key, record) = app.refreshed_and_waiting_to_be_saved("alice");
    let (world, saved) = (Arc::clone(&app.world), key.clone());
    app.world.interrupt_after_reading(key, move || {
        world.set(Bucket::Store, &saved, &record).unwrap();
        world.delete(Bucket::Rescue, &saved).unwrap();
    });

    assert_eq!(app.current_step("alice"), 1);
}

/// The host may die with its memory right after the send.
#[test]
fn a_rescued_pair_is_stored_before_its_token_is_sent() {
    let app = App::with(&["alice"]);
    let (key, record) = app.refreshed_and_waiting_to_be_saved("alice");
    app.world.advance(HALF_AN_HOUR);
    let (world, parent) = (Arc::clone(&app.world), key.clone());
    let stored = Arc::new(Mutex::new(None));
    let at_send = Arc::clone(&stored);
    app.world.answer_while(503, "", move || *at_send.lock().unwrap() = world.get(Bucket::Store, &parent).unwrap());

    app.keep("alice").0.unwrap();

    assert_eq!(*stored.lock().unwrap(), Some(record));
}

/// The sweep finds an overdue pair without a hint later.
#[test]
fn a_pair_that_was_saved_late_is_listed_and_due() {
    let app = App::with(&["alice"]);
    let (key, _) = app.refreshed_and_waiting_to_be_saved("alice");
    for entry in app.world.stored(Bucket::Store).into_keys().filter(|key| key.starts_with("due.")) {
        app.world.delete(Bucket::Store, &entry).unwrap();
    }

    maintenance::tidy(app.cx()).unwrap();
    app.world.advance(HALF_AN_HOUR);

    let stored = app.world.stored(Bucket::Store);
    assert!(stored.contains_key(&key) && app.world.stored(Bucket::Rescue).is_empty());
    assert_eq!(stored[&records::head_key(&id("alice").key())], b"1.0.1");
    assert_eq!(maintenance::due(app.cx(), 10).unwrap(), [id("alice")]);
}

/// Without this rule nothing is sent, because there seems to be no grant. The person
/// would be asked to sign in for nothing.
#[test]
fn a_reader_starts_again_after_two_refreshes_during_its_look() {
    let app = App::with(&["alice"]);
    app.refresh("alice");
    let first = records::grant_key(&id("alice").key(), app.current("alice").ticket);
    let (world, settings) = (Arc::clone(&app.world), Arc::clone(&app.settings));
    app.world.interrupt_after_reading(first, move || {
        let app = App { world, settings };
        app.refresh("alice");
        app.refresh("alice");
    });

    assert_eq!(app.current_step("alice"), 3);
}

/// By a clock that is ahead, a lease is over while its owner still waits for Kroger. The
/// owner's child is no worse than the pair from outside.
#[test]
fn a_pair_from_outside_waits_one_lease_for_a_child() {
    let default = "user_default";
    let app = App::with(&[default]);
    app.world.advance(HALF_AN_HOUR);
    let (user, parent) = (id(default).key(), app.current(default));
    app.world.increment(&TriesAt { user: &user, parent: parent.ticket }.claim_key(1), 1).unwrap();
    let child = Ticket { step: 1, ..parent.ticket };
    let intent = Intent { ticket: child, lease_until: app.world.wall_now() - LEASE };
    app.world
        .set(Bucket::Store, &TriesAt { user: &user, parent: parent.ticket }.intent_key(1), &codec::encode(&intent))
        .unwrap();
    let expires_at = (app.world.wall_now() + HALF_AN_HOUR).as_secs();
    let outside = format!(
        "KROGER_USER_ACCESS_TOKEN=outside-A\nKROGER_USER_REFRESH_TOKEN=outside-R\nKROGER_USER_TOKEN_EXPIRES_AT={expires_at}\n"
    );
    app.world.set(Bucket::Env, "mirror", outside.as_bytes()).unwrap();
    app.world.answer(400, r#"{"error":"invalid_grant"}"#);

    let (given, took) = app.timed(|| grant(app.cx(), &id(default), Need::Usable).unwrap());

    assert_eq!(given.tokens.access_token.expose(), "outside-A");
    assert!(took >= LEASE, "{took:?}");
}

/// The child lands during the look at the pair.
#[test]
fn a_late_child_comes_before_a_pair_from_outside() {
    let default = "user_default";
    let app = App::with(&[default]);
    app.world.advance(HALF_AN_HOUR);
    let (user, parent) = (id(default).key(), app.current(default));
    let child = Ticket { step: 1, ..parent.ticket };
    app.world.increment(&TriesAt { user: &user, parent: parent.ticket }.claim_key(1), 1).unwrap();
    let intent = Intent { ticket: child, lease_until: app.world.wall_now() - LEASE };
    app.world
        .set(Bucket::Store, &TriesAt { user: &user, parent: parent.ticket }.intent_key(1), &codec::encode(&intent))
        .unwrap();
    let expires_at = (app.world.wall_now() + HALF_AN_HOUR).as_secs();
    let outside = format!("KROGER_USER_REFRESH_TOKEN=outside-R\nKROGER_USER_TOKEN_EXPIRES_AT={expires_at}\n");
    app.world.set(Bucket::Env, "mirror", outside.as_bytes()).unwrap();
    app.world.answer(400, r#"{"error":"invalid_grant"}"#);
    let (world, settings) = (Arc::clone(&app.world), Arc::clone(&app.settings));
    app.world.interrupt_after_reading("mirror".to_owned(), move || {
        let now = world.wall_now();
        let tokens = Tokens { obtained_at: now, expires_at: now + HALF_AN_HOUR, ..parent.tokens.clone() };
        let cx = Context { settings: &settings, ports: &*world };
        records::write(cx, &user, child, &Record::refreshed(&parent, tokens)).unwrap();
    });

    let given = grant(app.cx(), &id(default), Need::Usable).unwrap();

    assert_eq!(given.ticket, child);
}

/// A sign-in that began before the deletion takes all of its steps between two steps of
/// the deletion.
#[test]
fn a_deletion_outranks_a_sign_in_that_lands_during_it() {
    let app = App::with(&["alice"]);
    let link = authorization::authorize(app.cx(), &id("alice"), None).unwrap();
    app.world.answer_with_tokens("A2", "alice-R2");
    let (world, settings) = (Arc::clone(&app.world), Arc::clone(&app.settings));
    app.world.interrupt_after_raising(records::roots_key(&id("alice").key()), move || {
        let cx = Context { settings: &settings, ports: &*world };
        exchange::complete(cx, &Secret::new("code"), &link.state).unwrap();
    });

    sign_out::forget(app.cx(), &id("alice")).unwrap();

    let current = records::current(app.cx(), &id("alice").key()).unwrap();
    assert!(matches!(current, Current::Deleted { .. }), "{current:?}");
}

/// Another host would find the pair there and adopt it, and both would refresh it.
#[test]
fn a_pair_that_waits_to_be_saved_is_not_mirrored() {
    let default = "user_default";
    let app = App::with(&[default]);
    app.refreshed_and_waiting_to_be_saved(default);
    app.world.set(Bucket::Env, "mirror", b"before").unwrap();

    let exported = outside_pair::export(app.cx(), &app.current(default));

    assert_eq!(exported, outside_pair::Exported::Off);
    assert_eq!(app.world.get(Bucket::Env, "mirror").unwrap().unwrap(), b"before");
}

#[test]
fn a_grant_of_another_app_or_server_is_never_sent() {
    for other in [("http://localhost:1", "app"), ("https://api.kroger.com", "another")] {
        let app = App::with(&["alice"]);
        let (server, client) = other;
        let variables =
            [("KROGER_API_BASE_URL", server), ("KROGER_CLIENT_ID", client), ("KROGER_CLIENT_SECRET", "secret")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::from_variables(variables).unwrap();
        let elsewhere = Context { settings: &settings, ports: &*app.world };
        app.world.advance(HALF_AN_HOUR);
        let (sent, stored) = (app.world.sent().len(), app.world.stored(Bucket::Store));

        let refused = maintenance::refresh_user(elsewhere, &id("alice"));
        let used = grant(elsewhere, &id("alice"), Need::Usable);
        let begun = authorization::authorize(elsewhere, &id("alice"), None).unwrap_err();

        assert_eq!(refused, Ok(RefreshOutcome::NothingToRefresh), "{other:?}");
        assert_eq!(used, Err(Trouble::OfAnotherApp(app.settings.app.clone())), "{other:?}");
        assert_eq!(begun.next, NextStep::Settings(SettingsStep::UseTheGrants), "{other:?}");
        assert_eq!((app.world.sent().len(), app.world.stored(Bucket::Store)), (sent, stored), "{other:?}");
        app.world.answer_with_tokens("A2", "alice-R2");
        assert_eq!(app.keep("alice").0, Ok(RefreshOutcome::Refreshed), "{other:?}");
    }
}

/// Two processes were started with different pairs, and the adopted pair is spent. The
/// expiry that each pair names tells nothing.
#[test]
fn a_dead_pair_from_outside_gives_way_to_the_other_one() {
    let default = "user_default";
    let app = App::with(&[default]);
    app.world.advance(HALF_AN_HOUR);
    let outside = "KROGER_USER_REFRESH_TOKEN=outside-R\nKROGER_USER_TOKEN_EXPIRES_AT=5\n";
    app.world.set(Bucket::Env, "mirror", outside.as_bytes()).unwrap();
    app.world.answer(400, r#"{"error":"invalid_grant"}"#);
    app.world.answer_with_tokens("A2", "R2");

    let given = grant(app.cx(), &id(default), Need::Usable).unwrap();

    assert_eq!(given.tokens.access_token.expose(), "A2");
}

/// By this clock the token lives for most of an hour, and nobody knows its real expiry.
#[test]
fn a_token_obtained_in_the_future_is_not_handed_out() {
    let app = App::with(&["alice"]);
    let later = app.current("alice");
    let at = app.world.wall_now() + HALF_AN_HOUR;
    let tokens = Tokens { obtained_at: at, expires_at: at + HALF_AN_HOUR, ..later.tokens.clone() };
    let child = Ticket { step: 1, ..later.ticket };
    records::write(app.cx(), &id("alice").key(), child, &Record::refreshed(&later, tokens)).unwrap();
    app.world.increment(&records::seq_key(&id("alice").key(), child.root), 1).unwrap();
    app.world.answer_with_tokens("A2", "R2");

    let given = grant(app.cx(), &id("alice"), Need::Usable).unwrap();

    assert_eq!(given.tokens.access_token.expose(), "A2");
}

/// A caller looked at the store before the child was stored, and at the mirror after the
/// child was written there. It does not know the child's token.
#[test]
fn a_child_in_the_mirror_is_not_adopted_as_a_new_pair() {
    let default = "user_default";
    let app = App::with(&[default]);
    app.world.advance(HALF_AN_HOUR);
    let (user, parent) = (id(default).key(), app.current(default));
    let child = Ticket { step: 1, ..parent.ticket };
    let expires_at = (app.world.wall_now() + HALF_AN_HOUR).as_secs();
    let mirrored =
        |token: &str| format!("KROGER_USER_REFRESH_TOKEN={token}\nKROGER_USER_TOKEN_EXPIRES_AT={expires_at}\n");
    app.world.set(Bucket::Env, "mirror", mirrored("outside-R").as_bytes()).unwrap();
    app.world.answer(400, r#"{"error":"invalid_grant"}"#);
    let (world, settings, own) = (Arc::clone(&app.world), Arc::clone(&app.settings), mirrored("child-R"));
    app.world.interrupt_after_reading("mirror".to_owned(), move || {
        let now = world.wall_now();
        let refresh_token = Some(Secret::new("child-R"));
        let tokens =
            Tokens { refresh_token, obtained_at: now, expires_at: now + HALF_AN_HOUR, ..parent.tokens.clone() };
        let cx = Context { settings: &settings, ports: &*world };
        records::take_ticket(cx, &user, child.root).unwrap();
        records::write(cx, &user, child, &Record::refreshed(&parent, tokens)).unwrap();
        world.set(Bucket::Env, "mirror", own.as_bytes()).unwrap();
    });

    let given = grant(app.cx(), &id(default), Need::Usable).unwrap();

    assert_eq!((given.ticket, given.tokens.refresh_token), (child, Some(Secret::new("child-R"))));
}
