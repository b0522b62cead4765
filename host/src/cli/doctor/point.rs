//! One thing that `doctor` looks at, and what it found.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Good,
    /// It works, and something better can be done.
    Warning,
    Bad,
    /// Something to know, or that could not be looked at.
    Note,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Point {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// What was found; where it is not good, what to do.
    pub(super) detail: String,
}

impl Point {
    pub(super) fn new(name: impl Into<String>, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { name: name.into(), verdict, detail: detail.into() }
    }

    pub(super) fn good(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Good, detail)
    }

    pub(super) fn bad(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Bad, detail)
    }
}
