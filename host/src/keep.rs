//! Keeps what the component stores: the key-value buckets, and the files and the memory they are made of.

pub(crate) mod buckets;
pub(crate) mod env_file;
pub(crate) mod keyvalue;
pub(crate) mod memory;
pub(crate) mod sqlite;

#[cfg(test)]
mod tests;
