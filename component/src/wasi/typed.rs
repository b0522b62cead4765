//! The typed exports: `authorization`, `tokens`, `cart`, `quotas`, `maintenance` and `migration`. The export
//! `catalog` has a file of its own. Each translates its arguments, calls one rule, and translates the answer. None
//! decides anything.

use std::time::Duration;

use super::bindings::exports::kroger::connector::{
    authorization as wit_authorization, cart as wit_cart, maintenance as wit_maintenance, migration as wit_migration,
    quotas as wit_quotas, tokens as wit_tokens,
};
use super::bindings::kroger::connector::types::Failure as WitFailure;
use super::component::Component;
use super::ports::with_context;
use super::told::{misconfigured, told};
use crate::words;
use crate::words::typed::WAYS;
use kroger_core::Context;
use kroger_core::cart::ledger::IdempotencyKey;
use kroger_core::cart::order::{self, Given};
use kroger_core::cart::{self, Added};
use kroger_core::failure::Failure;
use kroger_core::grant::attempts::AttemptOutcome;
use kroger_core::grant::lineage::Source;
use kroger_core::grant::status::{self, Held, Status, TokenState};
use kroger_core::grant::{on_demand, success_rate};
use kroger_core::item::Modality;
use kroger_core::kroger::limits::Endpoint;
use kroger_core::ports::{StoreError, Timestamp};
use kroger_core::scope::Scope;
use kroger_core::secret::Secret;
use kroger_core::service::credentials::{self, Credentials};
use kroger_core::service::maintenance;
use kroger_core::service::validation::{self, Check, CheckName, Reach, Validation};
use kroger_core::settings::EnvironmentPair;
use kroger_core::sign_in::{authorization, exchange, import, pending, sign_out};
use kroger_core::upstream::quota::{self, QuotaStatus};
use kroger_core::user::UserId;

/// Runs `rule` with the settings and ports of this call. Answers its failure, or the failure of wrong settings.
pub(super) fn answer<T>(rule: impl FnOnce(Context<'_>) -> Result<T, Failure>) -> Result<T, WitFailure> {
    let told = with_context(|cx| rule(cx).map_err(|failure| told(cx, &failure)));
    told.unwrap_or_else(|errors| Err(misconfigured(errors)))
}

pub(super) fn user(cx: Context<'_>, id: Option<&str>) -> Result<UserId, Failure> {
    let Some(id) = id else { return Ok(cx.settings.default_user.clone()) };
    UserId::parse(id).map_err(|allowed| Failure::invalid_argument("user-id", allowed))
}

impl wit_authorization::Guest for Component {
    fn authorize(
        user_id: Option<String>,
        scope: Option<String>,
    ) -> Result<wit_authorization::AuthorizationRequest, WitFailure> {
        answer(|cx| {
            let scope = scope.as_deref().map(Scope::parse).transpose();
            let scope = scope.map_err(|allowed| Failure::invalid_argument("scope", allowed))?;
            let request = authorization::authorize(cx, &user(cx, user_id.as_deref())?, scope.as_ref())?;
            Ok(wit_authorization::AuthorizationRequest {
                authorization_url: request.authorization_url,
                redirect_uri: request.redirect_uri,
                scope: request.scope,
                state: request.state,
            })
        })
    }

    fn complete(code: String, state: String) -> Result<wit_authorization::SignedIn, WitFailure> {
        answer(|cx| {
            let signed_in = exchange::complete(cx, &Secret::new(code), &state)?;
            Ok(wit_authorization::SignedIn {
                user_id: signed_in.grant.user_id.as_str().to_owned(),
                expires_at: signed_in.grant.tokens.expires_at.as_secs(),
            })
        })
    }

    fn decline(state: String) -> Result<(), WitFailure> {
        answer(|cx| exchange::decline(cx, &state))
    }

    fn progress(state: String) -> Result<wit_authorization::SignInProgress, WitFailure> {
        answer(|cx| {
            let progress = pending::progress(cx, &state);
            progress.map(Into::into).map_err(|_| Failure::store_unavailable())
        })
    }
}

impl From<pending::Progress> for wit_authorization::SignInProgress {
    fn from(progress: pending::Progress) -> Self {
        match progress {
            pending::Progress::Open => Self::Open,
            pending::Progress::Taken => Self::Taken,
            pending::Progress::Over => Self::Over,
        }
    }
}

impl wit_tokens::Guest for Component {
    fn status(user_id: Option<String>) -> Result<Option<wit_tokens::TokenStatus>, WitFailure> {
        answer(|cx| {
            let found = status::of(cx, &user(cx, user_id.as_deref())?).map_err(|_| Failure::store_unavailable())?;
            Ok(found.map(|held| of_held(held, cx.ports.wall_now())))
        })
    }

    fn list(limit: u32) -> Result<Vec<wit_tokens::TokenStatus>, WitFailure> {
        answer(|cx| {
            let found = status::list(cx, limit as usize).map_err(|_| Failure::store_unavailable())?;
            Ok(found.into_iter().map(|held| of_held(held, cx.ports.wall_now())).collect())
        })
    }

    fn refresh(user_id: Option<String>) -> Result<wit_tokens::TokenStatus, WitFailure> {
        answer(|cx| {
            let user = user(cx, user_id.as_deref())?;
            let grant = on_demand::refresh(cx, &user)?;
            let status = status::status(cx, &user.key()).ok().flatten();
            let status = status.unwrap_or(Status { grant, state: TokenState::Valid, last_error: None });
            Ok(of_grant(status, cx.ports.wall_now()))
        })
    }

    fn validate(reach: wit_tokens::Reach) -> Result<wit_tokens::Validation, WitFailure> {
        answer(|cx| Ok(validation::validate(cx, reach.into()).into()))
    }

    fn check_credentials() -> Result<wit_tokens::Credentials, WitFailure> {
        answer(|cx| Ok(credentials::check(cx).into()))
    }

    fn forget(user_id: String) -> Result<(), WitFailure> {
        answer(|cx| sign_out::forget(cx, &user(cx, Some(&user_id))?).map(drop))
    }
}

fn of_held(held: Held, now: Timestamp) -> wit_tokens::TokenStatus {
    match held {
        Held::InStore(status) => of_grant(status, now),
        Held::Outside { user, pair } => of_outside_pair(&user, &pair, now),
    }
}

fn of_grant(Status { grant, state, last_error }: Status, now: Timestamp) -> wit_tokens::TokenStatus {
    wit_tokens::TokenStatus {
        user_id: grant.user_id.as_str().to_owned(),
        sign_in: Some(grant.ticket.root.to_string()),
        state: state.into(),
        expires_at: grant.tokens.expires_at.as_secs(),
        expires_in: grant.tokens.expires_at.since(now).as_secs(),
        has_refresh_token: grant.tokens.refresh_token.is_some(),
        scope: grant.tokens.scope.unwrap_or_default(),
        refreshed_at: Some(grant.tokens.obtained_at.as_secs()),
        source: grant.source.into(),
        last_error: last_error.map(Into::into),
    }
}

fn of_outside_pair(user: &UserId, pair: &EnvironmentPair, now: Timestamp) -> wit_tokens::TokenStatus {
    let is_valid = status::outside_left(pair, now).is_some();
    wit_tokens::TokenStatus {
        user_id: user.as_str().to_owned(),
        sign_in: None,
        state: if is_valid { wit_tokens::TokenState::Valid } else { wit_tokens::TokenState::Expired },
        expires_at: pair.expires_at,
        expires_in: Timestamp::from_secs(pair.expires_at).since(now).as_secs(),
        has_refresh_token: pair.refresh_token.is_some(),
        scope: String::new(),
        refreshed_at: None,
        source: wit_tokens::TokenSource::EnvFile,
        last_error: None,
    }
}

impl From<TokenState> for wit_tokens::TokenState {
    fn from(state: TokenState) -> Self {
        match state {
            TokenState::Valid => Self::Valid,
            TokenState::ExpiringSoon => Self::ExpiringSoon,
            TokenState::Expired => Self::Expired,
            TokenState::Reauthorize { .. } => Self::Reauthorize,
            TokenState::OfAnotherApp => Self::OfAnotherApp,
        }
    }
}

impl From<Source> for wit_tokens::TokenSource {
    fn from(source: Source) -> Self {
        match source {
            Source::OAuth => Self::Oauth,
            Source::EnvFile => Self::EnvFile,
            Source::Import => Self::Import,
        }
    }
}

impl From<AttemptOutcome> for wit_tokens::RefreshError {
    fn from(outcome: AttemptOutcome) -> Self {
        match outcome {
            AttemptOutcome::Refused => Self::Refused,
            AttemptOutcome::ClientRefused => Self::ClientRefused,
            AttemptOutcome::RequestRefused => Self::RequestRefused,
            AttemptOutcome::NotSent => Self::NotSent,
            AttemptOutcome::Busy => Self::Busy,
            AttemptOutcome::Failed => Self::Failed,
            AttemptOutcome::Unknown => Self::Unknown,
        }
    }
}

impl From<Credentials> for wit_tokens::Credentials {
    fn from(credentials: Credentials) -> Self {
        match credentials {
            Credentials::Accepted => Self::Accepted,
            Credentials::NoSecret => Self::NoSecret,
            Credentials::Rejected => Self::Rejected,
            Credentials::ScopeRefused(error) => Self::ScopeRefused(format!("{} ({})", error.reason, error.code)),
            Credentials::NotKnown => Self::NotKnown,
        }
    }
}

impl From<wit_tokens::Reach> for Reach {
    fn from(reach: wit_tokens::Reach) -> Self {
        match reach {
            wit_tokens::Reach::Offline => Self::Offline,
            wit_tokens::Reach::Online => Self::Online,
        }
    }
}

impl From<Validation> for wit_tokens::Validation {
    fn from(found: Validation) -> Self {
        let issues = words::issues(&found, &WAYS);
        let users = found
            .users
            .into_iter()
            .map(|(user, list)| wit_tokens::UserChecks { user_id: user.as_str().to_owned(), checks: checks(list) });
        Self { issues, client: checks(found.client), users: users.collect(), server: checks(found.server) }
    }
}

fn checks(list: Vec<Check>) -> Vec<wit_tokens::Check> {
    let each = |Check { name, ok, finding }| wit_tokens::Check {
        name: name.into(),
        ok,
        detail: words::finding(&finding, &WAYS),
    };
    list.into_iter().map(each).collect()
}

impl From<CheckName> for wit_tokens::CheckName {
    fn from(name: CheckName) -> Self {
        match name {
            CheckName::Shape => Self::Shape,
            CheckName::Expiry => Self::Expiry,
            CheckName::Scope => Self::Scope,
            CheckName::RefreshToken => Self::RefreshToken,
            CheckName::Lineage => Self::Lineage,
            CheckName::Online => Self::Online,
            CheckName::Credentials => Self::Credentials,
            CheckName::StoreReadable => Self::StoreReadable,
            CheckName::StoreWritable => Self::StoreWritable,
            CheckName::Rescue => Self::Rescue,
            CheckName::LastTick => Self::LastTick,
        }
    }
}

impl wit_cart::Guest for Component {
    fn add(
        user_id: Option<String>,
        items: Vec<wit_cart::Item>,
        idempotency_key: Option<String>,
    ) -> Result<wit_cart::Added, WitFailure> {
        answer(|cx| {
            let given: Vec<Given> = items.into_iter().map(Into::into).collect();
            let draft = order::many(&given, cx.settings.default_modality)?;
            let key = idempotency_key.as_deref().map(IdempotencyKey::parse).transpose();
            let key = key.map_err(|allowed| Failure::invalid_argument("idempotency-key", allowed))?;
            let user = user(cx, user_id.as_deref())?;
            let (order, added) = cart::add_draft(cx, &user, &draft, key.as_ref())?;
            let items_added = u32::try_from(order.items.len()).unwrap_or(u32::MAX);
            Ok(wit_cart::Added { items_added, notes: order.notes, replayed: added == Added::Before })
        })
    }
}

impl From<wit_cart::Item> for Given {
    fn from(item: wit_cart::Item) -> Self {
        let modality = item.modality.map(|modality| match modality {
            wit_cart::Modality::Pickup => Modality::Pickup,
            wit_cart::Modality::Delivery => Modality::Delivery,
        });
        Self { upc: item.upc, quantity: item.quantity, modality }
    }
}

impl wit_quotas::Guest for Component {
    fn rate_limits() -> Result<Vec<wit_quotas::RateLimit>, WitFailure> {
        answer(|cx| {
            let statuses = quota::statuses(cx).map_err(|_| Failure::store_unavailable())?;
            Ok(statuses.iter().map(Into::into).collect())
        })
    }
}

impl From<&QuotaStatus> for wit_quotas::RateLimit {
    fn from(status: &QuotaStatus) -> Self {
        Self {
            endpoint: match status.endpoint {
                Endpoint::Products => wit_quotas::Endpoint::Products,
                Endpoint::Cart => wit_quotas::Endpoint::Cart,
                Endpoint::Identity => wit_quotas::Endpoint::Identity,
                Endpoint::Locations => wit_quotas::Endpoint::Locations,
                Endpoint::Chains => wit_quotas::Endpoint::Chains,
                Endpoint::Departments => wit_quotas::Endpoint::Departments,
            },
            limit: status.limit,
            used: status.used,
            reserve: status.reserve,
            window_started_at: status.window_started_at.map(Timestamp::as_secs),
            resets_at: status.resets_at().map(Timestamp::as_secs),
            blocked_until: status.blocked_until.map(Timestamp::as_secs),
        }
    }
}

impl wit_maintenance::Guest for Component {
    fn timer_status() -> Result<wit_maintenance::Timer, WitFailure> {
        answer(|cx| timer(cx).map_err(|_| Failure::store_unavailable()))
    }

    fn due(limit: u32) -> Result<Vec<String>, WitFailure> {
        answer(|cx| {
            let users = maintenance::due(cx, limit as usize).map_err(|_| Failure::store_unavailable())?;
            Ok(users.iter().map(|user| user.as_str().to_owned()).collect())
        })
    }

    fn refresh_user(user_id: String) -> Result<wit_maintenance::RefreshOutcome, WitFailure> {
        answer(|cx| Ok(maintenance::refresh_user(cx, &user(cx, Some(&user_id))?)?.into()))
    }

    fn tidy() -> Result<u32, WitFailure> {
        answer(|cx| maintenance::tidy(cx).map_err(|_| Failure::store_unavailable()))
    }

    fn refresh_due(seconds: u32) -> Result<wit_maintenance::Pass, WitFailure> {
        answer(|cx| {
            let pass = maintenance::refresh_due(cx, Duration::from_secs(seconds.into()))?;
            Ok(wit_maintenance::Pass {
                looked_at: pass.looked_at,
                refreshed: pass.refreshed,
                postponed: pass.postponed,
                reauthorize: pass.reauthorize,
                swept: pass.swept,
                more: pass.more,
            })
        })
    }
}

fn timer(cx: Context<'_>) -> Result<wit_maintenance::Timer, StoreError> {
    Ok(wit_maintenance::Timer {
        running: maintenance::is_running(cx)?,
        last_pass_ago: validation::last_tick_age(cx).map(|age| age.as_secs()),
        success_rate: success_rate::text(cx)?,
    })
}

impl From<maintenance::RefreshOutcome> for wit_maintenance::RefreshOutcome {
    fn from(outcome: maintenance::RefreshOutcome) -> Self {
        match outcome {
            maintenance::RefreshOutcome::Refreshed => Self::Refreshed,
            maintenance::RefreshOutcome::Fresh => Self::Fresh,
            maintenance::RefreshOutcome::Postponed => Self::Postponed,
            maintenance::RefreshOutcome::Reauthorize => Self::Reauthorize,
            maintenance::RefreshOutcome::NothingToRefresh => Self::NothingToRefresh,
        }
    }
}

impl wit_migration::Guest for Component {
    fn assess(user_id: String, tokens: wit_migration::TokenPair) -> Result<wit_migration::Standing, WitFailure> {
        answer(|cx| Ok(import::assess(cx, &user(cx, Some(&user_id))?, &tokens.into())?.into()))
    }

    fn import_grant(
        user_id: String,
        tokens: wit_migration::TokenPair,
        expected: wit_migration::Standing,
    ) -> Result<wit_migration::ImportOutcome, WitFailure> {
        answer(|cx| {
            let user = user(cx, Some(&user_id))?;
            Ok(match import::import(cx, &user, &tokens.into(), expected.into())? {
                import::ImportOutcome::Imported => wit_migration::ImportOutcome::Imported,
                import::ImportOutcome::Declined(standing) => wit_migration::ImportOutcome::Declined(standing.into()),
            })
        })
    }
}

impl From<wit_migration::TokenPair> for import::Found {
    fn from(pair: wit_migration::TokenPair) -> Self {
        Self {
            access_token: pair.access_token.map(Secret::new),
            refresh_token: pair.refresh_token.map(Secret::new),
            expires_at: pair.expires_at.map(Timestamp::from_secs),
            obtained_at: pair.obtained_at.map(Timestamp::from_secs),
            scope: pair.scope,
        }
    }
}

/// Converts between two enums with the same variants: the core's and the interface's.
macro_rules! same_standings {
    ($($name:ident),*) => {
        impl From<import::PairStanding> for wit_migration::Standing {
            fn from(standing: import::PairStanding) -> Self {
                match standing { $(import::PairStanding::$name => Self::$name),* }
            }
        }

        impl From<wit_migration::Standing> for import::PairStanding {
            fn from(standing: wit_migration::Standing) -> Self {
                match standing { $(wit_migration::Standing::$name => Self::$name),* }
            }
        }
    };
}

same_standings!(Absent, Dead, Newer, Older, Forgotten, Known, Useless);
