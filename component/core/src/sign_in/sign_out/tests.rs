//! What a sign-out leaves in the store, and for whom it works.

use std::sync::Arc;

use super::*;
use crate::grant::lineage::Current;
use crate::grant::refresh::{self, Need};
use crate::ports::Ports as _;
use crate::secret::Secret;
use crate::settings::Settings;
use crate::sign_in::{authorization, exchange};
use crate::store::ticket::Ticket;
use crate::testing::TestWorld;

struct App {
    world: Arc<TestWorld>,
    settings: Arc<Settings>,
}

impl App {
    fn new() -> Self {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "secret")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            world: Arc::new(TestWorld::new().with_optional_buckets()),
            settings: Arc::new(Settings::from_variables(variables).unwrap()),
        }
    }

    fn cx(&self) -> Context<'_> {
        Context { settings: &self.settings, ports: &*self.world }
    }

    fn sign_in(&self, user: &str, token: &str) {
        let link = authorization::authorize(self.cx(), &id(user), None).unwrap();
        self.world.answer_with_tokens(&format!("access-{token}"), &format!("refresh-{token}"));
        exchange::complete(self.cx(), &Secret::new("code"), &link.state).unwrap();
    }

    fn refresh(&self, user: &str, token: &str) {
        self.world.answer_with_tokens(&format!("access-{token}"), &format!("refresh-{token}"));
        let ticket = self.current(user).unwrap().grant().unwrap().ticket;
        refresh::grant(self.cx(), &id(user), Need::NewerThan(ticket)).unwrap();
    }

    /// The keys, in any bucket, whose value has `token`.
    fn keys_with(&self, token: &str) -> Vec<String> {
        let buckets = [Bucket::Store, Bucket::Rescue, Bucket::Env, Bucket::Replaced];
        let values = buckets.into_iter().flat_map(|bucket| self.world.stored(bucket));
        values.filter(|(_, value)| String::from_utf8_lossy(value).contains(token)).map(|(key, _)| key).collect()
    }

    fn current(&self, user: &str) -> Result<Current, StoreError> {
        records::current(self.cx(), &id(user).key())
    }
}

fn id(user: &str) -> UserId {
    UserId::parse(user).unwrap()
}

#[test]
fn a_sign_out_deletes_every_token_of_the_user_and_no_others() {
    for user in ["alice", "user_default"] {
        let app = App::new();
        app.world.set(Bucket::Env, "mirror", b"").unwrap();
        app.sign_in(user, "of-1");
        app.sign_in(user, "of-2");
        app.sign_in("bob", "bobs");
        app.refresh(user, "of-3");
        app.refresh(user, "of-4");
        let waiting = records::grant_key(&id(user).key(), Ticket { step: 9, root: Root::numbered(1) });
        app.world.set(Bucket::Rescue, &waiting, b"refresh-of-5").unwrap();
        let replaced = records::grant_key(&id(user).key(), Ticket { step: 3, root: Root::numbered(99) });
        app.world.set(Bucket::Replaced, &replaced, b"refresh-of-6").unwrap();

        forget(app.cx(), &id(user)).unwrap();

        assert_eq!(app.keys_with("of-"), Vec::<String>::new(), "{user}");
        assert!(!app.keys_with("bobs").is_empty());
        assert!(matches!(app.current(user), Ok(Current::Deleted { .. })));
        assert!(matches!(app.current("bob"), Ok(Current::Grant(_))));
    }
}

#[test]
fn a_refresh_that_comes_back_after_the_sign_out_leaves_no_token() {
    let app = App::new();
    app.sign_in("alice", "of-1");
    let (world, settings) = (Arc::clone(&app.world), Arc::clone(&app.settings));
    let body =
        r#"{"access_token":"access-of-2","refresh_token":"refresh-of-2","expires_in":1800,"token_type":"bearer"}"#;
    app.world.answer_while(200, body, move || {
        forget(Context { settings: &settings, ports: &*world }, &id("alice")).unwrap();
    });

    _ = refresh::grant(app.cx(), &id("alice"), Need::NewerThan(Root::numbered(1).ticket()));

    assert_eq!(app.keys_with("of-"), Vec::<String>::new());
}

#[test]
fn a_sign_out_says_how_long_kroger_accepts_the_access_token() {
    let app = App::new();
    app.sign_in("alice", "of-1");
    let expected = app.current("alice").unwrap().grant().unwrap().tokens.expires_at;

    let first = forget(app.cx(), &id("alice")).unwrap();
    let again = forget(app.cx(), &id("alice")).unwrap();

    assert_eq!(first.access_token_expires_at, Some(expected));
    assert_eq!(again, SignedOut::default());
}

#[test]
fn a_damaged_counter_fails_at_once_and_a_sign_out_mends_it() {
    let roots = |user: &UserId| records::roots_key(&user.key());
    let steps = |user: &UserId| records::seq_key(&user.key(), Root::numbered(1));
    let counters: [fn(&UserId) -> String; 2] = [roots, steps];
    for (kind, counter) in counters.into_iter().enumerate() {
        for value in [u64::MAX, u64::MAX - 1, u64::MAX - 2, 1 << 63, 1 << 48, 1 << 40, 10_000_000] {
            let app = App::new();
            app.sign_in("alice", "of-1");
            let key = counter(&id("alice"));
            app.world.increment_by(&key, value - app.world.increment(&key, 0).unwrap());
            let before = app.world.operations();

            assert_eq!(app.current("alice"), Err(StoreError::Failed), "{kind} {value}");
            assert!(app.world.operations() - before < 100, "{kind} {value}");
            forget(app.cx(), &id("alice")).unwrap();
            assert_eq!(app.keys_with("of-"), Vec::<String>::new(), "{kind} {value}");
            app.sign_in("alice", "again-2");
            app.refresh("alice", "again-3");
            assert!(matches!(app.current("alice"), Ok(Current::Grant(_))), "{kind} {value}");
        }
    }
}
