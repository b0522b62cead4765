//! Reports for each customer whether they are signed in, for the front page.
//!
//! Changes nothing.

use std::{collections::BTreeMap, time::SystemTime};

use super::authorization_server::{AuthorizationServer, SignInId};
use crate::clock::seconds_until;

/// How a customer is signed in, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SignInStatus {
    NeverSignedIn,
    /// No token is valid; the customer must consent again.
    MustSignIn,
    /// No access token is valid; a refresh brings a new one.
    Expired,
    /// The longest-lived access token has this many seconds left.
    SignedIn(u64),
}

impl AuthorizationServer {
    /// Reports the status of everyone in `known` and everyone who signed in, sorted by name.
    pub(crate) fn sign_in_statuses<'a>(
        &'a self,
        now: SystemTime,
        known: &[&'a str],
    ) -> BTreeMap<&'a str, SignInStatus> {
        let mut statuses: BTreeMap<&str, SignInStatus> =
            known.iter().map(|name| (*name, SignInStatus::NeverSignedIn)).collect();
        for (id, status) in self.status_of_each_sign_in(now) {
            let best = statuses.entry(&self.sign_ins[id].user).or_insert(status);
            *best = status.max(*best);
        }
        statuses
    }

    /// Reports what each sign-in and each of its tokens is still good for.
    fn status_of_each_sign_in(&self, now: SystemTime) -> impl Iterator<Item = (SignInId, SignInStatus)> {
        let consents = (0..self.sign_ins.len()).map(|id| (id, SignInStatus::MustSignIn));
        let usable = self.refresh_tokens.values().filter(move |token| {
            let revoked = self.sign_ins[token.sign_in].revoked;
            !revoked && token.spent.is_none() && now < token.expires_at
        });
        let refreshable = usable.map(|token| (token.sign_in, SignInStatus::Expired));
        let live = self.access_tokens.values().filter(move |token| self.is_live(token, now));
        let signed_in = live.filter_map(move |token| {
            let left = seconds_until(now, token.expires_at);
            token.sign_in.map(|id| (id, SignInStatus::SignedIn(left)))
        });
        consents.chain(refreshable).chain(signed_in)
    }
}
