//! What the key-value store holds, and whether it can be used.

pub mod health;
