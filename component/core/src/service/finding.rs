//! The findings of a validation, as facts. Nothing here is a sentence: each face has
//! the words.

use std::time::Duration;

use crate::failure::Cause;
use crate::grant::attempts::AttemptOutcome;
use crate::store::ticket::Ticket;

/// The finding of one check, by the subject of the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Store(StoreFinding),
    Pass(PassFinding),
    Credentials(CredentialsFinding),
    AccessToken(AccessTokenFinding),
    Scope(ScopeFinding),
    RefreshToken(RefreshTokenFinding),
    Lineage(LineageFinding),
    Online(OnlineFinding),
}

/// The store, and what waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFinding {
    Readable,
    Unreadable,
    Keeps,
    Forgets,
    Unwritable,
    NothingUnsaved,
    /// This many refreshed pairs wait in memory for the store.
    Unsaved(usize),
}

/// The periodic refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassFinding {
    Last {
        /// Time since the last periodic refresh.
        age: Duration,
        is_running: bool,
    },
    Never,
}

/// The app's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsFinding {
    ClientIdMissing,
    /// An app without a secret has no token of its own.
    PublicClient,
    NotTried,
    /// The store cannot be read.
    Unknown,
    Rejected,
    Unanswered,
    Accepted,
}

/// The form and the expiry of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokenFinding {
    WellFormed,
    Malformed,
    ExpiresIn(Duration),
    Expired { ago: Duration, then: AfterExpiry },
}

/// The next event in the life of an expired token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterExpiry {
    /// The app's own token is fetched anew on next use.
    Renewed,
    Refreshed,
    /// It lies outside of the store and is taken on first use.
    RefreshedOnFirstUse,
    SignInNeeded,
    OfAnotherApp,
}

/// The scope of a sign-in, space-separated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeFinding {
    /// Kroger did not say which scope it granted.
    Unknown,
    Granted(String),
    /// The granted scope, which lacks `cart.basic:write`.
    CartMissing(String),
}

/// The refresh token of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokenFinding {
    Present,
    Missing,
    /// The pair outside of the store has none.
    MissingOutside,
    Spent,
    Refused,
    OfAnotherApp,
    LastRefreshFailed(AttemptOutcome),
}

/// The origin of a pair of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineageFinding {
    InStore {
        ticket: Ticket,
        parent: Option<Ticket>,
        /// False: only this process's memory has it, not the durable store.
        is_stored: bool,
    },
    /// The pair is in the environment or in `.env`; the next call takes it.
    Outside,
}

/// Kroger's answer about an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnlineFinding {
    NotAsked(NotAsked),
    TokenAccepted,
    TokenRejected,
    /// Kroger knows the token, which lacks the scope of the question.
    TokenLacksScope,
    NotReached,
    NoAnswer,
    /// The answer's status says nothing about the token.
    Answered(u16),
}

/// Why Kroger was not asked about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAsked {
    /// A validation refreshes no token.
    NoValidToken,
    NoTimeLeft,
    Quota(Cause),
}
