//! What a caller is told when a call fails: sorted by what must happen next.

use std::time::Duration;

use crate::app::App;

/// The closed set of failures. Their words are the `code` of a problem
/// document (RFC 9457) and, with hyphens, of the WIT interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Reauthorize,
    TokenRejected,
    UpstreamUnavailable,
    /// Kroger understood and refused.
    UpstreamRejected,
    /// Kroger answered something that is not an answer.
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
    /// Nobody started this sign-in, or it was overtaken or ended since.
    SignInUnknown,
    SignInExpired,
    SignInUsed,
    /// It came back in a browser, and is finished by handing over the address.
    SignInPasted,
    /// The person declined, or Kroger ended it.
    SignInDeclined,
    /// Kroger refused the code.
    SignInRefused,
    StoreUnavailable,
    NotFound,
}

/// A failed call. Its texts carry no token, secret, path or library's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: Code,
    /// What happened; keeps the first system's words where it had some.
    pub detail: String,
    /// What to do next, one sentence.
    pub next_step: String,
    /// Not sooner than this does a retry make sense; none: it does not help.
    pub retry_after: Option<Duration>,
    /// A link to open, where a person can mend it by signing in.
    pub authorization_url: Option<String>,
    /// An earlier call with the same idempotency key ended so; this one did
    /// nothing.
    pub is_replay: bool,
}

/// The four steps of the first system's page, for an agent to follow.
pub const AGENT_STEPS: &str = "Action required for LLM agent:\n\
    1. Navigate to /auth/authorize to get OAuth URL\n\
    2. Direct user to complete authentication\n\
    3. New tokens will be automatically saved\n\
    4. Cart operations will resume working";

impl Failure {
    pub fn new(code: Code, detail: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            next_step: next_step.into(),
            retry_after: None,
            authorization_url: None,
            is_replay: false,
        }
    }

    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    #[must_use]
    pub fn replayed(mut self) -> Self {
        self.is_replay = true;
        self
    }

    pub fn invalid_argument(field: &str, allowed: &str) -> Self {
        Self::new(
            Code::InvalidArgument,
            format!("`{field}` is not valid: {allowed}."),
            format!("Correct `{field}` and send the call again."),
        )
    }

    /// A sign-in came to nothing: `field` of its redirect is not valid.
    pub fn sign_in(code: Code, field: &str, why: &str) -> Self {
        let next_step = "Start again at /auth/authorize.".to_owned();
        Self { code, next_step, ..Self::invalid_argument(field, why) }
    }

    /// The store failed before anything was sent.
    pub fn store_unavailable() -> Self {
        Self::new(
            Code::StoreUnavailable,
            "The token store cannot be read or written. Nothing was sent, nothing was lost.",
            "Check the store's disk space and permissions, then try again.",
        )
        .retry_after(Duration::from_secs(5))
    }

    /// The store acknowledged a write that a new look does not find.
    pub fn store_forgets() -> Self {
        Self::new(
            Code::StoreUnavailable,
            "The token store forgets what it was told, so the single-use refresh token was not spent. \
             Nothing was sent, nothing was lost.",
            "Run the component under a host whose key-value store is durable.",
        )
    }

    /// Says whose the sign-in is that is in the way: of `other`, where `own` runs.
    pub fn of_another_app(other: &App, own: &App) -> Self {
        let whose = if other.server == own.server {
            "is of an app with another KROGER_CLIENT_ID".to_owned()
        } else {
            format!("was given by {}, and this runs with {}", other.server, own.server)
        };
        Self::new(
            Code::ClientCredentialsRejected,
            format!("The sign-in that the token store has {whose}. Nothing was sent, nothing was lost."),
            "Run it with the settings that it was made with, or in another folder with another KROGER_STORE (a .env here \
             has that sign-in's tokens, too); or forget it (kroger-mcp logout, DELETE /admin/tokens/{user_id}) and sign in \
             again.",
        )
    }

    pub fn client_credentials_missing() -> Self {
        Self::new(
            Code::ClientCredentialsRejected,
            "Invalid Kroger API credentials. Please check KROGER_CLIENT_ID and KROGER_CLIENT_SECRET. None are configured.",
            "Set KROGER_CLIENT_ID and KROGER_CLIENT_SECRET from the app's page at developer.kroger.com.",
        )
    }

    pub fn client_credentials_rejected() -> Self {
        Self::new(
            Code::ClientCredentialsRejected,
            "Invalid Kroger API credentials. Please check KROGER_CLIENT_ID and KROGER_CLIENT_SECRET.",
            "Correct the credentials; they belong to one environment, production or certification. No sign-in is lost.",
        )
    }
}

impl Code {
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
            Self::InvalidArgument
            | Self::NoRefreshToken
            | Self::SignInUnknown
            | Self::SignInExpired
            | Self::SignInUsed
            | Self::SignInPasted
            | Self::SignInDeclined
            | Self::SignInRefused => "invalid_argument",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::IdempotencyInFlight => "idempotency_in_flight",
            Self::StoreUnavailable => "store_unavailable",
            Self::NotFound => "not_found",
        }
    }
}
