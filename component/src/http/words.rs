//! The words and numbers in which answers tell where tokens stand. The texts
//! are the first system's, which its callers look for.

use kroger_core::Context;
use kroger_core::grant::lineage::Tokens;
use kroger_core::grant::status::{self, Known, TokenState};
use kroger_core::grant::success_rate;
use kroger_core::ports::{StoreError, Timestamp};
use kroger_core::settings::Settings;
use kroger_core::store::health::Persistence;
use kroger_core::upstream::app_token::{self, AppTokenState, StoredAppToken};

pub(super) const NOT_CONFIGURED: &str = "not_configured";

/// RFC 3339, UTC, whole seconds.
pub(super) fn readable(seconds: u64) -> String {
    Timestamp::from_secs(seconds).readable()
}

/// Whole seconds from `now` to `at`.
pub(super) fn seconds_left(at: Timestamp, now: Timestamp) -> u64 {
    at.since(now).as_secs()
}

pub(super) fn valid(tokens: &Tokens, now: Timestamp) -> String {
    format!("valid (expires in {}s)", seconds_left(tokens.expires_at, now))
}

/// Where the app's own token stands.
pub(super) fn client_token(cx: Context<'_>) -> Result<String, StoreError> {
    let has_secret = cx.settings.client.as_ref().is_some_and(|client| client.secret.is_some());
    let now = cx.ports.wall_now();
    Ok(match app_token::stored(cx)? {
        Some(StoredAppToken { state: AppTokenState::Token { expires_at, .. }, .. }) if expires_at > now => {
            format!("valid (expires in {}s)", seconds_left(expires_at, now))
        }
        Some(StoredAppToken { state: AppTokenState::CredentialsRejected, .. }) => NOT_CONFIGURED.to_owned(),
        _ if has_secret => "expired (will refresh on next use)".to_owned(),
        _ => NOT_CONFIGURED.to_owned(),
    })
}

/// Where a user's token stands.
pub(super) fn user_token(known: &Known, now: Timestamp) -> String {
    match (&known.outside, &known.status) {
        (Some(pair), _) => match status::outside_left(pair, now) {
            Some(left) => format!("valid in .env (expires in {}s)", left.as_secs()),
            None => "expired in .env (will refresh on first use)".to_owned(),
        },
        (None, Some(status)) => match status.state {
            TokenState::Valid | TokenState::ExpiringSoon => valid(&status.grant.tokens, now),
            TokenState::Expired => "expired (will refresh automatically)".to_owned(),
            TokenState::Reauthorize { .. } => "re-authentication required".to_owned(),
            TokenState::OfAnotherApp => NOT_CONFIGURED.to_owned(),
        },
        (None, None) => NOT_CONFIGURED.to_owned(),
    }
}

pub(super) fn persistence(persistence: Persistence, settings: &Settings) -> String {
    match persistence {
        Persistence::Kept => format!("enabled to {}", store_name(settings)),
        Persistence::Forgets => "unavailable: the store forgets what it was told".to_owned(),
        Persistence::Failed => "unavailable: the store cannot be read or written".to_owned(),
    }
}

/// The store as the operator named it, but no path of the machine.
pub(super) fn store_name(settings: &Settings) -> &str {
    let name = settings.store_name.as_str();
    let is_path_of_the_machine = name.starts_with(['/', '\\', '~']) || name.get(1..2) == Some(":");
    if !is_path_of_the_machine {
        return name;
    }
    name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("store")
}

/// The measured rate; none while there is nothing to measure, or no store.
pub(super) fn success_rate(cx: Context<'_>) -> Option<String> {
    success_rate::text(cx).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_is_named_without_a_path_of_the_machine() {
        let name = |given: &str| {
            let variables = [("KROGER_STORE".to_owned(), given.to_owned())];
            store_name(&Settings::from_variables(variables).unwrap()).to_owned()
        };

        assert_eq!(name(".tokens"), ".tokens");
        assert_eq!(name("data/.tokens"), "data/.tokens");
        assert_eq!(name("/home/ann/.tokens/"), ".tokens");
        assert_eq!(name("C:\\Users\\ann\\tokens"), "tokens");
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(readable(1_737_201_600), "2025-01-18T12:00:00Z");
    }
}
