//! Runs two calls with one idempotency key, and interrupts them at every step. Nothing
//! is added twice, and each caller gets a true answer.
//!
//! A schedule says at which steps a call is held up, stopped for long, suspended or
//! killed. The test runs all schedules with at most one interruption; `KROGER_LEDGER=2`
//! adds those with two. It never interrupts a call between two steps: `ports` says what
//! a step is.

#[path = "ledger/ports.rs"]
mod ports;
#[path = "ledger/runner.rs"]
mod runner;

use kroger_core::cart::Added;
use kroger_core::failure::Code;

use ports::{BEHAVIORS, KrogerBehavior};
use runner::{INTERRUPTIONS, Interruption, ScheduleRun, ScheduleRunner};

/// The number of steps after which no schedule interrupts a call.
///
/// A run with more steps than this has a call that waits and repeats itself. An
/// interruption of such a call has happened before, at an earlier step.
const MOST_STEPS: usize = 90;

/// Names the broken promise of a run; `None` if it keeps all of them.
fn violation(kroger: KrogerBehavior, run: &ScheduleRun) -> Option<String> {
    let added_by = &run.shared.added_by;
    if added_by.len() > 1 {
        return Some(format!("the calls {added_by:?} added twice"));
    }
    if !run.shared.late.is_empty() {
        return Some("an owner sent its add too late".to_owned());
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
            return Some(format!("call {number} was told {told:?}; the add was made by {added_by:?}"));
        }
    }
    is_stuck(kroger, run).then(|| format!("the patient caller was told {:?}", run.at_last))
}

/// Whether the key still gives no final answer to the patient caller.
///
/// A success needs an add that Kroger processed. A failure is final if the outcome is
/// unknown for good, or if this Kroger refuses every add.
fn is_stuck(kroger: KrogerBehavior, run: &ScheduleRun) -> bool {
    match (&run.at_last, kroger) {
        (Ok(_), _) => run.shared.added_by.is_empty(),
        (Err(failure), KrogerBehavior::Refuses) if failure.code == Code::UpstreamRejected => false,
        (Err(failure), _) => failure.code != Code::OutcomeUnknown,
    }
}

/// Runs `schedule`, and all schedules that follow it with up to `more` further
/// interruptions. Answers the number of schedules.
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
fn no_schedule_of_two_calls_with_one_key_adds_twice_or_answers_untruly() {
    let most = std::env::var("KROGER_LEDGER").map_or(1, |most| most.parse().expect("a number"));
    for kroger in BEHAVIORS {
        let runs = search(&mut ScheduleRunner::new(), kroger, &mut Vec::new(), most);
        println!("{:<20} {runs:>8} schedules of up to {most} interruptions", format!("{kroger:?}"));
    }
}
