//! Why a call gets no grant with a good access token. Only the type: the words for
//! it are in [`crate::grant::tokens`].

use crate::app::App;
use crate::ports::{StoreError, Timestamp};
use crate::store::claim::Obstacle;

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
