//! A failed call, as facts: what happened and what the caller must do next.
//!
//! A failure has no sentence. Only two of its parts are phrases: what an argument
//! allows, and the reason of a refusal of Kroger's. Each face (HTTP, MCP, the WIT
//! exports, the command line) turns a [`Failure`] into words of its own, so no face
//! names another face's routes, tools or commands.
//!
//! Building a failure changes nothing: a face that shows a sign-in link creates it.

mod consequence;
mod next_step;

use std::time::Duration;

use crate::app::App;
use crate::item::Upc;
use crate::kroger::api_error::ApiError;
use crate::kroger::limits::Endpoint;
use crate::ports::Timestamp;
use crate::scope::Scope;
use crate::unknown_add::UnknownAdd;
use crate::user::UserId;

pub use next_step::{Correction, NextStep, Repeat, SettingsStep, StoreStep};

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class of the cause, for a program to branch on.
    pub code: Code,
    pub cause: Cause,
    pub next: NextStep,
    /// A retry makes sense after this time. None: a retry does not help.
    pub retry_after: Option<Duration>,
    /// True if an earlier call with the same idempotency key failed like this. This
    /// call did nothing.
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
    /// The caller does this too often.
    RateLimited,
    ScopeMissing,
    InvalidArgument,
    /// The idempotency key was used with other items.
    IdempotencyConflict,
    /// A call with the same idempotency key is still running.
    IdempotencyInFlight,
    /// There is no refresh token to refresh with.
    NoRefreshToken,
    /// A sign-in failed; [`SignInTrouble`] says why.
    SignInFailed,
    /// The person declined the sign-in.
    SignInDeclined,
    StoreUnavailable,
    NotFound,
}

/// The cause of a failure, by subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The user's sign-in does not serve the call.
    Grant(GrantTrouble),
    /// A call to this endpoint failed.
    Call(Endpoint, CallTrouble),
    /// The endpoint's quota allows no call.
    Quota(Endpoint, QuotaTrouble),
    App(AppTrouble),
    /// A cart add was sent and its outcome is not known.
    AddUnknown(UnknownAdd),
    Argument {
        field: String,
        /// The allowed values, as the end of a sentence.
        allowed: String,
    },
    Key(KeyTrouble),
    SignIn(SignInTrouble),
    /// Kroger did not exchange the code of a sign-in.
    Exchange(ExchangeTrouble),
    Store(StoreTrouble),
    NotFound(Missing),
}

/// Why the user's sign-in does not serve the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantTrouble {
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
    /// Kroger rejected the access token, and the refreshed one too.
    AccessTokenRejected,
    /// A refresh was asked for, and there is no refresh token.
    NoRefreshToken,
    /// A refresh was asked for, and the last one was a moment ago.
    RefreshedJustNow,
    /// Another caller refreshes the grant and has not ended.
    RefreshUnderWay,
    RefreshFailed {
        /// The number of tries of this call and of those before it.
        tries: u64,
    },
    /// The refresh left no time for the call itself.
    RefreshTookTooLong,
}

/// Why a call to Kroger's API failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallTrouble {
    /// Kroger rejected the app's own access token, and the one fetched after it.
    AppTokenRejected,
    /// The user's sign-in lacks a scope. None: Kroger did not say which.
    SignInLacksScope(Option<&'static str>),
    /// The app's registration lacks a scope. None: Kroger did not say which.
    AppLacksScope(Option<&'static str>),
    NotReached,
    NoAnswer,
    /// The answer had a status that says nothing about the call.
    Unavailable(u16),
    /// Kroger refused the call, with its own code and reason.
    Rejected(Box<ApiError>),
    /// Something other than Kroger's API answered.
    Foreign,
    /// The answer has no data in it.
    WithoutData,
}

/// Why an endpoint's quota allows no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaTrouble {
    /// Kroger accepts no more calls for now. None: it did not say until when.
    Exceeded(Option<Duration>),
    UsedUp {
        limit: u64,
        until: Timestamp,
    },
    /// The rest of the quota is reserved for adding to the cart.
    OnlyReserveLeft {
        limit: u64,
        reserve: u64,
        until: Timestamp,
    },
    /// The user has made as many of the day's calls as are left for all others.
    ShareUsedUp {
        limit: u64,
        until: Timestamp,
    },
    /// Kroger asked for no calls before this time.
    Blocked {
        until: Timestamp,
    },
}

/// Why the app's own credentials do not serve the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppTrouble {
    /// No client id is configured.
    ClientMissing,
    ClientRejected,
    /// Kroger did not give the app an access token.
    TokenUnavailable,
    /// The grant was made with another client id or another server.
    NotTheGrants {
        theirs: Box<App>,
        ours: Box<App>,
    },
}

/// Why an idempotency key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTrouble {
    /// It is older than a key is remembered.
    Expired,
    /// It had more tries than a key may have.
    TriedTooOften,
    /// It was used with other items.
    Conflict,
    /// A call with it is still running.
    InFlight,
}

/// Why Kroger did not exchange the code of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExchangeTrouble {
    Failed,
    AnswerLost,
    /// Kroger refused, with its own code and reason.
    Rejected(Box<ApiError>),
}

/// The failure of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreTrouble {
    /// It cannot be read or written.
    Failed,
    /// A write that the store acknowledged is not there.
    Forgets(Undone),
    /// It failed after the `state` of a sign-in was used up.
    SignInSpent,
    /// The sign-in succeeded and nothing could keep it.
    SignInLost,
    /// This many refreshed pairs wait in memory for the store.
    Unsaved(usize),
}

/// The thing that was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The store has no grant of the user.
    User,
    Product(Upc),
    /// The location of this id.
    Location(String),
    /// The thing that the call to this endpoint names.
    Named(Endpoint),
}

/// The deed that was not done because the store forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The refresh token was not spent.
    Refresh,
    /// The cart add with an idempotency key was not sent.
    CartAdd,
    /// The store was only probed.
    Nothing,
}

/// Why a sign-in failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInTrouble {
    /// It was never begun, or a newer one replaced it, or it has ended.
    Unknown,
    /// It was begun for another user.
    OtherUser,
    /// It was begun in another browser.
    OtherBrowser,
    /// The redirect says that another server sent it (RFC 9207).
    OtherIssuer,
    /// It took longer than 10 minutes.
    Expired,
    /// It was completed or declined before.
    Used,
    /// The person must give the address of the page to the caller who began it.
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

// A larger one would be copied through every `?`.
const _: () = assert!(size_of::<Failure>() < 128);

impl Failure {
    fn new(cause: Cause, next: NextStep) -> Self {
        Self { code: cause.code(), cause, next, retry_after: None, is_replay: false }
    }

    /// A person must sign in for `scope` before the call can succeed.
    pub fn sign_in_needed(cause: Cause, user: &UserId, scope: &Scope) -> Self {
        Self::new(cause, NextStep::SignIn { user: user.clone(), scope: scope.clone() })
    }

    /// The same failure, with the wait before a retry.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same failure, as the replay of an earlier call.
    #[must_use]
    pub(crate) fn replayed(mut self) -> Self {
        self.is_replay = true;
        self
    }

    /// `field` is not valid. `allowed` ends the sentence that says what is valid.
    pub fn invalid_argument(field: &str, allowed: &str) -> Self {
        Cause::Argument { field: field.to_owned(), allowed: allowed.to_owned() }.into()
    }

    /// A sign-in failed.
    pub fn sign_in(trouble: SignInTrouble) -> Self {
        Cause::SignIn(trouble).into()
    }

    /// The store failed before anything was sent.
    pub fn store_unavailable() -> Self {
        Self::from(Cause::Store(StoreTrouble::Failed)).retry_after(Duration::from_secs(5))
    }

    /// The user and the scope of a sign-in that solves this failure.
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
            Self::RateLimited => "rate_limited",
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
