//! Keeps answers of Kroger's catalog for a short while, so that the same question
//! does not cost quota twice.
//!
//! Answers lie in the volatile bucket `cache`, which the host bounds and drops at
//! its end. On a host without that bucket every question goes to Kroger. The cache
//! keeps only answers that are the same for everybody, never data of a customer.
//!
//! Prices and stock stay fresh for a minute, which spans one conversation's
//! "search, look, check". Locations change rarely, and chains hardly ever.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Context;
use crate::ports::{Bucket, Timestamp};
use crate::secret::base32_sha256;
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};

/// How long an answer stays fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Prices and stock.
    Minute,
    /// Locations and their hours.
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
pub(crate) struct KeptAnswer {
    at: Timestamp,
    answer: Value,
}

impl Stored for KeptAnswer {
    const KIND: Kind = Kind::Catalog;
    const VERSION: u32 = 1;
}

/// The kept answer to a `GET` of `path`. None: there is no fresh one.
pub(super) fn get(cx: Context<'_>, path: &str, freshness: Freshness) -> Option<Value> {
    let kept: KeptAnswer = codec::read(cx, Bucket::Cache, &answer_key(path)).ok()??;
    let now = cx.ports.wall_now();
    let is_fresh = kept.at <= now && now < kept.at + freshness.duration();
    is_fresh.then_some(kept.answer)
}

/// Keeps `answer`. On failure nothing is kept, and Kroger is asked again.
pub(super) fn put(cx: Context<'_>, path: &str, answer: &Value) {
    let kept = KeptAnswer { at: cx.ports.wall_now(), answer: answer.clone() };
    let _ = cx.ports.set(Bucket::Cache, &answer_key(path), &codec::encode(&kept));
}

fn answer_key(path: &str) -> String {
    Key::Catalog { path_hash: base32_sha256(path) }.to_string()
}
