//! The words for a store that failed.

use kroger_core::failure::{StoreTrouble, Undone};

pub(super) fn trouble(trouble: StoreTrouble) -> String {
    let words = match trouble {
        StoreTrouble::Failed => "The token store cannot be read or written. Nothing was sent, nothing was lost.",
        StoreTrouble::Forgets(undone) => forgets(undone),
        StoreTrouble::SignInSpent => {
            "The token store cannot be read or written, so the sign-in came to nothing. Nothing was stored."
        }
        StoreTrouble::SignInLost => "The sign-in succeeded and could not be saved, so it is lost.",
        StoreTrouble::Unsaved(count) => {
            return format!(
                "The store could not save {count} of the refreshed tokens; they wait in memory and are lost if the \
                 server stops."
            );
        }
    };
    words.to_owned()
}

fn forgets(undone: Undone) -> &'static str {
    match undone {
        Undone::Refresh => {
            "The token store forgets what it was told, so the single-use refresh token was not spent. Nothing was sent, \
             nothing was lost."
        }
        Undone::CartAdd => {
            "The token store forgets what it was told, so a repeat of this cart add could not be recognized. Nothing was \
             sent, nothing was lost."
        }
        Undone::Nothing => "The token store forgets what it was told, so no refresh token is spent here.",
    }
}
