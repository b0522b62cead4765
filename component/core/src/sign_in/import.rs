//! Imports a pair of tokens that another program obtained, as a grant.
//!
//! The caller names the standing that it expects, so an import never replaces a
//! grant that the caller did not know of. A refresh token that the lineage has had
//! is never imported again.
//!
//! Sends nothing: the next refresh finds out whether the token still works.

use std::time::Duration;

use crate::Context;
use crate::app::App;
use crate::failure::Failure;
use crate::grant::attempts::{Step, next_step};
use crate::grant::lineage::{Content, Current, Grant, Record, Source, Tokens};
use crate::grant::{due, outside_pair, records};
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::scope::Scope;
use crate::secret::Secret;
use crate::store::codec;
use crate::user::UserId;

/// The lifetime of Kroger's access tokens.
const LIFETIME: Duration = Duration::from_secs(1_800);
/// The longest lifetime that is believed. A longer one is a mistake, such as
/// milliseconds for seconds.
const LONGEST_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
const LONGEST_TOKEN: usize = 16 * 1024;

/// A pair of tokens as a file has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub access_token: Option<Secret>,
    pub refresh_token: Option<Secret>,
    pub expires_at: Option<Timestamp>,
    pub obtained_at: Option<Timestamp>,
    pub scope: Option<String>,
}

/// A token that no request could carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// `access-token` or `refresh-token`.
    pub part: &'static str,
    pub allowed: &'static str,
}

impl Found {
    /// Checks that headers can carry the tokens.
    ///
    /// # Errors
    /// The token that does not fit into a header.
    pub fn check(&self) -> Result<(), Flaw> {
        check(self.access_token.as_ref(), "access-token")?;
        check(self.refresh_token.as_ref(), "refresh-token")
    }
}

/// A pair, compared with what the store has for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairStanding {
    /// The store has no grant to replace.
    Absent,
    /// The grant in the store is dead: only a new sign-in would help.
    Dead,
    Newer,
    Older,
    /// The user was forgotten after the pair was obtained.
    Forgotten,
    /// The lineage has, or once had, this refresh token.
    Known,
    /// The pair has no refresh token, and no valid access token.
    Useless,
}

/// The outcome of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    Imported,
    /// The standing is not the expected one, or is never imported.
    Declined(PairStanding),
}

/// Compares `found` with what the store has for the user. Writes nothing.
pub fn assess(cx: Context<'_>, user: &UserId, found: &Found) -> Result<PairStanding, Failure> {
    let tokens = tokens(found, cx.settings.app.clone(), cx.ports.wall_now())?;
    let current = records::current(cx, &user.key()).map_err(|_| Failure::store_unavailable())?;
    standing(cx, user, &tokens, &current).map_err(|_| Failure::store_unavailable())
}

/// Makes `found` the user's grant, if its standing is still `expected`.
///
/// Takes the root before it reads the history, so a sign-in or deletion that takes
/// its root later outranks this import.
pub fn import(cx: Context<'_>, user: &UserId, found: &Found, expected: PairStanding) -> Result<ImportOutcome, Failure> {
    let seen = assess(cx, user, found)?;
    if seen != expected || !seen.may_be_taken() {
        return Ok(ImportOutcome::Declined(seen));
    }
    let tokens = tokens(found, cx.settings.app.clone(), cx.ports.wall_now())?;
    take(cx, user, tokens, expected).map_err(|_| Failure::store_unavailable())
}

fn take(cx: Context<'_>, user: &UserId, tokens: Tokens, expected: PairStanding) -> Result<ImportOutcome, StoreError> {
    let key = user.key();
    let root = records::take_root(cx, &key)?;
    let before = records::current(cx, &key)?;
    let seen = standing(cx, user, &tokens, &before)?;
    if seen != expected {
        return Ok(ImportOutcome::Declined(seen));
    }
    let record = Record::sign_in(user.clone(), tokens, Source::Import, &before);
    records::write(cx, &key, root.ticket(), &record)?;
    let grant = Grant::of(root.ticket(), record).ok_or(StoreError::Failed)?;
    due::enter(cx, &grant);
    cx.ports.log(&Event::SignedIn { user: key.short(), ticket: grant.ticket.to_string() });
    outside_pair::export(cx, &grant);
    Ok(ImportOutcome::Imported)
}

impl PairStanding {
    fn may_be_taken(self) -> bool {
        !matches!(self, Self::Known | Self::Useless)
    }
}

fn standing(cx: Context<'_>, user: &UserId, tokens: &Tokens, current: &Current) -> Result<PairStanding, StoreError> {
    if tokens.refresh_token.is_none() && !tokens.are_usable(cx.ports.wall_now()) {
        return Ok(PairStanding::Useless);
    }
    match current {
        Current::Absent => Ok(PairStanding::Absent),
        Current::Deleted { root } => {
            let key = records::grant_key(&user.key(), root.ticket());
            let tombstone: Option<Record> = codec::read(cx, Bucket::Store, &key)?;
            Ok(beside_tombstone(tokens, tombstone))
        }
        Current::Grant(grant) if has_had(grant, tokens) => Ok(PairStanding::Known),
        Current::Grant(grant) if is_dead(cx, grant)? => Ok(PairStanding::Dead),
        Current::Grant(grant) if tokens.obtained_at > grant.tokens.obtained_at => Ok(PairStanding::Newer),
        Current::Grant(_) => Ok(PairStanding::Older),
    }
}

fn beside_tombstone(tokens: &Tokens, tombstone: Option<Record>) -> PairStanding {
    match tombstone.map(|record| record.event) {
        Some(Content::Deleted { at }) if at < tokens.obtained_at => PairStanding::Absent,
        _ => PairStanding::Forgotten,
    }
}

fn has_had(grant: &Grant, tokens: &Tokens) -> bool {
    match &tokens.refresh_token {
        Some(token) => grant.known.contains(&token.fingerprint()),
        None => grant.tokens.access_token == tokens.access_token,
    }
}

/// True if only a new sign-in could renew this grant.
fn is_dead(cx: Context<'_>, grant: &Grant) -> Result<bool, StoreError> {
    let now = cx.ports.wall_now();
    if grant.tokens.are_usable(now) {
        return Ok(false);
    }
    let tries = records::tries(cx, grant)?;
    let is_refused = matches!(next_step(&tries, now), Step::Refused { .. });
    Ok(is_refused || grant.tokens.refresh_token.is_none())
}

fn tokens(found: &Found, app: App, now: Timestamp) -> Result<Tokens, Failure> {
    found.check().map_err(|flaw| Failure::invalid_argument(flaw.part, flaw.allowed))?;
    let access_token = found.access_token.clone().filter(|token| !token.expose().is_empty());
    let has_access_token = access_token.is_some();
    let expires_at = found.expires_at.filter(|at| has_access_token && *at <= now + LONGEST_LIFETIME);
    let expires_at = expires_at.unwrap_or_default();
    Ok(Tokens {
        app: Some(app),
        access_token: access_token.unwrap_or_else(|| Secret::new("")),
        refresh_token: found.refresh_token.clone().filter(|token| !token.expose().is_empty()),
        obtained_at: found.obtained_at.filter(|at| *at <= now).unwrap_or(expires_at - LIFETIME),
        expires_at,
        scope: found.scope.as_deref().and_then(Scope::granted),
    })
}

fn check(token: Option<&Secret>, part: &'static str) -> Result<(), Flaw> {
    let fits = |text: &str| text.len() <= LONGEST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic());
    if token.is_none_or(|token| fits(token.expose())) {
        return Ok(());
    }
    Err(Flaw { part, allowed: "at most 16 KiB of printable ASCII without blanks" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::{on_demand, refresh, status};
    use crate::settings::Settings;
    use crate::sign_in::sign_out;
    use crate::testing::{BEGINNING, StoreMood, TestWorld};

    const EARLIER: Duration = Duration::from_secs(600);

    fn settings() -> Settings {
        let app = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "hush")];
        Settings::from_variables(app.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    fn alice() -> UserId {
        UserId::parse("alice").unwrap()
    }

    /// A pair that was obtained at `at`.
    fn pair(name: &str, at: Timestamp) -> Found {
        Found {
            access_token: Some(Secret::new(format!("access-{name}"))),
            refresh_token: Some(Secret::new(format!("refresh-{name}"))),
            expires_at: Some(at + LIFETIME),
            obtained_at: Some(at),
            scope: Some("cart.basic:write".to_owned()),
        }
    }

    fn import_as(cx: Context<'_>, found: &Found, expected: PairStanding) -> ImportOutcome {
        import(cx, &alice(), found, expected).unwrap()
    }

    fn access_token(cx: Context<'_>) -> String {
        let grant = records::current(cx, &alice().key()).unwrap().grant().unwrap();
        grant.tokens.access_token.expose().to_owned()
    }

    #[test]
    fn a_pair_of_an_unknown_user_is_imported_whole() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let found = pair("a", BEGINNING - EARLIER);

        assert_eq!(assess(cx, &alice(), &found).unwrap(), PairStanding::Absent);
        assert_eq!(import_as(cx, &found, PairStanding::Absent), ImportOutcome::Imported);

        let status = status::status(cx, &alice().key()).unwrap().unwrap();
        assert_eq!(status.grant.source, Source::Import);
        assert_eq!(status.grant.tokens.obtained_at, BEGINNING - EARLIER);
        assert_eq!(status.grant.tokens.scope.as_deref(), Some("cart.basic:write"));
        assert_eq!(status.state, status::TokenState::Valid);
    }

    #[test]
    fn a_pair_with_a_stale_access_token_is_refreshed_on_first_use() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let stale = pair("a", BEGINNING - Duration::from_secs(86_400));
        import_as(cx, &stale, PairStanding::Absent);
        world.answer_with_tokens("access-new", "refresh-new");

        let grant = refresh::grant(cx, &alice(), refresh::Need::Usable).unwrap();

        assert_eq!(grant.tokens.access_token.expose(), "access-new");
        assert_eq!(grant.source, Source::Import);
        assert!(String::from_utf8_lossy(&world.sent()[0].body).contains("refresh-a"));
    }

    #[test]
    fn a_refresh_token_alone_is_due_at_once() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let bare = Found { refresh_token: Some(Secret::new("refresh-a")), ..Found::default() };

        assert_eq!(import_as(cx, &bare, PairStanding::Absent), ImportOutcome::Imported);

        let due = crate::service::maintenance::due(cx, 10).unwrap();
        assert_eq!(due, [alice()]);
    }

    #[test]
    fn a_newer_or_older_pair_is_imported_only_if_expected_so() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        import_as(cx, &pair("a", BEGINNING - EARLIER), PairStanding::Absent);
        let older = pair("b", BEGINNING - EARLIER - EARLIER);
        let newer = pair("c", BEGINNING);

        assert_eq!(import_as(cx, &older, PairStanding::Absent), ImportOutcome::Declined(PairStanding::Older));
        assert_eq!(import_as(cx, &newer, PairStanding::Absent), ImportOutcome::Declined(PairStanding::Newer));
        assert_eq!(access_token(cx), "access-a");
        assert_eq!(import_as(cx, &newer, PairStanding::Newer), ImportOutcome::Imported);
        assert_eq!(access_token(cx), "access-c");
        assert_eq!(import_as(cx, &older, PairStanding::Older), ImportOutcome::Imported);
        assert_eq!(access_token(cx), "access-b");
    }

    #[test]
    fn a_known_refresh_token_is_never_imported_again() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let found = pair("a", BEGINNING - EARLIER);
        import_as(cx, &found, PairStanding::Absent);
        world.answer_with_tokens("access-new", "refresh-new");
        on_demand::refresh(cx, &alice()).unwrap();
        let again = Found { obtained_at: Some(BEGINNING), ..found };

        assert_eq!(import_as(cx, &again, PairStanding::Known), ImportOutcome::Declined(PairStanding::Known));
        assert_eq!(import_as(cx, &again, PairStanding::Newer), ImportOutcome::Declined(PairStanding::Known));
        assert_eq!(access_token(cx), "access-new");
    }

    #[test]
    fn a_forgotten_user_stays_forgotten_unless_expected_so() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        import_as(cx, &pair("a", BEGINNING - EARLIER), PairStanding::Absent);
        world.advance(EARLIER);
        sign_out::forget(cx, &alice()).unwrap();
        let before = pair("b", BEGINNING);
        let after = pair("c", BEGINNING + EARLIER + Duration::from_secs(1));
        world.advance(EARLIER);

        assert_eq!(import_as(cx, &before, PairStanding::Absent), ImportOutcome::Declined(PairStanding::Forgotten));
        assert!(records::current(cx, &alice().key()).unwrap().grant().is_none());
        assert_eq!(assess(cx, &alice(), &after).unwrap(), PairStanding::Absent);
        assert_eq!(import_as(cx, &before, PairStanding::Forgotten), ImportOutcome::Imported);
        assert_eq!(access_token(cx), "access-b");
    }

    #[test]
    fn a_refused_grant_is_dead_even_beside_an_older_pair() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        import_as(cx, &pair("a", BEGINNING - LIFETIME), PairStanding::Absent);
        let refusal = r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#;
        world.answer(400, refusal);
        assert!(refresh::grant(cx, &alice(), refresh::Need::Usable).is_err());

        let older = pair("b", BEGINNING - LIFETIME - EARLIER);
        assert_eq!(import_as(cx, &older, PairStanding::Dead), ImportOutcome::Imported);
    }

    #[test]
    fn a_useless_pair_is_never_imported() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let expired = Found { refresh_token: None, ..pair("a", BEGINNING - LIFETIME - EARLIER) };
        let endless = Found { refresh_token: None, expires_at: Some(Timestamp(u64::MAX)), ..pair("a", BEGINNING) };

        for useless in [Found::default(), expired, endless] {
            assert_eq!(import_as(cx, &useless, PairStanding::Useless), ImportOutcome::Declined(PairStanding::Useless));
        }
        assert!(world.stored(Bucket::Store).is_empty());
    }

    #[test]
    fn a_token_that_fits_no_header_is_refused_and_never_shown() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        for canary in ["canary\r\nX: y".to_owned(), "canary".repeat(4_000)] {
            let found = Found { refresh_token: Some(Secret::new(canary)), ..pair("a", BEGINNING) };

            let failure = assess(cx, &alice(), &found).unwrap_err();

            assert_eq!(failure.code.as_str(), "invalid_argument");
            assert!(!format!("{failure:?}").contains("canary"));
        }
    }

    #[test]
    fn a_sign_in_between_assess_and_import_is_not_replaced() {
        let (settings, world) = (settings(), std::sync::Arc::new(TestWorld::new()));
        let cx = Context { settings: &settings, ports: &*world };
        let found = pair("a", BEGINNING - EARLIER);
        let other = std::sync::Arc::clone(&world);
        world.interrupt_before(records::roots_key(&alice().key()), move || {
            let settings = self::settings();
            let cx = Context { settings: &settings, ports: &*other };
            import(cx, &alice(), &pair("sign-in", BEGINNING), PairStanding::Absent).unwrap();
        });

        assert_eq!(import_as(cx, &found, PairStanding::Absent), ImportOutcome::Declined(PairStanding::Older));
        assert_eq!(access_token(cx), "access-sign-in");
    }

    #[test]
    fn a_failing_store_is_told_and_nothing_is_sent() {
        let (settings, world) = (settings(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        world.set_store_mood(StoreMood::Failing);

        let failure = import(cx, &alice(), &pair("a", BEGINNING), PairStanding::Absent).unwrap_err();

        assert_eq!(failure.code.as_str(), "store_unavailable");
        assert!(world.sent().is_empty());
    }
}
