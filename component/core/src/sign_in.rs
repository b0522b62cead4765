//! How a person signs in: the link, the redirect, the exchange of the code.

pub mod authorization;
pub mod browser;
pub(crate) mod ended;
pub mod exchange;
pub(crate) mod former;
pub mod import;
pub mod invitation;
pub mod lifetime;
pub mod links;
pub mod pending;
pub mod seal;
pub mod sign_out;
pub(crate) mod used;
