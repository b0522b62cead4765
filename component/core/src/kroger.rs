//! Kroger's wire forms: builders of requests and readers of answers. Sends nothing.

pub mod api_error;
pub mod limits;
pub mod retry_after;
pub mod token_response;
pub mod wire;
