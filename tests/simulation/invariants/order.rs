//! Invariant 3: a newer sign-in is never overwritten, and a deleted user stays deleted.
//!
//! It goes by what a caller was told. A store that forgets is excused.

use crate::process::CallId;
use crate::records::{RecordKind, Ticket, root_of, show, ticket_of};
use crate::simulation::Simulation;
use crate::witness::AckedRoot;
use crate::workload::CallAnswer;

impl Simulation {
    /// 3: an acknowledged sign-in or deletion is no older than the root that was acknowledged
    /// before its call began.
    ///
    /// Notes the acknowledgement for the other checks.
    pub(crate) fn check_acknowledgement(&mut self, call: CallId, done: &CallAnswer) {
        let Some(user) = self.calls[call].task.user() else { return };
        let began = self.calls[call].began;
        if self.weather.store.forgets {
            return;
        }
        let acked = match done {
            CallAnswer::Complete(Ok(signed_in)) if signed_in.is_stored => {
                let root = root_of(&signed_in.grant);
                let token = signed_in.grant.tokens.refresh_token.as_ref().map(|token| token.expose().to_owned());
                if let Some(family) = token.and_then(|token| self.kroger.refresh.get(&token).map(|token| token.family))
                {
                    self.witness.acked_families.insert(family, self.now);
                }
                AckedRoot { root, began, is_deletion: false }
            }
            CallAnswer::Forget(Ok(())) => {
                // A user without a history has no root, and a deletion then writes nothing.
                let root = self.witness.seen[call].tombstone.unwrap_or_default();
                AckedRoot { root, began, is_deletion: true }
            }
            _ => return,
        };
        if self.witness.acked[user].is_none_or(|before| before.root < acked.root) {
            self.witness.acked[user] = Some(acked);
        } else if self.witness.seen[call].acked[user].is_some_and(|before| before.root > acked.root) {
            self.witness.violate(
                3,
                format!(
                    "{} was acknowledged although a newer root was acknowledged before its call began",
                    show(acked.root)
                ),
            );
        }
        if acked.is_deletion && self.witness.deleted[user].is_none_or(|before| before.root <= acked.root) {
            self.witness.deleted[user] = Some(acked);
        }
        self.check_current(user);
    }

    /// 3: the user's newest record is no older than the acknowledged root, and its token
    /// does not come from a sign-in that the acknowledged one replaced.
    pub(crate) fn check_current(&mut self, user: usize) {
        let Some((record, _)) = self.witness.current(user) else { return };
        let (root, ticket, token) = (record.root, record.ticket, record.token.clone());
        let Some(acked) = self.witness.acked[user] else { return };
        if root < acked.root {
            return self.witness.violate(
                3,
                format!("the current record is {} although {} was acknowledged", show(ticket), show(acked.root)),
            );
        }
        let Some(family) = token.and_then(|token| self.kroger.refresh.get(&token).map(|token| token.family)) else {
            return;
        };
        let origin = self.kroger.families[family];
        if let Some(deletion) = self.witness.deleted[user]
            && origin.began < deletion.began
        {
            return self.witness.violate(
                3,
                format!("a deleted user is back: {} comes from a sign-in before the deletion", show(ticket)),
            );
        }
        let is_older = match self.witness.acked_families.get(&family) {
            Some(at) => *at < acked.began,
            None => origin.is_from_outside && origin.began < acked.began,
        };
        let is_known = self.witness.current_family[user].replace(family) == Some(family);
        // A pair from outside may take the place of a sign-in that is dead.
        if is_older && !is_known && !acked.is_deletion && self.is_alive_or_being_saved(user, acked, root) {
            self.witness
                .violate(3, format!("a newer sign-in was overwritten: {} comes from an older one", show(ticket)));
        }
    }

    /// 3: a call is given no grant that is older than the root that was acknowledged before
    /// it began, and is not told that nobody is signed in while somebody is.
    pub(crate) fn check_root(&mut self, call: CallId, done: &CallAnswer) {
        if self.weather.store.forgets {
            return;
        }
        let Some(user) = self.calls[call].task.user() else { return };
        let Some(acked) = self.witness.seen[call].acked[user] else { return };
        let status = match done {
            CallAnswer::Status(Ok(Some(status))) => Some(&status.grant),
            _ => None,
        };
        if let Some(grant) = done.grant().or(status)
            && root_of(grant) < acked.root
        {
            let text = format!("a call was given {}, older than {}", show(ticket_of(grant)), show(acked.root));
            return self.witness.violate(3, text);
        }
        let is_signed_in = self
            .witness
            .current(user)
            .is_some_and(|(record, written)| record.kind != RecordKind::Deleted && *written < self.calls[call].began);
        if done.says_absent()
            && is_signed_in
            && !acked.is_deletion
            && self.witness.acked[user].is_some_and(|now| !now.is_deletion)
        {
            self.witness.violate(3, "a call was told that nobody is signed in");
        }
    }

    /// Whether the last acknowledged sign-in still has a good token, in the store or with a
    /// process that is in its lease.
    ///
    /// A newer sign-in that was never acknowledged counts in its place.
    fn is_alive_or_being_saved(&self, user: usize, acked: AckedRoot, current: Ticket) -> bool {
        let records = || self.witness.records[user].values().map(|(record, _)| record);
        let before = records().map(|record| record.root).filter(|root| *root < current).max();
        let root = before.map_or(acked.root, |before| before.max(acked.root));
        let of_root = records().filter(|record| record.root == root);
        let Some(token) = of_root.max_by_key(|record| record.ticket).and_then(|record| record.token.as_deref()) else {
            return false;
        };
        self.kroger.is_good(Some(token), self.now) || self.is_being_saved(user, token)
    }
}
