//! The instances of the component, and the calls into them.
//!
//! One instance serves one call at a time, and then the next call. HTTP calls and upkeep share the
//! instances, and each have slots of their own: callers that wait for Kroger delay neither the timer's
//! refreshes nor the saving of tokens. An accepted call runs to its end in a task of its own, even if
//! its caller goes away. An instance that trapped, took too long or grew too large is never used again.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::run::budget::{Budget, Portion};
use crate::run::component::{Blueprint, Instance, MAX_UPKEEP, USUAL_MEMORY};
use crate::run::shares::{Caller, Refused, Shares, WAIT_LIMIT};
use crate::time_limit::{MOMENT, within};

/// The wall time of a call, blocked host calls included. The component begins nothing after 30 s, and
/// ends what it began 17 s later at most. An agent's add looks its items up first, which may take 35 s
/// more.
const CALL_LIMIT: Duration = Duration::from_secs(90);

/// The longest time from a call's arrival to its end.
pub(crate) const LONGEST_CALL: Duration = WAIT_LIMIT.saturating_add(CALL_LIMIT).saturating_add(MOMENT);

/// Calls that one instance serves. Making one costs about two plain calls, so
/// this many make that cost vanish, and what a guest leaks is soon dropped.
const MAX_USES: u32 = 128;

/// An instance that waits longer than this for work is dropped. One instance is kept.
const MAX_IDLE: Duration = Duration::from_secs(10);

/// The work of a call: what it does with the instance it is given.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 'a>>;

/// A cheap handle on the pool.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    blueprint: Blueprint,
    shares: Shares,
    bodies: Portion,
    upkeep: Arc<Semaphore>,
    /// Calls that took too long. Nobody knows their outcome.
    given_up: AtomicUsize,
    /// The last used instance is at the end.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    instance: Instance,
    uses: u32,
    since: Instant,
}

/// Why a call has no result.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The call was not accepted, and nothing ran.
    Busy,
    /// No instance could be made, most likely for want of memory. Nothing ran.
    NoInstance(wasmtime::Error),
    /// The caller has more calls under way than its share. The call was not accepted.
    OverShare,
    TimedOut,
    /// The guest trapped, or broke the protocol.
    Failed(wasmtime::Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("too many calls are waiting"),
            Self::NoInstance(_) => f.write_str("no instance of the component can be made; is there too little memory?"),
            Self::OverShare => f.write_str("a caller has more calls under way than its share"),
            Self::TimedOut => f.write_str("the call took too long"),
            Self::Failed(_) => f.write_str("the component failed"),
        }
    }
}

impl std::error::Error for CallError {}

impl From<Refused> for CallError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy => Self::Busy,
            Refused::OverShare => Self::OverShare,
        }
    }
}

impl Pool {
    pub(crate) fn new(blueprint: Blueprint, budget: Budget) -> Self {
        Self(Arc::new(Inner {
            blueprint,
            shares: Shares::of(budget.instances / USUAL_MEMORY),
            bodies: budget.bodies,
            upkeep: Arc::new(Semaphore::new(MAX_UPKEEP as usize)),
            given_up: AtomicUsize::new(0),
            idle: Mutex::default(),
        }))
    }

    /// Runs `work` of `caller` with an instance, detached from the caller.
    pub(crate) async fn call<T, F>(&self, caller: Caller, work: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Instance) -> Work<'a, T> + Send + 'static,
    {
        let slot = self.0.shares.admit(caller).await?;
        self.run(slot, work).await
    }

    /// The caller of `request`, which came from `peer`. None: it came over stdin.
    pub(crate) fn caller<B>(&self, peer: Option<IpAddr>, request: &Request<B>) -> Caller {
        self.0.shares.caller(peer, request)
    }

    /// Runs `work` in a slot for upkeep, which callers cannot take: refreshes, and the saving of tokens.
    pub(crate) async fn upkeep<T, F>(&self, work: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Instance) -> Work<'a, T> + Send + 'static,
    {
        let slot = in_time(Arc::clone(&self.0.upkeep)).await?;
        self.run(slot, work).await
    }

    /// Keeps `slot` until the work has ended.
    async fn run<S, T, F>(&self, slot: S, work: F) -> Result<T, CallError>
    where
        S: Send + 'static,
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Instance) -> Work<'a, T> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        let call = tokio::spawn(async move { inner.run(slot, work).await });
        call.await.unwrap_or_else(|panicked| {
            let error = CallError::Failed(panicked.into());
            report(&error);
            Err(error)
        })
    }

    /// Waits until no call runs. Calls that arrive meanwhile are accepted too, so close the listener
    /// first.
    pub(crate) async fn drained(&self) {
        self.0.shares.drained().await;
        // Fails only for a closed semaphore, and nothing closes this one.
        let _upkeep = self.0.upkeep.acquire_many(MAX_UPKEEP).await;
    }

    /// The memory for bodies that are being received, or wait for an instance.
    pub(crate) fn bodies(&self) -> &Portion {
        &self.0.bodies
    }

    /// How many calls were given up so far.
    pub(crate) fn given_up(&self) -> usize {
        self.0.given_up.load(Ordering::Relaxed)
    }

    /// Drops instances that have waited too long for work.
    pub(crate) fn trim(&self) {
        let mut idle = self.0.idle();
        let warm = idle.pop();
        idle.retain(|idle| idle.since.elapsed() < MAX_IDLE);
        idle.extend(warm);
    }
}

async fn in_time(slots: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, CallError> {
    match timeout(WAIT_LIMIT, slots.acquire_owned()).await {
        Ok(Ok(slot)) => Ok(slot),
        Ok(Err(_)) | Err(_) => Err(CallError::Busy),
    }
}

impl Inner {
    /// Logs the error here, because the caller may have gone away.
    async fn run<S, T, F>(&self, _slot: S, work: F) -> Result<T, CallError>
    where
        F: for<'a> FnOnce(&'a mut Instance) -> Work<'a, T>,
    {
        let result = self.work(work).await;
        if let Err(CallError::TimedOut) = result {
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
        result.inspect_err(report)
    }

    async fn work<T, F>(&self, work: F) -> Result<T, CallError>
    where
        F: for<'a> FnOnce(&'a mut Instance) -> Work<'a, T>,
    {
        let call = async {
            let (mut instance, uses) = self.take().await.map_err(CallError::NoInstance)?;
            let result = work(&mut instance).await.map_err(CallError::Failed)?;
            Ok::<_, CallError>((instance, uses, result))
        };
        let (instance, uses, result) = within(CALL_LIMIT, call).await.map_err(|_| CallError::TimedOut)??;
        self.give_back(instance, uses + 1);
        Ok(result)
    }

    async fn take(&self) -> wasmtime::Result<(Instance, u32)> {
        let idle = self.idle().pop();
        match idle {
            Some(idle) => Ok((idle.instance, idle.uses)),
            None => Ok((self.blueprint.instantiate().await?, 0)),
        }
    }

    fn give_back(&self, instance: Instance, uses: u32) {
        if uses < MAX_USES && instance.is_slender() {
            self.idle().push(Idle { instance, uses, since: Instant::now() });
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report(error: &CallError) {
    match error {
        CallError::Failed(cause) | CallError::NoInstance(cause) => {
            tracing::error!(cause = %cause.root_cause(), "{error}");
            tracing::debug!("{cause:?}");
        }
        CallError::TimedOut | CallError::Busy | CallError::OverShare => tracing::warn!("{error}"),
    }
}
