//! Which of a user's records is the current grant. Reads no clock and no store.
//!
//! Records are written once, by one writer, under a ticket that no other writer
//! has. Nothing is ever overwritten. So the order of tickets decides, not the order
//! of writes. A ticket begins with its root: the newest root wins, and under it the
//! newest ticket. A record under an older root is ignored, whenever it lands. So a
//! late refresh never undoes a newer sign-in, and a deleted user stays deleted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::CLOCK_SKEW;
use crate::app::App;
use crate::ports::Timestamp;
use crate::secret::{Fingerprint, Secret};
use crate::store::codec::Stored;
use crate::store::keys::Kind;
use crate::store::ticket::{Root, Ticket};
use crate::user::UserId;

/// How many of the user's last refresh tokens a record knows.
const REMEMBERED: usize = 16;

/// One step of a user's history, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) user_id: UserId,
    /// Fingerprints of the user's last refresh tokens, also of earlier sign-ins, the
    /// newest last. They show that a token is an old one if a file brings it back.
    pub(crate) known: Vec<Fingerprint>,
    /// The newest deletion before this record. Sign-ins begun before that deletion
    /// are refused, even if they finish later.
    pub(crate) buried: Option<Root>,
    #[serde(flatten)]
    pub(crate) event: Content,
}

impl Stored for Record {
    const KIND: Kind = Kind::Grant;
    const VERSION: u32 = 1;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Content {
    /// A person agreed, or a pair came from outside. A root.
    SignIn { tokens: Tokens, source: Source },
    /// The child of `parent`, obtained with its refresh token.
    Refreshed { parent: Ticket, tokens: Tokens, source: Source },
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
    /// None: an older version wrote this, without the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<App>,
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
    pub user_id: UserId,
    pub tokens: Tokens,
    pub source: Source,
    pub(crate) known: Vec<Fingerprint>,
    /// The newest deletion before this.
    pub(crate) buried: Option<Root>,
    /// The one this was refreshed from.
    pub(crate) parent: Option<Ticket>,
}

impl Grant {
    /// Names the refresh token without telling it.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.tokens.refresh_token.as_ref().map(Secret::fingerprint)
    }

    /// The app that the tokens are for, if that is another than `own`.
    pub(crate) fn of_another(&self, own: &App) -> Option<&App> {
        self.tokens.app.as_ref().filter(|app| !app.is_same(own))
    }

    /// Whether the tokens may be sent by `own`.
    pub(crate) fn is_of(&self, own: &App) -> bool {
        self.of_another(own).is_none()
    }

    /// The grant that `record` is under `ticket`. None: a deletion.
    pub(crate) fn of(ticket: Ticket, record: Record) -> Option<Self> {
        let (tokens, source, parent) = match record.event {
            Content::Deleted { .. } => return None,
            Content::SignIn { tokens, source } => (tokens, source, None),
            Content::Refreshed { parent, tokens, source } => (tokens, source, Some(parent)),
        };
        let Record { user_id, known, buried, .. } = record;
        Some(Self { ticket, user_id, tokens, source, known, buried, parent })
    }
}

/// What a user's newest record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one lives as long as one call, and most are grants; on wasm32 it is not even large"
)]
pub enum Current {
    Absent,
    Deleted { root: Root },
    Grant(Grant),
}

/// The current grant of `records`, which come in any order.
pub(crate) fn current(records: Vec<(Ticket, Record)>) -> Current {
    let newest = records.into_iter().max_by_key(|(ticket, _)| *ticket);
    let Some((ticket, record)) = newest else { return Current::Absent };
    Grant::of(ticket, record).map_or(Current::Deleted { root: ticket.root }, Current::Grant)
}

impl Current {
    /// Whether this is still `grant`. The ticket alone is not enough: two pairs from
    /// outside that are adopted at the same time share one.
    pub(crate) fn is(&self, grant: &Grant) -> bool {
        let is_same =
            |now: &Grant| now.ticket == grant.ticket && now.tokens.refresh_token == grant.tokens.refresh_token;
        matches!(self, Self::Grant(now) if is_same(now))
    }

    /// None: the user has no record.
    pub fn root(&self) -> Option<Root> {
        match self {
            Self::Absent => None,
            Self::Deleted { root } => Some(*root),
            Self::Grant(grant) => Some(grant.ticket.root),
        }
    }

    pub(crate) fn known(&self) -> &[Fingerprint] {
        match self {
            Self::Absent | Self::Deleted { .. } => &[],
            Self::Grant(grant) => &grant.known,
        }
    }

    /// The user's newest deletion. None: the user was never deleted.
    pub(crate) fn buried(&self) -> Option<Root> {
        match self {
            Self::Absent => None,
            Self::Deleted { root } => Some(*root),
            Self::Grant(grant) => grant.buried,
        }
    }

    pub(crate) fn grant(self) -> Option<Grant> {
        match self {
            Self::Grant(grant) => Some(grant),
            Self::Absent | Self::Deleted { .. } => None,
        }
    }
}

impl Record {
    /// A new root.
    pub(crate) fn sign_in(user_id: UserId, tokens: Tokens, source: Source, before: &Current) -> Self {
        let known = remember(before.known(), tokens.refresh_token.as_ref());
        let buried = before.buried();
        Self { user_id, known, buried, event: Content::SignIn { tokens, source } }
    }

    /// The child of `parent` that its refresh token gave.
    pub(crate) fn refreshed(parent: &Grant, tokens: Tokens) -> Self {
        let known = remember(&parent.known, tokens.refresh_token.as_ref());
        Self {
            user_id: parent.user_id.clone(),
            known,
            buried: parent.buried,
            event: Content::Refreshed { parent: parent.ticket, tokens, source: parent.source },
        }
    }

    /// A tombstone.
    pub(crate) fn deleted(user_id: UserId, at: Timestamp) -> Self {
        Self { user_id, known: Vec::new(), buried: None, event: Content::Deleted { at } }
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

/// An access token with less time left than this counts as expired. For a short
/// lifetime the bound is a twentieth of it.
const LEAST_LEFT: Duration = Duration::from_secs(10);

impl Tokens {
    /// Whether the access token may be handed out at `now`. If it was obtained in the
    /// future, a clock was set, and nobody knows when it expires. Then it is not
    /// handed out if a refresh token can get another one.
    pub(crate) fn are_usable(&self, now: Timestamp) -> bool {
        if self.refresh_token.is_some() && self.are_of_the_future(now) {
            return false;
        }
        self.expires_at > now + LEAST_LEFT.min(self.lifetime() / 20)
    }

    /// Whether a clock was set since they were obtained, or was wrong then.
    pub(crate) fn are_of_the_future(&self, now: Timestamp) -> bool {
        self.obtained_at > now + CLOCK_SKEW
    }

    /// How long the access token was given for.
    pub(crate) fn lifetime(&self) -> Duration {
        self.expires_at.since(self.obtained_at)
    }

    /// When the timer refreshes: `buffer` before the expiry, at most the last quarter
    /// of the lifetime. `spread` (0 to 1) makes that later by up to a fifth of this
    /// window, so that users who signed in together do not refresh together.
    pub(crate) fn refresh_at(&self, buffer: Duration, spread: f64) -> Timestamp {
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
            app: None,
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

    fn root(number: u64) -> Ticket {
        Root::numbered(number).ticket()
    }

    fn step(number: u64, step: u64) -> Ticket {
        Ticket { step, ..root(number) }
    }

    fn refreshed(parent: Ticket, name: &str) -> Record {
        let event = Content::Refreshed { parent, tokens: tokens(name), source: Source::OAuth };
        Record { event, ..sign_in(name) }
    }

    fn deleted() -> Record {
        Record::deleted(user(), Timestamp::from_secs(9))
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
        let records =
            [(root(1), sign_in("a")), (step(1, 2), refreshed(root(1), "b")), (step(1, 5), refreshed(step(1, 2), "c"))];

        assert_eq!(current_ticket(&records), Some(step(1, 5)));
    }

    #[test]
    fn a_late_refresh_of_an_older_sign_in_never_undoes_a_newer_one() {
        let records = [(root(1), sign_in("a")), (root(2), sign_in("b")), (step(1, 3), refreshed(root(1), "late"))];

        assert_eq!(current_ticket(&records), Some(root(2)));
    }

    #[test]
    fn a_deleted_user_stays_deleted_when_a_refresh_lands_late() {
        let records = [(root(1), sign_in("a")), (root(2), deleted()), (step(1, 3), refreshed(root(1), "late"))];

        assert_eq!(current_ticket(&records), None);
        assert_eq!(current(records.to_vec()).root(), Some(Root::numbered(2)));
    }

    #[test]
    fn an_adopted_pair_outranks_what_it_followed_and_no_sign_in_that_it_did_not_see() {
        let adopted = Root::numbered(1).adopting().ticket();
        let before = [(root(1), sign_in("a")), (step(1, 9), refreshed(root(1), "b")), (adopted, sign_in("outside"))];
        let after = [before.to_vec(), vec![(root(2), sign_in("c"))]].concat();

        assert_eq!(current_ticket(&before), Some(adopted));
        assert_eq!(current_ticket(&after), Some(root(2)));
    }

    #[test]
    fn a_lineage_remembers_a_bounded_number_of_its_refresh_tokens() {
        let mut current = current(vec![(root(1), sign_in("0"))]);
        for number in 1..=40 {
            let parent = current.grant().unwrap();
            let child = Record::refreshed(&parent, tokens(&number.to_string()));
            current = super::current(vec![(step(1, number), child)]);
        }

        let known = current.known();
        assert_eq!(known.len(), REMEMBERED);
        assert_eq!(known.last(), Some(&Secret::new("refresh-40").fingerprint()));
    }

    #[test]
    fn a_short_life_has_a_short_slack_and_a_short_window() {
        let brief = Tokens { expires_at: Timestamp::from_secs(5), ..tokens("a") };

        assert!(brief.are_usable(Timestamp(4_749)));
        assert!(!brief.are_usable(Timestamp(4_750)));
        assert_eq!(brief.refresh_at(Duration::from_secs(300), 0.0), Timestamp(3_750));
        assert_eq!(tokens("a").refresh_at(Duration::from_secs(300), 1.0), Timestamp::from_secs(1_560));
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        for record in [sign_in("a"), refreshed(root(1), "b"), deleted()] {
            let json = serde_json::to_vec(&record).unwrap();
            assert_eq!(serde_json::from_slice::<Record>(&json).unwrap(), record);
        }
    }
}
