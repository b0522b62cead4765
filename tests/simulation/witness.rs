//! The witness: sees everything that happens, and knows the truth about each
//! token, whatever the processes believe. What it sees broken it says once.
//!
//! It shares no code with the core: it orders the records by itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use kroger_connector::core::secret::Fingerprint;

use crate::process::CallId;
use crate::records::{StoredRecord, Ticket};
use crate::time::Time;
use crate::workload::{USERS, user_id};

/// A broken promise.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// 1 to 8, as `docs/protocol.md` numbers them.
    pub(crate) invariant: u8,
    pub(crate) text: String,
}

/// The parent whose refresh token a try sends.
pub(crate) type Parent = (usize, Ticket);

/// What one call is known to have done and read.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) claims: HashMap<(Parent, u64), Time>,
    pub(crate) intent: Option<(Parent, u64, Time)>,
    /// When it first looked at a clock after that.
    pub(crate) looked: Option<Time>,
    pub(crate) sent: bool,
    /// Under which try each request was sent, by the operation's number.
    pub(crate) sends: HashMap<u64, (Parent, u64)>,
    pub(crate) won_claim: bool,
    pub(crate) children: HashSet<Parent>,
    pub(crate) refused: Vec<(Parent, Option<Fingerprint>)>,
    /// When it last read that a token was refused.
    pub(crate) refused_at: Option<Time>,
    pub(crate) mints: Vec<String>,
    /// Whether the store did not answer what a 429 asked for.
    pub(crate) missed_note: bool,
    pub(crate) tombstone: Option<Ticket>,
    /// The acknowledged root of each user when it began.
    pub(crate) acked: [Option<AckedRoot>; USERS.len()],
}

/// A refresh token that Kroger gave.
pub(crate) struct Mint {
    pub(crate) user: usize,
    pub(crate) call: CallId,
    pub(crate) parent_token: Option<String>,
    pub(crate) intent: Option<(Parent, u64)>,
    /// Why it may be nowhere.
    pub(crate) lost: Option<&'static str>,
    pub(crate) was_save_refused: bool,
    pub(crate) was_rescue_refused: bool,
    pub(crate) was_saved: bool,
}

/// The newest root that a caller was told of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckedRoot {
    pub(crate) root: Ticket,
    /// When the call that was told began.
    pub(crate) began: Time,
    pub(crate) is_deletion: bool,
}

#[derive(Default)]
pub(crate) struct Witness {
    /// Calls that were handed a pair which is nowhere else yet.
    pub(crate) must_save: HashSet<CallId>,
    pub(crate) violation: Option<Violation>,
    pub(crate) users: Vec<String>,
    pub(crate) records: [BTreeMap<Ticket, (StoredRecord, Time)>; USERS.len()],
    pub(crate) located: HashMap<String, i64>,
    pub(crate) mints: HashMap<String, Mint>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) acked: [Option<AckedRoot>; USERS.len()],
    pub(crate) deleted: [Option<AckedRoot>; USERS.len()],
    /// Of which family the newest record is.
    pub(crate) current_family: [Option<usize>; USERS.len()],
    /// When the sign-in of a family was acknowledged.
    pub(crate) acked_families: HashMap<usize, Time>,
    pub(crate) removed: HashMap<String, Time>,
    pub(crate) sends: HashMap<(Parent, u64), u32>,
    /// Who sent the token of a grant, under which try, its intent stored when.
    pub(crate) flights: HashMap<Parent, Vec<(CallId, u64, Time)>>,
    pub(crate) calm_refusals: HashMap<String, u32>,
    pub(crate) refreshers: HashMap<(usize, Ticket), CallId>,
    /// Until when a 429 asked the timers to wait, and since when that is stored.
    pub(crate) note: Option<(u64, Time)>,
}

impl Witness {
    pub(crate) fn is_violated(&self) -> bool {
        self.violation.is_some()
    }

    pub(crate) fn user(&mut self, key: &str) -> Option<usize> {
        if self.users.is_empty() {
            self.users = (0..USERS.len()).map(|user| user_id(user).key().as_str().to_owned()).collect();
        }
        self.users.iter().position(|known| known == key)
    }

    pub(crate) fn violate(&mut self, invariant: u8, text: impl Into<String>) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, text: text.into() });
        }
    }

    /// The user's newest record in the store.
    pub(crate) fn current(&self, user: usize) -> Option<&(StoredRecord, Time)> {
        self.records[user].values().max_by_key(|(record, _)| (record.root, record.ticket))
    }

    pub(crate) fn is_located(&self, token: &str) -> bool {
        self.located.get(token).is_some_and(|count| *count > 0)
    }

    pub(crate) fn locate(&mut self, token: Option<&str>, change: i64) {
        if let Some(token) = token {
            if let Some(mint) = self.mints.get_mut(token) {
                mint.was_saved |= change > 0;
            }
            *self.located.entry(token.to_owned()).or_default() += change;
        }
    }

    /// Tokens that this call was given and that are nowhere.
    pub(crate) fn unsaved(&self, call: CallId) -> Vec<String> {
        let is_unsaved = |token: &&String| {
            let mint = &self.mints[*token];
            mint.call == call && mint.lost.is_none() && !mint.was_saved
        };
        self.seen[call].mints.iter().filter(is_unsaved).cloned().collect()
    }
}
