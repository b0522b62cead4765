//! A failure as the typed exports tell it: a code, words, and the next action as
//! an enum. Makes the sign-in link that it shows.

use std::time::Duration;

use kroger_core::Context;
use kroger_core::failure::{Code, Failure, NextStep};
use kroger_core::settings::SettingError;
use kroger_core::sign_in::links;

use super::bindings::kroger::connector::types::{Failure as WitFailure, FailureCode, NextAction};
use crate::words::{self, Ways};

/// What an embedder can do.
pub(super) const WAYS: Ways = Ways {
    open_link: "Let the person open `authorization-url` and sign in; then repeat the call",
    start_sign_in: "Sign the user in with `authorization.authorize`",
    start_again: "Start again with `authorization.authorize`",
    paste_address: "Hand the code and the state of the address to `authorization.complete`",
    wait: "Repeat the call after `retry-after-seconds`",
    see_quotas: "`quotas.rate-limits` shows each quota",
    search_locations: "Search with `catalog.find-stores` near a zip code; each store has its id",
    forget: "forget it (`tokens.forget`)",
    refresh: "refresh it with `tokens.refresh`",
    sign_in: "sign in again",
    run_passes: "call `maintenance.refresh-due` from a timer",
    key: "idempotency-key",
};

/// A setting that cannot be used is the operator's to correct, as wrong
/// credentials are; no code of the closed set is nearer.
pub(super) fn misconfigured(errors: &[SettingError]) -> WitFailure {
    WitFailure {
        code: FailureCode::ClientCredentialsRejected,
        message: crate::edge::misconfiguration(errors),
        next: NextAction::CorrectSettings,
        next_step: "Correct the settings and start the component again.".to_owned(),
        retry_after_seconds: None,
        authorization_url: None,
    }
}

/// The failure, with a link where a sign-in mends it.
pub(super) fn told(cx: Context<'_>, failure: &Failure) -> WitFailure {
    let link = failure.mended_by_sign_in().and_then(|(user, scope)| links::shared_link(cx, user, scope));
    WitFailure { authorization_url: link, ..unlinked(failure) }
}

/// The failure without a link, as one part of an answer tells it.
pub(super) fn unlinked(failure: &Failure) -> WitFailure {
    // Rounded up: one second early is one refusal more.
    let seconds = |wait: Duration| u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
    WitFailure {
        code: code(failure.code),
        message: words::what(&failure.cause, &WAYS),
        next: action(&failure.next),
        next_step: words::next_step(&failure.next, &WAYS),
        retry_after_seconds: failure.retry_after.map(seconds),
        authorization_url: None,
    }
}

fn code(code: Code) -> FailureCode {
    match code {
        Code::Reauthorize => FailureCode::Reauthorize,
        Code::TokenRejected => FailureCode::TokenRejected,
        Code::UpstreamUnavailable => FailureCode::UpstreamUnavailable,
        Code::UpstreamRejected | Code::UpstreamNonsense => FailureCode::UpstreamRejected,
        Code::ClientCredentialsRejected => FailureCode::ClientCredentialsRejected,
        Code::OutcomeUnknown => FailureCode::OutcomeUnknown,
        Code::QuotaExhausted => FailureCode::QuotaExhausted,
        Code::ScopeMissing => FailureCode::ScopeMissing,
        Code::InvalidArgument | Code::NoRefreshToken | Code::SignInFailed | Code::SignInDeclined => {
            FailureCode::InvalidArgument
        }
        Code::IdempotencyConflict => FailureCode::IdempotencyConflict,
        Code::IdempotencyInFlight => FailureCode::IdempotencyInFlight,
        Code::StoreUnavailable => FailureCode::StoreUnavailable,
        Code::NotFound => FailureCode::NotFound,
    }
}

fn action(next: &NextStep) -> NextAction {
    match next {
        NextStep::SignIn { .. } | NextStep::StartSignIn => NextAction::SignIn,
        NextStep::StartAgain | NextStep::CheckStoreAndStartAgain => NextAction::SignInAgain,
        NextStep::PasteAddress => NextAction::PasteAddress,
        NextStep::LeaveIt => NextAction::LeaveIt,
        NextStep::Wait | NextStep::WaitSignInKept | NextStep::WaitForQuota | NextStep::CheckNetwork => NextAction::Wait,
        NextStep::Repeat => NextAction::Repeat,
        NextStep::RepeatWithKey => NextAction::RepeatWithKey,
        NextStep::UseNewKey => NextAction::UseNewKey,
        NextStep::LookAtCart | NextStep::CheckUpstreamAddressAndCart => NextAction::LookAtCart,
        NextStep::CheckStore | NextStep::CheckStoreBeforeStopping => NextAction::MendStore,
        NextStep::UseDurableStore | NextStep::UseDurableStoreOrNoKey => NextAction::UseDurableStore,
        NextStep::SetCredentials
        | NextStep::CorrectCredentials
        | NextStep::MatchEnvironment
        | NextStep::RegisterApp
        | NextStep::CheckRegistration
        | NextStep::CheckUpstreamAddress => NextAction::CorrectSettings,
        NextStep::UseItsSettings => NextAction::UseItsSettings,
        NextStep::CorrectArgument(_)
        | NextStep::CorrectCall
        | NextStep::CheckUpc
        | NextStep::CheckId
        | NextStep::SearchLocations => NextAction::CorrectArgument,
        NextStep::AskWhich => NextAction::AskWhich,
    }
}
