//! The words for what a check found, by the subject of the check.

use kroger_core::grant::attempts::AttemptOutcome;
use kroger_core::service::finding::{
    AccessTokenFinding, AfterExpiry, CredentialsFinding, LineageFinding, NotAsked, OnlineFinding, PassFinding,
    RefreshTokenFinding, ScopeFinding, StoreFinding,
};

use super::cause::what;
use super::ways::{OF_ANOTHER_APP, Ways};

pub(super) fn store(found: StoreFinding) -> String {
    let words = match found {
        StoreFinding::Readable => "it was read",
        StoreFinding::Unreadable => "the store cannot be read; check its disk and permissions",
        StoreFinding::Keeps => "a value was written and found again",
        StoreFinding::Forgets => "the store forgets what it was told; use a host whose store is durable",
        StoreFinding::Unwritable => "the store cannot be written; check its disk space and permissions",
        StoreFinding::NothingUnsaved => "nothing waits to be saved",
        StoreFinding::Unsaved(count) => {
            return format!("{count} refreshed tokens wait in memory; mend the store before the server is stopped");
        }
    };
    words.to_owned()
}

pub(super) fn pass(found: PassFinding, ways: &Ways) -> String {
    match found {
        PassFinding::Last { age, is_running: true } => {
            format!("the last periodic refresh was {} seconds ago", age.as_secs())
        }
        PassFinding::Last { age, is_running: false } => {
            format!("the last periodic refresh was {} seconds ago; {}", age.as_secs(), ways.run_passes)
        }
        PassFinding::Never => format!("no periodic refresh has run; {}", ways.run_passes),
    }
}

pub(super) fn credentials(found: CredentialsFinding) -> &'static str {
    match found {
        CredentialsFinding::ClientIdMissing => "KROGER_CLIENT_ID is not set; get it at developer.kroger.com",
        CredentialsFinding::PublicClient => "a public client, which has no token of its own",
        CredentialsFinding::NotTried => "not tried yet; the next periodic refresh tries them",
        CredentialsFinding::Unknown => "the store cannot be read, so nothing is known about them",
        CredentialsFinding::Rejected => "Kroger rejected them; correct KROGER_CLIENT_ID and KROGER_CLIENT_SECRET",
        CredentialsFinding::Unanswered => "Kroger did not answer at the last try; check network connectivity",
        CredentialsFinding::Accepted => "Kroger accepted them",
    }
}

pub(super) fn access_token(found: AccessTokenFinding, ways: &Ways) -> String {
    match found {
        AccessTokenFinding::WellFormed => "printable and without spaces".to_owned(),
        AccessTokenFinding::Malformed => format!("a token is empty or damaged; {}", ways.sign_in),
        AccessTokenFinding::ExpiresIn(left) => format!("expires in {} seconds", left.as_secs()),
        AccessTokenFinding::Expired { ago, then } => {
            format!("expired {} seconds ago; {}", ago.as_secs(), after_expiry(then, ways))
        }
    }
}

fn after_expiry(then: AfterExpiry, ways: &Ways) -> &'static str {
    match then {
        AfterExpiry::Renewed => "it is renewed on next use",
        AfterExpiry::Refreshed => "it is refreshed on next use",
        AfterExpiry::RefreshedOnFirstUse => "it is refreshed on first use",
        AfterExpiry::SignInNeeded => ways.sign_in,
        AfterExpiry::OfAnotherApp => OF_ANOTHER_APP,
    }
}

pub(super) fn scope(found: &ScopeFinding) -> String {
    match found {
        ScopeFinding::Unknown => "not known; Kroger did not say".to_owned(),
        ScopeFinding::Granted(scope) => scope.clone(),
        ScopeFinding::CartMissing(scope) => {
            format!("{scope}; cart.basic:write is missing, so re-authenticate with it to use the cart")
        }
    }
}

pub(super) fn refresh_token(found: RefreshTokenFinding, ways: &Ways) -> String {
    let sign_in = ways.sign_in;
    match found {
        RefreshTokenFinding::Present => "there is one".to_owned(),
        RefreshTokenFinding::Missing => format!("there is none; {sign_in} before the access token expires"),
        RefreshTokenFinding::MissingOutside => "there is none; re-authenticate in time".to_owned(),
        RefreshTokenFinding::Spent => {
            format!("it was probably spent by a refresh whose reply was lost; {sign_in}")
        }
        RefreshTokenFinding::Refused => format!("Kroger refused it; {sign_in}"),
        RefreshTokenFinding::OfAnotherApp => OF_ANOTHER_APP.to_owned(),
        RefreshTokenFinding::LastRefreshFailed(outcome) => {
            format!("the last refresh failed: {}; it is tried again", failed_attempt(outcome))
        }
    }
}

/// For an operator, after "the last refresh failed:".
fn failed_attempt(outcome: AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::Refused => "Kroger refused the refresh token",
        AttemptOutcome::ClientRefused => "Kroger refused the app's credentials",
        AttemptOutcome::RequestRefused => "Kroger refused the request",
        AttemptOutcome::NotSent => "Kroger could not be reached",
        AttemptOutcome::Busy => "Kroger asked for fewer calls",
        AttemptOutcome::Failed => "Kroger's server had trouble",
        AttemptOutcome::Unknown => "no answer of Kroger's came",
    }
}

pub(super) fn lineage(found: LineageFinding) -> String {
    let (ticket, parent, is_stored) = match found {
        LineageFinding::InStore { ticket, parent, is_stored } => (ticket, parent, is_stored),
        LineageFinding::Outside => {
            return "from the environment or .env; the next call takes it into the store".to_owned();
        }
    };
    let origin = match parent {
        Some(parent) => format!("generation {ticket}, refreshed from {parent}"),
        None => format!("generation {ticket}, a sign-in"),
    };
    let unstored =
        if is_stored { "" } else { ", is not in the store yet; mend the store before the server is stopped" };
    format!("{origin}{unstored}")
}

pub(super) fn online(found: &OnlineFinding, ways: &Ways) -> String {
    let words = match found {
        OnlineFinding::NotAsked(why) => return not_asked(why, ways),
        OnlineFinding::TokenAccepted => "Kroger accepts it",
        OnlineFinding::TokenRejected => return format!("Kroger rejects it; {}", ways.refresh),
        OnlineFinding::TokenLacksScope => "Kroger knows it; it lacks the scope of this question",
        OnlineFinding::NotReached => "Kroger could not be reached; check the network",
        OnlineFinding::NoAnswer => "Kroger did not answer in time",
        OnlineFinding::Answered(status) => {
            return format!("Kroger answered {status}, which says nothing about the token");
        }
    };
    words.to_owned()
}

fn not_asked(why: &NotAsked, ways: &Ways) -> String {
    match why {
        NotAsked::NoValidToken => {
            "not asked: there is no valid access token, and a validation refreshes none".to_owned()
        }
        NotAsked::NoTimeLeft => "not asked: the other tokens took all the time".to_owned(),
        NotAsked::Quota(cause) => format!("not asked: {}", what(cause, ways)),
    }
}
