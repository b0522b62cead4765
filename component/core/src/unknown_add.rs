//! Why the outcome of a cart add is not known.

use serde::{Deserialize, Serialize};

/// Why nobody can say whether an add was processed. Stored by the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownAdd {
    NoAnswer,
    Status(u16),
    /// A success that did not come from Kroger's cart.
    Foreign,
    /// The process that sent it ended before it recorded an answer.
    Abandoned,
}
