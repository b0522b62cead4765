//! That finding who is due costs as much as there are, counted in operations.

use std::time::Duration;

use super::*;
use crate::grant::lineage::{Record, Source, Tokens};
use crate::ports::Ports as _;
use crate::secret::Secret;
use crate::service::maintenance;
use crate::settings::Settings;
use crate::testing::TestWorld;

const DUE: usize = 10;

/// A world with `users` signed in, of whom ten are due now and the others in
/// half an hour.
fn world_of(users: usize, settings: &Settings) -> TestWorld {
    let world = TestWorld::new();
    let cx = Context { settings, ports: &world };
    sign_in(cx, 0..DUE);
    world.advance(Duration::from_secs(1_750));
    sign_in(cx, DUE..users);
    world
}

fn sign_in(cx: Context<'_>, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let user = UserId::parse(&format!("user-{number}")).unwrap();
        let now = cx.ports.wall_now();
        let tokens = Tokens {
            app: None,
            access_token: Secret::new("access"),
            refresh_token: Some(Secret::new(format!("refresh-{number}"))),
            obtained_at: now,
            expires_at: now + Duration::from_secs(1_800),
            scope: None,
        };
        let record = Record::sign_in(user.clone(), tokens, Source::OAuth, &Current::Absent);
        let root = records::take_root(cx, &user.key()).unwrap();
        records::write(cx, &user.key(), root.ticket(), &record).unwrap();
        enter(cx, &records::current(cx, &user.key()).unwrap().grant().unwrap());
    }
}

fn operations<T>(world: &TestWorld, deed: impl FnOnce() -> T) -> (T, u64) {
    let before = world.operations();
    let done = deed();
    (done, world.operations() - before)
}

#[test]
fn finding_and_clearing_who_is_due_costs_the_same_among_a_hundred_as_among_ten_thousand() {
    let settings = Settings::from_variables([]).unwrap();
    let [few, many] = [100, 10_000].map(|users| {
        let world = world_of(users, &settings);
        let cx = Context { settings: &settings, ports: &world };
        let (due, to_find) = operations(&world, || maintenance::due(cx, 1_000).unwrap());
        let from = minute(world.wall_now()) - 60;
        let ((_, cleared), to_clear) = operations(&world, || clear(cx, from, 1_000).unwrap());
        assert_eq!((due.len(), cleared), (DUE, 0), "among {users}");
        (to_find, to_clear)
    });

    assert_eq!(few, many);
}

#[test]
fn each_user_more_who_is_due_costs_one_read_more_to_find() {
    let settings = Settings::from_variables([]).unwrap();
    let world = world_of(100, &settings);
    let cx = Context { settings: &settings, ports: &world };

    let (_, at_first) = operations(&world, || maintenance::due(cx, 1_000).unwrap());
    world.advance(Duration::from_secs(1_700));
    let (due, later) = operations(&world, || maintenance::due(cx, 1_000).unwrap());

    assert_eq!(due.len(), 100);
    let minutes = 1_700_u64.div_ceil(60);
    assert!(later <= at_first + 90 + minutes, "{at_first} operations for {DUE}, {later} for all");
}

/// A machine without a clock of its own boots in 1970; a server was off for months.
#[test]
fn a_leap_of_decades_costs_no_more_than_two_days_and_hides_nobody() {
    let settings = Settings::from_variables([]).unwrap();
    let world = TestWorld::new();
    let cx = Context { settings: &settings, ports: &world };
    sign_in(cx, 0..DUE);
    maintenance::tidy(cx).unwrap();

    world.advance(Duration::from_secs(50 * 365 * 86_400));
    sign_in(cx, DUE..2 * DUE);
    world.advance(Duration::from_secs(1_790));
    let (due, to_find) = operations(&world, || maintenance::due(cx, 1_000).unwrap());
    let (_, to_tidy) = operations(&world, || maintenance::tidy(cx).unwrap());

    assert_eq!(due.len(), 2 * DUE);
    assert!(to_find < 4_000 && to_tidy < 10_000, "{to_find} operations to find them, {to_tidy} to tidy up");
}

#[test]
fn who_is_still_due_after_days_keeps_their_entry() {
    let settings = Settings::from_variables([]).unwrap();
    let world = TestWorld::new();
    let cx = Context { settings: &settings, ports: &world };
    sign_in(cx, 0..DUE);
    maintenance::tidy(cx).unwrap();
    let entries = || world.stored(Bucket::Store).into_keys().filter(|key| key.starts_with("due.")).collect::<Vec<_>>();
    let before = entries();

    world.advance(Duration::from_secs(3 * 86_400));
    maintenance::tidy(cx).unwrap();

    assert_eq!(maintenance::due(cx, 1_000).unwrap().len(), DUE);
    assert_eq!(entries(), before);
}

/// A newer version wrote it, and was taken back.
#[test]
fn a_record_that_cannot_be_read_keeps_nobody_else_from_being_kept() {
    let settings = Settings::from_variables([]).unwrap();
    let world = TestWorld::new();
    let cx = Context { settings: &settings, ports: &world };
    sign_in(cx, 0..DUE);
    let broken = UserId::parse("user-0").unwrap().key();
    let key = records::grant_key(&broken, records::current(cx, &broken).unwrap().grant().unwrap().ticket);
    world.set(Bucket::Store, &key, br#"{"schema_version":1000}"#).unwrap();
    world.set(Bucket::Store, "due.1.1", b"user-1").unwrap();

    maintenance::tidy(cx).unwrap();
    maintenance::tidy(cx).unwrap();

    assert!(maintenance::is_running(cx).unwrap());
    assert!(!world.stored(Bucket::Store).contains_key("due.1.1"), "nothing is swept");
    assert_eq!(crate::grant::status::list(cx, 100).unwrap().len(), DUE - 1);
}
