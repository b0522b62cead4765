//! Counts the calls and what each was answered with.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde_json::Value;

/// Distinct calls counted by name; paths are the caller's to choose, memory is not.
const MOST_CALLS: usize = 1000;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Answered(StatusCode),
    /// The connection was closed without an answer.
    Dropped,
}

#[derive(Default)]
pub(crate) struct Tally(BTreeMap<String, BTreeMap<String, u64>>);

impl Tally {
    pub(crate) fn count(&mut self, method: &Method, path: &str, ending: Ending) {
        let mut call = format!("{method} {path}");
        if self.0.len() >= MOST_CALLS && !self.0.contains_key(&call) {
            call = "other".into();
        }
        let ending = match ending {
            Ending::Answered(status) => status.as_str().to_owned(),
            Ending::Dropped => "dropped".into(),
        };
        *self.0.entry(call).or_default().entry(ending).or_default() += 1;
    }

    pub(crate) fn listing(&self) -> Value {
        serde_json::json!(self.0)
    }
}
