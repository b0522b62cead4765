//! The sandbox over a real socket, seen byte by byte.

mod cart;
mod catalog;
mod client;
mod control;
mod faults;
mod fixture;
mod sign_in;
mod tokens;
