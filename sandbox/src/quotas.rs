//! Kroger's daily limits: so many calls to each endpoint within a window that begins with the
//! first. Counted over all applications together. Decides; `routes` asks it before each call.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    answers::{json_answer, timestamp},
    oauth::authorization_server::seconds_until,
    sandbox::{Sandbox, now},
};

/// What Kroger counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/v1/products` and below; 10,000 by default.
    Products,
    /// `/v1/cart` and below; 5,000 by default.
    Cart,
    /// `/v1/identity` and below; 5,000 by default.
    Identity,
    /// `/v1/locations` and below; 1,600 by default.
    Locations,
    /// `/v1/chains` and below; 1,600 by default.
    Chains,
    /// `/v1/departments` and below; 1,600 by default.
    Departments,
}

impl Endpoint {
    fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("/v1/")?.split('/').next()? {
            "products" => Some(Self::Products),
            "cart" => Some(Self::Cart),
            "identity" => Some(Self::Identity),
            "locations" => Some(Self::Locations),
            "chains" => Some(Self::Chains),
            "departments" => Some(Self::Departments),
            _ => None,
        }
    }
}

/// Kroger's own.
pub(crate) fn daily_limits() -> BTreeMap<Endpoint, u64> {
    [
        (Endpoint::Products, 10_000),
        (Endpoint::Cart, 5_000),
        (Endpoint::Identity, 5_000),
        (Endpoint::Locations, 1_600),
        (Endpoint::Chains, 1_600),
        (Endpoint::Departments, 1_600),
    ]
    .into()
}

#[derive(Default)]
pub(crate) struct Quotas(BTreeMap<Endpoint, Window>);

struct Window {
    ends_at: SystemTime,
    used: u64,
}

impl Quotas {
    /// Counts a call, or answers when the window ends that has no more.
    fn count(&mut self, now: SystemTime, endpoint: Endpoint, limit: u64, length: Duration) -> Result<(), SystemTime> {
        let window = self.0.entry(endpoint).or_insert(Window { ends_at: now, used: 0 });
        if window.ends_at <= now {
            *window = Window { ends_at: now + length, used: 0 };
        }
        if window.used >= limit {
            return Err(window.ends_at);
        }
        window.used += 1;
        Ok(())
    }

    /// The calls counted in the windows that are open.
    pub(crate) fn listing(&self, now: SystemTime) -> Value {
        let open = self.0.iter().filter(|(_, window)| now < window.ends_at);
        json!(open.map(|(endpoint, window)| (*endpoint, window.used)).collect::<BTreeMap<_, _>>())
    }
}

/// The layer that refuses what is beyond a limit.
pub(crate) async fn limit(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let refused = Endpoint::of(request.uri().path()).and_then(|endpoint| {
        let mut world = sandbox.world();
        let settings = &world.kroger.settings;
        let (limit, length) = (settings.daily_limits[&endpoint], settings.quota_window());
        world.quotas.count(now(), endpoint, limit, length).err()
    });
    match refused {
        Some(ends_at) => too_many_requests(ends_at),
        None => next.run(request).await,
    }
}

fn too_many_requests(ends_at: SystemTime) -> Response {
    let error = json!({"timestamp": timestamp(), "code": "RateLimit-429", "reason": "Daily call limit exceeded"});
    let retry_after = [(header::RETRY_AFTER, seconds_until(now(), ends_at).to_string())];
    (retry_after, json_answer(StatusCode::TOO_MANY_REQUESTS, &json!({"errors": error}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_with_its_first_call_and_ends_whatever_was_refused() {
        let (mut quotas, day) = (Quotas::default(), Duration::from_secs(86_400));
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let mut count = |at: SystemTime| quotas.count(at, Endpoint::Cart, 2, day);

        assert_eq!(count(start), Ok(()));
        assert_eq!(count(start + day / 2), Ok(()));
        assert_eq!(count(start + day / 2), Err(start + day));
        assert_eq!(count(start + day), Ok(()));
        assert_eq!(quotas.listing(start + day), json!({"cart": 1}));
        assert_eq!(quotas.listing(start + day * 3), json!({}));
    }

    #[test]
    fn an_endpoint_is_known_by_its_path() {
        assert_eq!(Endpoint::of("/v1/cart/add"), Some(Endpoint::Cart));
        assert_eq!(Endpoint::of("/v1/products"), Some(Endpoint::Products));
        assert_eq!(Endpoint::of("/v1/connect/oauth2/token"), None);
        assert_eq!(Endpoint::of("/v1/productions"), None);
    }
}
