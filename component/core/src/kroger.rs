//! Kroger's wire forms: pure builders of requests and readers of answers.

pub mod api_error;
pub mod limits;
pub mod retry_after;
pub mod token_response;
pub mod wire;
