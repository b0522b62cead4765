//! What happens without a caller: the periodic refresh, the sweep, the checks.

pub mod credentials;
pub mod finding;
pub mod maintenance;
pub(crate) mod sweep;
pub mod validation;
