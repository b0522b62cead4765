//! The pages that a person sees: plain HTML, one style, no scripts.

pub(crate) mod consent;
pub(crate) mod front;
pub(crate) mod html;
pub(crate) mod refusal;
