//! The calls that people, agents and timers make, and the answers that they are given.
//!
//! Each call is one function of the core. Nothing here decides when a call is made.

use kroger_core::Context;
use kroger_core::cart::{self, Added};
use kroger_core::failure::{Cause, Failure, GrantTrouble, Missing};
use kroger_core::grant::lineage::Grant;
use kroger_core::grant::refresh::{self, Need};
use kroger_core::grant::trouble::Trouble;
use kroger_core::grant::{on_demand, status};
use kroger_core::item::{Item, Modality, Quantity, Upc};
use kroger_core::ports::StoreError;
use kroger_core::secret::Secret;
use kroger_core::service::maintenance::{self, Pass, RefreshOutcome};
use kroger_core::sign_in::{authorization, exchange, sign_out};
use kroger_core::user::UserId;

use std::time::Duration;

use crate::time::Time;

/// The users of a run, the default one first.
pub(crate) const USERS: [&str; 2] = ["user_default", "bob"];

/// One call of the core, for a user by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// An agent asks for a token that works now.
    Use(usize),
    /// An agent adds to the cart.
    Add(usize),
    /// A person asks for a refresh.
    Refresh(usize),
    /// The timer refreshes one user's grant if that is due.
    Keep(usize),
    /// The timer makes a whole pass.
    Pass,
    /// The timer saves rescued pairs and sweeps, and refreshes nothing.
    Tidy,
    Status(usize),
    /// A person starts to sign in.
    Authorize(usize),
    /// The person comes back from Kroger with a code; `began` is when they were sent there.
    Complete {
        user: usize,
        code: String,
        state: String,
        began: Time,
    },
    /// A person deletes the user.
    Forget(usize),
}

/// The answer of a call.
#[derive(Debug)]
pub(crate) enum CallAnswer {
    Grant(Result<Grant, Trouble>),
    Answered(Result<Grant, Failure>),
    Kept(Result<RefreshOutcome, Failure>),
    Pass(Result<Pass, Failure>),
    Tidied,
    Status(Result<Option<status::Status>, StoreError>),
    Authorize(Result<authorization::AuthorizationRequest, Failure>),
    Complete(Result<exchange::SignedIn, Failure>),
    Forget(Result<(), Failure>),
}

pub(crate) fn user_id(user: usize) -> UserId {
    UserId::parse(USERS[user]).expect("a user id")
}

/// Answers the grant that a cart add without an idempotency key used.
fn used(added: Added) -> Grant {
    match added {
        Added::Now(grant) => *grant,
        Added::Before => unreachable!("there is no earlier call"),
    }
}

impl Task {
    pub(crate) fn run(&self, cx: Context<'_>) -> CallAnswer {
        match self {
            Self::Use(user) => CallAnswer::Grant(refresh::grant(cx, &user_id(*user), Need::Usable)),
            Self::Add(user) => CallAnswer::Answered(cart::add(cx, &user_id(*user), &[milk()], None).map(used)),
            Self::Refresh(user) => CallAnswer::Answered(on_demand::refresh(cx, &user_id(*user))),
            Self::Keep(user) => CallAnswer::Kept(maintenance::refresh_user(cx, &user_id(*user))),
            Self::Pass => CallAnswer::Pass(maintenance::refresh_due(cx, Duration::from_secs(50))),
            Self::Tidy => {
                // The store may fail under a sweep. That breaks no promise.
                let _ = maintenance::tidy(cx);
                CallAnswer::Tidied
            }
            Self::Status(user) => CallAnswer::Status(status::status(cx, &user_id(*user).key())),
            Self::Authorize(user) => CallAnswer::Authorize(authorization::authorize(cx, &user_id(*user), None)),
            Self::Complete { code, state, .. } => {
                CallAnswer::Complete(exchange::complete(cx, &Secret::new(code.as_str()), state))
            }
            Self::Forget(user) => CallAnswer::Forget(sign_out::forget(cx, &user_id(*user)).map(drop)),
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Complete { user, code, .. } => format!("complete {} {code}", USERS[*user]),
            Self::Pass | Self::Tidy => format!("{self:?}").to_lowercase(),
            Self::Use(user)
            | Self::Add(user)
            | Self::Refresh(user)
            | Self::Keep(user)
            | Self::Status(user)
            | Self::Authorize(user)
            | Self::Forget(user) => {
                let name = format!("{self:?}").to_lowercase();
                format!("{} for {}", name.split('(').next().unwrap_or_default(), USERS[*user])
            }
        }
    }

    pub(crate) fn user(&self) -> Option<usize> {
        match self {
            Self::Pass | Self::Tidy => None,
            Self::Complete { user, .. } => Some(*user),
            Self::Use(user)
            | Self::Add(user)
            | Self::Refresh(user)
            | Self::Keep(user)
            | Self::Status(user)
            | Self::Authorize(user)
            | Self::Forget(user) => Some(*user),
        }
    }
}

fn milk() -> Item {
    let upc = Upc::parse("0001111041700").expect("a UPC");
    Item { upc, quantity: Quantity::new(1).expect("a quantity"), modality: Modality::Pickup }
}

impl CallAnswer {
    pub(crate) fn text(&self) -> String {
        let grant = |grant: &Grant| {
            let refresh = grant.tokens.refresh_token.as_ref().map_or("none", Secret::expose);
            format!("grant {} ({}, {refresh})", grant.ticket, grant.tokens.access_token.expose())
        };
        match self {
            Self::Grant(Ok(answered)) | Self::Answered(Ok(answered)) => grant(answered),
            Self::Complete(Ok(signed_in)) => grant(&signed_in.grant),
            Self::Grant(Err(trouble)) => format!("{trouble:?}"),
            Self::Answered(Err(failure)) | Self::Complete(Err(failure)) | Self::Forget(Err(failure)) => {
                format!("{:?}: {:?}", failure.code, failure.cause)
            }
            Self::Status(Ok(status)) => format!("{:?}", status.as_ref().map(|status| status.state)),
            Self::Pass(pass) => {
                format!("pass {}", pass.as_ref().map_or("failed".to_owned(), |pass| format!("{pass:?}")))
            }
            Self::Authorize(Ok(_)) => "a link".to_owned(),
            other => format!("{other:?}"),
        }
    }

    /// Answers `None` if the caller was not told that the refresh token was refused and a
    /// person must sign in again; otherwise, whether it was told that the token was probably
    /// spent.
    pub(crate) fn refusal(&self) -> Option<bool> {
        match self {
            Self::Grant(Err(Trouble::Refused { probably_spent })) => Some(*probably_spent),
            Self::Answered(Err(Failure {
                cause: Cause::Grant(GrantTrouble::RefreshTokenRefused { probably_spent }),
                ..
            })) => Some(*probably_spent),
            Self::Status(Ok(Some(status))) => match status.state {
                status::TokenState::Reauthorize { probably_spent } => Some(probably_spent),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the caller was told that nobody is signed in.
    pub(crate) fn says_absent(&self) -> bool {
        match self {
            Self::Grant(Err(Trouble::NotSignedIn)) | Self::Status(Ok(None)) => true,
            Self::Answered(Err(failure)) => {
                matches!(failure.cause, Cause::NotFound(Missing::User) | Cause::Grant(GrantTrouble::NotSignedIn))
            }
            _ => false,
        }
    }

    /// Answers the grant that the caller was given.
    pub(crate) fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Grant(Ok(grant)) | Self::Answered(Ok(grant)) => Some(grant),
            _ => None,
        }
    }
}
