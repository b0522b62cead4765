//! Which of a user's records is the current grant. Pure.
//!
//! Records are written once, by one writer, under a ticket that no other writer
//! has; nothing is ever overwritten. So the order of tickets, not the order of
//! writes, decides: the newest root wins, and of what descends from it the
//! newest. What descends from an older root is ignored, whenever it lands: a
//! newer sign-in is never undone by a late refresh, and a deleted user stays
//! deleted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::secret::{Fingerprint, Secret};
use super::user::UserId;
use crate::ports::Timestamp;

/// A number of the user's counter `seq`; each is given out once.
pub type Ticket = u64;

/// The form of the records that this version writes, and the newest it reads.
pub const SCHEMA_VERSION: u32 = 1;

/// How many refresh tokens a lineage remembers to have had.
const REMEMBERED: usize = 16;

/// One step of a user's history, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub schema_version: u32,
    pub user_id: UserId,
    /// The refresh tokens that this lineage has had, the newest last: an old
    /// one that comes back by way of a file is known for what it is.
    pub known: Vec<Fingerprint>,
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A person agreed, or a pair came from outside. A root.
    SignIn { tokens: Tokens, source: Source },
    /// The child of `parent`, obtained with its refresh token.
    Refreshed { parent: Ticket, root: Ticket, tokens: Tokens, source: Source },
    /// A tombstone. A root.
    Deleted { at: Timestamp },
}

/// Where the sign-in at the root came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    #[serde(rename = "oauth")]
    OAuth,
    EnvFile,
    Import,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::EnvFile => "env_file",
            Self::Import => "import",
        }
    }
}

/// A pair of tokens and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    pub access_token: Secret,
    pub refresh_token: Option<Secret>,
    pub obtained_at: Timestamp,
    pub expires_at: Timestamp,
    pub scope: Option<String>,
}

/// A user's current authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub ticket: Ticket,
    pub root: Ticket,
    pub user_id: UserId,
    pub tokens: Tokens,
    pub source: Source,
    pub known: Vec<Fingerprint>,
    /// The one this was refreshed from.
    pub parent: Option<Ticket>,
}

/// The newest of what a user's records say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Current {
    Absent,
    Deleted { root: Ticket, known: Vec<Fingerprint> },
    Grant(Grant),
}

/// The current grant of `records`, which come in any order.
pub fn current(records: Vec<(Ticket, Record)>) -> Current {
    let newest = records.into_iter().max_by_key(|(ticket, record)| (record.root(*ticket), *ticket));
    let Some((ticket, record)) = newest else { return Current::Absent };
    let root = record.root(ticket);
    match record.event {
        Event::Deleted { .. } => Current::Deleted { root, known: record.known },
        Event::SignIn { tokens, source } => Current::Grant(Grant {
            ticket,
            root,
            user_id: record.user_id,
            tokens,
            source,
            known: record.known,
            parent: None,
        }),
        Event::Refreshed { parent, tokens, source, .. } => Current::Grant(Grant {
            ticket,
            root,
            user_id: record.user_id,
            tokens,
            source,
            known: record.known,
            parent: Some(parent),
        }),
    }
}

impl Current {
    /// The root's ticket; none where there never was one.
    pub fn root(&self) -> Option<Ticket> {
        match self {
            Self::Absent => None,
            Self::Deleted { root, .. } => Some(*root),
            Self::Grant(grant) => Some(grant.root),
        }
    }

    pub fn known(&self) -> &[Fingerprint] {
        match self {
            Self::Absent => &[],
            Self::Deleted { known, .. } => known,
            Self::Grant(grant) => &grant.known,
        }
    }

    pub fn grant(self) -> Option<Grant> {
        match self {
            Self::Grant(grant) => Some(grant),
            Self::Absent | Self::Deleted { .. } => None,
        }
    }
}

impl Record {
    fn root(&self, ticket: Ticket) -> Ticket {
        match self.event {
            Event::SignIn { .. } | Event::Deleted { .. } => ticket,
            Event::Refreshed { root, .. } => root,
        }
    }

    /// A new root.
    pub fn sign_in(user_id: UserId, tokens: Tokens, source: Source, before: &Current) -> Self {
        let known = remember(before.known(), tokens.refresh_token.as_ref());
        Self { schema_version: SCHEMA_VERSION, user_id, known, event: Event::SignIn { tokens, source } }
    }

    /// The child of `parent` that its refresh token gave.
    pub fn refreshed(parent: &Grant, tokens: Tokens) -> Self {
        let known = remember(&parent.known, tokens.refresh_token.as_ref());
        Self {
            schema_version: SCHEMA_VERSION,
            user_id: parent.user_id.clone(),
            known,
            event: Event::Refreshed { parent: parent.ticket, root: parent.root, tokens, source: parent.source },
        }
    }

    /// A tombstone, which also remembers `offered`, the pairs that lie about
    /// in the environment and must not bring the user back.
    pub fn deleted(user_id: UserId, at: Timestamp, before: &Current, offered: &[Fingerprint]) -> Self {
        let mut known = before.known().to_vec();
        known.extend(offered.iter().filter(|fingerprint| !before.known().contains(fingerprint)).cloned());
        Self { schema_version: SCHEMA_VERSION, user_id, known, event: Event::Deleted { at } }
    }
}

fn remember(known: &[Fingerprint], refresh_token: Option<&Secret>) -> Vec<Fingerprint> {
    let mut known = known.to_vec();
    if let Some(fingerprint) = refresh_token.map(Secret::fingerprint)
        && !known.contains(&fingerprint)
    {
        known.push(fingerprint);
    }
    let forgotten = known.len().saturating_sub(REMEMBERED);
    known.split_off(forgotten)
}

/// Less time left than this counts as expired; a short life gets a shorter one.
const LEAST_LEFT: Duration = Duration::from_secs(10);

impl Tokens {
    /// Whether the access token may be handed out at `now`.
    pub fn are_usable(&self, now: Timestamp) -> bool {
        self.expires_at > now + LEAST_LEFT.min(self.lifetime() / 5)
    }

    /// How long the access token was given for.
    pub fn lifetime(&self) -> Duration {
        self.expires_at.since(self.obtained_at)
    }

    /// When the timer refreshes: in the last `buffer`, or last quarter of a
    /// shorter life, later by up to a fifth of that for each `spread` (0 to 1),
    /// so that a crowd that signed in together does not refresh together.
    pub fn refresh_at(&self, buffer: Duration, spread: f64) -> Timestamp {
        let window = buffer.min(self.lifetime() / 4);
        self.expires_at - window + window.mul_f64(spread * 0.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> UserId {
        UserId::parse("alice").unwrap()
    }

    fn tokens(name: &str) -> Tokens {
        Tokens {
            access_token: Secret::new(format!("access-{name}")),
            refresh_token: Some(Secret::new(format!("refresh-{name}"))),
            obtained_at: Timestamp::from_secs(0),
            expires_at: Timestamp::from_secs(1_800),
            scope: None,
        }
    }

    fn sign_in(name: &str) -> Record {
        Record::sign_in(user(), tokens(name), Source::OAuth, &Current::Absent)
    }

    fn refreshed(parent: Ticket, root: Ticket, name: &str) -> Record {
        let event = Event::Refreshed { parent, root, tokens: tokens(name), source: Source::OAuth };
        Record { event, ..sign_in(name) }
    }

    fn deleted() -> Record {
        Record::deleted(user(), Timestamp::from_secs(9), &Current::Absent, &[])
    }

    fn current_ticket(records: &[(Ticket, Record)]) -> Option<Ticket> {
        let mut reversed = records.to_vec();
        reversed.reverse();
        let found = current(records.to_vec());
        assert_eq!(found, current(reversed), "the order of reading does not matter");
        found.grant().map(|grant| grant.ticket)
    }

    #[test]
    fn the_newest_descendant_of_the_newest_root_is_current() {
        let records = [(1, sign_in("a")), (2, refreshed(1, 1, "b")), (5, refreshed(2, 1, "c"))];

        assert_eq!(current_ticket(&records), Some(5));
    }

    #[test]
    fn a_late_refresh_of_an_older_sign_in_never_undoes_a_newer_one() {
        let records = [(1, sign_in("a")), (2, sign_in("b")), (3, refreshed(1, 1, "late"))];

        assert_eq!(current_ticket(&records), Some(2));
    }

    #[test]
    fn a_deleted_user_stays_deleted_when_a_refresh_lands_late() {
        let records = [(1, sign_in("a")), (2, deleted()), (3, refreshed(1, 1, "late"))];

        assert_eq!(current_ticket(&records), None);
        assert_eq!(current(records.to_vec()).root(), Some(2));
    }

    #[test]
    fn a_descendant_is_current_even_where_its_root_was_swept() {
        assert_eq!(current_ticket(&[(7, refreshed(5, 1, "c"))]), Some(7));
    }

    #[test]
    fn a_lineage_remembers_a_bounded_number_of_its_refresh_tokens() {
        let mut current = current(vec![(1, sign_in("0"))]);
        for step in 1..=40 {
            let parent = current.grant().unwrap();
            current = super::current(vec![(step + 1, Record::refreshed(&parent, tokens(&step.to_string())))]);
        }

        let known = current.known();
        assert_eq!(known.len(), REMEMBERED);
        assert_eq!(known.last(), Some(&Secret::new("refresh-40").fingerprint()));
    }

    #[test]
    fn a_short_life_has_a_short_slack_and_a_short_window() {
        let brief = Tokens { expires_at: Timestamp::from_secs(5), ..tokens("a") };

        assert!(brief.are_usable(Timestamp::from_secs(3)));
        assert!(!brief.are_usable(Timestamp::from_secs(4)));
        assert_eq!(brief.refresh_at(Duration::from_secs(300), 0.0), Timestamp(3_750));
        assert_eq!(tokens("a").refresh_at(Duration::from_secs(300), 1.0), Timestamp::from_secs(1_560));
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        for record in [sign_in("a"), refreshed(1, 1, "b"), deleted()] {
            let json = serde_json::to_vec(&record).unwrap();
            assert_eq!(serde_json::from_slice::<Record>(&json).unwrap(), record);
        }
    }
}
