//! Every key of the store: the one place that spells keys and reads them.
//!
//! A key is `<prefix>.<part>…`. No part has a dot, except that a root is two parts
//! (`number.adoption`) and a ticket three (`number.adoption.step`). So a key's
//! prefix and the number of its parts tell its kind. `docs/keys.md` lists the kinds;
//! a test prints it from the table beside this file.
//!
//! The spelling of a key never changes: programs of different versions share a store.

use std::fmt;

use crate::kroger::limits::Endpoint;
use crate::store::ticket::{Root, Ticket};
use crate::user::UserKey;

/// Defines [`Kind`] together with the list of all kinds, so that the list is complete.
macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {
        /// What a key names, without the particulars.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Kind { $($kind),+ }

        #[cfg(test)]
        impl Kind {
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),+];
        }
    };
}

kinds! {
    Roots,
    Seq,
    Head,
    Grant,
    Claim,
    Intent,
    Attempt,
    Fold,
    DueCount,
    DueEntry,
    KeptLifetimes,
    LostLifetimes,
    SignInPlaces,
    SignIn,
    UsedSignIn,
    SignInLink,
    InvitationPlaces,
    Invitation,
    InvitationOf,
    SignInUsed,
    SignInEnded,
    RequestStateSeal,
    AddClaim,
    AddIntent,
    AddOutcome,
    RecentAddPlaces,
    RecentAdd,
    PreferredLocation,
    Catalog,
    QuotaWindow,
    QuotaCount,
    QuotaShare,
    ClientToken,
    RefreshesNotBefore,
    Tick,
    Health,
    Mirror,
}

/// A key. [`fmt::Display`] spells it and [`Key::parse`] reads it; the table beside this
/// file says what is kept under it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Roots { user: UserKey },
    Seq { user: UserKey, root: Root },
    Head { user: UserKey },
    Grant { user: UserKey, ticket: Ticket },
    Claim { user: UserKey, parent: Ticket, number: u64 },
    Intent { user: UserKey, parent: Ticket, number: u64 },
    Attempt { user: UserKey, parent: Ticket, number: u64 },
    Fold { user: UserKey, parent: Ticket, block: u64 },
    DueCount { minute: u64 },
    DueEntry { minute: u64, index: u64 },
    KeptLifetimes { hour: u64 },
    LostLifetimes { hour: u64 },
    SignInPlaces,
    SignIn { place: u64 },
    UsedSignIn { place: u64, state_hash: String },
    SignInLink { user: UserKey },
    InvitationPlaces,
    Invitation { place: u64 },
    InvitationOf { user: UserKey },
    SignInUsed { minute: u64, hash: String },
    SignInEnded { place: u64 },
    RequestStateSeal,
    AddClaim { entry: String, number: u64 },
    AddIntent { entry: String, number: u64 },
    AddOutcome { entry: String, number: u64 },
    RecentAddPlaces { user: UserKey },
    RecentAdd { user: UserKey, place: u64 },
    PreferredLocation { user: UserKey },
    Catalog { path_hash: String },
    QuotaWindow { endpoint: Endpoint },
    QuotaCount { endpoint: Endpoint, window: u64 },
    QuotaShare { endpoint: Endpoint, window: u64, place: u64 },
    ClientToken,
    RefreshesNotBefore,
    Tick,
    Health,
    Mirror,
}

impl Key {
    /// Reads a key that [`fmt::Display`] spelled. None: the text is no key of this
    /// version, or a known one in another spelling (`due.07`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        parse(&parts).filter(|key| key.to_string() == text)
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Roots { .. } => Kind::Roots,
            Self::Seq { .. } => Kind::Seq,
            Self::Head { .. } => Kind::Head,
            Self::Grant { .. } => Kind::Grant,
            Self::Claim { .. } => Kind::Claim,
            Self::Intent { .. } => Kind::Intent,
            Self::Attempt { .. } => Kind::Attempt,
            Self::Fold { .. } => Kind::Fold,
            Self::DueCount { .. } => Kind::DueCount,
            Self::DueEntry { .. } => Kind::DueEntry,
            Self::KeptLifetimes { .. } => Kind::KeptLifetimes,
            Self::LostLifetimes { .. } => Kind::LostLifetimes,
            Self::SignInPlaces => Kind::SignInPlaces,
            Self::SignIn { .. } => Kind::SignIn,
            Self::UsedSignIn { .. } => Kind::UsedSignIn,
            Self::SignInLink { .. } => Kind::SignInLink,
            Self::InvitationPlaces => Kind::InvitationPlaces,
            Self::Invitation { .. } => Kind::Invitation,
            Self::InvitationOf { .. } => Kind::InvitationOf,
            Self::SignInUsed { .. } => Kind::SignInUsed,
            Self::SignInEnded { .. } => Kind::SignInEnded,
            Self::RequestStateSeal => Kind::RequestStateSeal,
            Self::AddClaim { .. } => Kind::AddClaim,
            Self::AddIntent { .. } => Kind::AddIntent,
            Self::AddOutcome { .. } => Kind::AddOutcome,
            Self::RecentAddPlaces { .. } => Kind::RecentAddPlaces,
            Self::RecentAdd { .. } => Kind::RecentAdd,
            Self::PreferredLocation { .. } => Kind::PreferredLocation,
            Self::Catalog { .. } => Kind::Catalog,
            Self::QuotaWindow { .. } => Kind::QuotaWindow,
            Self::QuotaCount { .. } => Kind::QuotaCount,
            Self::QuotaShare { .. } => Kind::QuotaShare,
            Self::ClientToken => Kind::ClientToken,
            Self::RefreshesNotBefore => Kind::RefreshesNotBefore,
            Self::Tick => Kind::Tick,
            Self::Health => Kind::Health,
            Self::Mirror => Kind::Mirror,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roots { user } => write!(f, "roots.{user}"),
            Self::Seq { user, root } => write!(f, "seq.{user}.{root}"),
            Self::Head { user } => write!(f, "head.{user}"),
            Self::Grant { user, ticket } => write!(f, "grant.{user}.{ticket}"),
            Self::Claim { user, parent, number } => write!(f, "claim.{user}.{parent}.{number}"),
            Self::Intent { user, parent, number } => write!(f, "intent.{user}.{parent}.{number}"),
            Self::Attempt { user, parent, number } => write!(f, "attempt.{user}.{parent}.{number}"),
            Self::Fold { user, parent, block } => write!(f, "fold.{user}.{parent}.{block}"),
            Self::DueCount { minute } => write!(f, "due.{minute}"),
            Self::DueEntry { minute, index } => write!(f, "due.{minute}.{index}"),
            Self::KeptLifetimes { hour } => write!(f, "lifetimes.{hour}.kept"),
            Self::LostLifetimes { hour } => write!(f, "lifetimes.{hour}.lost"),
            Self::SignInPlaces => f.write_str("signin.places"),
            Self::SignIn { place } => write!(f, "signin.{place}"),
            Self::UsedSignIn { place, state_hash } => write!(f, "used.{place}.{state_hash}"),
            Self::SignInLink { user } => write!(f, "signin_link.{user}"),
            Self::InvitationPlaces => f.write_str("invitation.places"),
            Self::Invitation { place } => write!(f, "invitation.{place}"),
            Self::InvitationOf { user } => write!(f, "invitation_of.{user}"),
            Self::SignInUsed { minute, hash } => write!(f, "signin_used.{minute}.{hash}"),
            Self::SignInEnded { place } => write!(f, "signin_ended.{place}"),
            Self::RequestStateSeal => f.write_str("request_state_key"),
            Self::AddClaim { entry, number } => write!(f, "add_claim.{entry}.{number}"),
            Self::AddIntent { entry, number } => write!(f, "add_intent.{entry}.{number}"),
            Self::AddOutcome { entry, number } => write!(f, "add_outcome.{entry}.{number}"),
            Self::RecentAddPlaces { user } => write!(f, "recent_add_places.{user}"),
            Self::RecentAdd { user, place } => write!(f, "recent_add.{user}.{place}"),
            Self::PreferredLocation { user } => write!(f, "preferred_store.{user}"),
            Self::Catalog { path_hash } => write!(f, "catalog.{path_hash}"),
            Self::QuotaWindow { endpoint } => write!(f, "quota.{}", endpoint.as_str()),
            Self::QuotaCount { endpoint, window } => write!(f, "quota.{}.{window}", endpoint.as_str()),
            Self::QuotaShare { endpoint, window, place } => write!(f, "quota.{}.{window}.{place}", endpoint.as_str()),
            Self::ClientToken => f.write_str("client_token"),
            Self::RefreshesNotBefore => f.write_str("refreshes_not_before"),
            Self::Tick => f.write_str("tick"),
            Self::Health => f.write_str("health"),
            Self::Mirror => f.write_str("mirror"),
        }
    }
}

/// The inverse of [`fmt::Display`], of a key split at its dots. Numbers are read
/// leniently here; [`Key::parse`] compares the spelling.
fn parse(parts: &[&str]) -> Option<Key> {
    Some(match *parts {
        ["roots", user] => Key::Roots { user: UserKey::from_stored(user) },
        ["seq", user, ref root @ ..] => Key::Seq { user: UserKey::from_stored(user), root: root_of(root)? },
        ["head", user] => Key::Head { user: UserKey::from_stored(user) },
        ["grant", user, ref ticket @ ..] => Key::Grant { user: UserKey::from_stored(user), ticket: ticket_of(ticket)? },
        [part @ ("claim" | "intent" | "attempt" | "fold"), user, ref parent @ .., number] => {
            of_a_try(part, UserKey::from_stored(user), ticket_of(parent)?, number_of(number)?)?
        }
        ["due", minute] => Key::DueCount { minute: number_of(minute)? },
        ["due", minute, index] => Key::DueEntry { minute: number_of(minute)?, index: number_of(index)? },
        ["lifetimes", hour, "kept"] => Key::KeptLifetimes { hour: number_of(hour)? },
        ["lifetimes", hour, "lost"] => Key::LostLifetimes { hour: number_of(hour)? },
        ["signin", "places"] => Key::SignInPlaces,
        ["signin", place] => Key::SignIn { place: number_of(place)? },
        ["used", place, hash] => Key::UsedSignIn { place: number_of(place)?, state_hash: hash.to_owned() },
        ["signin_link", user] => Key::SignInLink { user: UserKey::from_stored(user) },
        ["invitation", "places"] => Key::InvitationPlaces,
        ["invitation", place] => Key::Invitation { place: number_of(place)? },
        ["invitation_of", user] => Key::InvitationOf { user: UserKey::from_stored(user) },
        ["signin_used", minute, hash] => Key::SignInUsed { minute: number_of(minute)?, hash: hash.to_owned() },
        ["signin_ended", place] => Key::SignInEnded { place: number_of(place)? },
        ["request_state_key"] => Key::RequestStateSeal,
        ["add_claim", entry, number] => Key::AddClaim { entry: entry.to_owned(), number: number_of(number)? },
        ["add_intent", entry, number] => Key::AddIntent { entry: entry.to_owned(), number: number_of(number)? },
        ["add_outcome", entry, number] => Key::AddOutcome { entry: entry.to_owned(), number: number_of(number)? },
        ["recent_add_places", user] => Key::RecentAddPlaces { user: UserKey::from_stored(user) },
        ["recent_add", user, place] => Key::RecentAdd { user: UserKey::from_stored(user), place: number_of(place)? },
        ["preferred_store", user] => Key::PreferredLocation { user: UserKey::from_stored(user) },
        ["catalog", hash] => Key::Catalog { path_hash: hash.to_owned() },
        ["quota", endpoint] => Key::QuotaWindow { endpoint: Endpoint::parse(endpoint)? },
        ["quota", endpoint, window] => {
            Key::QuotaCount { endpoint: Endpoint::parse(endpoint)?, window: number_of(window)? }
        }
        ["quota", endpoint, window, place] => Key::QuotaShare {
            endpoint: Endpoint::parse(endpoint)?,
            window: number_of(window)?,
            place: number_of(place)?,
        },
        ["client_token"] => Key::ClientToken,
        ["refreshes_not_before"] => Key::RefreshesNotBefore,
        ["tick"] => Key::Tick,
        ["health"] => Key::Health,
        ["mirror"] => Key::Mirror,
        _ => return None,
    })
}

fn of_a_try(part: &str, user: UserKey, parent: Ticket, number: u64) -> Option<Key> {
    match part {
        "claim" => Some(Key::Claim { user, parent, number }),
        "intent" => Some(Key::Intent { user, parent, number }),
        "attempt" => Some(Key::Attempt { user, parent, number }),
        "fold" => Some(Key::Fold { user, parent, block: number }),
        _ => None,
    }
}

fn number_of(part: &str) -> Option<u64> {
    part.parse().ok()
}

fn root_of(parts: &[&str]) -> Option<Root> {
    parts.join(".").parse().ok()
}

fn ticket_of(parts: &[&str]) -> Option<Ticket> {
    parts.join(".").parse().ok()
}

#[cfg(test)]
pub(super) mod table;
