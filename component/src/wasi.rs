//! Connects the component to its host: the generated bindings, the exports, and the ports of WASI 0.2. Built for wasm
//! only.
//!
//! It translates, and decides nothing.

#![cfg_attr(not(feature = "exports"), allow(dead_code, reason = "the library of another component"))]

mod bindings;
mod catalog;
mod clock;
mod component;
mod incoming;
mod instance;
mod keyvalue;
mod outgoing;
mod ports;
mod told;
mod typed;

/// The interfaces of WASI that the component imports.
pub use bindings::wasi as imports;
pub use incoming::answer;
