//! Builds the pages that a person sees: plain HTML, one style, no scripts.
//!
//! Pages change nothing: `routes` answers their forms.

pub(crate) mod consent;
pub(crate) mod front;
pub(crate) mod html;
pub(crate) mod refusal;
