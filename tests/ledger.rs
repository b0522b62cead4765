//! Two calls with one idempotency key, interrupted at every step: nothing is added
//! twice, and each caller is told the truth.
//!
//! A schedule says at which steps a call is held up, stopped for long, or killed. The
//! test runs all schedules with one interruption; `KROGER_LEDGER=2` runs those with two.

#[path = "ledger/ports.rs"]
mod ports;
#[path = "ledger/runner.rs"]
mod runner;

use kroger_connector::core::cart::Added;
use kroger_connector::core::failure::Code;

use ports::{BEHAVIORS, KrogerBehavior};
use runner::{INTERRUPTIONS, Interruption, ScheduleRun, ScheduleRunner};

/// A call that takes more steps than this is waiting; what happens to it then
/// has happened to it before.
const MOST_STEPS: usize = 90;

/// What is wrong with a run; none: nothing.
fn violation(kroger: KrogerBehavior, run: &ScheduleRun) -> Option<String> {
    let added_by = &run.shared.added_by;
    if added_by.len() > 1 {
        return Some(format!("added twice, by {added_by:?}"));
    }
    if !run.shared.late.is_empty() {
        return Some("sent by an owner that came too late".to_owned());
    }
    let told = run.told.iter().map(Option::as_ref).chain([Some(&run.at_last)]);
    for (number, told) in told.enumerate() {
        let has_added = added_by.contains(&number);
        let is_true = match told {
            None => true,
            Some(Ok(Added::Now(_))) => has_added,
            Some(Ok(Added::Before)) => !added_by.is_empty() && !has_added,
            Some(Err(failure)) if failure.code == Code::OutcomeUnknown => true,
            Some(Err(_)) => !has_added,
        };
        if !is_true {
            return Some(format!("call {number} was told {told:?}, added by {added_by:?}"));
        }
    }
    is_stuck(kroger, run).then(|| format!("in the end it is {:?}", run.at_last))
}

/// In the end the key says what became of it, and a Kroger that adds has added.
fn is_stuck(kroger: KrogerBehavior, run: &ScheduleRun) -> bool {
    match (&run.at_last, kroger) {
        (Ok(_), _) => run.shared.added_by.is_empty(),
        (Err(failure), KrogerBehavior::Refuses) if failure.code == Code::UpstreamRejected => false,
        (Err(failure), _) => failure.code != Code::OutcomeUnknown,
    }
}

/// Runs all schedules that go on from `schedule` with up to `more` happenings;
/// answers how many.
fn search(
    runner: &mut ScheduleRunner,
    kroger: KrogerBehavior,
    schedule: &mut Vec<(usize, Interruption)>,
    more: usize,
) -> usize {
    let run = runner.run(kroger, schedule);
    if let Some(violation) = violation(kroger, &run) {
        panic!("{kroger:?} {schedule:?}: {violation}");
    }
    let mut runs = 1;
    if more == 0 {
        return runs;
    }
    let first = schedule.last().map_or(0, |(at, _)| at + 1);
    for at in first..run.steps.min(MOST_STEPS) {
        for interruption in INTERRUPTIONS {
            schedule.push((at, interruption));
            runs += search(runner, kroger, schedule, more - 1);
            schedule.pop();
        }
    }
    runs
}

#[test]
fn no_schedule_of_two_calls_with_one_key_adds_twice_or_tells_what_is_not_so() {
    let most = std::env::var("KROGER_LEDGER").map_or(1, |most| most.parse().expect("a number"));
    for kroger in BEHAVIORS {
        let runs = search(&mut ScheduleRunner::new(), kroger, &mut Vec::new(), most);
        println!("{:<20} {runs:>8} schedules of up to {most} happenings", format!("{kroger:?}"));
    }
}
