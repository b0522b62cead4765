//! The record of a sign-in: which one counts, how it is refreshed, when it is due.

pub mod attempts;
pub(crate) mod busy;
pub(crate) mod due;
pub(crate) mod folded;
pub mod lineage;
pub mod on_demand;
pub mod outside_pair;
pub mod page_of_users;
pub mod records;
pub mod refresh;
mod refreshed;
pub(crate) mod served;
pub mod status;
pub mod success_rate;
pub(crate) mod tries;
pub mod trouble;
