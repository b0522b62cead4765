//! Invariant 7: when faults stop, each grant becomes fresh or says `reauthorize`, and the
//! keys left are bounded.
//!
//! These checks run after the storm, or at the end of a long outage.

use std::collections::BTreeMap;

use crate::records::{self, RecordKind, Ticket, show};
use crate::simulation::Simulation;
use crate::time::{DAY, SECOND};
use crate::workload::{CallAnswer, USERS};

impl Simulation {
    /// Whether a call's answer leaves the user's grant at rest: nobody
    /// is signed in, the grant is fresh, or the call says `reauthorize` and the token is dead.
    pub(crate) fn is_at_rest(&self, user: usize, done: &CallAnswer) -> bool {
        let Some((record, _)) = self.witness.current(user) else { return true };
        let is_good = self.kroger.is_good(record.token.as_deref(), self.now);
        let is_fresh = done.grant().is_some_and(|grant| {
            self.kroger.access_ends(grant.tokens.access_token.expose()).is_some_and(|ends| self.now < ends)
        });
        record.kind == RecordKind::Deleted || is_fresh || (done.refusal().is_some() && !is_good)
    }

    /// 7: a grant that is not at rest in time is a violation.
    pub(crate) fn restless(&mut self, user: usize, told: &str) {
        self.witness.violate(7, format!("when all was calm, {} ended with {told}", USERS[user]));
    }

    /// 7: the timer alone keeps a live grant fresh.
    pub(crate) fn check_kept(&mut self, user: usize) {
        let Some((record, written)) = self.witness.current(user).cloned() else { return };
        let Some(token) = record.token else { return };
        let is_good = self.kroger.is_good(Some(&token), self.now);
        if is_good && self.now > written + self.kroger.access_life {
            let text = format!(
                "the timer let the token of {} expire: {} is {} s old",
                USERS[user],
                show(record.ticket),
                (self.now - written) / SECOND
            );
            self.witness.violate(7, text);
        }
    }

    /// 7: no pair is left in a rescue bucket.
    pub(crate) fn check_rescued(&mut self) {
        if self.machines.iter().any(|machine| machine.rescue.as_ref().is_some_and(|rescue| !rescue.is_empty())) {
            self.witness.violate(7, "when all was calm, a rescued pair was not saved");
        }
    }

    /// 7: the keys left in the store are bounded by the number of users and by what happened
    /// on the last day.
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
        // The sweep enters a user again by each clock that it sees. If that clock was ahead by
        // years, the entry stays until its minute comes.
        let clocks_set = self.counts.faults.get("wall clock set").copied().unwrap_or(0);
        let latest = (0..self.machines.len()).map(|machine| self.wall(machine).as_secs()).max().unwrap_or(0);
        let has_come = |key: &str| due_minute(key).is_some_and(|minute| minute * 60 < latest + 2 * DAY / SECOND);
        let due_now = self.store.keys().filter(|key| has_come(key)).count() as u64;
        if due_now > 2 * refreshes + 20 || due > 2 * (refreshes + clocks_set) + 20 {
            self.witness.violate(7, format!("{due} due entries are left"));
        }
    }

    /// 7: the keys of failed tries are bounded, however often a refresh was tried.
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

    /// Whether a key is needed.
    ///
    /// The keys of a grant are needed while it or its child is current; those of a root,
    /// while there is no newer root.
    fn is_needed(&mut self, key: &str) -> bool {
        let (what, rest) = key.split_once('.').unwrap_or((key, ""));
        let Some(user) = self.witness.user(rest.split('.').next().unwrap_or_default()) else {
            return matches!(what, "tick" | "client_token" | "refreshes_not_before" | "request_state_key");
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
            // A newer grant waits in a rescue bucket, or was lost with one.
            _ => records::try_key(key).is_some_and(|(_, _, ticket, _)| is_near(ticket) || ticket > newest.ticket),
        }
    }
}

/// Whether another rule bounds keys of this kind: what a sign-in leaves is over in minutes,
/// and hourly counts and due entries are kept for a day.
fn is_bounded_elsewhere(key: &str) -> bool {
    ["signin", "used.", "lifetimes.", "due.", "quota."].iter().any(|start| key.starts_with(start))
}

/// The minute of a key of the due index, since the Unix epoch.
fn due_minute(key: &str) -> Option<u64> {
    key.strip_prefix("due.")?.split('.').next()?.parse().ok()
}
