//! The rules of a try, its claim and its lease, with a deed that does nothing.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use super::*;
use crate::settings::Settings;
use crate::store::keys::Kind;
use crate::testing::{StoreMood, TestWorld};

const NOW: Timestamp = Timestamp::from_secs(1_000);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Lease {
    until: Timestamp,
}

impl Leased for Lease {
    fn lease_until(&self) -> Timestamp {
        self.until
    }
}

impl Stored for Lease {
    const KIND: Kind = Kind::Intent;
    const VERSION: u32 = 1;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Rung;

impl Stored for Rung {
    const KIND: Kind = Kind::Attempt;
    const VERSION: u32 = 1;
}

fn sending_until(seconds: u64) -> Try<Lease, Rung> {
    let lease = Lease { until: Timestamp::from_secs(seconds) };
    Try { number: 1, intent: Some(lease), conclusion: None }
}

struct Ring;

impl TryRecords for Ring {
    type Intent = Lease;
    type Conclusion = Rung;

    fn claim_key(&self, number: u64) -> String {
        format!("claim.{number}")
    }

    fn intent_key(&self, number: u64) -> String {
        format!("intent.{number}")
    }

    fn conclusion_key(&self, number: u64) -> String {
        format!("conclusion.{number}")
    }
}

/// Ringing a bell, with a store, a clock and other callers.
struct Bell<'a> {
    world: &'a TestWorld,
    others: Result<bool, StoreError>,
    takes: Duration,
    withdrawn: RefCell<Vec<Withdrawal>>,
}

impl<'a> Bell<'a> {
    fn new(world: &'a TestWorld) -> Self {
        Self { world, others: Ok(true), takes: Duration::ZERO, withdrawn: RefCell::default() }
    }

    fn admit(&self) -> Result<Admission<Lease>, Obstacle> {
        let settings = Settings::from_variables([]).unwrap();
        admit(Context { settings: &settings, ports: self.world }, self, 1)
    }

    fn withdrawn(self) -> Vec<Withdrawal> {
        self.withdrawn.into_inner()
    }
}

impl Deed for Bell<'_> {
    type Records = Ring;

    fn records(&self) -> &Ring {
        &Ring
    }

    fn intent(&self, _number: u64) -> Result<Option<Lease>, StoreError> {
        self.world.advance(self.takes);
        Ok(sending_until(1_010).intent)
    }

    fn is_alone(&self, _number: u64) -> Result<bool, StoreError> {
        self.others
    }

    fn withdraw(&self, _number: u64, why: Withdrawal) {
        self.withdrawn.borrow_mut().push(why);
    }
}

#[test]
fn a_lease_counts_while_it_runs_and_ends_little_more_than_a_lease_ahead() {
    assert_eq!(sending_until(1_010).lease_left(NOW), Some(Duration::from_secs(10)));
    assert_eq!(sending_until(1_000).lease_left(NOW), None);
    assert_eq!(sending_until(1_050).lease_left(NOW), Some(Duration::from_secs(50)));
    assert_eq!(sending_until(1_051).lease_left(NOW), None);
    assert_eq!(Try { conclusion: Some(Rung), ..sending_until(1_010) }.lease_left(NOW), None);
}

#[test]
fn one_caller_may_act_and_the_next_has_lost_the_claim() {
    let world = TestWorld::new();
    let bell = Bell::new(&world);

    assert!(matches!(bell.admit(), Ok(Admission::Act(_))));
    assert_eq!(bell.admit(), Ok(Admission::Lost));
    assert_eq!(bell.withdrawn(), []);
}

#[test]
fn an_owner_that_took_two_seconds_withdraws() {
    let world = TestWorld::new();
    let bell = Bell { takes: CLAIM_LIFE, ..Bell::new(&world) };

    assert_eq!(bell.admit(), Ok(Admission::Withdrawn));
    assert_eq!(bell.withdrawn(), [Withdrawal::TooLate]);
}

#[test]
fn an_owner_that_is_not_alone_withdraws() {
    let world = TestWorld::new();
    let bell = Bell { others: Ok(false), ..Bell::new(&world) };

    assert_eq!(bell.admit(), Ok(Admission::Withdrawn));
    assert_eq!(bell.withdrawn(), [Withdrawal::NotAlone]);
}

#[test]
fn an_owner_that_cannot_look_for_others_withdraws() {
    let world = TestWorld::new();
    let bell = Bell { others: Err(StoreError::Failed), ..Bell::new(&world) };

    assert_eq!(bell.admit(), Err(Obstacle::StoreFailed));
    assert_eq!(bell.withdrawn(), [Withdrawal::StoreFailed]);
}

#[test]
fn a_store_that_forgets_admits_nobody() {
    let world = TestWorld::new();
    world.set_store_mood(StoreMood::Forgetful);

    assert_eq!(Bell::new(&world).admit(), Err(Obstacle::StoreForgets));
}

#[test]
fn silence_counts_from_the_end_of_the_first_look_to_the_beginning_of_the_last() {
    let (settings, world) = (Settings::from_variables([]).unwrap(), TestWorld::new());
    let cx = Context { settings: &settings, ports: &world };
    let mut silent = Watch::default();
    // The first look takes four seconds.
    world.advance(Duration::from_secs(4));

    assert!(!silent.is_dead(cx, 1, Duration::ZERO));
    assert!(!silent.is_dead(cx, 1, Duration::from_secs(8)));
    assert!(silent.is_dead(cx, 1, Duration::from_secs(9)));
    world.advance(Duration::from_secs(5));
    assert!(!silent.is_dead(cx, 2, Duration::from_secs(9)), "it is another claim");
}
