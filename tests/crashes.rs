//! Kills the real binary and breaks its store: at each step of a refresh, at random under load, and
//! on a disk that fails, fills up, turns read-only or is damaged.
//!
//! After each mishap an add succeeds without a new sign-in. The one exception is a true
//! `reauthorize`, if Kroger spent the token and its answer could not be saved. The quick form runs
//! with all other tests. `KROGER_CRASHES=full` tries every step, and hundreds of kills. If a machine
//! does not allow a test, the test says so and is skipped, except that the full form fails without
//! strace.

mod damaged_store;
mod disk_errors;
mod kills;
mod lane;
mod mounts;
mod random_kills;
mod strace;
mod unwritable_store;
mod window;

/// How many cases the tests try.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Quick,
    Full,
}

impl Form {
    fn chosen() -> Self {
        match std::env::var("KROGER_CRASHES").as_deref() {
            Ok("full") => Self::Full,
            _ => Self::Quick,
        }
    }

    fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}
