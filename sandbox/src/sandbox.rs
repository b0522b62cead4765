//! The shared state of one sandbox, and the only place that reads the clock and randomness.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use serde_json::{Map, Value, json};

use crate::{app::App, call_counts::Tally, faults::Faults, oauth::authorization_server::Kroger, quotas::Quotas};

/// One stand-in for Kroger. Clones share their state; everything is gone with the last.
#[derive(Clone)]
pub struct Sandbox {
    world: Arc<Mutex<World>>,
}

pub(crate) struct World {
    pub(crate) kroger: Kroger,
    pub(crate) faults: Faults,
    pub(crate) tally: Tally,
    pub(crate) quotas: Quotas,
}

impl Sandbox {
    /// A sandbox that knows `apps` and nobody else. [`Sandbox::default`] knows
    /// [`App::sandbox`] and [`App::sandbox_public`].
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    pub fn new(apps: impl IntoIterator<Item = App>) -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system gives randomness");
        let world = World {
            kroger: Kroger::new(apps.into_iter().collect(), seed),
            faults: Faults::default(),
            tally: Tally::default(),
            quotas: Quotas::default(),
        };
        Self { world: Arc::new(Mutex::new(world)) }
    }

    /// What `GET /_sandbox/state` answers: counters and carts.
    pub fn state(&self) -> Value {
        self.world().state()
    }

    /// Held for a decision, never across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new([App::sandbox(), App::sandbox_public()])
    }
}

impl World {
    fn state(&self) -> Value {
        let kroger = &self.kroger;
        let carts: Map<String, Value> = kroger.carts().map(|(user, lines)| (user.to_owned(), json!(lines))).collect();
        json!({
            "token_requests": kroger.token_requests,
            "spent_refresh_tokens_presented": kroger.spent_refresh_tokens_presented,
            "calls": self.tally.listing(),
            "carts": carts,
            "quotas": self.quotas.listing(now()),
        })
    }
}

pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
