//! A failed call, as facts: what happened and what the caller must do next.
//!
//! Nothing here is a sentence. Each face (HTTP, MCP, the WIT exports, the command
//! line) turns a [`Failure`] into words of its own, so no face ever reads of
//! another one's routes, tools or commands. Building a failure changes nothing:
//! a face that shows a sign-in link creates it.

use std::time::Duration;

use crate::app::App;
use crate::item::{MistakenBarcode, Upc};
use crate::kroger::api_error::ApiError;
use crate::kroger::limits::Endpoint;
use crate::ports::Timestamp;
use crate::scope::Scope;
use crate::unknown_add::Unknown;
use crate::user::UserId;

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class of the cause, for a program to branch on.
    pub code: Code,
    pub cause: Cause,
    pub next: NextStep,
    /// A retry makes sense after this time. None: a retry does not help.
    pub retry_after: Option<Duration>,
    /// An earlier call with the same idempotency key ended so. This call did
    /// nothing.
    pub is_replay: bool,
}

/// The closed set of failures. [`Code::as_str`] is the `code` of a problem
/// document (RFC 9457) and, with hyphens, of the WIT interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Reauthorize,
    TokenRejected,
    UpstreamUnavailable,
    /// Kroger understood and refused.
    UpstreamRejected,
    /// The answer is not one of Kroger's API.
    UpstreamNonsense,
    ClientCredentialsRejected,
    OutcomeUnknown,
    QuotaExhausted,
    ScopeMissing,
    InvalidArgument,
    /// The idempotency key was used with other items.
    IdempotencyConflict,
    /// A call with the same idempotency key is still running.
    IdempotencyInFlight,
    /// There is no refresh token to refresh with.
    NoRefreshToken,
    /// A sign-in came to nothing; [`SignInTrouble`] says why.
    SignInFailed,
    /// The person declined the sign-in.
    SignInDeclined,
    StoreUnavailable,
    NotFound,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The store has no grant of the user.
    NotSignedIn,
    /// The access token expired and no refresh token can renew it.
    NothingToRenewWith,
    /// Kroger refused the refresh token.
    RefreshTokenRefused {
        /// An earlier refresh, whose answer was lost, probably spent it.
        probably_spent: bool,
    },
    /// Kroger gave a new pair and nothing could keep it.
    NewTokensLost,
    /// The user was forgotten while the sign-in was under way.
    ForgottenMeanwhile,

    /// Kroger rejected the user's access token, and the refreshed one too.
    UserTokenRejected,
    /// Kroger rejected the app's own access token, and the one fetched after it.
    AppTokenRejected(Endpoint),
    /// The user's sign-in lacks a scope. None: Kroger did not say which.
    SignInLacksScope(Endpoint, Option<&'static str>),
    /// The app's registration lacks a scope. None: Kroger did not say which.
    AppLacksScope(Endpoint, Option<&'static str>),

    /// Another caller refreshes the grant and has not ended.
    RefreshUnderWay,
    RefreshFailed {
        /// How often this call, or others before it, tried.
        tries: u64,
    },
    /// The refresh left no time for the call itself.
    RefreshTookTooLong,
    AppTokenUnavailable,
    NotReached(Endpoint),
    NoAnswer(Endpoint),
    /// The answer had a status that says nothing of the call.
    Unavailable(Endpoint, u16),
    /// Kroger did not exchange the code of a sign-in.
    ExchangeFailed,
    /// The answer to the exchange of a code was lost.
    ExchangeAnswerLost,

    /// Kroger accepts no more calls for now. None: it did not say until when.
    OverQuota(Endpoint, Option<Duration>),
    QuotaUsedUp {
        endpoint: Endpoint,
        limit: u64,
        until: Timestamp,
    },
    /// What is left of the quota is kept for adding to the cart.
    OnlyReserveLeft {
        endpoint: Endpoint,
        limit: u64,
        reserve: u64,
        until: Timestamp,
    },
    /// Kroger asked for no calls before this time.
    Blocked {
        endpoint: Endpoint,
        until: Timestamp,
    },

    /// Kroger refused the call, with its own code and reason.
    Rejected(Endpoint, ApiError),
    /// Kroger refused the exchange of a code, with its own code and reason.
    ExchangeRejected(ApiError),
    /// Something other than Kroger's API answered.
    Foreign(Endpoint),
    /// The answer has no data in it.
    WithoutData(Endpoint),

    /// The grant was made with another client id or another server.
    OfAnotherApp {
        theirs: App,
        ours: App,
    },
    ClientMissing,
    ClientRejected,

    /// A cart add was sent and its outcome is not known.
    AddUnknown(Unknown),

    Argument {
        field: String,
        /// What is allowed, as the end of a sentence.
        allowed: String,
    },
    /// The idempotency key is older than a key is remembered.
    KeyExpired,
    /// The idempotency key had more tries than a key may have.
    KeyTriedTooOften,
    KeyConflict,
    KeyInFlight,
    /// A refresh was asked for, and there is no refresh token.
    NoRefreshToken,
    SignIn(SignInTrouble),

    StoreFailed,
    /// A write that the store acknowledged is not there.
    StoreForgets(Undone),
    /// The store failed after the `state` of a sign-in was used up.
    SignInSpent,
    /// The sign-in succeeded and nothing could keep it.
    SignInLost,
    /// So many refreshed pairs wait in memory for the store.
    Unsaved(usize),

    UnknownUser,
    NoSuchProduct(Upc, Option<MistakenBarcode>),
    /// Kroger has no location of this id.
    NoSuchLocation(String),
    /// Kroger does not have what the call names.
    NotThere(Endpoint),
}

/// What was left undone because the store forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The refresh token was not spent.
    Refresh,
    /// The cart add with an idempotency key was not sent.
    CartAdd,
    /// The store was only probed.
    Nothing,
}

/// Why a sign-in came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInTrouble {
    /// Nobody started it, or it was overtaken or ended since.
    Unknown,
    /// It was begun for another user.
    OtherUser,
    /// It was begun in another browser.
    OtherBrowser,
    /// It took longer than a person may take.
    Expired,
    /// It was completed or declined before.
    Used,
    /// The caller who began it must be given the address of the page.
    Pasted,
    /// Kroger refused the code.
    CodeRefused,
    /// The invitation is incomplete, or a newer one took its place.
    InvitationUnknown,
    InvitationExpired,
    /// Kroger sent the person back with an error in place of a code.
    Declined(Declined),
    /// The person did not want to go on.
    NotWanted,
}

/// Why Kroger sent a person back without a code (RFC 6749 § 4.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// `access_denied`
    ByPerson,
    /// `invalid_scope`
    Scope,
    /// `server_error`, `temporarily_unavailable`
    Unavailable,
    Other,
}

/// What a caller does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// A person signs `user` in for `scope`; then the same call again.
    SignIn {
        user: UserId,
        scope: Scope,
    },
    /// A person signs the user in.
    StartSignIn,
    /// The sign-in is over; a new one is needed.
    StartAgain,
    /// The person gives the whole address to the caller who began the sign-in.
    PasteAddress,
    /// Not to ask again unless the person wants it.
    LeaveIt,
    /// The same call again, after the wait.
    Wait,
    /// The same call again, after the wait; the sign-in is kept.
    WaitSignInKept,
    /// The same call again, after the wait; the quotas can be looked at.
    WaitForQuota,
    /// The same call again.
    Repeat,
    /// The same call with the same idempotency key, after the wait.
    RepeatWithKey,
    UseNewKey,
    LookAtCart,
    CheckNetwork,
    CheckStore,
    CheckStoreAndStartAgain,
    /// The server must not stop before the store works again.
    CheckStoreBeforeStopping,
    UseDurableStore,
    UseDurableStoreOrNoKey,
    SetCredentials,
    CorrectCredentials,
    /// The settings that the grant was made with, another store, or forgetting.
    UseItsSettings,
    /// Client id and server must belong to one environment of Kroger's.
    MatchEnvironment,
    /// The app must be registered for what the call needs.
    RegisterApp,
    /// Redirect URI and scopes must be those that are registered.
    CheckRegistration,
    /// The API's address, or what stands between.
    CheckUpstreamAddress,
    /// The same, and whether the items are in the cart.
    CheckUpstreamAddressAndCart,
    CorrectArgument(String),
    CorrectCall,
    /// A person says which of several things is meant.
    AskWhich,
    CheckUpc,
    CheckId,
    SearchLocations,
}

impl Failure {
    fn new(cause: Cause, next: NextStep) -> Self {
        Self { code: cause.code(), cause, next, retry_after: None, is_replay: false }
    }

    /// A person must sign in for `scope` before the call can succeed.
    pub fn sign_in_needed(cause: Cause, user: &UserId, scope: &Scope) -> Self {
        Self::new(cause, NextStep::SignIn { user: user.clone(), scope: scope.clone() })
    }

    /// The next step after a wait.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same call, had it been the first with its idempotency key.
    #[must_use]
    pub(crate) fn replayed(mut self) -> Self {
        self.is_replay = true;
        self
    }

    /// `field` is not valid; `allowed` ends the sentence that says what is.
    pub fn invalid_argument(field: &str, allowed: &str) -> Self {
        Cause::Argument { field: field.to_owned(), allowed: allowed.to_owned() }.into()
    }

    /// A sign-in came to nothing.
    pub fn sign_in(trouble: SignInTrouble) -> Self {
        Cause::SignIn(trouble).into()
    }

    /// The same failure where the sign-in is used up, so that no wait helps.
    pub(crate) fn ending_the_sign_in(self) -> Self {
        Self { next: NextStep::StartAgain, retry_after: None, ..self }
    }

    /// The store failed before anything was sent.
    pub fn store_unavailable() -> Self {
        Self::from(Cause::StoreFailed).retry_after(Duration::from_secs(5))
    }

    /// The scope that a sign-in must have to mend this failure, and the user.
    pub fn mended_by_sign_in(&self) -> Option<(&UserId, &Scope)> {
        match &self.next {
            NextStep::SignIn { user, scope } => Some((user, scope)),
            _ => None,
        }
    }
}

impl From<Cause> for Failure {
    /// The failure with the usual next step of its cause, and no wait.
    fn from(cause: Cause) -> Self {
        let next = cause.usual_step();
        Self::new(cause, next)
    }
}

impl Cause {
    /// The class of the cause.
    fn code(&self) -> Code {
        match self {
            Self::NotSignedIn
            | Self::NothingToRenewWith
            | Self::RefreshTokenRefused { .. }
            | Self::NewTokensLost
            | Self::ForgottenMeanwhile => Code::Reauthorize,
            Self::UserTokenRejected | Self::AppTokenRejected(_) => Code::TokenRejected,
            Self::SignInLacksScope(..) | Self::AppLacksScope(..) => Code::ScopeMissing,
            Self::RefreshUnderWay
            | Self::RefreshFailed { .. }
            | Self::RefreshTookTooLong
            | Self::AppTokenUnavailable
            | Self::NotReached(_)
            | Self::NoAnswer(_)
            | Self::Unavailable(..)
            | Self::ExchangeFailed
            | Self::ExchangeAnswerLost => Code::UpstreamUnavailable,
            Self::OverQuota(..) | Self::QuotaUsedUp { .. } | Self::OnlyReserveLeft { .. } | Self::Blocked { .. } => {
                Code::QuotaExhausted
            }
            Self::Rejected(..) | Self::ExchangeRejected(_) => Code::UpstreamRejected,
            Self::Foreign(_) | Self::WithoutData(_) => Code::UpstreamNonsense,
            Self::OfAnotherApp { .. } | Self::ClientMissing | Self::ClientRejected => Code::ClientCredentialsRejected,
            Self::AddUnknown(_) => Code::OutcomeUnknown,
            Self::Argument { .. } | Self::KeyExpired | Self::KeyTriedTooOften => Code::InvalidArgument,
            Self::KeyConflict => Code::IdempotencyConflict,
            Self::KeyInFlight => Code::IdempotencyInFlight,
            Self::NoRefreshToken => Code::NoRefreshToken,
            Self::SignIn(SignInTrouble::Declined(_) | SignInTrouble::NotWanted) => Code::SignInDeclined,
            Self::SignIn(_) => Code::SignInFailed,
            Self::StoreFailed | Self::StoreForgets(_) | Self::SignInSpent | Self::SignInLost | Self::Unsaved(_) => {
                Code::StoreUnavailable
            }
            Self::UnknownUser | Self::NoSuchProduct(..) | Self::NoSuchLocation(_) | Self::NotThere(_) => Code::NotFound,
        }
    }

    /// The next step, where the cause alone says it.
    fn usual_step(&self) -> NextStep {
        match self {
            Self::NotSignedIn
            | Self::NothingToRenewWith
            | Self::RefreshTokenRefused { .. }
            | Self::NewTokensLost
            | Self::UserTokenRejected
            | Self::SignInLacksScope(..)
            | Self::NoRefreshToken
            | Self::UnknownUser => NextStep::StartSignIn,
            Self::ForgottenMeanwhile | Self::ExchangeFailed | Self::ExchangeAnswerLost => NextStep::StartAgain,
            Self::AppTokenRejected(_) => NextStep::MatchEnvironment,
            Self::AppLacksScope(..) => NextStep::RegisterApp,
            Self::RefreshUnderWay | Self::RefreshFailed { .. } => NextStep::WaitSignInKept,
            Self::RefreshTookTooLong => NextStep::Repeat,
            Self::AppTokenUnavailable => NextStep::CheckNetwork,
            Self::NotReached(_) | Self::NoAnswer(_) | Self::Unavailable(..) | Self::OverQuota(..) => NextStep::Wait,
            Self::QuotaUsedUp { .. } | Self::OnlyReserveLeft { .. } | Self::Blocked { .. } => NextStep::WaitForQuota,
            Self::Rejected(..) => NextStep::CorrectCall,
            Self::ExchangeRejected(_) => NextStep::CheckRegistration,
            Self::Foreign(Endpoint::Cart) => NextStep::CheckUpstreamAddressAndCart,
            Self::Foreign(_) | Self::WithoutData(_) => NextStep::CheckUpstreamAddress,
            Self::OfAnotherApp { .. } => NextStep::UseItsSettings,
            Self::ClientMissing => NextStep::SetCredentials,
            Self::ClientRejected => NextStep::CorrectCredentials,
            Self::AddUnknown(_) => NextStep::LookAtCart,
            Self::Argument { field, .. } => NextStep::CorrectArgument(field.clone()),
            Self::KeyExpired | Self::KeyTriedTooOften | Self::KeyConflict => NextStep::UseNewKey,
            Self::KeyInFlight => NextStep::RepeatWithKey,
            Self::SignIn(trouble) => trouble.usual_step(),
            Self::StoreFailed => NextStep::CheckStore,
            Self::StoreForgets(Undone::CartAdd) => NextStep::UseDurableStoreOrNoKey,
            Self::StoreForgets(Undone::Refresh | Undone::Nothing) => NextStep::UseDurableStore,
            Self::SignInSpent | Self::SignInLost => NextStep::CheckStoreAndStartAgain,
            Self::Unsaved(_) => NextStep::CheckStoreBeforeStopping,
            Self::NoSuchProduct(..) => NextStep::CheckUpc,
            Self::NoSuchLocation(_) => NextStep::SearchLocations,
            Self::NotThere(_) => NextStep::CheckId,
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
            | Self::Expired
            | Self::Used
            | Self::CodeRefused
            | Self::InvitationUnknown
            | Self::InvitationExpired
            | Self::Declined(_) => NextStep::StartAgain,
        }
    }
}

impl Code {
    /// The word of the code on every face.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reauthorize => "reauthorize",
            Self::TokenRejected => "token_rejected",
            Self::UpstreamUnavailable => "upstream_unavailable",
            Self::UpstreamRejected | Self::UpstreamNonsense => "upstream_rejected",
            Self::ClientCredentialsRejected => "client_credentials_rejected",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::QuotaExhausted => "quota_exhausted",
            Self::ScopeMissing => "scope_missing",
            Self::InvalidArgument | Self::NoRefreshToken | Self::SignInFailed | Self::SignInDeclined => {
                "invalid_argument"
            }
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::IdempotencyInFlight => "idempotency_in_flight",
            Self::StoreUnavailable => "store_unavailable",
            Self::NotFound => "not_found",
        }
    }
}

impl Declined {
    /// Reads the redirect's `error`.
    pub fn parse(error: &str) -> Self {
        match error {
            "access_denied" => Self::ByPerson,
            "invalid_scope" => Self::Scope,
            "server_error" | "temporarily_unavailable" => Self::Unavailable,
            _ => Self::Other,
        }
    }
}
