//! Kroger's authorization server: sign-in and tokens.

pub(crate) mod authorization_server;
pub(crate) mod authorize;
pub(crate) mod mint;
pub(crate) mod token;
