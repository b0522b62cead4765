//! The real binary, killed, and its store taken away: at each step of a refresh, at random under
//! load, on a disk that fails, fills up, turns read-only or is damaged.
//!
//! Every test ends with a good add and no sign-in, or with an honest `reauthorize` where Kroger had
//! spent the token and the answer could not be saved. The quick form runs with all the others;
//! `KROGER_CRASHES=full` tries every step, and hundreds of kills. What a machine does not allow is
//! skipped, and said so; but in the full form a machine without strace fails.

mod damaged_store;
mod disk_errors;
mod kills;
mod lane;
mod mounts;
mod random_kills;
mod strace;
mod unwritable_store;
mod window;

/// How much is tried.
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
