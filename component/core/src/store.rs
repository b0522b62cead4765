//! The key-value store: its keys, the form of its values, and whether it can be used.
//!
//! **Architecture invariant:** this room knows no other room's rules. Each room
//! says what its records mean and when they are over; the store says how a key is
//! spelled and how a value is written.

pub(crate) mod claim;
pub(crate) mod codec;
pub mod health;
pub(crate) mod keys;
pub mod rescue;
pub(crate) mod ring;
pub mod ticket;

#[cfg(test)]
mod tests;
