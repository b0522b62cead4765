//! Where the component meets its host: the generated bindings, the exports,
//! and the ports of WASI 0.2. Built for wasm only.
//!
//! It translates and decides nothing.

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
