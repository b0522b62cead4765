//! The type on which the files beside this one implement the exports. It keeps nothing.

/// Implements the exports.
pub(super) struct Component;
