//! Translates a failure for the typed exports: a code, words, and the next action as
//! an enum. Creates the sign-in link that it shows.

use std::time::Duration;

use kroger_core::Context;
use kroger_core::failure::{Code, Correction, Failure, NextStep, Repeat, SettingsStep, StoreStep};
use kroger_core::settings::SettingError;
use kroger_core::sign_in::links;

use super::bindings::kroger::connector::types::{Failure as WitFailure, FailureCode, NextAction};
use crate::words::{self, typed::WAYS};

/// The failure for settings that cannot be used.
///
/// The closed set has no code for it. The operator must correct the settings, as with
/// wrong credentials, so it has that code.
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

/// The failure, with a link if a sign-in solves it.
pub(super) fn told(cx: Context<'_>, failure: &Failure) -> WitFailure {
    let link = failure.mended_by_sign_in().and_then(|(user, scope)| links::link(cx, user, scope));
    WitFailure { authorization_url: link, ..unlinked(failure) }
}

/// The failure without a link, for one part of an answer.
pub(super) fn unlinked(failure: &Failure) -> WitFailure {
    // Rounds up: a retry one second early would be refused.
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
        // The closed set has no code for a caller's own limit. Both are over after a wait.
        Code::QuotaExhausted | Code::RateLimited => FailureCode::QuotaExhausted,
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
        NextStep::StartAgain => NextAction::SignInAgain,
        NextStep::PasteAddress => NextAction::PasteAddress,
        NextStep::LeaveIt => NextAction::LeaveIt,
        NextStep::Repeat(repeat) => repeated(*repeat),
        NextStep::UseNewKey | NextStep::UseNewKeyForOtherItems => NextAction::UseNewKey,
        NextStep::LookAtCart => NextAction::LookAtCart,
        NextStep::Store(step) => store(*step),
        NextStep::Settings(step) => settings(*step),
        NextStep::Correct(Correction::AskWhich) => NextAction::AskWhich,
        NextStep::Correct(_) => NextAction::CorrectArgument,
    }
}

fn repeated(repeat: Repeat) -> NextAction {
    match repeat {
        Repeat::Now => NextAction::Repeat,
        Repeat::WithKey => NextAction::RepeatWithKey,
        Repeat::AfterWait | Repeat::AfterWaitSignInKept | Repeat::AfterWaitForQuota | Repeat::AfterNetworkCheck => {
            NextAction::Wait
        }
    }
}

fn store(step: StoreStep) -> NextAction {
    match step {
        StoreStep::Check | StoreStep::CheckBeforeStopping => NextAction::MendStore,
        StoreStep::CheckAndStartAgain => NextAction::SignInAgain,
        StoreStep::UseDurable | StoreStep::UseDurableOrNoKey => NextAction::UseDurableStore,
    }
}

fn settings(step: SettingsStep) -> NextAction {
    match step {
        SettingsStep::UseTheGrants => NextAction::UseItsSettings,
        SettingsStep::CheckUpstreamAddressAndCart => NextAction::LookAtCart,
        SettingsStep::SetCredentials
        | SettingsStep::CorrectCredentials
        | SettingsStep::MatchEnvironment
        | SettingsStep::RegisterApp
        | SettingsStep::CheckRegistration
        | SettingsStep::CheckUpstreamAddress => NextAction::CorrectSettings,
    }
}
