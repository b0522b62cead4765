//! The layers around every call that imitates Kroger.

pub(crate) mod disturb;
pub(crate) mod hang_up;
pub(crate) mod limit;
