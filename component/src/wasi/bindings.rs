//! The bindings that `wit-bindgen` generates from `wit/world.wit`, and the exports of the component.

#![allow(unsafe_code, unreachable_pub, clippy::pedantic, reason = "generated")]

#[cfg(feature = "exports")]
use super::component::Component;

wit_bindgen::generate!({
    path: "../wit",
    world: "service",
    generate_all,
    // Describes the exports where they are exported, not in each module that links this crate.
    pub_export_macro: true,
});

#[cfg(feature = "exports")]
export!(Component with_types_in self);
