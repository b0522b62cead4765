//! What the component's failures and states mean, in the words of the command line.
//!
//! The component's message says what happened and names no route, no tool and no command. The next step is a fact,
//! and here it gets the words of a terminal. This is the only place that turns a failure into words for a person.

use anyhow::{Error, anyhow};

use super::print::printable;
use crate::{ComponentError, Credentials, Failure, FailureCode, NextAction, RefreshError, TokenState};

/// The error that ends a command whose call failed.
pub(super) fn error(error: ComponentError) -> Error {
    match error {
        ComponentError::Refused(refused) => anyhow!(failure(&refused)),
        ComponentError::NoAnswer => anyhow!("The component did not answer; KROGER_LOG=debug says why."),
    }
}

/// The error that ends a sign-in which the component did not complete.
pub(super) fn sign_in_error(error: ComponentError) -> Error {
    match error {
        ComponentError::Refused(Failure { code: FailureCode::InvalidArgument, .. }) => anyhow!(
            "The sign-in is not known, has expired or was used before, or Kroger refused its code; start again with \
             kroger-mcp login"
        ),
        other => self::error(other),
    }
}

/// What a failure means, and what to do, in one line.
fn failure(failure: &Failure) -> String {
    let what = match failure.code {
        FailureCode::Reauthorize => "The sign-in has ended.".to_owned(),
        FailureCode::UpstreamUnavailable => "Kroger or the network failed. No sign-in is lost.".to_owned(),
        FailureCode::NotFound => "No such user is signed in.".to_owned(),
        _ => first_line(&failure.message),
    };
    format!("{what} {}", next(failure.next))
}

/// What to do next.
fn next(action: NextAction) -> &'static str {
    match action {
        NextAction::SignIn | NextAction::SignInAgain => "Sign in: kroger-mcp login",
        NextAction::PasteAddress => "Paste the whole address of the last page: kroger-mcp login --paste",
        NextAction::LeaveIt => "Nothing is to be done.",
        NextAction::Wait | NextAction::Repeat => "Check the network, then try again.",
        NextAction::RepeatWithKey | NextAction::UseNewKey => "Try again.",
        NextAction::LookAtCart => "Look at the cart in the Kroger app before you add again.",
        NextAction::MendStore => "Check the store's disk space and permissions, then try again.",
        NextAction::UseDurableStore => "Name a store that keeps what it is given, with --store.",
        NextAction::CorrectSettings => "Correct the settings, then try again.",
        NextAction::UseItsSettings => {
            "Use the settings that the sign-in was made with, name another store with --store, or forget the sign-in: \
             kroger-mcp logout"
        }
        NextAction::CorrectArgument | NextAction::AskWhich => "Correct the call, then try again.",
    }
}

fn first_line(message: &str) -> String {
    printable(message.lines().next().unwrap_or_default())
}

/// A state in a table.
pub(super) fn state(state: TokenState) -> &'static str {
    match state {
        TokenState::Valid => "valid",
        TokenState::ExpiringSoon => "expiring soon",
        TokenState::Expired => "expired",
        TokenState::Reauthorize => "reauthorize",
        TokenState::OfAnotherApp => "of another app",
    }
}

/// What to do about a grant of another app or server.
pub(super) const OF_ANOTHER_APP: &str =
    "it is of another app or server: run with the settings that it was made with, or with another --store";

/// How the last attempt at a refresh failed.
pub(super) fn refresh_error(error: RefreshError) -> &'static str {
    match error {
        RefreshError::Refused => "Kroger refused the refresh token",
        RefreshError::ClientRefused => "Kroger refused the app's credentials",
        RefreshError::RequestRefused => "Kroger refused the request",
        RefreshError::NotSent => "Kroger could not be reached",
        RefreshError::Busy => "Kroger asked for fewer calls",
        RefreshError::Failed => "Kroger's server had trouble",
        RefreshError::Unknown => "Kroger did not answer",
    }
}

/// What Kroger says of the app's credentials, and what to do.
pub(super) fn credentials(found: Credentials) -> &'static str {
    match found {
        Credentials::Accepted => "Kroger accepts KROGER_CLIENT_ID and KROGER_CLIENT_SECRET",
        Credentials::NoSecret => "there is no secret to check; a sign-in shows whether the id is right",
        Credentials::Rejected => {
            "Kroger rejects KROGER_CLIENT_ID and KROGER_CLIENT_SECRET; they belong to one environment, production or \
             certification"
        }
        Credentials::ScopeRefused => "Kroger knows the app, and refuses it the scope product.compact",
        Credentials::NotKnown => "Kroger did not say whether it accepts them; try again later",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: FailureCode) -> Failure {
        Failure {
            code,
            message: "It failed.\n\n1. Navigate to /auth/authorize".to_owned(),
            next: NextAction::SignIn,
            next_step: "Sign the user in at /auth/authorize.".to_owned(),
            retry_after_seconds: None,
            authorization_url: None,
        }
    }

    #[test]
    fn no_failure_names_a_route_or_takes_a_second_line() {
        for code in [
            FailureCode::Reauthorize,
            FailureCode::TokenRejected,
            FailureCode::UpstreamUnavailable,
            FailureCode::ClientCredentialsRejected,
            FailureCode::StoreUnavailable,
            FailureCode::NotFound,
            FailureCode::UpstreamRejected,
        ] {
            let words = failure(&failed(code));

            assert!(!words.contains("/auth/") && !words.contains('\n'), "{code:?}: {words}");
        }
    }

    #[test]
    fn a_sign_in_that_cannot_be_completed_is_started_again() {
        let error = sign_in_error(ComponentError::Refused(failed(FailureCode::InvalidArgument)));

        assert!(error.to_string().contains("start again with kroger-mcp login"), "{error}");
    }
}
