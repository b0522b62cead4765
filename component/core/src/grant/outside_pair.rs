//! The pair of tokens that lies outside the store: in the environment, and in
//! the `.env` file through the bucket `env`.
//!
//! The mirror is an export of what the store has. A pair is taken *from* outside only
//! if the store has nothing, or if its grant was refused and the pair is new to the
//! lineage. So an old copy never brings back a spent token, and a late copy never
//! displaces a sign-in. For a user who was once deleted, no pair from outside is taken
//! any more.

use std::time::Duration;

use crate::Context;
use crate::app::App;
use crate::grant::lineage::{Current, Grant, Record, Source, Tokens};
use crate::grant::records;
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::secret::Secret;
use crate::settings::{EnvironmentPair, unix_seconds};
use crate::store::codec;
use crate::store::keys::Key;
use crate::store::ticket::Ticket;
use crate::user::UserId;

/// The pairs from outside, newest last: what the environment was started with,
/// then what the `.env` file says now.
pub fn offered(cx: Context<'_>) -> Vec<EnvironmentPair> {
    read_offered(cx).unwrap_or_else(|_| cx.settings.environment_pair.clone().into_iter().collect())
}

fn read_offered(cx: Context<'_>) -> Result<Vec<EnvironmentPair>, StoreError> {
    let file = match cx.ports.get(Bucket::Env, &Key::Mirror.to_string()) {
        Err(StoreError::NoSuchBucket) => None,
        other => other?,
    };
    let in_file = file.and_then(|block| parse(std::str::from_utf8(&block).ok()?));
    Ok(cx.settings.environment_pair.clone().into_iter().chain(in_file).collect())
}

/// Makes a pair from outside the default user's sign-in, if one may take the place of
/// `current`. None: there is no such pair.
///
/// A pair that the store did not keep is answered under [`Ticket::UNSTORED`]. It
/// serves as long as its access token is valid.
pub(crate) fn adopt(cx: Context<'_>, user: &UserId, current: &Current) -> Result<Option<Grant>, StoreError> {
    let pair = find(cx, user, current)?;
    pair.map(|pair| take(cx, user, current, pair)).transpose()
}

/// The pair that may take the place of `current`.
///
/// # Errors
/// A file that cannot be read may hold a younger pair than the environment.
pub(crate) fn find(cx: Context<'_>, user: &UserId, current: &Current) -> Result<Option<EnvironmentPair>, StoreError> {
    if *user != cx.settings.default_user {
        return Ok(None);
    }
    Ok(best(read_offered(cx)?, current))
}

/// Makes `pair` the sign-in that follows `current`.
pub(crate) fn take(
    cx: Context<'_>,
    user: &UserId,
    current: &Current,
    pair: EnvironmentPair,
) -> Result<Grant, StoreError> {
    let record = Record::sign_in(user.clone(), tokens(pair, cx.settings.app.clone()), Source::EnvFile, current);
    write_adopted(cx, user, current.root().unwrap_or_default().adopting().ticket(), record)
}

/// The pair from outside that [`adopt`] would take; takes nothing.
pub(crate) fn adoptable(cx: Context<'_>, user: &UserId, current: &Current) -> Option<EnvironmentPair> {
    if *user != cx.settings.default_user {
        return None;
    }
    best(offered(cx), current)
}

fn best(offered: Vec<EnvironmentPair>, current: &Current) -> Option<EnvironmentPair> {
    offered.into_iter().filter(|pair| is_adoptable(pair, current)).max_by_key(|pair| pair.expires_at)
}

/// Writes an adoption, unless one is there, and answers the pair that the store then
/// has. Callers that adopt at the same time write under the same ticket. If their
/// pairs differ, either may be the one that stays.
fn write_adopted(cx: Context<'_>, user: &UserId, ticket: Ticket, record: Record) -> Result<Grant, StoreError> {
    let key = user.key();
    let grant_key = records::grant_key(&key, ticket);
    if cx.ports.get(Bucket::Store, &grant_key)?.is_none() {
        records::write(cx, &key, ticket, &record)?;
    }
    let (ticket, adopted) = match cx.ports.read_back(&grant_key)? {
        Some(stored) => (ticket, codec::decode(&stored)?),
        None => (Ticket::UNSTORED, record),
    };
    Grant::of(ticket, adopted).ok_or(StoreError::Failed)
}

fn is_adoptable(pair: &EnvironmentPair, current: &Current) -> bool {
    let is_known = pair.refresh_token.as_ref().is_some_and(|token| current.known().contains(&token.fingerprint()));
    match current {
        Current::Absent => true,
        Current::Deleted { .. } => false,
        Current::Grant(grant) => {
            let was_deleted = grant.buried.is_some();
            !was_deleted && !is_known && pair.refresh_token.is_some()
        }
    }
}

/// Deterministic: every process that adopts this pair writes the same record. A pair
/// without an access token, or without an expiry, counts as expired and is refreshed
/// on first use.
fn tokens(pair: EnvironmentPair, app: App) -> Tokens {
    /// The lifetime of Kroger's access tokens.
    const LIFETIME: Duration = Duration::from_secs(1_800);

    let expires_at = Timestamp::from_secs(pair.expires_at);
    Tokens {
        app: Some(app),
        access_token: pair.access_token.unwrap_or_else(|| Secret::new("")),
        refresh_token: pair.refresh_token,
        obtained_at: expires_at - LIFETIME,
        expires_at,
        scope: None,
    }
}

/// Whether this host has a `.env` file that the mirror is written to.
pub fn has_env_file(cx: Context<'_>) -> bool {
    cx.ports.get(Bucket::Env, &Key::Mirror.to_string()).is_ok()
}

/// What became of writing the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    Updated,
    /// There is no `.env`, or the user is not the one it is for.
    Off,
    Failed,
}

/// Writes the pair of `grant` to the `.env` file, if there is one, and if the grant is
/// the current one and safe in the store. A caller that a deletion or a sign-in
/// overtook must not write after it. Another host must not find a pair that still
/// waits to be saved, and adopt it.
pub(crate) fn export(cx: Context<'_>, grant: &Grant) -> Exported {
    let user = grant.user_id.key();
    let is_default = grant.user_id == cx.settings.default_user;
    if !is_default || !records::is_current(cx, grant).unwrap_or(false) || !records::is_stored(cx, &user, grant.ticket) {
        return Exported::Off;
    }
    let exported = settle(cx, cx.ports.set(Bucket::Env, &Key::Mirror.to_string(), block(&grant.tokens).as_bytes()));
    if exported != Exported::Off && matches!(records::current(cx, &user), Ok(Current::Deleted { .. })) {
        return clear(cx);
    }
    exported
}

/// Takes the pair out of the `.env` file.
pub(crate) fn clear(cx: Context<'_>) -> Exported {
    settle(cx, cx.ports.delete(Bucket::Env, &Key::Mirror.to_string()))
}

fn settle(cx: Context<'_>, result: Result<(), StoreError>) -> Exported {
    match result {
        Ok(()) => Exported::Updated,
        Err(StoreError::NoSuchBucket) => Exported::Off,
        Err(StoreError::Failed) => {
            cx.ports.log(&Event::StoreTrouble { doing: "writing the .env mirror" });
            Exported::Failed
        }
    }
}

/// A token that is not there has no line.
fn block(tokens: &Tokens) -> String {
    let line = |name: &str, token: &Secret| match token.expose() {
        "" => String::new(),
        text => format!("{name}={text}\n"),
    };
    let refresh_token = tokens.refresh_token.as_ref().map(|token| line("KROGER_USER_REFRESH_TOKEN", token));
    format!(
        "{}{}KROGER_USER_TOKEN_EXPIRES_AT={}\n",
        line("KROGER_USER_ACCESS_TOKEN", &tokens.access_token),
        refresh_token.unwrap_or_default(),
        tokens.expires_at.as_secs(),
    )
}

fn parse(block: &str) -> Option<EnvironmentPair> {
    let value = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        (!line.is_empty()).then_some(line)
    };
    let secret = |name| value(name).filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic())).map(Secret::new);
    let pair = EnvironmentPair {
        access_token: secret("KROGER_USER_ACCESS_TOKEN"),
        refresh_token: secret("KROGER_USER_REFRESH_TOKEN"),
        expires_at: value("KROGER_USER_TOKEN_EXPIRES_AT").and_then(unix_seconds).unwrap_or(0),
    };
    (pair.access_token.is_some() || pair.refresh_token.is_some()).then_some(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_reads_back_as_the_pair_that_was_written() {
        let tokens = Tokens {
            app: None,
            access_token: Secret::new("a=1"),
            refresh_token: Some(Secret::new("r")),
            obtained_at: Timestamp::from_secs(1),
            expires_at: Timestamp::from_secs(1_800),
            scope: None,
        };

        let pair = parse(&block(&tokens)).unwrap();

        assert_eq!(pair.access_token, Some(tokens.access_token));
        assert_eq!(pair.refresh_token, tokens.refresh_token);
        assert_eq!(pair.expires_at, 1_800);
    }

    #[test]
    fn a_pair_that_is_a_refresh_token_alone_has_no_line_for_the_other() {
        let tokens = Tokens {
            app: None,
            access_token: Secret::new(""),
            refresh_token: Some(Secret::new("r")),
            obtained_at: Timestamp::default(),
            expires_at: Timestamp::default(),
            scope: None,
        };

        assert_eq!(block(&tokens), "KROGER_USER_REFRESH_TOKEN=r\nKROGER_USER_TOKEN_EXPIRES_AT=0\n");
    }

    #[test]
    fn a_block_without_a_token_offers_nothing() {
        assert!(parse("KROGER_USER_ACCESS_TOKEN=\nKROGER_USER_TOKEN_EXPIRES_AT=5\n").is_none());
    }
}
