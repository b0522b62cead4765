//! The host: the component, compiled and linked, and the ways to call it.
//!
//! It carries calls in and saves what the store refused before the process ends. It decides nothing
//! about tokens or carts.

use std::fmt;
use std::future::{Future, ready};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{interval, sleep, timeout};

use super::budget::{self, Budget};
use super::component::{Blueprint, MAX_INSTANCES};
use super::pool::Pool;
use super::server::Routes;
use super::timer::{ComponentError, Pass};
use super::{server, stdio, timer};
use crate::keep::buckets::Buckets;
use crate::keep::memory;
use crate::keep::sqlite::{OpenError, Store};
use crate::reach::egress::Egress;
use crate::settings::checked::Settings;
use crate::wall_clock;

/// How often unused instances are looked for.
const TRIM_INTERVAL: Duration = Duration::from_secs(5);

/// How often the store is asked again to take the tokens that it refused.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a process that is about to end asks the store.
const SAVE_LIMIT: Duration = Duration::from_secs(45);

/// The component, compiled and linked, and the instances it runs in.
pub struct Host {
    pub(super) pool: Pool,
    check_interval: Duration,
    /// Tokens that the store refused. They are nowhere else.
    rescue: memory::Bucket,
}

impl Host {
    /// Opens the store and compiles the component. Keeps compiled code in `cache_dir`, if there is
    /// one. Blocks: for seconds without a cached compilation, for some 10 ms with one.
    ///
    /// # Errors
    /// [`StartError`], which names no secret.
    pub fn start(settings: Settings, cache_dir: Option<&Path>) -> Result<Self, StartError> {
        if wall_clock::since_1970().is_none() {
            return Err(StartError::Clock);
        }
        if budget::is_space_too_small() {
            return Err(StartError::AddressSpace);
        }
        let store = Store::open(&settings.store.directory, &settings.store.path()).map_err(StartError::Store)?;
        let mut buckets = Buckets::new(store, settings.durable_buckets());
        if let Some(path) = settings.env_file {
            buckets = buckets.with_env_file(path);
        }
        let egress =
            Egress::to(&settings.component.api_base_url, MAX_INSTANCES as usize).ok_or(StartError::NoUpstream)?;
        let rescue = buckets.rescue().clone();
        let budget = Budget::here();
        let blueprint = Blueprint::new(cache_dir, settings.variables.0, buckets, egress, budget.growth.clone());
        let blueprint = blueprint.map_err(StartError::Component)?;
        Ok(Self { pool: Pool::new(blueprint, budget), check_interval: settings.component.check_interval, rescue })
    }

    /// Serves HTTP on `listener` and keeps tokens fresh until `stop` resolves. Then closes the listener
    /// and does what [`Host::finish`] does.
    ///
    /// # Errors
    /// [`Unsaved`], as [`Host::finish`].
    pub async fn serve(&self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), Unsaved> {
        self.serve_when(ready(listener), Routes::All, stop).await
    }

    /// Serves `routes` over HTTP on a listener that comes later, or never. Keeps tokens fresh from the
    /// beginning.
    ///
    /// # Errors
    /// [`Unsaved`], as [`Host::finish`].
    pub async fn serve_when(
        &self,
        listener: impl Future<Output = TcpListener>,
        routes: Routes,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Unsaved> {
        let (stopping, stopped) = watch::channel(());
        let stopped = || {
            let mut stopped = stopped.clone();
            async move { drop(stopped.changed().await) }
        };
        let stopping = async {
            stop.await;
            stopping.send_replace(());
        };
        let served = async {
            tokio::select! {
                () = stopped() => None,
                listener = listener => Some(server::serve(listener, &self.pool, routes, stopped()).await),
            }
        };
        let (connections, ..) = tokio::join!(
            served,
            stopping,
            timer::run(&self.pool, self.check_interval, stopped()),
            self.saving_until(stopped()),
            self.trim(stopped()),
        );
        self.end(connections).await.map(drop)
    }

    /// Prepares the end of the process. Waits until the calls and refreshes under way have ended, for
    /// 105 s at most. Then gives the store 45 s to take the tokens that it refused before: they are
    /// nowhere else.
    ///
    /// # Errors
    /// [`Unsaved`] if the store did not take them.
    pub async fn finish(&self) -> Result<Finished, Unsaved> {
        self.end(None).await
    }

    async fn end(&self, connections: Option<GracefulShutdown>) -> Result<Finished, Unsaved> {
        let calls_ended = self.saving_until(server::drain(&self.pool, connections)).await;
        if !self.rescue.is_empty() {
            tracing::warn!(waiting = self.rescue.len(), "the store refused new tokens; it is asked again for 45 s");
        }
        let _ = timeout(SAVE_LIMIT, self.save()).await;
        if self.rescue.is_empty() { Ok(Finished { calls_ended }) } else { Err(Unsaved { sign_ins: self.rescue.len() }) }
    }

    /// Saves refused tokens until `end` resolves. The process may be killed before all calls have
    /// ended, so saving does not wait for them.
    async fn saving_until<T>(&self, end: impl Future<Output = T>) -> T {
        let saving = async {
            loop {
                self.save().await;
                self.rescue.written().await;
            }
        };
        tokio::select! {
            ended = end => ended,
            never = saving => never,
        }
    }

    /// Has the component move tokens from the bucket `rescue` into the store, until none is left.
    async fn save(&self) {
        while !self.rescue.is_empty() {
            if let Err(error) = timer::tidy(&self.pool).await {
                tracing::debug!("new tokens still wait to be saved: {error}");
            }
            if !self.rescue.is_empty() {
                sleep(SAVE_INTERVAL).await;
            }
        }
    }

    /// Serves the Model Context Protocol line by line. Each of `lines` is a JSON-RPC message of a
    /// client, and each answer goes to `answer`. A line of more than [`crate::MAX_LINE`] bytes is
    /// refused, so the caller may cut it one byte after that. Returns when there are no more lines or
    /// `stop` resolves, once the calls under way have ended.
    pub async fn serve_lines(
        &self,
        lines: tokio::sync::mpsc::Receiver<Vec<u8>>,
        answer: tokio::sync::mpsc::Sender<String>,
        stop: impl Future<Output = ()>,
    ) {
        stdio::serve(&self.pool, lines, answer, stop).await;
    }

    /// Has the component answer one request. It needs a `Host` header or an
    /// authority in its URI.
    pub async fn handle(&self, request: Request<Full<Bytes>>) -> Response<Full<Bytes>> {
        server::call(&self.pool, None, request, None).await
    }

    /// Makes one pass of the periodic refresh, over all users that are due.
    ///
    /// # Errors
    /// [`ComponentError`] if the pass could not begin, or failed for each user.
    pub async fn refresh_due(&self) -> Result<Pass, ComponentError> {
        timer::pass(&self.pool).await
    }

    async fn trim(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut ticks = interval(TRIM_INTERVAL);
        loop {
            tokio::select! {
                () = &mut stop => return,
                _ = ticks.tick() => self.pool.trim(),
            }
        }
    }
}

/// The process may end: all tokens are in the store.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// False if a call was given up. Nobody knows its outcome.
    pub calls_ended: bool,
}

/// The store did not take tokens that Kroger gave.
#[derive(Debug)]
pub struct Unsaved {
    /// How many sign-ins are lost.
    pub sign_ins: usize,
}

impl fmt::Display for Unsaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign_ins, were) = if self.sign_ins == 1 { ("sign-in", "was") } else { ("sign-ins", "were") };
        write!(
            f,
            "{} {sign_ins} {were} refreshed and the store took none of the new tokens, so whoever they belong to must \
             sign in again. Check the disk space and the permissions of the store.",
            self.sign_ins
        )
    }
}

impl std::error::Error for Unsaved {}

/// Why the host cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The store cannot be opened.
    Store(OpenError),
    /// `KROGER_API_BASE_URL` names no host.
    NoUpstream,
    /// The system's clock is before 1970, or after the year 9999.
    Clock,
    /// The process may have less than 1 GiB of address space.
    AddressSpace,
    /// The component cannot be compiled, linked or instantiated here.
    Component(wasmtime::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::NoUpstream => f.write_str("KROGER_API_BASE_URL names no host"),
            Self::Clock => f.write_str(
                "the system's clock is before the year 1970 or after 9999. Set the clock, for example with `timedatectl`, \
                 and start again.",
            ),
            Self::AddressSpace => f.write_str(
                "this process may have less than 1 GiB of address space, which is too little to run the component. Raise \
                 `ulimit -v`, or LimitAS of the service, and start again.",
            ),
            Self::Component(error) => write!(f, "the component cannot be run here: {error:#}"),
        }
    }
}

impl std::error::Error for StartError {}
