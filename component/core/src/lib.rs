//! The rules. Nothing here does I/O of its own: each function is given
//! [`Context`], asks its ports, and decides.

pub mod app;
mod backoff;
pub mod cart;
pub mod catalog;
pub mod failure;
pub mod grant;
pub mod item;
pub mod json;
pub mod kroger;
pub mod ports;
pub mod scope;
pub mod secret;
pub mod service;
pub mod settings;
pub mod sign_in;
pub mod stopwatch;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod unknown_add;
pub mod upstream;
pub mod user;

use std::time::Duration;

use crate::ports::Ports;
use settings::Settings;

/// How far a process's clock may be behind the clock of another process, so that a time
/// which that other process wrote still counts.
pub const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// What every rule is given: how it is configured, and what it can reach.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub ports: &'a dyn Ports,
}
