//! The periodic refresh. A pass asks the component which users are due, has each one refreshed in an
//! instance of its own, and has the component tidy up.
//!
//! It decides nothing about tokens. One pass never overlaps the next.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::run::component::{Failure, MAX_UPKEEP, RefreshOutcome};
use crate::run::pool::{CallError, Pool};

/// The most users of one pass. The others are still due in the next pass.
const MAX_DUE: u32 = 5_000;

/// Refreshes at once: enough for 5,000 users a minute at a tenth of a second each. One instance is
/// left for tidying up.
const MAX_AT_ONCE: usize = MAX_UPKEEP as usize - 1;

/// What one pass did, in users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Users that were due.
    pub due: usize,
    /// Users with a new pair of tokens.
    pub refreshed: usize,
    /// Users whose token was already fresh.
    pub fresh: usize,
    /// Users whose refresh failed, and is tried again later.
    pub postponed: usize,
    /// Users who must sign in again.
    pub reauthorize: usize,
    /// Users without a grant, without a refresh token, or with a grant of another app or server.
    pub nothing_to_refresh: usize,
    /// Users for whom the component itself failed.
    pub failed: usize,
    /// Keys of the store that were no longer needed and were deleted.
    pub swept: u32,
}

/// Why a call of the component has no answer.
#[derive(Debug)]
pub enum ComponentError {
    /// The component failed the call, and says why.
    Refused(Failure),
    /// The component did not answer; the log says why.
    NoAnswer,
}

impl fmt::Display for ComponentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(failure) => write!(f, "{} {}", failure.message, failure.next_step),
            Self::NoAnswer => f.write_str("The component did not answer."),
        }
    }
}

impl std::error::Error for ComponentError {}

impl From<Failure> for ComponentError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

impl From<CallError> for ComponentError {
    fn from(_: CallError) -> Self {
        Self::NoAnswer
    }
}

/// The outcome of one refresh.
type Refreshed = Result<RefreshOutcome, ComponentError>;

/// Runs a pass at once and then every `interval`, until `stop` resolves. The pass under way then
/// begins no further refresh.
pub(crate) async fn run(pool: &Pool, interval: Duration, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    loop {
        let began = Instant::now();
        let passed = tokio::select! {
            () = &mut stop => return,
            passed = pass(pool) => passed,
        };
        log(&passed, began.elapsed());
        let rest = spread(interval).saturating_sub(began.elapsed());
        tokio::select! {
            () = &mut stop => return,
            () = sleep(rest) => {}
        }
    }
}

/// Runs one pass. A dropped pass begins no further refresh; the refreshes that it has begun run to
/// their ends.
pub(crate) async fn pass(pool: &Pool) -> Result<Pass, ComponentError> {
    let due = pool.upkeep(|instance| Box::pin(instance.due(MAX_DUE))).await??;
    let users: BTreeSet<String> = due.into_iter().collect();
    let mut pass = Pass { due: users.len(), ..Pass::default() };
    let mut refused = None;
    for refreshed in refresh_all(pool, users).await {
        match refreshed {
            Ok(outcome) => pass.count(outcome),
            Err(error) => {
                pass.failed += 1;
                refused = Some(error);
            }
        }
    }
    match tidy(pool).await {
        Ok(swept) => pass.swept = swept,
        Err(error) if pass.due == 0 => return Err(error),
        Err(error) => tracing::warn!("tidying up failed: {error}"),
    }
    match refused {
        Some(error) if pass.failed == pass.due => Err(error),
        _ => Ok(pass),
    }
}

/// Has the component save refreshed tokens that wait in memory, and delete keys that are no longer
/// needed. Answers the number of keys deleted.
pub(crate) async fn tidy(pool: &Pool) -> Result<u32, ComponentError> {
    Ok(pool.upkeep(|instance| Box::pin(instance.tidy())).await??)
}

/// Refreshes one user if that is due.
pub(crate) async fn refresh(pool: &Pool, user: String) -> Refreshed {
    let refreshed = pool.upkeep(move |instance| Box::pin(async move { instance.refresh_user(&user).await }));
    Ok(refreshed.await??)
}

async fn refresh_all(pool: &Pool, users: BTreeSet<String>) -> Vec<Refreshed> {
    let slots = Arc::new(Semaphore::new(MAX_AT_ONCE));
    let mut refreshes = JoinSet::new();
    for user in users {
        let (pool, slots) = (pool.clone(), Arc::clone(&slots));
        refreshes.spawn(async move {
            let _slot = slots.acquire().await;
            refresh(&pool, user).await
        });
    }
    refreshes.join_all().await
}

impl Pass {
    fn count(&mut self, outcome: RefreshOutcome) {
        let counter = match outcome {
            RefreshOutcome::Refreshed => &mut self.refreshed,
            RefreshOutcome::Fresh => &mut self.fresh,
            RefreshOutcome::Postponed => &mut self.postponed,
            RefreshOutcome::Reauthorize => &mut self.reauthorize,
            RefreshOutcome::NothingToRefresh => &mut self.nothing_to_refresh,
        };
        *counter += 1;
    }
}

/// Varies `interval` by up to a tenth, so that servers that were started together do not stay in
/// step.
fn spread(interval: Duration) -> Duration {
    let random = RandomState::new().hash_one(interval) % 201;
    interval * (900 + u32::try_from(random).unwrap_or(0)) / 1000
}

fn log(passed: &Result<Pass, ComponentError>, took: Duration) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match passed {
        Ok(pass) if pass.due == 0 => {
            tracing::debug!(swept = pass.swept, duration_ms, "periodic refresh found nobody due");
        }
        Ok(pass) => tracing::info!(
            due = pass.due,
            refreshed = pass.refreshed,
            fresh = pass.fresh,
            postponed = pass.postponed,
            reauthorize = pass.reauthorize,
            failed = pass.failed,
            swept = pass.swept,
            duration_ms,
            "periodic refresh finished"
        ),
        Err(error) => tracing::warn!(duration_ms, "periodic refresh failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_spread_by_a_tenth_at_most() {
        let interval = Duration::from_secs(60);

        for _ in 0..1000 {
            let spread = spread(interval);
            assert!((Duration::from_secs(54)..=Duration::from_secs(66)).contains(&spread), "{spread:?}");
        }
    }
}
