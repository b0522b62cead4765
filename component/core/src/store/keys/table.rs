//! What each kind of key is for: the rows of `docs/keys.md`.

use super::{Key, Kind};
use crate::kroger::limits::Endpoint;
use crate::store::ticket::{Root, Ticket};
use crate::user::UserKey;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Counter,
    Text,
    /// JSON of this type, which is [`crate::store::codec::Stored`].
    Record(&'static str),
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) pattern: &'static str,
    pub(crate) form: Form,
    /// What the value says.
    pub(crate) holds: &'static str,
    pub(crate) written_by: &'static str,
    pub(crate) deleted: &'static str,
    pub(crate) bucket: &'static str,
}

const NEVER: &str = "never";
const WITH_ITS_GRANT: &str = "by the refresh after the next, or the sweep, once a descendant of the grant is stored; \
                              earlier, once a fold stands for it";
const FORMER: &str = "sign_in::former";
const AFTER_20_MINUTES: &str = "by the sweep, after 20 minutes";
const AFTER_25_HOURS: &str = "by the sweep, after 25 hours";

impl Row {
    pub(crate) fn is_per_user(&self) -> bool {
        self.pattern.contains("<user>") || self.pattern.contains("<entry>")
    }
}

impl Kind {
    /// The kind's row. A new kind does not compile without one.
    #[allow(clippy::too_many_lines, reason = "a table: one row for each kind")]
    pub(crate) fn row(self) -> Row {
        use Form::{Counter, Record, Text};

        let row = |pattern, form, holds, written_by, deleted| Row {
            pattern,
            form,
            holds,
            written_by,
            deleted,
            bucket: "store",
        };
        match self {
            Self::Roots => {
                row("roots.<user>", Counter, "sign-ins and deletions of the user", "grant::records::take_root", NEVER)
            }
            Self::Seq => row(
                "seq.<user>.<root>",
                Counter,
                "tickets of what descends from the root",
                "grant::records::take_ticket",
                "by the sweep, once a newer sign-in or deletion is stored",
            ),
            Self::Head => row(
                "head.<user>",
                Text,
                "a ticket at or before the current grant's; a hint, which may be behind",
                "grant::records::move_head",
                NEVER,
            ),
            Self::Grant => Row {
                bucket: "store, rescue",
                ..row(
                    "grant.<user>.<ticket>",
                    Record("grant::lineage::Record"),
                    "a sign-in, a refresh or a deletion; written once",
                    "grant::records::write, grant::records::keep, grant::records::settle, service::maintenance::save_rescued",
                    "by the refresh after the next, or the sweep, once a descendant is stored; a root's own record, once a newer sign-in or deletion is stored",
                )
            },
            Self::Claim => row(
                "claim.<user>.<ticket>.<n>",
                Counter,
                "callers that claimed try `n` at refreshing the grant; the first one owns it",
                "grant::refresh",
                WITH_ITS_GRANT,
            ),
            Self::Intent => row(
                "intent.<user>.<ticket>.<n>",
                Record("grant::attempts::Intent"),
                "that the owner of try `n` is about to send; written once",
                "grant::refresh::owner",
                WITH_ITS_GRANT,
            ),
            Self::Attempt => row(
                "attempt.<user>.<ticket>.<n>",
                Record("grant::attempts::Attempt"),
                "how try `n` failed; written once",
                "grant::refresh::owner",
                WITH_ITS_GRANT,
            ),
            Self::Fold => row(
                "fold.<user>.<ticket>.<k>",
                Record("grant::folded::Fold"),
                "what is left of the tries 1 to 16·k",
                "grant::folded::fold",
                "by the sweep, once a descendant of the grant is stored",
            ),
            Self::DueCount => row(
                "due.<minute>",
                Counter,
                "entries of the minute",
                "grant::due::enter",
                "by the timer, once the minute is over and empty; by the sweep, a day later",
            ),
            Self::DueEntry => row(
                "due.<minute>.<i>",
                Text,
                "the id of a user whose token is due in the minute; a hint",
                "grant::due::enter",
                "by the timer, once the user's token is due later; by the sweep, a day later",
            ),
            Self::KeptLifetimes => row(
                "lifetimes.<hour>.kept",
                Counter,
                "token lifetimes that ended in the hour with a fresh token at their end",
                "grant::success_rate::count",
                AFTER_25_HOURS,
            ),
            Self::LostLifetimes => row(
                "lifetimes.<hour>.lost",
                Counter,
                "token lifetimes that ended in the hour without one",
                "grant::success_rate::count",
                AFTER_25_HOURS,
            ),
            Self::SignInPlaces => row("signin.places", Counter, "sign-ins that version 0.1.0 began", FORMER, NEVER),
            Self::SignIn => row("signin.<place>", Text, "a sign-in that version 0.1.0 began", FORMER, AFTER_20_MINUTES),
            Self::UsedSignIn => row(
                "used.<place>.<hash>",
                Counter,
                "redirects of a sign-in that version 0.1.0 began",
                FORMER,
                "by the sweep, once no sign-in is at the place",
            ),
            Self::SignInLink => {
                row("signin_link.<user>", Text, "a link that version 0.1.0 shared", FORMER, AFTER_20_MINUTES)
            }
            Self::InvitationPlaces => row("invitation.places", Counter, "invitations of version 0.1.0", FORMER, NEVER),
            Self::Invitation => {
                row("invitation.<place>", Text, "an invitation of version 0.1.0", FORMER, AFTER_20_MINUTES)
            }
            Self::InvitationOf => {
                row("invitation_of.<user>", Text, "an invitation that version 0.1.0 shared", FORMER, AFTER_20_MINUTES)
            }
            Self::SignInUsed => row(
                "signin_used.<minute>.<hash>",
                Counter,
                "redirects that came with the `state` of that hash, or consents to the invitation; the first one goes on",
                "sign_in::used::take",
                "by the sweep, after the minute",
            ),
            Self::SignInEnded => row(
                "signin_ended.<place>",
                Record("sign_in::ended::Ended"),
                "the last sign-out of a user who never signed in, in one of 1,024 places",
                "sign_in::ended::end",
                "never; after 20 minutes a sign-out of another user may replace it",
            ),
            Self::RequestStateSeal => row(
                "request_state_key",
                Record("sign_in::seal::SealKey"),
                "the key that seals what a client carries between two calls",
                "sign_in::seal::seal_key",
                NEVER,
            ),
            Self::AddClaim => row(
                "add_claim.<entry>.<n>",
                Counter,
                "callers that claimed try `n` at the add; the first one owns it",
                "cart::ledger",
                AFTER_25_HOURS,
            ),
            Self::AddIntent => row(
                "add_intent.<entry>.<n>",
                Record("cart::ledger::AddIntent"),
                "that the owner of try `n` is about to send; written once",
                "cart::ledger",
                AFTER_25_HOURS,
            ),
            Self::AddOutcome => row(
                "add_outcome.<entry>.<n>",
                Record("cart::ledger::AddRecord"),
                "what became of try `n`",
                "cart::ledger",
                AFTER_25_HOURS,
            ),
            Self::RecentAddPlaces => row(
                "recent_add_places.<user>",
                Counter,
                "adds that were noted; its remainder by 50 is the next place",
                "cart::recent_adds::note",
                NEVER,
            ),
            Self::RecentAdd => row(
                "recent_add.<user>.<place>",
                Record("cart::recent_adds::Add"),
                "one add that Kroger took",
                "cart::recent_adds::note",
                "when the user's log is wiped; by the sweep, once it expired or the log is off",
            ),
            Self::PreferredLocation => Row {
                bucket: "store; of a user who never signed in: cache",
                ..row(
                    "preferred_store.<user>",
                    Record("catalog::preferred_location::Choice"),
                    "the location that the user chose",
                    "catalog::preferred_location::set",
                    "when the user clears the choice; by the sweep, if the user never signed in",
                )
            },
            Self::Catalog => Row {
                bucket: "cache",
                ..row(
                    "catalog.<hash>",
                    Record("catalog::cache::KeptAnswer"),
                    "Kroger's answer to a GET of the path of that hash",
                    "catalog::cache::put",
                    "by the host, which bounds the bucket",
                )
            },
            Self::QuotaWindow => row(
                "quota.<endpoint>",
                Record("upstream::quota::Window"),
                "the present window of the endpoint's quota",
                "upstream::quota",
                NEVER,
            ),
            Self::QuotaCount => row(
                "quota.<endpoint>.<n>",
                Counter,
                "calls in window `n`",
                "upstream::quota::spend",
                "by the sweep, once a newer window is open",
            ),
            Self::QuotaShare => row(
                "quota.<endpoint>.<n>.<place>",
                Counter,
                "calls in the second half of window `n`, of the users at the place",
                "upstream::quota::spend",
                "by the sweep, once a newer window is open",
            ),
            Self::ClientToken => row(
                "client_token",
                Record("upstream::app_token::StoredAppToken"),
                "the app's own token",
                "upstream::app_token",
                NEVER,
            ),
            Self::RefreshesNotBefore => row(
                "refreshes_not_before",
                Record("grant::busy::Note"),
                "until when a 429 asks all timers to wait; a hint",
                "grant::busy::note",
                NEVER,
            ),
            Self::Tick => row(
                "tick",
                Record("service::maintenance::Tick"),
                "the last pass of the timer",
                "service::maintenance::tidy",
                NEVER,
            ),
            Self::Health => row(
                "health",
                Record("store::health::Mark"),
                "a mark that shows whether the store keeps what it is told",
                "store::health::persistence",
                NEVER,
            ),
            Self::Mirror => Row {
                bucket: "env",
                ..row(
                    "mirror",
                    Text,
                    "the lines of the default user's tokens in `.env`",
                    "grant::outside_pair::export",
                    "when the default user is forgotten",
                )
            },
        }
    }

    /// A key of this kind; other numbers give other keys.
    pub(crate) fn example(self, n: u64) -> Key {
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
            Self::SignInUsed => Key::SignInUsed { minute: n, hash: hash() },
            Self::SignInEnded => Key::SignInEnded { place: n },
            Self::RequestStateSeal => Key::RequestStateSeal,
            Self::AddClaim => Key::AddClaim { entry: hash(), number: n },
            Self::AddIntent => Key::AddIntent { entry: hash(), number: n },
            Self::AddOutcome => Key::AddOutcome { entry: hash(), number: n },
            Self::RecentAddPlaces => Key::RecentAddPlaces { user: user() },
            Self::RecentAdd => Key::RecentAdd { user: user(), place: n },
            Self::PreferredLocation => Key::PreferredLocation { user: user() },
            Self::Catalog => Key::Catalog { path_hash: hash() },
            Self::QuotaWindow => Key::QuotaWindow { endpoint: Endpoint::Cart },
            Self::QuotaCount => Key::QuotaCount { endpoint: Endpoint::Cart, window: n },
            Self::QuotaShare => Key::QuotaShare { endpoint: Endpoint::Cart, window: n, place: n },
            Self::ClientToken => Key::ClientToken,
            Self::RefreshesNotBefore => Key::RefreshesNotBefore,
            Self::Tick => Key::Tick,
            Self::Health => Key::Health,
            Self::Mirror => Key::Mirror,
        }
    }
}
