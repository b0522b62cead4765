//! An outage of any length leaves few keys behind.

use std::sync::Arc;

use super::*;
use crate::grant::records;
use crate::ports::{Ports as _, SendError};
use crate::secret::Secret;
use crate::service::maintenance::{self, RefreshOutcome};
use crate::settings::Settings;
use crate::sign_in::{authorization, exchange};
use crate::store::claim::TryRecords as _;
use crate::testing::TestWorld;
use crate::user::UserId;

/// A signed-in user, and how many operations a look at the grant costs.
struct App {
    world: Arc<TestWorld>,
    settings: Settings,
    user: UserId,
}

impl App {
    fn new() -> Self {
        let variables = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "secret")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::from_variables(variables).unwrap();
        let app = Self { world: Arc::new(TestWorld::new()), settings, user: UserId::parse("alice").unwrap() };
        let link = authorization::authorize(app.cx(), &app.user, None).unwrap();
        app.world.answer_with_tokens("A1", "R1");
        exchange::complete(app.cx(), &Secret::new("code"), &link.state).unwrap();
        app
    }

    fn cx(&self) -> Context<'_> {
        Context { settings: &self.settings, ports: &*self.world }
    }

    /// A pass of the timer's every five minutes for so many hours, in which each try ends with `error`.
    fn outage(&self, hours: u64, error: SendError) -> u64 {
        self.world.advance(Duration::from_secs(1_700));
        let sent = self.world.sent().len();
        for _ in 0..hours * 12 {
            self.world.lose_answer(error);
            assert_eq!(maintenance::refresh_user(self.cx(), &self.user), Ok(RefreshOutcome::Postponed));
            maintenance::tidy(self.cx()).unwrap();
            self.world.forget_answers();
            self.world.advance(Duration::from_secs(300));
        }
        (self.world.sent().len() - sent) as u64
    }

    fn keys(&self) -> usize {
        self.world.stored(Bucket::Store).len()
    }

    fn look(&self) -> u64 {
        let before = self.world.operations();
        let grant = records::current(self.cx(), &self.user.key()).unwrap().grant().unwrap();
        records::tries(self.cx(), &grant).unwrap();
        self.world.operations() - before
    }
}

#[test]
fn after_two_days_without_kroger_a_look_costs_little_and_the_first_answer_refreshes() {
    let app = App::new();
    let keys = app.keys();

    let tries = app.outage(48, SendError::NotSent);

    assert!(tries > 300, "{tries} tries");
    assert!(app.look() < 250, "{} operations to look at the grant after {tries} tries", app.look());
    let left = app.keys() - keys;
    assert!(left < 250, "{left} keys more after {tries} tries");
    app.world.advance(Duration::from_secs(300));
    app.world.answer_with_tokens("A2", "R2");
    assert_eq!(maintenance::refresh_user(app.cx(), &app.user), Ok(RefreshOutcome::Refreshed));
}

#[test]
fn a_refusal_tells_that_a_folded_try_may_have_spent_the_token() {
    let app = App::new();
    app.outage(12, SendError::Unknown);
    app.world.advance(Duration::from_secs(300));
    app.world.answer(400, r#"{"error":"invalid_grant","error_description":"The refresh token is invalid"}"#);

    assert_eq!(maintenance::refresh_user(app.cx(), &app.user), Ok(RefreshOutcome::Reauthorize));
    let grant = records::current(app.cx(), &app.user.key()).unwrap().grant().unwrap();
    let tries = records::tries(app.cx(), &grant).unwrap();
    let step = crate::grant::attempts::next_step(&tries, app.cx().ports.wall_now());
    assert_eq!(step, crate::grant::attempts::Step::Refused { probably_spent: true });
}

/// The caller looks before the try is claimed, and claims it after its counter is deleted.
#[test]
fn a_claim_below_a_fold_sends_nothing() {
    let app = App::new();
    app.outage(12, SendError::NotSent);
    let grant = records::current(app.cx(), &app.user.key()).unwrap().grant().unwrap();
    let newest = records::tries(app.cx(), &grant).unwrap().last().unwrap().number;
    let claim = TriesAt { user: &app.user.key(), parent: grant.ticket }.claim_key(newest + 1);
    app.world.advance(Duration::from_secs(300));
    app.world.answer_with_tokens("A2", "R2");
    let fold = codec::encode(&Fold::default());
    let key = fold_key(&app.user.key(), grant.ticket, block_of(newest + 1));

    let world = Arc::clone(&app.world);
    app.world.interrupt_after_raising(claim, move || world.set(Bucket::Store, &key, &fold).unwrap());
    let refreshed = maintenance::refresh_user(app.cx(), &app.user);

    let intent = TriesAt { user: &app.user.key(), parent: grant.ticket }.intent_key(newest + 1);
    assert!(!app.world.stored(Bucket::Store).contains_key(&intent));
    assert_eq!(refreshed, Ok(RefreshOutcome::Refreshed), "under the next claim above the fold");
}

#[test]
fn runs_of_dead_steps_are_kept_as_runs() {
    let concluded = |number, step| Try {
        intent: Some(crate::grant::attempts::Intent {
            ticket: Ticket { step, ..Ticket::default() },
            lease_until: Timestamp::default(),
        }),
        ..Fold::default().as_try(number)
    };
    let fold = Fold::default().with(&[concluded(1, 7), concluded(2, 5)]).with(&[concluded(3, 6), concluded(4, 9)]);

    assert_eq!(fold.dead, [(5, 7), (9, 9)]);
    assert!(fold.is_dead(6) && !fold.is_dead(8));
}

#[test]
fn a_fold_remembers_a_spent_token_and_keeps_open_tickets() {
    let intent = |step| crate::grant::attempts::Intent {
        ticket: Ticket { step, ..Ticket::default() },
        lease_until: Timestamp::default(),
    };
    let vanished = Try { number: 1, intent: Some(intent(5)), conclusion: None };
    let lost = Try { intent: Some(intent(6)), ..Fold { may_have_spent: true, ..Fold::default() }.as_try(2) };
    let not_sent = Try { intent: Some(intent(7)), ..Fold::default().as_try(3) };

    let fold = |each: &Try| Fold::default().with(std::slice::from_ref(each));

    assert!(fold(&vanished).may_have_spent && fold(&lost).may_have_spent && !fold(&not_sent).may_have_spent);
    assert!(fold(&lost).with(&[not_sent]).as_try(16).may_have_spent());
    assert_eq!((fold(&vanished).is_dead(5), fold(&lost).is_dead(6)), (false, true));
}
