//! How a person signs in: the link, the redirect, the exchange of the code.

pub mod authorization;
pub mod browser;
pub mod exchange;
pub mod import;
pub mod invitation;
pub mod links;
pub mod pending;
pub mod seal;
pub mod sign_out;
