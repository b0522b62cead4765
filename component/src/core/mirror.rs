//! The pair of tokens that lies outside the store: in the environment, and in
//! the `.env` file through the bucket `env`.
//!
//! The mirror is an export. A pair is taken *from* outside only where the store
//! has nothing, or where it is new to the lineage and lives longer; so an old
//! copy never brings back a spent token.

use super::Context;
use super::grants;
use super::lineage::{Current, Grant, Record, Source, Tokens};
use super::secret::{Fingerprint, Secret};
use super::settings::{EnvironmentPair, unix_seconds};
use super::user::{UserId, UserKey};
use crate::ports::{Bucket, Event, StoreError, Timestamp};

const KEY: &str = "mirror";

/// A pair from outside, newest last: what the environment was started with,
/// then what the `.env` file says now.
pub fn offered(cx: Context<'_>) -> Vec<EnvironmentPair> {
    let started_with = cx.settings.environment_pair.clone();
    let file = cx.ports.get(Bucket::Env, KEY).ok().flatten();
    let in_file = file.and_then(|block| parse(std::str::from_utf8(&block).ok()?));
    started_with.into_iter().chain(in_file).collect()
}

/// The fingerprints of all refresh tokens on offer.
pub fn offered_fingerprints(cx: Context<'_>) -> Vec<Fingerprint> {
    offered(cx).iter().filter_map(|pair| Some(pair.refresh_token.as_ref()?.fingerprint())).collect()
}

/// Takes a pair from outside as a sign-in of the default user, if there is one
/// to take. Answers what is current afterwards; a pair that the store did not
/// keep is answered under ticket 0 and good for as long as its access token.
pub fn adopt(cx: Context<'_>, user: &UserId, current: Current) -> Result<Current, StoreError> {
    let Some(pair) = adoptable(cx, user, &current) else { return Ok(current) };
    let tokens = tokens(pair, cx.ports.wall_now());
    let record = Record::sign_in(user.clone(), tokens.clone(), Source::EnvFile, &current);
    let key = user.key();
    let ticket = grants::take_ticket(cx, &key)?;
    grants::write(cx, &key, ticket, &record)?;
    if cx.ports.read_back(&grants::grant_key(&key, ticket))?.is_some() {
        return grants::current(cx, &key);
    }
    Ok(Current::Grant(Grant {
        ticket: 0,
        root: 0,
        user_id: user.clone(),
        tokens,
        source: Source::EnvFile,
        known: record.known,
        parent: None,
    }))
}

/// The pair from outside that [`adopt`] would take; takes nothing.
pub fn adoptable(cx: Context<'_>, user: &UserId, current: &Current) -> Option<EnvironmentPair> {
    if *user != cx.settings.default_user {
        return None;
    }
    offered(cx).into_iter().filter(|pair| is_adoptable(pair, current)).max_by_key(|pair| pair.expires_at)
}

fn is_adoptable(pair: &EnvironmentPair, current: &Current) -> bool {
    let is_known = pair.refresh_token.as_ref().is_some_and(|token| current.known().contains(&token.fingerprint()));
    match current {
        Current::Absent => true,
        Current::Deleted { .. } => !is_known && pair.refresh_token.is_some(),
        Current::Grant(grant) => {
            !is_known && pair.refresh_token.is_some() && pair.expires_at > grant.tokens.expires_at.as_secs()
        }
    }
}

/// Without an access token, or a time that it expires at, the pair counts as
/// expired and is refreshed on first use.
fn tokens(pair: EnvironmentPair, now: Timestamp) -> Tokens {
    let expires_at = Timestamp::from_secs(pair.expires_at);
    Tokens {
        access_token: pair.access_token.unwrap_or_else(|| Secret::new("")),
        refresh_token: pair.refresh_token,
        obtained_at: now.min(expires_at),
        expires_at,
        scope: None,
    }
}

/// What became of writing the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    Updated,
    /// There is no `.env`, or the user is not the one it is for.
    Off,
    Failed,
}

/// Writes the grant's pair to the `.env` file, if there is one.
pub fn export(cx: Context<'_>, user: &UserKey, tokens: &Tokens) -> Exported {
    if *user != cx.settings.default_user.key() {
        return Exported::Off;
    }
    settle(cx, cx.ports.set(Bucket::Env, KEY, block(tokens).as_bytes()))
}

/// Takes the pair out of the `.env` file.
pub fn clear(cx: Context<'_>) -> Exported {
    settle(cx, cx.ports.delete(Bucket::Env, KEY))
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
    let refresh_token = tokens.refresh_token.as_ref();
    let refresh_line = refresh_token.map(|token| format!("KROGER_USER_REFRESH_TOKEN={}\n", token.expose()));
    format!(
        "KROGER_USER_ACCESS_TOKEN={}\n{}KROGER_USER_TOKEN_EXPIRES_AT={}\n",
        tokens.access_token.expose(),
        refresh_line.unwrap_or_default(),
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
    fn a_block_without_a_token_offers_nothing() {
        assert!(parse("KROGER_USER_ACCESS_TOKEN=\nKROGER_USER_TOKEN_EXPIRES_AT=5\n").is_none());
    }
}
