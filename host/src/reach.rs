//! The way out of the process: requests to Kroger, and the addresses they may go to.

pub(crate) mod address;
pub(crate) mod egress;
