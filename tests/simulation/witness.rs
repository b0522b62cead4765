//! The witness sees everything that happens, and knows the truth about each token,
//! whatever the processes believe. It keeps the first violation.
//!
//! It never changes what happens, and it shares no rule with the core: it orders the
//! records by itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use kroger_core::secret::Fingerprint;

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

/// The user, and the ticket of the grant whose refresh token a try sends.
pub(crate) type Parent = (usize, Ticket);

/// The actions and the reads of one call.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) claims: HashMap<(Parent, u64), Time>,
    pub(crate) intent: Option<(Parent, u64, Time)>,
    /// When the call first looked at a clock after it stored the intent.
    pub(crate) looked: Option<Time>,
    pub(crate) sent: bool,
    /// The try under which each request was sent, by the operation's number.
    pub(crate) sends: HashMap<u64, (Parent, u64)>,
    pub(crate) won_claim: bool,
    pub(crate) children: HashSet<Parent>,
    pub(crate) refused: Vec<(Parent, Option<Fingerprint>)>,
    /// When the call last read that a token was refused.
    pub(crate) refused_at: Option<Time>,
    pub(crate) mints: Vec<String>,
    /// Whether the store failed when the call read what a 429 asks for.
    pub(crate) missed_note: bool,
    pub(crate) tombstone: Option<Ticket>,
    /// The acknowledged root of each user when the call began.
    pub(crate) acked: [Option<AckedRoot>; USERS.len()],
}

/// A refresh token that Kroger issued to a call.
pub(crate) struct Mint {
    pub(crate) user: usize,
    pub(crate) call: CallId,
    pub(crate) parent_token: Option<String>,
    pub(crate) intent: Option<(Parent, u64)>,
    /// Why the token may be nowhere; `None` if it must be kept.
    pub(crate) lost: Option<&'static str>,
    pub(crate) was_save_refused: bool,
    pub(crate) was_rescue_refused: bool,
    pub(crate) was_saved: bool,
}

/// A root that a caller was told of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckedRoot {
    pub(crate) root: Ticket,
    /// When the call that was told began.
    pub(crate) began: Time,
    pub(crate) is_deletion: bool,
}

/// All that the witness knows.
#[derive(Default)]
pub(crate) struct Witness {
    /// The calls that received a pair and have not begun to save it.
    pub(crate) must_save: HashSet<CallId>,
    pub(crate) violation: Option<Violation>,
    pub(crate) users: Vec<String>,
    pub(crate) records: [BTreeMap<Ticket, (StoredRecord, Time)>; USERS.len()],
    /// The number of places in which each refresh token is stored.
    pub(crate) located: HashMap<String, i64>,
    pub(crate) mints: HashMap<String, Mint>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) acked: [Option<AckedRoot>; USERS.len()],
    pub(crate) deleted: [Option<AckedRoot>; USERS.len()],
    /// The family of each user's newest record.
    pub(crate) current_family: [Option<usize>; USERS.len()],
    /// When the sign-in of each family was acknowledged.
    pub(crate) acked_families: HashMap<usize, Time>,
    pub(crate) removed: HashMap<String, Time>,
    pub(crate) sends: HashMap<(Parent, u64), u32>,
    /// The sends of each grant's token: the call, the number of the try, and when its intent
    /// was stored.
    pub(crate) flights: HashMap<Parent, Vec<(CallId, u64, Time)>>,
    pub(crate) calm_refusals: HashMap<String, u32>,
    pub(crate) refreshers: HashMap<(usize, Ticket), CallId>,
    /// Until when a 429 asks the timers to wait, in Unix milliseconds, and when that was
    /// stored.
    pub(crate) note: Option<(u64, Time)>,
}

impl Witness {
    pub(crate) fn is_violated(&self) -> bool {
        self.violation.is_some()
    }

    /// Answers the number of the user whose part of a key is `key`.
    pub(crate) fn user(&mut self, key: &str) -> Option<usize> {
        if self.users.is_empty() {
            self.users = (0..USERS.len()).map(|user| user_id(user).key().as_str().to_owned()).collect();
        }
        self.users.iter().position(|known| known == key)
    }

    /// Notes a violation, unless one is noted already.
    pub(crate) fn violate(&mut self, invariant: u8, text: impl Into<String>) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, text: text.into() });
        }
    }

    /// Answers the user's newest record in the store, and when it was written.
    pub(crate) fn current(&self, user: usize) -> Option<&(StoredRecord, Time)> {
        self.records[user].values().max_by_key(|(record, _)| (record.root, record.ticket))
    }

    /// Whether the token is stored anywhere.
    pub(crate) fn is_located(&self, token: &str) -> bool {
        self.located.get(token).is_some_and(|count| *count > 0)
    }

    /// Changes the number of places in which the token is stored.
    pub(crate) fn locate(&mut self, token: Option<&str>, change: i64) {
        if let Some(token) = token {
            if let Some(mint) = self.mints.get_mut(token) {
                mint.was_saved |= change > 0;
            }
            *self.located.entry(token.to_owned()).or_default() += change;
        }
    }

    /// Answers the tokens that Kroger issued to this call, that were never stored, and that
    /// nothing excuses.
    pub(crate) fn unsaved(&self, call: CallId) -> Vec<String> {
        let is_unsaved = |token: &&String| {
            let mint = &self.mints[*token];
            mint.call == call && mint.lost.is_none() && !mint.was_saved
        };
        self.seen[call].mints.iter().filter(is_unsaved).cloned().collect()
    }
}
