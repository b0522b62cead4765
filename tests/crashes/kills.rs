//! Kills the server at the n-th system call of a refresh, for every n until the refresh completes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use super::Form;
use super::lane::{LANES, Lane, MishapOutcome, add, is_alive, outcome_of};
use super::strace::Thread::{self, Main, Worker, Writer};
use super::strace::{Injection, Point, Strace, is_usable};

/// The plan for one system call on one thread.
#[derive(Clone, Copy)]
struct Plan {
    thread: Thread,
    syscall: &'static str,
    /// The quick form kills at every `quick`-th call. None: only the full form tries this plan.
    quick: Option<u32>,
}

const fn plan(thread: Thread, syscall: &'static str, quick: Option<u32>) -> Plan {
    Plan { thread, syscall, quick }
}

/// The quick form kills at writes to the store, commits, and writes to sockets, the log and other
/// threads. The full form adds all other important calls.
const PLANS: [Plan; 20] = [
    plan(Writer, "fsync", Some(1)),
    plan(Writer, "fdatasync", Some(1)),
    plan(Writer, "pwrite64", Some(7)),
    plan(Writer, "write", Some(4)),
    plan(Worker, "writev", Some(1)),
    plan(Worker, "sendto", Some(1)),
    plan(Worker, "sendmsg", Some(1)),
    plan(Worker, "write", Some(1)),
    plan(Writer, "fcntl", None),
    plan(Writer, "futex", None),
    plan(Writer, "statx", None),
    plan(Worker, "connect", None),
    plan(Worker, "recvfrom", None),
    plan(Worker, "fcntl", None),
    plan(Worker, "futex", None),
    plan(Worker, "statx", None),
    plan(Worker, "epoll_wait", None),
    plan(Worker, "shutdown", None),
    plan(Main, "accept4", None),
    plan(Main, "write", None),
];

/// How many refreshes must complete before the later points are left out. One is not enough, because
/// a pause of the machine may make a refresh shorter.
const THROUGH: u32 = 2;

/// The points that are still to be tried. All lanes share them.
struct Queue(Vec<Series>);

struct Series {
    plan: Plan,
    step: u32,
    next: u32,
    got_through: u32,
}

impl Queue {
    fn new(form: Form) -> Self {
        let series = |plan: Plan| Some(Series { plan, step: form.pick(plan.quick, Some(1))?, next: 1, got_through: 0 });
        Self(PLANS.into_iter().filter_map(series).collect())
    }

    fn take(&mut self) -> Option<Point> {
        let series = self.0.iter_mut().find(|series| series.got_through < THROUGH)?;
        let Plan { thread, syscall, .. } = series.plan;
        let n = series.next;
        series.next += series.step;
        Some(Point { thread, syscall, n })
    }

    fn got_through(&mut self, point: Point) {
        let is_its = |series: &&mut Series| (series.plan.thread, series.plan.syscall) == (point.thread, point.syscall);
        if let Some(series) = self.0.iter_mut().find(is_its) {
            series.got_through += 1;
        }
    }
}

/// Kills the lane's server at `point` of a refresh, and starts another. None: the refresh completed.
fn kill_at(lane: &mut Lane, point: Point) -> Option<MishapOutcome> {
    lane.sign_in_and_expire();
    let (granted, presented) = (lane.sandbox.refreshes(), lane.spent_tokens_presented());
    let stored = stored_grants(lane.folder.path());
    let strace = Strace::inject(lane.server.id(), Injection::Kill, point);
    let answer = add(&lane.server.url("/cart/add/simple"));
    strace.detach();
    if let (Some((status, text)), true) = (answer, is_alive(&lane.server)) {
        assert_eq!(status, 200, "{point}: {text}");
        return None;
    }

    let is_saved = stored_grants(lane.folder.path()) > stored;
    lane.restart();
    let answer = lane.server.add(crate::support::UPC);
    let outcome = outcome_of(&answer, &point);

    assert!(outcome == MishapOutcome::Kept || !is_saved, "{point}: {}", answer.text);
    assert_eq!(lane.sandbox.refreshes() - granted, 1, "{point}: {}", answer.text);
    let presented = lane.spent_tokens_presented() - presented;
    assert_eq!(presented, u64::from(outcome == MishapOutcome::Window), "{point}: {}", answer.text);
    Some(outcome)
}

/// How many grants the store holds. Reads a copy, because reading the store itself would repair it.
fn stored_grants(folder: &Path) -> u64 {
    let copy = crate::support::folder();
    for name in ["store.sqlite3", "store.sqlite3-wal"] {
        // The log may be absent: an orderly stop removes it.
        let _ = std::fs::copy(folder.join(".tokens").join(name), copy.path().join(name));
    }
    let store = rusqlite::Connection::open(copy.path().join("store.sqlite3")).unwrap();
    let count = "SELECT count(*) FROM entry WHERE key GLOB 'grant.*'";
    store.query_row(count, (), |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
}

type Table = BTreeMap<Point, MishapOutcome>;

fn work(queue: &Mutex<Queue>, table: &Mutex<Table>) {
    let mut lane = Lane::start("3600");
    loop {
        let Some(point) = queue.lock().unwrap().take() else { return };
        match kill_at(&mut lane, point) {
            Some(outcome) => drop(table.lock().unwrap().insert(point, outcome)),
            None => queue.lock().unwrap().got_through(point),
        }
    }
}

fn print(table: &Table) {
    println!("killed at the n-th        then");
    for (point, outcome) in table {
        println!("{:<7} {:<10} {:>4}   {outcome:?}", point.thread, point.syscall, point.n);
    }
    let count = |wanted| table.values().filter(|outcome| **outcome == wanted).count();
    println!(
        "{} kills in mid refresh: {} came back signed in, {} hit the window and said so",
        table.len(),
        count(MishapOutcome::Kept),
        count(MishapOutcome::Window)
    );
}

#[test]
fn a_server_killed_at_any_step_of_a_refresh_stays_signed_in_or_reports_the_loss() {
    if !is_usable() {
        return;
    }
    let (queue, table) = (Mutex::new(Queue::new(Form::chosen())), Mutex::default());

    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| work(&queue, &table));
        }
    });

    let table = table.into_inner().unwrap();
    print(&table);
    // The points included each commit of the refresh, its request, and the caller's answer.
    let steps = |wanted: &[&str]| table.keys().filter(|point| wanted.contains(&point.syscall)).count();
    assert!(steps(&["fsync", "fdatasync"]) >= 4, "{table:?}");
    assert!(steps(&["writev", "sendto", "sendmsg"]) >= 3, "{table:?}");
    assert!(table.values().any(|outcome| *outcome == MishapOutcome::Kept), "{table:?}");
    assert!(table.values().any(|outcome| *outcome == MishapOutcome::Window), "{table:?}");
}
