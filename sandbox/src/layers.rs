//! The layers around every call that imitates Kroger.

pub(crate) mod disturb;
