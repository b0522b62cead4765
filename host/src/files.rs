//! Reads files that people and other programs wrote.

pub(crate) mod dotenv;
pub(crate) mod pickle;
pub(crate) mod private_directory;
pub(crate) mod token_files;
pub(crate) mod trusted;
