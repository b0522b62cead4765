//! Stops processes during a refresh, and sets their wall clocks. Nobody loses a sign-in.
//!
//! The quick form runs with all other tests. `KROGER_TIME=full` stops processes at more moments, and
//! for 40 s. Setting the clock needs libfaketime. If it is missing, the quick form says so and skips
//! the test, and the full form fails.

mod stopped;
mod wall_clock;

pub fn is_full() -> bool {
    std::env::var("KROGER_TIME").as_deref() == Ok("full")
}
