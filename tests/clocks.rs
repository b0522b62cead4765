//! Time that does not go as a process thinks: it is stopped in mid-refresh, or its wall clock is
//! set. Nobody loses a sign-in by that.
//!
//! The quick form runs with all the others; `KROGER_TIME=full` stops at more moments and for 40 s.
//! Setting the clock needs libfaketime; where it is missing, the quick form prints that and skips the test, and the full
//! form fails.

mod stopped;
mod wall_clock;

pub fn is_full() -> bool {
    std::env::var("KROGER_TIME").as_deref() == Ok("full")
}
