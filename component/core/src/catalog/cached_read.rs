//! Reads of the catalog: from the cache, else from Kroger. Never keeps a failure.

use crate::failure::{CallTrouble, Cause};
use serde_json::Value;

use crate::Context;
use crate::catalog::cache::{self, Freshness};
use crate::failure::Failure;
use crate::kroger::limits::Endpoint;
use crate::upstream::quota::Purpose;
use crate::upstream::reading::{self, Reading, TokenOf};
use crate::user::UserId;

const PRODUCT_SCOPE: &str = "product.compact";

/// A kind of read: its endpoint, its part of the quota, and how long its answers
/// stay fresh.
#[derive(Clone, Copy)]
pub(super) struct CachedRead {
    pub(super) endpoint: Endpoint,
    pub(super) purpose: Purpose,
    pub(super) freshness: Freshness,
}

impl CachedRead {
    /// Answers a `GET` of `path`.
    pub(super) fn answer(self, cx: Context<'_>, user: &UserId, path: &str) -> Result<Value, Failure> {
        if let Some(kept) = cache::get(cx, path, self.freshness) {
            return Ok(kept);
        }
        let reading = Reading {
            endpoint: self.endpoint,
            purpose: self.purpose,
            path,
            token: TokenOf::App(user),
            scope: (self.endpoint == Endpoint::Products).then_some(PRODUCT_SCOPE),
        };
        let answer = reading::read(cx, reading)?;
        if answer.get("data").is_some() {
            cache::put(cx, path, &answer);
        }
        Ok(answer)
    }
}

pub(super) fn without_data(endpoint: Endpoint) -> Failure {
    Cause::Call(endpoint, CallTrouble::WithoutData).into()
}
