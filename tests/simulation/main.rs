//! Runs the real core against a simulated store, network and Kroger, and checks the
//! promises of the refresh protocol.
//!
//! This is the quick form, which runs with every `cargo test`. `simulate` is the long
//! form, and `mutants` proves that the simulation can fail. Nothing here opens a socket,
//! reads a clock or waits.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::needless_pass_by_value,
    reason = "the numbers and values of the simulation are small"
)]

mod coverage;
mod delivery;
mod invariants;
mod keyvalue;
mod kroger;
mod machine;
mod mishaps;
mod mutation;
mod mutations;
mod network;
mod observation;
mod people;
mod process;
mod random;
mod records;
mod report;
mod rest;
mod seed;
mod selection;
mod simulation;
mod splice;
mod time;
mod weather;
mod witness;
mod workload;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use mutation::CORE;
use mutations::MUTATIONS;
use process::BrokenPort;
use report::{Counts, Detail};
use seed::run;

/// Runs up to `most` seeds. Answers the number of seeds that it took to find a violation.
fn seeds_until_noticed(broken: BrokenPort, most: u64) -> Option<u64> {
    (0..most).find(|seed| run(*seed, Some(broken), Detail::Nothing).violation.is_some()).map(|seed| seed + 1)
}

#[test]
fn first_seeds_keep_every_promise() {
    const SEEDS: u64 = 300;
    /// The number of states that these few seeds may leave unreached.
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
fn seed_replays_exactly() {
    let [first, second] = [(); 2].map(|()| run(7, None, Detail::Everything).history);

    assert!(first.lines().count() > 100);
    assert_eq!(first, second);
}

#[test]
fn every_mutant_applies_once_to_the_core() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join(CORE);
    let errors: Vec<String> = MUTATIONS.iter().filter_map(|mutation| mutation.check(&core).err()).collect();

    assert!(errors.is_empty(), "{errors:#?}");
    let names: HashSet<&str> = MUTATIONS.iter().map(|mutation| mutation.name).collect();
    assert!(names.len() == MUTATIONS.len() && names.len() >= 50, "{} names", names.len());
}

#[test]
fn every_unit_test_of_a_mutant_exists() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join(CORE);
    for (mutation, test) in MUTATIONS.iter().filter_map(|mutation| Some((mutation, mutation.test?))) {
        let file = core.join(test.module.replace("::", "/")).with_extension("rs");
        let source = fs::read_to_string(file).expect("the tests of the core");
        assert!(source.contains(&format!("fn {}()", test.name)), "{}: no test {}", mutation.name, test.path());
    }
}

#[test]
fn every_broken_port_is_noticed() {
    let broken = [
        BrokenPort::EveryClaimIsWon,
        BrokenPort::IntentsAreNotStored,
        BrokenPort::ReadBackIsBelieved,
        BrokenPort::GrantsAreNotStored,
        BrokenPort::RescueForgets,
        BrokenPort::LostRepliesAreNotSent,
        BrokenPort::ServerErrorsAreRefusals,
        BrokenPort::ClockStandsStill,
    ];
    for broken in broken {
        assert!(seeds_until_noticed(broken, 2_000).is_some(), "{broken:?}");
    }
}
