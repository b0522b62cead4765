//! Kroger's wire forms: builders of requests and readers of answers. Sends nothing.

pub(crate) mod api_error;
pub mod client;
pub mod limits;
pub mod retry_after;
pub(crate) mod token_response;
pub(crate) mod wire;
