//! `GET /admin/rate-limits`: the state of Kroger's daily quotas, by this server's own count. Asks Kroger nothing.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::Serialize;

use super::call::{Call, json};
use super::problem::Problem;
use kroger_core::failure::Failure;
use kroger_core::ports::Timestamp;
use kroger_core::upstream::quota::{self, QuotaStatus};

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct RateLimits {
    window_seconds: u64,
    endpoints: BTreeMap<&'static str, Endpoint>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Endpoint {
    limit: u64,
    used: u64,
    remaining: u64,
    /// The part of the limit that is kept for adding to the cart.
    reserve: u64,
    /// Null while no window is open. The next call opens one.
    window_started_at: Option<u64>,
    window_started_at_readable: Option<String>,
    resets_at: Option<u64>,
    resets_at_readable: Option<String>,
    /// The time until which Kroger asked for no calls.
    blocked_until: Option<u64>,
    blocked_until_readable: Option<String>,
}

pub(super) async fn rate_limits(call: Call) -> Result<Response, Problem> {
    let statuses = quota::statuses(call.context()).map_err(|_| Failure::store_unavailable())?;
    let endpoints = statuses.iter().map(|status| (status.endpoint.as_str(), status.into()));
    Ok(json(&RateLimits { window_seconds: quota::WINDOW.as_secs(), endpoints: endpoints.collect() }))
}

impl From<&QuotaStatus> for Endpoint {
    fn from(status: &QuotaStatus) -> Self {
        let seconds = |at: Option<Timestamp>| at.map(Timestamp::as_secs);
        let readable = |at: Option<Timestamp>| at.map(Timestamp::readable);
        Self {
            limit: status.limit,
            used: status.used,
            remaining: status.remaining(),
            reserve: status.reserve,
            window_started_at: seconds(status.window_started_at),
            window_started_at_readable: readable(status.window_started_at),
            resets_at: seconds(status.resets_at()),
            resets_at_readable: readable(status.resets_at()),
            blocked_until: seconds(status.blocked_until),
            blocked_until_readable: readable(status.blocked_until),
        }
    }
}
