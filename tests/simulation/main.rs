//! The refresh protocol against a simulated world, in the quick form that runs
//! with every `cargo test`. The long form is `simulate`, the proof that it can
//! fail is `mutants`.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::needless_pass_by_value,
    reason = "small numbers and small values of a simulated world"
)]

mod coverage;
mod invariants;
mod keyvalue;
mod kroger;
mod machine;
mod mutations;
mod network;
mod process;
mod random;
mod records;
mod report;
mod rest;
mod seed;
mod weather;
mod witness;
mod workload;
mod world;

use std::path::Path;

use mutations::{MUTATIONS, Mutation};
use process::Broken;
use report::{Counts, Detail};
use seed::run;

/// Runs seeds until one is violated, `most` of them; answers how many it took.
fn seeds_until_noticed(broken: Broken, most: u64) -> Option<u64> {
    (0..most).find(|seed| run(*seed, Some(broken), Detail::Nothing).violation.is_some()).map(|seed| seed + 1)
}

#[test]
fn no_schedule_crash_or_fault_of_the_first_seeds_breaks_a_promise() {
    const SEEDS: u64 = 300;
    /// States and faults that so few seeds need not reach.
    const RARE: usize = 6;

    let mut counts = Counts::default();
    for seed in 0..SEEDS {
        let run = run(seed, None, Detail::Nothing);
        counts.add(&run.counts);
        if let Some(violation) = run.violation {
            let history = seed::run(seed, None, Detail::Story).history;
            panic!("{history}\nseed {seed} violates invariant {}: {}", violation.invariant, violation.text);
        }
    }

    assert!(counts.calls > 10 * SEEDS && counts.unreached().len() <= RARE, "{}", counts.table());
}

#[test]
fn a_seed_replays_exactly() {
    let [first, second] = [(); 2].map(|()| run(7, None, Detail::Everything).history);

    assert!(first.lines().count() > 100);
    assert_eq!(first, second);
}

/// What `mutants` breaks is there, so that it still says what it means to break.
#[test]
fn each_mutation_finds_its_text_once() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core");
    // `core::refresh::tests::name` is in `refresh/tests.rs`.
    let is_there = |test: &str| {
        let [_, file, _, name] = test.split("::").collect::<Vec<_>>()[..] else { return false };
        let tests = std::fs::read_to_string(core.join(file).join("tests.rs")).expect("the tests of the core");
        tests.contains(&format!("fn {name}()"))
    };
    for Mutation { name, file, find, replace, test } in MUTATIONS {
        let source = std::fs::read_to_string(core.join(file)).expect("a file of the core");
        assert_eq!(source.matches(find).count(), 1, "the mutant `{name}` no longer applies to {file}");
        assert_ne!(find, replace, "the mutant `{name}` changes nothing");
        assert!(test.is_none_or(is_there), "the test of the mutant `{name}` is not there");
    }
    assert!(MUTATIONS.len() >= 50);
}

#[test]
fn each_broken_port_is_noticed() {
    let broken = [
        Broken::EveryClaimIsWon,
        Broken::IntentsAreNotStored,
        Broken::ReadBackIsBelieved,
        Broken::GrantsAreNotStored,
        Broken::RescueForgets,
        Broken::LostRepliesAreNotSent,
        Broken::ServerErrorsAreRefusals,
        Broken::ClockStandsStill,
    ];
    for broken in broken {
        assert!(seeds_until_noticed(broken, 2_000).is_some(), "{broken:?}");
    }
}
