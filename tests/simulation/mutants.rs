//! Breaks the protocol on purpose, one way at a time, and shows that the
//! simulation notices. `just mutants` tries all of them.
//!
//! A mutant is a copy of the core in which one text is replaced. The run first makes
//! sure that each text is in the core exactly once; a text that is not there no longer
//! says what it means to break. If another rule stands behind the broken one, a unit
//! test is run in place of the simulation. The checkout is never changed.
//!
//! `mutants NAME` tries the mutants whose names contain NAME, `mutants --part 1/3`
//! the first third of them, and `mutants --list` prints their names.

mod core_copy;
mod mutation;
mod mutations;
mod selection;
mod splice;

use std::process::ExitCode;
use std::time::Instant;

use core_copy::{CoreCopy, MutantResult, SEEDS};
use mutation::Mutation;
use mutations::MUTATIONS;
use selection::Selection;

fn main() -> ExitCode {
    let Some(selection) = Selection::parse(std::env::args().skip(1)) else {
        eprintln!("mutants [--list] [--part NUMBER/PARTS] [NAME…]");
        return ExitCode::from(2);
    };
    match run(&selection) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Tries the chosen mutants. Answers whether every one of them was noticed.
fn run(selection: &Selection) -> Result<bool, String> {
    let chosen = selection.choose(MUTATIONS)?;
    if selection.is_list {
        for mutation in chosen {
            println!("{}", mutation.name);
        }
        return Ok(true);
    }
    let start = Instant::now();
    let copy = CoreCopy::new().map_err(|error| error.to_string())?;
    chosen.iter().try_for_each(|mutation| mutation.check(&copy.core()))?;
    println!("{:<58}{:>7}  caught by", "mutant", "seeds");
    let (mut survivors, mut errors) = (0, 0);
    for (place, mutation) in chosen.iter().enumerate() {
        eprintln!("{} of {}, {} s: {}", place + 1, chosen.len(), start.elapsed().as_secs(), mutation.name);
        match copy.try_out(mutation) {
            Ok(result) => {
                survivors += u32::from(result == MutantResult::Survived);
                println!("{}", row(mutation, &result));
            }
            // The other mutants are still worth their time.
            Err(error) => {
                errors += 1;
                println!("{:<58}{:>7}  {error}", mutation.name, "ERROR");
            }
        }
    }
    let seconds = start.elapsed().as_secs();
    println!("{} mutants, {survivors} survived, {errors} errors; {seconds} s", chosen.len());
    Ok(survivors == 0 && errors == 0)
}

fn row(mutation: &Mutation, result: &MutantResult) -> String {
    let name = mutation.name;
    match result {
        MutantResult::Caught(seed, violation) => format!("{name:<58}{:>7}  {violation:.90}", seed + 1),
        MutantResult::Failed(test) => format!("{name:<58}{:>7}  {test}", "test"),
        MutantResult::Survived => format!("{name:<58}{SEEDS:>7}  SURVIVED"),
    }
}
