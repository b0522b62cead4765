//! The rules. Nothing here does I/O of its own: each function is given
//! [`Context`], asks its ports, and decides.

pub mod app;
pub mod attempts;
pub mod authorization;
pub mod busy;
pub mod cart;
pub mod catalog;
pub mod client_credentials;
pub mod due;
pub mod failure;
pub mod folded;
pub mod grants;
pub mod health;
pub mod invitation;
pub mod item;
pub mod kroger;
pub mod ledger;
pub mod lineage;
pub mod maintenance;
pub mod migration;
pub mod mirror;
pub mod order;
pub mod preferred_store;
pub mod quota;
pub mod reading;
pub mod recent_adds;
pub mod refresh;
pub mod secret;
pub mod settings;
pub mod stopwatch;
pub mod success_rate;
pub mod sweep;
pub mod token_response;
pub mod tokens;
pub mod user;
pub mod validation;

use std::time::Duration;

use crate::ports::Ports;
use settings::Settings;

/// As far behind another's clock as one may be, and what that one wrote still count.
pub const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// What every rule is given: how it is configured, and what it can reach.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub ports: &'a dyn Ports,
}
