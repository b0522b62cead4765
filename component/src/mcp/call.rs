//! One call of a tool, as every tool reads it: who calls, with which ports, and how the person can be asked.

use super::means::Means;
use kroger_core::Context;
use kroger_core::user::UserId;

/// The parts of a call that a tool reads besides its arguments.
pub(super) struct Call<'a> {
    pub(super) cx: Context<'a>,
    pub(super) user: &'a UserId,
    /// The way in which this client can ask the person to sign in.
    pub(super) means: Means,
}
