//! Invariant 1: the newest refresh token that Kroger holds valid is stored, or rescued, or
//! an intent says that it may not be.
//!
//! It also checks the part of invariant 6 by which a caller is told of a loss. A loss that
//! the protocol cannot prevent is counted, and is no violation.

use kroger_core::failure::{Cause, GrantTrouble, StoreTrouble};

use crate::kroger::SimulatedKroger;
use crate::network::Fate;
use crate::process::CallId;
use crate::records::{self, RecordKind, StoredValue, show};
use crate::simulation::Simulation;
use crate::witness::Mint;
use crate::workload::{CallAnswer, Task};

impl Simulation {
    /// 1 and 6: a pair that Kroger gave this call is kept somewhere, or its caller is told
    /// that it is lost.
    pub(crate) fn check_saved(&mut self, call: CallId, done: &CallAnswer) {
        for token in self.witness.unsaved(call) {
            if matches!(done, CallAnswer::Complete(Err(failure)) if failure.cause == Cause::Grant(GrantTrouble::ForgottenMeanwhile))
            {
                self.witness.mints.get_mut(&token).expect("minted").lost = Some("the user was deleted meanwhile");
                continue;
            }
            let mint = &self.witness.mints[&token];
            if !mint.was_save_refused {
                return self
                    .witness
                    .violate(1, format!("{token} was received and is nowhere, although no save was refused"));
            }
            if !mint.was_rescue_refused {
                return self
                    .witness
                    .violate(1, format!("{token} could not be saved, and was not put into the rescue bucket"));
            }
            let is_told = match done {
                CallAnswer::Grant(result) => matches!(result, Err(kroger_core::grant::trouble::Trouble::Lost)),
                CallAnswer::Answered(Err(failure)) => failure.cause == Cause::Grant(GrantTrouble::NewTokensLost),
                CallAnswer::Complete(Err(failure)) => failure.cause == Cause::Store(StoreTrouble::SignInLost),
                CallAnswer::Kept(_) | CallAnswer::Pass(_) => true,
                _ => false,
            };
            if !is_told {
                return self
                    .witness
                    .violate(6, format!("{token} could not be saved, and the caller was told {}", done.text()));
            }
            self.counts.state("told: could not be saved");
            self.lose(&token, "the store refused it", "sign-in lost: store");
        }
        self.check_lost_are_told();
    }

    /// 1: the tries at the parent of a lost token say that the token may be lost.
    ///
    /// The try that lost it has an intent, and no outcome that denies the loss, or a fold
    /// says that the parent's token may be spent.
    fn check_lost_are_told(&mut self) {
        for (token, mint) in &self.witness.mints {
            let Some(((user, parent), number)) = mint.intent else { continue };
            let is_relevant = mint.lost.is_some() && !self.witness.is_located(token) && !self.is_alive(mint.call);
            let is_parent_current = self.witness.current(user).is_some_and(|(record, _)| {
                record.token.is_some() && record.token == mint.parent_token && record.ticket == parent
            });
            if !is_relevant || !is_parent_current {
                continue;
            }
            let key = |what: &str| format!("{what}.{}.{}.{number}", self.witness.users[user], show(parent));
            let is_open = self.store.contains_key(&key("intent"));
            let is_honest = match self.store.get(&key("attempt")) {
                Some(StoredValue::Bytes(bytes)) => matches!(records::outcome(bytes).as_str(), "unknown" | "failed"),
                _ => true,
            };
            let folded = self.store.get(&records::fold_key(&self.witness.users[user], parent, number));
            let is_told_by_fold = matches!(folded, Some(StoredValue::Bytes(bytes)) if records::may_have_spent(bytes));
            if (!is_open || !is_honest) && !is_told_by_fold {
                let text =
                    format!("{token} is lost and the tries at its parent {} do not say that it may be", show(parent));
                return self.witness.violate(1, text);
            }
        }
    }

    /// 1: the last copy of the newest token that Kroger holds valid is not deleted.
    pub(crate) fn check_not_deleted(&mut self, user: usize, token: Option<String>, key: &str) {
        let Some(token) = token else { return };
        if self.witness.is_located(&token) || !self.kroger.is_good(Some(&token), self.now) {
            return;
        }
        let family = self.kroger.refresh[&token].family;
        let current = self.witness.current(user).and_then(|(record, _)| record.token.clone());
        let is_current =
            current.is_none_or(|other| self.kroger.refresh.get(&other).is_some_and(|other| other.family == family));
        let is_deleted = self.witness.current(user).is_some_and(|(record, _)| record.kind == RecordKind::Deleted);
        // A newer sign-in superseded it. Nobody needs it, even if that sign-in is gone.
        let is_superseded = self
            .witness
            .current(user)
            .is_some_and(|(record, _)| records::grant_key(key).is_some_and(|(_, ticket)| ticket.0 < record.root.0));
        if is_current && !is_deleted && !is_superseded {
            self.witness.violate(1, format!("{key} was deleted, and {token} is good and nowhere else"));
        }
    }

    /// 1: Kroger revokes a family because a token was sent twice only if that is excused.
    ///
    /// It is excused if the sign-in was already lost, if a process or the request itself
    /// was held up, if the clocks differ, or if the store answers late. Otherwise two
    /// processes sent one token.
    pub(crate) fn revoke(&mut self, call: CallId, token: &str, fate: Fate) {
        let family = self.kroger.refresh[token].family;
        let of_family = |new: &String, kroger: &SimulatedKroger| {
            kroger.refresh.get(new).is_some_and(|known| known.family == family)
        };
        let mints: Vec<String> =
            self.witness.mints.keys().filter(|new| of_family(new, &self.kroger)).cloned().collect();
        let is_out_of_reach = |mint: &Mint| mint.lost.is_some() || mint.was_save_refused;
        let was_lost = mints.iter().any(|new| is_out_of_reach(&self.witness.mints[new]));
        let held_up =
            |call: CallId| self.calls[call].was_stalled || !self.is_alive(call) && self.calls[call].task == Task::Pass;
        let was_late = fate == Fate::RequestLate
            || held_up(call)
            || !self.is_alive(call)
            || mints.iter().any(|new| held_up(self.witness.mints[new].call));
        let is_excused =
            was_lost || was_late || !self.weather.machines.has_close_clocks() || self.weather.store.late > 0;
        if !is_excused {
            return self.witness.violate(1, format!("{token} was sent twice, and its family was revoked"));
        }
        self.counts.state("sign-in lost: family revoked");
        for new in mints {
            self.witness.mints.get_mut(&new).expect("minted").lost.get_or_insert("family revoked");
        }
    }
}
