//! Holds the state of one sandbox behind a lock.
//!
//! The only place that asks for randomness. Decides nothing: the parts of the state do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use crate::{
    api::cart::Carts,
    app::App,
    call_counts::CallCounts,
    clock::now,
    faults::CallFaults,
    oauth::authorization_server::AuthorizationServer,
    quotas::QuotaUsage,
    settings::{CallSettings, SandboxSettings, SettingsChange},
};

/// A stand-in for Kroger. Clones share their state, which is gone with the last clone.
#[derive(Clone)]
pub struct Sandbox {
    state: Arc<Mutex<SandboxState>>,
}

pub(crate) struct SandboxState {
    pub(crate) authorization_server: AuthorizationServer,
    pub(crate) carts: Carts,
    pub(crate) call_settings: CallSettings,
    pub(crate) faults: CallFaults,
    pub(crate) call_counts: CallCounts,
    pub(crate) quota_usage: QuotaUsage,
}

impl Sandbox {
    /// Makes a sandbox that knows `apps` and no others.
    ///
    /// [`Sandbox::default`] knows [`App::sandbox`] and [`App::sandbox_public`].
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    pub fn new(apps: impl IntoIterator<Item = App>) -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system gives randomness");
        let state = SandboxState {
            authorization_server: AuthorizationServer::new(apps.into_iter().collect(), seed),
            carts: Carts::default(),
            call_settings: CallSettings::default(),
            faults: CallFaults::default(),
            call_counts: CallCounts::default(),
            quota_usage: QuotaUsage::default(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Locks the state. A caller holds it for one decision, never across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, SandboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new([App::sandbox(), App::sandbox_public()])
    }
}

impl SandboxState {
    /// Returns what `GET /_sandbox/state` answers: counters and carts.
    pub(crate) fn report(&self) -> Value {
        let carts: Map<String, Value> = self.carts.all().map(|(user, lines)| (user.to_owned(), json!(lines))).collect();
        json!({
            "token_requests": self.authorization_server.token_requests,
            "spent_refresh_tokens_presented": self.authorization_server.spent_refresh_tokens_presented,
            "calls": self.call_counts.listing(),
            "carts": carts,
            "quotas": self.quota_usage.listing(now()),
        })
    }

    pub(crate) fn settings(&self) -> SandboxSettings {
        SandboxSettings { tokens: self.authorization_server.settings, calls: self.call_settings.clone() }
    }

    /// Applies `change` and returns the settings now in force, or returns which value is too high.
    pub(crate) fn change_settings(&mut self, change: &SettingsChange) -> Result<SandboxSettings, String> {
        let settings = self.settings().changed(change)?;
        self.authorization_server.settings = settings.tokens;
        self.call_settings = settings.calls.clone();
        Ok(settings)
    }
}
