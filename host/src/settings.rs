//! What the operator set: the environment, the `.env` file, and where the store lies.

pub(crate) mod checked;
pub(crate) mod given;
pub(crate) mod ignored;
pub(crate) mod redirect;
pub(crate) mod refused;
pub(crate) mod store_place;
