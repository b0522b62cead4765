//! Why a call gets no grant with a good access token, and which failure that is.
//! Changes nothing.

use std::time::Duration;

use crate::Context;
use crate::app::App;
use crate::failure::{AppTrouble, Cause, Failure, GrantTrouble, StoreTrouble, Undone};
use crate::ports::{StoreError, Timestamp};
use crate::store::claim::Obstacle;
use crate::user::UserId;

/// Why there is no such grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no grant.
    NotSignedIn,
    /// The grant has no refresh token, and its access token is no good.
    NoRefreshToken,
    /// Kroger refused the refresh token.
    Refused {
        probably_spent: bool,
    },
    /// No refresh succeeded, after `tries`. Another try is worth it at `until`.
    Unavailable {
        tries: u64,
        until: Timestamp,
    },
    /// No client id is configured.
    ClientMissing,
    ClientRefused,
    /// Kroger gave a new pair, and it could be saved nowhere.
    Lost,
    Store,
    StoreForgets,
    /// The grant is of this app or server, and another one is configured.
    OfAnotherApp(App),
}

impl From<StoreError> for Trouble {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

impl From<Obstacle> for Trouble {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::StoreFailed => Self::Store,
            Obstacle::StoreForgets => Self::StoreForgets,
        }
    }
}

/// The failure for `trouble`. No other place turns one into the other.
pub(crate) fn failure(cx: Context<'_>, user: &UserId, trouble: &Trouble) -> Failure {
    let sign_in = |cause| Failure::sign_in_needed(cause, user, &cx.settings.scope);
    match trouble {
        Trouble::NotSignedIn => sign_in(Cause::Grant(GrantTrouble::NotSignedIn)),
        Trouble::NoRefreshToken => sign_in(Cause::Grant(GrantTrouble::NothingToRenewWith)),
        Trouble::Refused { probably_spent } => {
            sign_in(Cause::Grant(GrantTrouble::RefreshTokenRefused { probably_spent: *probably_spent }))
        }
        Trouble::Lost => sign_in(Cause::Grant(GrantTrouble::NewTokensLost)),
        Trouble::Unavailable { tries, until } => {
            let wait = until.since(cx.ports.wall_now()).max(Duration::from_secs(1));
            unavailable(*tries).retry_after(wait)
        }
        Trouble::OfAnotherApp(theirs) => Cause::App(AppTrouble::NotTheGrants {
            theirs: Box::new(theirs.clone()),
            ours: Box::new(cx.settings.app.clone()),
        })
        .into(),
        Trouble::ClientMissing => Cause::App(AppTrouble::ClientMissing).into(),
        Trouble::ClientRefused => Cause::App(AppTrouble::ClientRejected).into(),
        Trouble::Store => Failure::store_unavailable(),
        Trouble::StoreForgets => Cause::Store(StoreTrouble::Forgets(Undone::Refresh)).into(),
    }
}

fn unavailable(tries: u64) -> Failure {
    match tries {
        0 => Cause::Grant(GrantTrouble::RefreshUnderWay).into(),
        tries => Cause::Grant(GrantTrouble::RefreshFailed { tries }).into(),
    }
}
