//! What the component's failures and states mean, in the words of the command line.
//!
//! The component's message says what happened and names no route, no tool and no command. The next step is a fact,
//! and here it gets the words of a terminal. This is the only place that turns a failure into words for a person.

use std::borrow::Cow;

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

/// What the component says about a failure, and what to do, in one line.
fn failure(failure: &Failure) -> String {
    format!("{} {}", one_line(&failure.message), next(failure.next, failure.retry_after_seconds))
}

/// What to do next.
fn next(action: NextAction, retry_after_seconds: Option<u32>) -> Cow<'static, str> {
    let words = match action {
        NextAction::SignIn | NextAction::SignInAgain => "Sign in: kroger-mcp login",
        NextAction::PasteAddress => "Paste the whole address of the last page: kroger-mcp login --paste",
        NextAction::LeaveIt => "Nothing is to be done.",
        NextAction::Wait | NextAction::RepeatWithKey => match retry_after_seconds {
            Some(seconds) => return format!("Try again in {seconds} s.").into(),
            None => "Try again later.",
        },
        NextAction::Repeat | NextAction::UseNewKey => "Try again.",
        NextAction::LookAtCart => "Look at the cart in the Kroger app before you add again.",
        NextAction::MendStore => "Check the store's disk space and permissions, then try again.",
        NextAction::UseDurableStore => "Name a store that keeps what it is given, with --store.",
        NextAction::CorrectSettings => "Correct the settings, then try again.",
        NextAction::UseItsSettings => {
            "Use the settings that the sign-in was made with, name another store with --store, or forget the sign-in: \
             kroger-mcp logout"
        }
        NextAction::CorrectArgument | NextAction::AskWhich => "Correct the call, then try again.",
    };
    words.into()
}

fn one_line(message: &str) -> String {
    let lines: Vec<String> = message.lines().map(printable).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
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
pub(super) fn credentials(found: &Credentials) -> Cow<'static, str> {
    let words = match found {
        Credentials::Accepted => "Kroger accepts KROGER_CLIENT_ID and KROGER_CLIENT_SECRET",
        Credentials::NoSecret => "there is no secret to check; a sign-in shows whether the id is right",
        Credentials::Rejected => {
            "Kroger rejects KROGER_CLIENT_ID and KROGER_CLIENT_SECRET; they belong to one environment, production or \
             certification"
        }
        Credentials::ScopeRefused(reason) => {
            let reason = printable(reason);
            return format!("Kroger knows the app, and refuses it the scope product.compact: {reason}").into();
        }
        Credentials::NotKnown => "Kroger did not say whether it accepts them; try again later",
    };
    words.into()
}

/// The routes, MCP tools and functions of the WIT interfaces that a text names.
#[cfg(test)]
pub(super) fn foreign(text: &str) -> Vec<&str> {
    const TOOLS: &str = include_str!("../../../docs/mcp.md");

    let is_route = |word: &str| ["/auth", "/admin", "/cart", "/mcp"].iter().any(|route| word.starts_with(route));
    let is_tool = |word: &str| word.contains('_') && TOOLS.contains(&format!("`{word}`")) && word != "refresh_token";
    let words = text.split(|c: char| c.is_whitespace() || "`(),;:".contains(c)).map(|word| word.trim_end_matches('.'));
    words.filter(|word| is_route(word) || is_tool(word) || is_export(word)).collect()
}

/// Whether `word` is a function of a WIT interface, as `interface.function`.
#[cfg(test)]
fn is_export(word: &str) -> bool {
    let Some((interface, function)) = word.split_once('.') else { return false };
    let file = format!("{}/../wit/{interface}.wit", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).is_ok_and(|wit| wit.contains(&format!(" {function}: func(")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: [FailureCode; 13] = [
        FailureCode::Reauthorize,
        FailureCode::TokenRejected,
        FailureCode::UpstreamUnavailable,
        FailureCode::UpstreamRejected,
        FailureCode::ClientCredentialsRejected,
        FailureCode::OutcomeUnknown,
        FailureCode::QuotaExhausted,
        FailureCode::ScopeMissing,
        FailureCode::InvalidArgument,
        FailureCode::IdempotencyConflict,
        FailureCode::IdempotencyInFlight,
        FailureCode::StoreUnavailable,
        FailureCode::NotFound,
    ];

    const ACTIONS: [NextAction; 15] = [
        NextAction::SignIn,
        NextAction::SignInAgain,
        NextAction::PasteAddress,
        NextAction::LeaveIt,
        NextAction::Wait,
        NextAction::Repeat,
        NextAction::RepeatWithKey,
        NextAction::UseNewKey,
        NextAction::LookAtCart,
        NextAction::MendStore,
        NextAction::UseDurableStore,
        NextAction::CorrectSettings,
        NextAction::UseItsSettings,
        NextAction::CorrectArgument,
        NextAction::AskWhich,
    ];

    fn failed(code: FailureCode, next: NextAction) -> Failure {
        Failure {
            code,
            message: "It failed.\n\nNothing was sent.".to_owned(),
            next,
            next_step: "Sign the user in at /auth/authorize, `sign_in` or `authorization.authorize`.".to_owned(),
            retry_after_seconds: Some(7),
            authorization_url: Some("https://api.kroger.com/v1/connect/oauth2/authorize".to_owned()),
        }
    }

    #[test]
    fn each_failure_has_the_components_message_and_a_step_for_a_terminal() {
        for (code, action) in CODES.into_iter().flat_map(|code| ACTIONS.map(|action| (code, action))) {
            let words = failure(&failed(code, action));

            assert!(words.starts_with("It failed. Nothing was sent. "), "{code:?}, {action:?}: {words}");
            assert!(!words.contains('\n') && words.len() > 35, "{code:?}, {action:?}: {words}");
            assert_eq!(foreign(&words), [""; 0], "{code:?}, {action:?}: {words}");
        }
    }

    #[test]
    fn wait_names_its_seconds_and_blames_no_network() {
        let quota = failed(FailureCode::QuotaExhausted, NextAction::Wait);
        let unknown = Failure { retry_after_seconds: None, ..quota.clone() };

        assert_eq!(failure(&quota), "It failed. Nothing was sent. Try again in 7 s.");
        assert_eq!(failure(&unknown), "It failed. Nothing was sent. Try again later.");
    }

    #[test]
    fn reason_for_a_refused_scope_is_shown() {
        let words = credentials(&Credentials::ScopeRefused("not \u{1b}registered (invalid_scope)".to_owned()));

        assert!(words.ends_with(": not registered (invalid_scope)"), "{words}");
    }

    #[test]
    fn words_of_the_other_faces_are_found() {
        let words = "open /auth/authorize (or GET /admin/tokens), call `sign_in`, or use authorization.authorize.";

        assert_eq!(foreign(words), ["/auth/authorize", "/admin/tokens", "sign_in", "authorization.authorize"]);
        assert_eq!(foreign("sign in: kroger-mcp login; see /srv/kroger/.tokens, refresh_token"), [""; 0]);
    }

    #[test]
    fn a_sign_in_that_cannot_be_completed_is_started_again() {
        let refused = failed(FailureCode::InvalidArgument, NextAction::SignInAgain);
        let error = sign_in_error(ComponentError::Refused(refused));

        assert!(error.to_string().contains("start again with kroger-mcp login"), "{error}");
    }
}
