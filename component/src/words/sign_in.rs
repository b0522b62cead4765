//! The words for a sign-in that failed.

use kroger_core::failure::{Declined, ExchangeTrouble, SignInTrouble};

use super::argument::argument;

pub(super) fn trouble(trouble: SignInTrouble) -> String {
    match trouble {
        SignInTrouble::Unknown => argument("state", "the sign-in is unknown or was overtaken"),
        SignInTrouble::OtherUser => argument("state", "the sign-in was begun for another user"),
        SignInTrouble::OtherBrowser => {
            argument("state", "the sign-in was begun in another browser; open the link and agree in one and the same")
        }
        SignInTrouble::OtherIssuer => argument("iss", "Kroger's own; another server sent this redirect"),
        SignInTrouble::Expired => argument("state", "the sign-in took longer than 10 minutes"),
        SignInTrouble::Used => argument("state", "this sign-in was used before"),
        SignInTrouble::Pasted => {
            argument("state", "this sign-in is finished by giving the whole address to the assistant that began it")
        }
        SignInTrouble::CodeRefused => argument("code", "Kroger refused it as invalid, expired or used"),
        SignInTrouble::InvitationUnknown => argument("link", "it is incomplete, or a newer one took its place"),
        SignInTrouble::InvitationExpired => argument("link", "it was made more than 10 minutes ago"),
        SignInTrouble::Declined(why) => format!("{} Nothing was stored.", declined(why)),
        SignInTrouble::NotWanted => "The user did not go on to sign in.".to_owned(),
    }
}

/// Uses our own words: anyone could write those of the redirect.
fn declined(why: Declined) -> &'static str {
    match why {
        Declined::ByPerson => "The sign-in was declined on Kroger's page.",
        Declined::Scope => "Kroger does not give this app the scope that was asked for.",
        Declined::Unavailable => "Kroger could not complete the sign-in just now.",
        Declined::Other => "Kroger reported an error instead of completing the sign-in.",
    }
}

pub(super) fn exchange(trouble: &ExchangeTrouble) -> String {
    match trouble {
        ExchangeTrouble::Failed => unexchanged("Kroger did not complete the sign-in."),
        ExchangeTrouble::AnswerLost => unexchanged("Kroger's answer to the sign-in was lost."),
        ExchangeTrouble::Rejected(error) => {
            format!("Kroger refused the sign-in: {} ({}). Nothing was stored.", error.reason, error.code)
        }
    }
}

fn unexchanged(what: &str) -> String {
    format!("{what} Nothing was stored, and the link works once: a new sign-in is needed.")
}
