//! The rules of Kroger's authorization server: who may sign in, and which tokens they get.
//!
//! Reads no call and writes no page: `routes::oauth` does.

pub(crate) mod authorization_server;
pub(crate) mod authorize;
mod code_exchange;
mod issue;
mod mint;
mod refresh;
pub(crate) mod refusals;
pub(crate) mod sign_in_status;
mod token;

#[cfg(test)]
mod tests;
