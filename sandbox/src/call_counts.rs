//! Counts calls by how they ended. Keeps nothing else of a call.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde_json::Value;

/// How many distinct calls are counted by name.
///
/// Callers choose the paths, so without a limit they could fill the memory.
const MOST_CALLS: usize = 1000;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallEnding {
    Answered(StatusCode),
    /// The connection was closed without an answer.
    Dropped,
}

/// For each method and path, how often its calls ended in which way.
#[derive(Default)]
pub(crate) struct CallCounts(BTreeMap<String, BTreeMap<String, u64>>);

impl CallCounts {
    pub(crate) fn count(&mut self, method: &Method, path: &str, ending: CallEnding) {
        let mut call = format!("{method} {path}");
        if self.0.len() >= MOST_CALLS && !self.0.contains_key(&call) {
            call = "other".into();
        }
        let ending = match ending {
            CallEnding::Answered(status) => status.as_str().to_owned(),
            CallEnding::Dropped => "dropped".into(),
        };
        *self.0.entry(call).or_default().entry(ending).or_default() += 1;
    }

    pub(crate) fn listing(&self) -> Value {
        serde_json::json!(self.0)
    }
}
