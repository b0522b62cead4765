//! What each kind of key is for: the rows of `docs/keys.md`.

use super::{Key, Kind};
use crate::store::ticket::{Root, Ticket};
use crate::user::UserKey;

/// What is kept under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Value {
    Counter,
    Text(&'static str),
    /// JSON of a type that is [`crate::store::codec::Stored`].
    Record(&'static str),
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Row {
    pub(in crate::store) pattern: &'static str,
    pub(in crate::store) value: Value,
    pub(in crate::store) bucket: &'static str,
    pub(in crate::store) written_by: &'static str,
    pub(in crate::store) deleted: &'static str,
}

const NEVER: &str = "never";
const WITH_ITS_GRANT: &str = "by the refresh after the next, or the sweep, once a descendant of its grant is stored; \
                              a try that a fold stands for, with that fold";

impl Row {
    pub(in crate::store) fn is_per_user(&self) -> bool {
        self.pattern.contains("<user>") || self.pattern.contains("<entry>")
    }
}

impl Kind {
    /// The kind's row. A new kind does not compile without one.
    pub(in crate::store) fn row(self) -> Row {
        use Value::{Counter, Record, Text};

        let store = |pattern, value, written_by, deleted| Row { pattern, value, bucket: "store", written_by, deleted };
        match self {
            Self::Roots => store("roots.<user>", Counter, "grant::records::take_root", NEVER),
            Self::Seq => store(
                "seq.<user>.<root>",
                Counter,
                "grant::records::take_ticket",
                "by the sweep, once a newer root is stored",
            ),
            Self::Head => store("head.<user>", Text("a ticket"), "grant::records::move_head", NEVER),
            Self::Grant => Row {
                bucket: "store, rescue",
                ..store(
                    "grant.<user>.<ticket>",
                    Record("grant::lineage::Record"),
                    "grant::records::write, keep",
                    "by the refresh after the next, or the sweep, once a descendant is stored; a root's own record, \
                     once a newer root is stored",
                )
            },
            Self::Claim => store("claim.<user>.<ticket>.<n>", Counter, "grant::refresh", WITH_ITS_GRANT),
            Self::Intent => store(
                "intent.<user>.<ticket>.<n>",
                Record("grant::attempts::Intent"),
                "grant::refresh::owner",
                WITH_ITS_GRANT,
            ),
            Self::Attempt => store(
                "attempt.<user>.<ticket>.<n>",
                Record("grant::attempts::Attempt"),
                "grant::refresh::owner",
                WITH_ITS_GRANT,
            ),
            Self::Fold => store(
                "fold.<user>.<ticket>.<k>",
                Record("grant::folded::Fold"),
                "grant::folded::fold",
                "by the sweep, once a descendant of its grant is stored",
            ),
            Self::DueCount => store(
                "due.<minute>",
                Counter,
                "grant::due::enter",
                "by the timer, once the minute is over and empty; by the sweep a day later",
            ),
            Self::DueEntry => store(
                "due.<minute>.<i>",
                Text("a user id"),
                "grant::due::enter",
                "by the timer, once the user is no longer due by it; by the sweep a day later",
            ),
            Self::KeptLifetimes => {
                store("lifetimes.<hour>.kept", Counter, "grant::success_rate::count", "by the sweep, after 25 hours")
            }
            Self::LostLifetimes => {
                store("lifetimes.<hour>.lost", Counter, "grant::success_rate::count", "by the sweep, after 25 hours")
            }
            Self::SignInPlaces => store("signin.places", Counter, "sign_in::authorization", NEVER),
            Self::SignIn => store(
                "signin.<place>",
                Record("sign_in::authorization::Pending"),
                "sign_in::authorization",
                "when its user is forgotten; by the sweep, 20 minutes after it began",
            ),
            Self::UsedSignIn => store(
                "used.<place>.<hash>",
                Counter,
                "sign_in::authorization",
                "by the sweep, once its sign-in is gone or overwritten",
            ),
            Self::SignInLink => store(
                "signin_link.<user>",
                Record("sign_in::authorization::Link"),
                "sign_in::authorization::shared_link",
                "by the sweep, 20 minutes after it was made",
            ),
            Self::InvitationPlaces => store("invitation.places", Counter, "sign_in::invitation::invite", NEVER),
            Self::Invitation => store(
                "invitation.<place>",
                Record("sign_in::invitation::Invitation"),
                "sign_in::invitation::invite",
                "by the sweep, 20 minutes after it was made",
            ),
            Self::InvitationOf => store(
                "invitation_of.<user>",
                Record("sign_in::invitation::Shared"),
                "sign_in::invitation::invite",
                "by the sweep, 20 minutes after it was made",
            ),
            Self::RequestStateKey => {
                store("request_state_key", Record("sign_in::seal::SealKey"), "sign_in::seal::key", NEVER)
            }
            Self::AddClaim => store("add_claim.<entry>.<n>", Counter, "cart::ledger", AFTER_A_DAY),
            Self::AddIntent => {
                store("add_intent.<entry>.<n>", Record("cart::ledger::Intent"), "cart::ledger", AFTER_A_DAY)
            }
            Self::AddOutcome => {
                store("add_outcome.<entry>.<n>", Record("cart::ledger::Record"), "cart::ledger", AFTER_A_DAY)
            }
            Self::RecentAddPlaces => store("recent_add_places.<user>", Counter, "cart::recent_adds::note", NEVER),
            Self::RecentAdd => store(
                "recent_add.<user>.<place>",
                Record("cart::recent_adds::Add"),
                "cart::recent_adds::note",
                "when the user's log is wiped; by the sweep, once it expired or the log is turned off",
            ),
            Self::PreferredStore => store(
                "preferred_store.<user>",
                Record("catalog::preferred_location::Choice"),
                "catalog::preferred_location::set",
                "when the user's choice is cleared",
            ),
            Self::Catalog => Row {
                bucket: "cache",
                ..store(
                    "catalog.<hash>",
                    Record("catalog::cache::Kept"),
                    "catalog::cache::put",
                    "by the host, which bounds the bucket",
                )
            },
            Self::QuotaWindow => store("quota.<endpoint>", Record("upstream::quota::Window"), "upstream::quota", NEVER),
            Self::QuotaCount => store(
                "quota.<endpoint>.<n>",
                Counter,
                "upstream::quota::spend",
                "by the sweep, once a newer window is open",
            ),
            Self::ClientToken => {
                store("client_token", Record("upstream::app_token::Stored"), "upstream::app_token", NEVER)
            }
            Self::RefreshesNotBefore => {
                store("refreshes_not_before", Record("upstream::busy::Note"), "upstream::busy::note", NEVER)
            }
            Self::Tick => store("tick", Record("service::maintenance::Tick"), "service::maintenance::tidy", NEVER),
            Self::Health => store("health", Record("store::health::Mark"), "store::health::persistence", NEVER),
            Self::Mirror => Row {
                bucket: "env",
                ..store(
                    "mirror",
                    Text("lines of the `.env` file"),
                    "grant::outside_pair::export",
                    "when the default user is forgotten",
                )
            },
        }
    }

    /// A key of this kind; other numbers give other keys.
    pub(in crate::store) fn example(self, n: u64) -> Key {
        let hash = || crate::secret::base32_sha256(&n.to_string());
        let user = || UserKey::from_stored(&hash());
        let root = Root { number: n, adoption: n % 3 };
        let (ticket, parent) = (Ticket { root, step: n }, root.ticket());
        match self {
            Self::Roots => Key::Roots { user: user() },
            Self::Seq => Key::Seq { user: user(), root },
            Self::Head => Key::Head { user: user() },
            Self::Grant => Key::Grant { user: user(), ticket },
            Self::Claim => Key::Claim { user: user(), parent, number: n },
            Self::Intent => Key::Intent { user: user(), parent, number: n },
            Self::Attempt => Key::Attempt { user: user(), parent: ticket, number: n },
            Self::Fold => Key::Fold { user: user(), parent: ticket, block: n },
            Self::DueCount => Key::DueCount { minute: n },
            Self::DueEntry => Key::DueEntry { minute: n, index: n },
            Self::KeptLifetimes => Key::KeptLifetimes { hour: n },
            Self::LostLifetimes => Key::LostLifetimes { hour: n },
            Self::SignInPlaces => Key::SignInPlaces,
            Self::SignIn => Key::SignIn { place: n },
            Self::UsedSignIn => Key::UsedSignIn { place: n, state_hash: hash() },
            Self::SignInLink => Key::SignInLink { user: user() },
            Self::InvitationPlaces => Key::InvitationPlaces,
            Self::Invitation => Key::Invitation { place: n },
            Self::InvitationOf => Key::InvitationOf { user: user() },
            Self::RequestStateKey => Key::RequestStateKey,
            Self::AddClaim => Key::AddClaim { entry: hash(), number: n },
            Self::AddIntent => Key::AddIntent { entry: hash(), number: n },
            Self::AddOutcome => Key::AddOutcome { entry: hash(), number: n },
            Self::RecentAddPlaces => Key::RecentAddPlaces { user: user() },
            Self::RecentAdd => Key::RecentAdd { user: user(), place: n },
            Self::PreferredStore => Key::PreferredStore { user: user() },
            Self::Catalog => Key::Catalog { path_hash: hash() },
            Self::QuotaWindow => Key::QuotaWindow { endpoint: "cart".to_owned() },
            Self::QuotaCount => Key::QuotaCount { endpoint: "cart".to_owned(), window: n },
            Self::ClientToken => Key::ClientToken,
            Self::RefreshesNotBefore => Key::RefreshesNotBefore,
            Self::Tick => Key::Tick,
            Self::Health => Key::Health,
            Self::Mirror => Key::Mirror,
        }
    }
}

const AFTER_A_DAY: &str = "by the sweep, 25 hours after the entry's last try";
