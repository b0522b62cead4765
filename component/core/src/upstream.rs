//! Calls to Kroger: the quota, the app's own token, repeats.

pub mod app_token;
pub(crate) mod call;
pub mod quota;
pub(crate) mod reading;
