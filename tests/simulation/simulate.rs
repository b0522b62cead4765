//! The long form of the simulation, on all processors.
//!
//! `simulate [SEEDS]` runs that many seeds, and prints the faults that were injected and
//! the states that were reached. `simulate --from FIRST SEEDS` begins with another seed.
//! `simulate --seed N [--trace]` replays one seed. `simulate --hunt SEEDS` stops at the
//! first violation and prints only that; `mutants` runs it. A seed never depends on
//! another one.

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
mod network;
mod observation;
mod people;
mod process;
mod random;
mod records;
mod report;
mod rest;
mod seed;
mod simulation;
mod time;
mod weather;
mod witness;
mod workload;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use report::{Counts, Detail};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--seed", seed] => replay(seed, Detail::Story),
        ["--seed", seed, "--trace"] => replay(seed, Detail::Everything),
        [] => simulate(0, 1_000),
        [seeds] => seeds.parse().map_or_else(|_| usage(), |seeds| simulate(0, seeds)),
        ["--hunt", seeds] => seeds.parse().map_or_else(|_| usage(), hunt),
        ["--from", first, seeds] => match (first.parse(), seeds.parse()) {
            (Ok(first), Ok(seeds)) => simulate(first, seeds),
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("simulate [SEEDS] | --from FIRST SEEDS | --seed N [--trace] | --hunt SEEDS");
    ExitCode::from(2)
}

fn replay(seed: &str, detail: Detail) -> ExitCode {
    let Ok(seed) = seed.parse() else { return usage() };
    let run = seed::run(seed, None, detail);
    print!("{}", run.history);
    match run.violation {
        None => {
            println!("seed {seed}: no violation");
            ExitCode::SUCCESS
        }
        Some(violation) => {
            println!("seed {seed} violates invariant {}: {}", violation.invariant, violation.text);
            ExitCode::FAILURE
        }
    }
}

/// Prints the first seed with a violation as one line, for `mutants`.
fn hunt(seeds: u64) -> ExitCode {
    let progress = Progress::new(0, seeds, 1);
    search(&progress, Instant::now());
    let mut failures = progress.failures.lock().expect("no thread panics");
    failures.sort();
    match failures.first() {
        Some((seed, text)) => println!("caught {seed} {text}"),
        None => println!("survived {seeds}"),
    }
    ExitCode::SUCCESS
}

/// The state that the threads share.
struct Progress {
    first: u64,
    next: AtomicU64,
    end: u64,
    enough: usize,
    has_failed: AtomicBool,
    counts: Mutex<Counts>,
    failures: Mutex<Vec<(u64, String)>>,
}

impl Progress {
    fn new(first: u64, seeds: u64, enough: usize) -> Self {
        Self {
            first,
            next: AtomicU64::new(first),
            end: first + seeds,
            enough,
            has_failed: AtomicBool::new(false),
            counts: Mutex::default(),
            failures: Mutex::default(),
        }
    }
}

fn simulate(first: u64, seeds: u64) -> ExitCode {
    /// The search stops after this many seeds with a violation.
    const FAILURES: usize = 12;

    let start = Instant::now();
    let progress = Progress::new(first, seeds, FAILURES);
    search(&progress, start);
    conclude(&progress, seeds, start)
}

fn search(progress: &Progress, start: Instant) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(progress, start));
        }
    });
}

fn work(progress: &Progress, start: Instant) {
    let mut counts = Counts::default();
    while !progress.has_failed.load(Ordering::Relaxed) {
        let seed = progress.next.fetch_add(1, Ordering::Relaxed);
        if seed >= progress.end {
            break;
        }
        let run = seed::run(seed, None, Detail::Nothing);
        counts.add(&run.counts);
        if let Some(violation) = run.violation {
            let mut failures = progress.failures.lock().expect("no thread panics");
            failures.push((seed, format!("invariant {}: {}", violation.invariant, violation.text)));
            progress.has_failed.store(failures.len() >= progress.enough, Ordering::Relaxed);
        }
        let done = seed + 1 - progress.first;
        if done.is_multiple_of(5_000) {
            eprintln!("{done} seeds, {:.0} s", start.elapsed().as_secs_f64());
        }
    }
    progress.counts.lock().expect("no thread panics").add(&counts);
}

fn conclude(progress: &Progress, seeds: u64, start: Instant) -> ExitCode {
    let counts = progress.counts.lock().expect("no thread panics");
    let mut failures = progress.failures.lock().expect("no thread panics");
    println!("{}", counts.table());
    println!(
        "{} calls, {} key-value operations, {:.1} years of virtual time, at most {} keys left; {:.0} s",
        counts.calls,
        counts.operations,
        counts.virtual_time as f64 / 1e6 / 86_400.0 / 365.0,
        counts.most_keys,
        start.elapsed().as_secs_f64(),
    );
    for state in counts.unreached() {
        println!("never reached: {state}");
    }
    failures.sort();
    if failures.is_empty() {
        println!("{seeds} seeds, no violation");
        return ExitCode::SUCCESS;
    }
    for (seed, text) in failures.iter() {
        println!("seed {seed} violates {text}");
    }
    let (seed, _) = failures[0];
    println!("\nthe end of seed {seed}:\n{}", seed::run(seed, None, Detail::Story).history);
    println!("replay with: simulate --seed {seed} --trace");
    ExitCode::FAILURE
}
