//! How a person signs in: the link, the redirect, the exchange of the code.

pub mod authorization;
pub mod import;
pub mod invitation;
pub mod seal;
