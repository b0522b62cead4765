//! Counts calls against Kroger's daily limits, over all applications together.
//!
//! Each endpoint has a window that begins with its first call. Decides only: `layers::limit`
//! refuses the calls.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The groups of paths that Kroger counts separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Endpoint {
    Products,
    Cart,
    Identity,
    Locations,
    Chains,
    Departments,
}

impl Endpoint {
    pub(crate) fn of(path: &str) -> Option<Self> {
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

/// Returns the limits of the real Kroger.
pub(crate) fn kroger_daily_limits() -> BTreeMap<Endpoint, u64> {
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

/// The calls counted in each endpoint's window.
#[derive(Default)]
pub(crate) struct QuotaUsage(BTreeMap<Endpoint, QuotaWindow>);

struct QuotaWindow {
    ends_at: SystemTime,
    used: u64,
}

impl QuotaUsage {
    /// Counts a call, or returns when the window ends if the limit is used up.
    pub(crate) fn count(
        &mut self,
        now: SystemTime,
        endpoint: Endpoint,
        limit: u64,
        length: Duration,
    ) -> Result<(), SystemTime> {
        let window = self.0.entry(endpoint).or_insert(QuotaWindow { ends_at: now, used: 0 });
        if window.ends_at <= now {
            *window = QuotaWindow { ends_at: now + length, used: 0 };
        }
        if window.used >= limit {
            return Err(window.ends_at);
        }
        window.used += 1;
        Ok(())
    }

    /// Lists the calls counted in the windows that are open.
    pub(crate) fn listing(&self, now: SystemTime) -> Value {
        let open = self.0.iter().filter(|(_, window)| now < window.ends_at);
        json!(open.map(|(endpoint, window)| (*endpoint, window.used)).collect::<BTreeMap<_, _>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_calls_do_not_prolong_the_window_of_the_first_call() {
        let (mut usage, day) = (QuotaUsage::default(), Duration::from_secs(86_400));
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let mut count = |at: SystemTime| usage.count(at, Endpoint::Cart, 2, day);

        assert_eq!(count(start), Ok(()));
        assert_eq!(count(start + day / 2), Ok(()));
        assert_eq!(count(start + day / 2), Err(start + day));
        assert_eq!(count(start + day), Ok(()));
        assert_eq!(usage.listing(start + day), json!({"cart": 1}));
        assert_eq!(usage.listing(start + day * 3), json!({}));
    }

    #[test]
    fn the_path_tells_the_endpoint() {
        assert_eq!(Endpoint::of("/v1/cart/add"), Some(Endpoint::Cart));
        assert_eq!(Endpoint::of("/v1/products"), Some(Endpoint::Products));
        assert_eq!(Endpoint::of("/v1/connect/oauth2/token"), None);
        assert_eq!(Endpoint::of("/v1/productions"), None);
    }
}
