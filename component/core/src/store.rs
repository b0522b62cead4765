//! What the key-value store holds, and whether it can be used.

pub(crate) mod claim;
pub mod health;
