//! What must hold when all is calm: promise 7.

use std::collections::BTreeMap;

use crate::records::{self, RecordKind, Ticket, show};
use crate::simulation::Simulation;
use crate::time::SECOND;
use crate::workload::{CallAnswer, USERS};

impl Simulation {
    /// 7: when all is calm, each grant is fresh or says that it is not.
    /// Answers whether it is so.
    pub(crate) fn is_at_rest(&self, user: usize, done: &CallAnswer) -> bool {
        let Some((record, _)) = self.witness.current(user) else { return true };
        let is_good = self.kroger.is_good(record.token.as_deref(), self.now);
        let is_fresh = done.grant().is_some_and(|grant| {
            self.kroger.access_ends(grant.tokens.access_token.expose()).is_some_and(|ends| self.now < ends)
        });
        record.kind == RecordKind::Deleted || is_fresh || (done.refusal().is_some() && !is_good)
    }

    pub(crate) fn restless(&mut self, user: usize, told: &str) {
        self.witness.violate(7, format!("when all was calm, {} ended with {told}", USERS[user]));
    }

    /// 7: the timer alone keeps a grant fresh.
    pub(crate) fn check_kept(&mut self, user: usize) {
        let Some((record, written)) = self.witness.current(user).cloned() else { return };
        let Some(token) = record.token else { return };
        let is_good = self.kroger.is_good(Some(&token), self.now);
        if is_good && self.now > written + self.kroger.access_life {
            let text = format!(
                "the timer let the token of {} expire: {} is of {} s ago",
                USERS[user],
                show(record.ticket),
                (self.now - written) / SECOND
            );
            self.witness.violate(7, text);
        }
    }

    pub(crate) fn check_rescued(&mut self) {
        if self.machines.iter().any(|machine| machine.rescue.as_ref().is_some_and(|rescue| !rescue.is_empty())) {
            self.witness.violate(7, "when all was calm, a rescued pair was not saved");
        }
    }

    /// 7: what is left in the store is bounded: by the users, and by what the last
    /// day did.
    pub(crate) fn check_keys(&mut self) {
        let refreshes = self.counts.states.get("refreshed").copied().unwrap_or(0)
            + self.counts.states.get("signed in").copied().unwrap_or(0);
        let due = self.store.keys().filter(|key| key.starts_with("due.")).count() as u64;
        let left: Vec<String> = self.store.keys().filter(|key| !is_bounded_elsewhere(key)).cloned().collect();
        self.counts.most_keys = self.counts.most_keys.max(left.len());
        let unneeded = left.iter().filter(|key| !self.is_needed(key)).collect::<Vec<_>>();
        if !unneeded.is_empty() {
            let text = format!("keys that nobody needs are left: {unneeded:?}");
            return self.witness.violate(7, text);
        }
        if due > 2 * refreshes + 20 {
            self.witness.violate(7, format!("{due} entries of what is due are left"));
        }
    }

    /// 7: however often a refresh was tried in vain, little of it is left.
    pub(crate) fn check_tries(&mut self) {
        const MOST: usize = 300;

        let mut tries: BTreeMap<String, usize> = BTreeMap::new();
        for key in self.store.keys() {
            if let Some((_, user, parent, _)) = records::try_key(key) {
                *tries.entry(format!("{user} {}", show(parent))).or_default() += 1;
            }
        }
        if let Some((grant, keys)) = tries.into_iter().max_by_key(|(_, keys)| *keys).filter(|(_, keys)| *keys > MOST) {
            self.witness.violate(7, format!("{keys} keys of tries at one grant: {grant}"));
        }
    }

    /// A grant's keys are needed while it, or its child, is the current one; a
    /// root's, while there is no newer.
    fn is_needed(&mut self, key: &str) -> bool {
        let (what, rest) = key.split_once('.').unwrap_or((key, ""));
        let Some(user) = self.witness.user(rest.split('.').next().unwrap_or_default()) else {
            return matches!(what, "tick" | "client_token" | "refreshes_not_before");
        };
        let Some((newest, _)) = self.witness.current(user).cloned() else { return what != "grant" };
        let parent = match newest.kind {
            RecordKind::Refreshed { parent } => parent,
            _ => newest.ticket,
        };
        let is_near = |ticket: Ticket| ticket == newest.ticket || ticket == parent;
        match what {
            "roots" | "head" => true,
            "seq" => rest.rsplit('.').nth(1).and_then(|number| number.parse().ok()) >= Some(newest.ticket.0),
            "grant" => records::grant_key(key)
                .is_some_and(|(_, ticket)| is_near(ticket) || ticket.0 == newest.ticket.0 && ticket.2 == 0),
            // What is newer waits in a rescue bucket, or was lost from one.
            _ => records::try_key(key).is_some_and(|(_, _, ticket, _)| is_near(ticket) || ticket > newest.ticket),
        }
    }
}

/// Sign-ins have a thousand places; hourly counts and what is due are kept for a
/// day.
fn is_bounded_elsewhere(key: &str) -> bool {
    ["signin", "used.", "lifetimes.", "due.", "quota."].iter().any(|start| key.starts_with(start))
}
