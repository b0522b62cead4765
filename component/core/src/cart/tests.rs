//! A token that Kroger rejects while others refresh it.

use std::sync::Arc;

use super::*;
use crate::cart::ledger::IdempotencyKey;
use crate::cart::order::Given;
use crate::catalog::profile;
use crate::failure::Code;
use crate::grant::refresh::{self, Need};
use crate::grant::{on_demand, records};
use crate::item::{Modality, Quantity, Upc};
use crate::ports::{Bucket, SendError};
use crate::secret::Secret;
use crate::settings::Settings;
use crate::sign_in::{authorization, exchange};
use crate::testing::TestWorld;

#[derive(Clone)]
struct App {
    world: Arc<TestWorld>,
    settings: Arc<Settings>,
}

impl App {
    fn signed_in() -> Self {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "secret")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Arc::new(Settings::from_variables(variables).unwrap());
        let app = Self { world: Arc::new(TestWorld::new()), settings };
        let link = authorization::authorize(app.cx(), &alice(), None).unwrap();
        app.world.answer_with_tokens("A1", "R1");
        exchange::complete(app.cx(), &Secret::new("code"), &link.state).unwrap();
        app
    }

    fn cx(&self) -> Context<'_> {
        Context { settings: &self.settings, ports: &*self.world }
    }

    fn add(&self) -> Result<Grant, Failure> {
        let upc = Upc::parse("0001111041700").unwrap();
        let milk = Item { upc, quantity: Quantity::new(1).unwrap(), modality: Modality::Pickup };
        match add(self.cx(), &alice(), &[milk], None)? {
            Added::Now(grant) => Ok(*grant),
            Added::Before => panic!("it has no key"),
        }
    }

    /// Kroger rejects the token of an add, and another call refreshes meanwhile.
    fn reject_while_another_refreshes(&self, access_token: &str) {
        let another = self.clone();
        self.world.answer_while(401, "", move || {
            let current = records::current(another.cx(), &alice().key()).unwrap().grant().unwrap();
            refresh::grant(another.cx(), &alice(), Need::NewerThan(current.ticket)).unwrap();
        });
        self.world.answer_with_tokens(access_token, access_token);
    }

    fn tokens_of_adds(&self) -> Vec<String> {
        let adds = self.world.sent().into_iter().filter(|request| request.path == "/v1/cart/add");
        let bearer = |name: &str| name == "authorization";
        adds.filter_map(|add| add.headers.into_iter().find(|(name, _)| bearer(name)))
            .map(|(_, token)| token.trim_start_matches("Bearer ").to_owned())
            .collect()
    }
}

fn alice() -> UserId {
    UserId::parse("alice").unwrap()
}

#[test]
fn a_rejected_token_is_refreshed_once_and_a_second_rejection_is_final() {
    let app = App::signed_in();
    app.world.answer(401, "");
    app.world.answer_with_tokens("A2", "R2");
    app.world.answer(401, "");

    let failure = app.add().unwrap_err();

    assert_eq!(failure.code, Code::TokenRejected);
    assert_eq!(app.tokens_of_adds(), ["A1", "A2"]);
}

#[test]
fn a_rejection_of_a_token_that_was_refreshed_meanwhile_is_not_final() {
    let app = App::signed_in();
    app.world.answer(401, "");
    app.world.answer_with_tokens("A2", "R2");
    app.reject_while_another_refreshes("A3");
    app.world.answer(204, "");

    let grant = app.add().unwrap();

    assert_eq!(grant.tokens.access_token.expose(), "A3");
    assert_eq!(app.tokens_of_adds(), ["A1", "A2", "A3"]);
}

#[test]
fn a_call_ends_if_every_renewed_token_is_rejected() {
    let app = App::signed_in();
    for number in 2..20 {
        app.reject_while_another_refreshes(&format!("A{number}"));
    }

    let failure = app.add().unwrap_err();

    assert_eq!(failure.code, Code::TokenRejected);
    assert_eq!(app.tokens_of_adds().len(), 1 + call::MOST_REJECTIONS as usize);
}

#[test]
fn a_rejection_of_a_token_that_expired_under_the_call_is_not_final() {
    let app = App::signed_in();
    app.world.answer(401, "");
    app.world.answer(200, r#"{"access_token":"A2","refresh_token":"R2","expires_in":10}"#);
    let slow = app.clone();
    app.world.answer_while(401, "", move || slow.world.advance(Duration::from_secs(12)));
    app.world.answer_with_tokens("A3", "R3");
    app.world.answer(204, "");

    let grant = app.add().unwrap();

    assert_eq!(grant.tokens.access_token.expose(), "A3");
}

/// The host cuts a call off at its own limit, even in the middle of an add.
#[test]
fn no_add_begins_after_a_refresh_took_all_of_the_time() {
    let app = App::signed_in();
    app.world.advance(Duration::from_secs(1_800));
    let slow = app.clone();
    let tokens = r#"{"access_token":"A2","refresh_token":"R2","expires_in":1800}"#;
    app.world.answer_while(200, tokens, move || slow.world.advance(Duration::from_secs(31)));

    let failure = app.add().unwrap_err();

    assert_eq!((failure.code, failure.retry_after), (Code::UpstreamUnavailable, Some(Duration::from_secs(1))));
    assert_eq!(app.tokens_of_adds(), Vec::<String>::new());
    app.world.answer(204, "");
    assert_eq!(app.add().unwrap().tokens.access_token.expose(), "A2");
}

#[test]
fn no_add_begins_after_a_look_up_took_all_of_the_time() {
    let app = App::signed_in();
    let slow = app.clone();
    let token = r#"{"access_token":"app","expires_in":1800}"#;
    app.world.answer_while(200, token, move || slow.world.advance(Duration::from_secs(19)));
    let slow = app.clone();
    let milk = r#"{"data":[{"upc":"0001111041700","description":"Milk"}]}"#;
    app.world.answer_while(200, milk, move || slow.world.advance(Duration::from_secs(19)));
    app.world.answer(204, "");
    let barcode = Given { upc: "011110417008".to_owned(), quantity: 1, modality: None };
    let draft = order::one(&barcode, Modality::Pickup).unwrap();

    let failure = add_draft(app.cx(), &alice(), &draft, None).unwrap_err();

    assert_eq!((failure.code, failure.retry_after), (Code::UpstreamUnavailable, Some(Duration::from_secs(1))));
    assert_eq!(app.tokens_of_adds(), Vec::<String>::new());
}

#[test]
fn an_add_of_unknown_outcome_is_in_the_log() {
    let app = App::signed_in();
    app.world.lose_answer(SendError::Unknown);

    assert_eq!(app.add().unwrap_err().code, Code::OutcomeUnknown);

    let unknown = Event::AddUnknown { user: alice().key().short(), items: 1 };
    assert!(app.world.logged().contains(&unknown), "{:?}", app.world.logged());
}

#[test]
fn rejected_credentials_are_logged_once() {
    let app = App::signed_in();
    for _ in 0..3 {
        app.world.answer(401, r#"{"error":"invalid_client"}"#);
        crate::upstream::app_token::access_token(app.cx()).unwrap_err();
    }

    let told = app.world.logged().into_iter().filter(|event| *event == Event::CredentialsRejected);
    assert_eq!(told.count(), 1);
}

#[test]
fn a_call_of_a_user_who_is_not_signed_in_writes_no_record() {
    let app = App::signed_in();
    let cx = app.cx();
    let before = (app.world.keys(), app.world.stored(Bucket::Store));
    let bob = UserId::parse("bob").unwrap();
    let upc = Upc::parse("0001111041700").unwrap();
    let milk = Item { upc, quantity: Quantity::new(1).unwrap(), modality: Modality::Pickup };

    for number in 0..3 {
        let key = IdempotencyKey::parse(&format!("order-{number}")).unwrap();
        for key in [None, Some(&key)] {
            assert_eq!(add(cx, &bob, std::slice::from_ref(&milk), key).unwrap_err().code, Code::Reauthorize);
        }
    }
    assert_eq!(profile::profile(cx, &bob).unwrap_err().code, Code::Reauthorize);
    assert_eq!(on_demand::refresh(cx, &bob).unwrap_err().code, Code::NotFound);

    assert_eq!((app.world.keys(), app.world.stored(Bucket::Store)), before);
}
