//! Makes the disk fail, or be full, at the n-th write or commit of a refresh: once, or from then on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use super::Form;
use super::lane::{LANES, Lane, add, assert_names_no_path, assert_not_ready, wait_until_ready};
use super::strace::{Injection, Point, Strace, Thread, is_usable};
use crate::support::UPC;

/// The answer that the caller got while the disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum DiskErrorOutcome {
    /// 200, and the new pair was in the store.
    Saved,
    /// 200, and the new pair waited in memory for the store.
    Rescued,
    /// 503 `store_unavailable`, and no refresh token was sent.
    NothingSent,
}

/// One kind of failure, and the next point to try it at.
#[derive(Clone)]
struct Series {
    syscall: &'static str,
    injection: Injection,
    step: u32,
    next: Option<u32>,
}

fn series(form: Form) -> Vec<Series> {
    let each = |syscall, error, quick| {
        [Injection::ErrorFrom(error), Injection::Error(error)].map(|injection| Series {
            syscall,
            injection,
            step: form.pick(quick, 1),
            next: Some(1),
        })
    };
    [
        each("fsync", "EIO", 1),
        each("fdatasync", "EIO", 1),
        each("pwrite64", "ENOSPC", 7),
        each("pwrite64", "EIO", 11),
        each("fsync", "ENOSPC", 3),
    ]
    .concat()
}

fn take(series: &Mutex<Vec<Series>>) -> Option<(usize, Injection, Point)> {
    let mut series = series.lock().unwrap();
    series.iter_mut().enumerate().find_map(|(index, each)| {
        let n = each.next?;
        each.next = Some(n + each.step);
        Some((index, each.injection, Point { thread: Thread::Writer, syscall: each.syscall, n }))
    })
}

/// Makes the disk fail at `point` of one refresh, and checks the outcome. None: the refresh ended
/// before that point.
fn fail_at(lane: &mut Lane, injection: Injection, point: Point) -> Option<DiskErrorOutcome> {
    lane.sign_in_and_reject();
    let (granted, rescued) = (lane.sandbox.refreshes(), rescues(lane));
    let strace = Strace::inject(lane.server.id(), injection, point);
    let answer = add(&lane.server.url("/cart/add/simple"));
    let (status, text) = answer.expect("a server whose disk fails answers");
    let outcome = match status {
        200 if rescues(lane) > rescued => DiskErrorOutcome::Rescued,
        200 => DiskErrorOutcome::Saved,
        503 => DiskErrorOutcome::NothingSent,
        _ => panic!("{injection:?} {point}: {status} {text}"),
    };
    if outcome == DiskErrorOutcome::NothingSent {
        assert!(text.contains("store_unavailable"), "{injection:?} {point}: {text}");
        assert_names_no_path(&text);
        assert_eq!(lane.sandbox.refreshes(), granted, "{injection:?} {point}: {text}");
    }
    if outcome == DiskErrorOutcome::Rescued && matches!(injection, Injection::ErrorFrom(_)) {
        assert_not_ready(&lane.server);
    }
    if !strace.detach() {
        assert_eq!(outcome, DiskErrorOutcome::Saved, "{injection:?} {point}");
        return None;
    }

    wait_until_ready(&lane.server);
    lane.server.add(UPC).expect(200);
    if outcome == DiskErrorOutcome::Rescued {
        lane.kill_and_restart();
        lane.server.add(UPC).expect(200);
    }
    assert_eq!(lane.sandbox.refreshes() - granted, 1, "{injection:?} {point}");
    assert_eq!(lane.spent_tokens_presented(), 0, "{injection:?} {point}");
    Some(outcome)
}

/// How often the server's log reports a rescued pair.
fn rescues(lane: &Lane) -> usize {
    lane.server.log().matches("rescued").count()
}

/// How often each outcome occurred, for each kind of failure.
type Table = BTreeMap<String, BTreeMap<DiskErrorOutcome, u32>>;

fn work(series: &Mutex<Vec<Series>>, table: &Mutex<Table>) {
    let mut lane = Lane::start("1");
    while let Some((index, injection, point)) = take(series) {
        let Some(outcome) = fail_at(&mut lane, injection, point) else {
            series.lock().unwrap()[index].next = None;
            continue;
        };
        let row = format!("{:<10} {}", point.syscall, Words(injection));
        *table.lock().unwrap().entry(row).or_default().entry(outcome).or_default() += 1;
    }
}

struct Words(Injection);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Injection::Kill => f.write_str("killed"),
            Injection::Error(error) => write!(f, "{error} once"),
            Injection::ErrorFrom(error) => write!(f, "{error} from then on"),
        }
    }
}

fn count(outcomes: &BTreeMap<DiskErrorOutcome, u32>, outcome: DiskErrorOutcome) -> u32 {
    outcomes.get(&outcome).copied().unwrap_or(0)
}

fn print(table: &Table) {
    println!("failed at the n-th, every n                saved  rescued  503, nothing sent");
    for (row, outcomes) in table {
        let [saved, rescued, refused] =
            [DiskErrorOutcome::Saved, DiskErrorOutcome::Rescued, DiskErrorOutcome::NothingSent]
                .map(|outcome| count(outcomes, outcome));
        println!("{row:<40} {saved:>7} {rescued:>8} {refused:>18}");
    }
}

#[test]
fn a_disk_that_fails_at_any_step_of_a_refresh_costs_no_sign_in() {
    if !is_usable() {
        return;
    }
    let (series, table) = (Mutex::new(series(Form::chosen())), Mutex::default());

    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| work(&series, &table));
        }
    });

    let table = table.into_inner().unwrap();
    print(&table);
    for outcome in [DiskErrorOutcome::Saved, DiskErrorOutcome::Rescued, DiskErrorOutcome::NothingSent] {
        let met: u32 = table.values().map(|outcomes| count(outcomes, outcome)).sum();
        assert!(met > 0, "{outcome:?} was never met: {table:?}");
    }
}
