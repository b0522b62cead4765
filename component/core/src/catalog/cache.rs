//! Answers of Kroger's catalog, kept for a short while so that the same
//! question does not cost quota twice: in the volatile bucket `cache`, which the
//! host bounds and which ends with it. A host without that bucket asks Kroger
//! each time.
//!
//! Only what is the same for everybody is kept, never anything of a customer's.
//! Prices and stock are good for a minute, which spans one conversation's
//! "search, look, check"; stores move rarely and chains hardly ever.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Context;
use crate::grant::lineage::SCHEMA_VERSION;
use crate::grant::records;
use crate::ports::{Bucket, Timestamp};
use crate::secret::base32_sha256;

/// How long an answer is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Prices and stock.
    Minute,
    /// Stores and their hours.
    Hour,
    /// Chains and departments.
    Day,
}

impl Freshness {
    fn duration(self) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(60),
            Self::Hour => Duration::from_secs(3_600),
            Self::Day => Duration::from_secs(24 * 3_600),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    schema_version: u32,
    at: Timestamp,
    answer: Value,
}

/// What was answered to a `GET` of `path` lately.
pub(super) fn get(cx: Context<'_>, path: &str, freshness: Freshness) -> Option<Value> {
    let kept: Kept = records::read(cx, Bucket::Cache, &key(path)).ok()??;
    let now = cx.ports.wall_now();
    let is_fresh = kept.at <= now && now < kept.at + freshness.duration();
    is_fresh.then_some(kept.answer)
}

/// An answer that cannot be kept is asked for again.
pub(super) fn put(cx: Context<'_>, path: &str, answer: &Value) {
    let kept = Kept { schema_version: SCHEMA_VERSION, at: cx.ports.wall_now(), answer: answer.clone() };
    let _ = cx.ports.set(Bucket::Cache, &key(path), &records::encode(&kept));
}

fn key(path: &str) -> String {
    format!("catalog.{}", base32_sha256(path))
}
