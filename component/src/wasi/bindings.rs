//! The bindings that `wit-bindgen` generates from `wit/world.wit`, and the exports of the component.

#![expect(unsafe_code, clippy::pedantic, reason = "generated")]

use super::component::Component;

wit_bindgen::generate!({
    path: "../wit",
    world: "service",
    generate_all,
});

export!(Component);
