//! The code and the usual next step of each cause, with one short total match for
//! each subject. Decides nothing else.

use crate::failure::{
    AppTrouble, CallTrouble, Cause, Code, Correction, ExchangeTrouble, GrantTrouble, KeyTrouble, Missing, NextStep,
    QuotaTrouble, Repeat, SettingsStep, SignInTrouble, StoreStep, StoreTrouble, Undone,
};
use crate::kroger::limits::Endpoint;

impl Cause {
    /// The class of the cause.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Grant(trouble) => trouble.code(),
            Self::Call(_, trouble) => trouble.code(),
            Self::Quota(..) => Code::QuotaExhausted,
            Self::App(AppTrouble::TokenUnavailable) => Code::UpstreamUnavailable,
            Self::App(AppTrouble::ClientMissing | AppTrouble::ClientRejected | AppTrouble::NotTheGrants { .. }) => {
                Code::ClientCredentialsRejected
            }
            Self::AddUnknown(_) => Code::OutcomeUnknown,
            Self::Argument { .. } => Code::InvalidArgument,
            Self::Key(trouble) => trouble.code(),
            Self::SignIn(SignInTrouble::Declined(_) | SignInTrouble::NotWanted) => Code::SignInDeclined,
            Self::SignIn(_) => Code::SignInFailed,
            Self::Exchange(ExchangeTrouble::Failed | ExchangeTrouble::AnswerLost) => Code::UpstreamUnavailable,
            Self::Exchange(ExchangeTrouble::Rejected(_)) => Code::UpstreamRejected,
            Self::Store(_) => Code::StoreUnavailable,
            Self::NotFound(_) => Code::NotFound,
        }
    }

    /// The next step, where the cause alone says it.
    pub(crate) fn usual_step(&self) -> NextStep {
        match self {
            Self::Grant(trouble) => trouble.usual_step(),
            Self::Call(endpoint, trouble) => trouble.usual_step(*endpoint),
            Self::Quota(_, trouble) => trouble.usual_step(),
            Self::App(trouble) => trouble.usual_step(),
            Self::AddUnknown(_) => NextStep::LookAtCart,
            Self::Argument { field, .. } => NextStep::Correct(Correction::Argument(field.clone())),
            Self::Key(trouble) => trouble.usual_step(),
            Self::SignIn(trouble) => trouble.usual_step(),
            Self::Exchange(trouble) => trouble.usual_step(),
            Self::Store(trouble) => NextStep::Store(trouble.usual_step()),
            Self::NotFound(missing) => missing.usual_step(),
        }
    }
}

impl GrantTrouble {
    fn code(self) -> Code {
        match self {
            Self::NotSignedIn
            | Self::NothingToRenewWith
            | Self::RefreshTokenRefused { .. }
            | Self::NewTokensLost
            | Self::ForgottenMeanwhile => Code::Reauthorize,
            Self::AccessTokenRejected => Code::TokenRejected,
            Self::NoRefreshToken => Code::NoRefreshToken,
            Self::RefreshedJustNow => Code::RateLimited,
            Self::RefreshUnderWay | Self::RefreshFailed { .. } | Self::RefreshTookTooLong => Code::UpstreamUnavailable,
        }
    }

    fn usual_step(self) -> NextStep {
        match self {
            Self::NotSignedIn
            | Self::NothingToRenewWith
            | Self::RefreshTokenRefused { .. }
            | Self::NewTokensLost
            | Self::AccessTokenRejected
            | Self::NoRefreshToken => NextStep::StartSignIn,
            Self::ForgottenMeanwhile => NextStep::StartAgain,
            Self::RefreshedJustNow | Self::RefreshUnderWay | Self::RefreshFailed { .. } => {
                NextStep::Repeat(Repeat::AfterWaitSignInKept)
            }
            Self::RefreshTookTooLong => NextStep::Repeat(Repeat::Now),
        }
    }
}

impl CallTrouble {
    fn code(&self) -> Code {
        match self {
            Self::AppTokenRejected => Code::TokenRejected,
            Self::SignInLacksScope(_) | Self::AppLacksScope(_) => Code::ScopeMissing,
            Self::NotReached | Self::NoAnswer | Self::Unavailable(_) => Code::UpstreamUnavailable,
            Self::Rejected(_) => Code::UpstreamRejected,
            Self::Foreign | Self::WithoutData => Code::UpstreamNonsense,
        }
    }

    fn usual_step(&self, endpoint: Endpoint) -> NextStep {
        match self {
            Self::AppTokenRejected => NextStep::Settings(SettingsStep::MatchEnvironment),
            Self::SignInLacksScope(_) => NextStep::StartSignIn,
            Self::AppLacksScope(_) => NextStep::Settings(SettingsStep::RegisterApp),
            Self::NotReached | Self::NoAnswer | Self::Unavailable(_) => NextStep::Repeat(Repeat::AfterWait),
            Self::Rejected(_) => NextStep::Correct(Correction::Call),
            Self::Foreign if endpoint == Endpoint::Cart => {
                NextStep::Settings(SettingsStep::CheckUpstreamAddressAndCart)
            }
            Self::Foreign | Self::WithoutData => NextStep::Settings(SettingsStep::CheckUpstreamAddress),
        }
    }
}

impl QuotaTrouble {
    fn usual_step(self) -> NextStep {
        NextStep::Repeat(match self {
            Self::Exceeded(_) => Repeat::AfterWait,
            Self::UsedUp { .. } | Self::OnlyReserveLeft { .. } | Self::ShareUsedUp { .. } | Self::Blocked { .. } => {
                Repeat::AfterWaitForQuota
            }
        })
    }
}

impl AppTrouble {
    fn usual_step(&self) -> NextStep {
        match self {
            Self::ClientMissing => NextStep::Settings(SettingsStep::SetCredentials),
            Self::ClientRejected => NextStep::Settings(SettingsStep::CorrectCredentials),
            Self::TokenUnavailable => NextStep::Repeat(Repeat::AfterNetworkCheck),
            Self::NotTheGrants { .. } => NextStep::Settings(SettingsStep::UseTheGrants),
        }
    }
}

impl KeyTrouble {
    fn code(self) -> Code {
        match self {
            Self::Expired | Self::TriedTooOften => Code::InvalidArgument,
            Self::Conflict => Code::IdempotencyConflict,
            Self::InFlight => Code::IdempotencyInFlight,
        }
    }

    fn usual_step(self) -> NextStep {
        match self {
            Self::Expired | Self::TriedTooOften => NextStep::UseNewKey,
            Self::Conflict => NextStep::UseNewKeyForOtherItems,
            Self::InFlight => NextStep::Repeat(Repeat::WithKey),
        }
    }
}

impl SignInTrouble {
    fn usual_step(self) -> NextStep {
        match self {
            Self::Pasted => NextStep::PasteAddress,
            Self::NotWanted => NextStep::LeaveIt,
            Self::Unknown
            | Self::OtherUser
            | Self::OtherBrowser
            | Self::OtherIssuer
            | Self::Expired
            | Self::Used
            | Self::CodeRefused
            | Self::InvitationUnknown
            | Self::InvitationExpired
            | Self::Declined(_) => NextStep::StartAgain,
        }
    }
}

impl ExchangeTrouble {
    fn usual_step(&self) -> NextStep {
        match self {
            Self::Failed | Self::AnswerLost => NextStep::StartAgain,
            Self::Rejected(_) => NextStep::Settings(SettingsStep::CheckRegistration),
        }
    }
}

impl StoreTrouble {
    fn usual_step(self) -> StoreStep {
        match self {
            Self::Failed => StoreStep::Check,
            Self::Forgets(Undone::CartAdd) => StoreStep::UseDurableOrNoKey,
            Self::Forgets(Undone::Refresh | Undone::Nothing) => StoreStep::UseDurable,
            Self::SignInSpent | Self::SignInLost => StoreStep::CheckAndStartAgain,
            Self::Unsaved(_) => StoreStep::CheckBeforeStopping,
        }
    }
}

impl Missing {
    fn usual_step(&self) -> NextStep {
        match self {
            Self::User => NextStep::StartSignIn,
            Self::Product(..) => NextStep::Correct(Correction::Upc),
            Self::Location(_) => NextStep::Correct(Correction::SearchLocations),
            Self::Named(_) => NextStep::Correct(Correction::Id),
        }
    }
}
