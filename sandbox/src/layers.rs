//! The layers around every call that imitates Kroger.
//!
//! They never meet the sandbox's own paths.

pub(crate) mod disturb;
pub(crate) mod hang_up;
pub(crate) mod limit;
