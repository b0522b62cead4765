//! The component: its world as Rust types, how it is compiled and linked, and the state of one
//! instance on the side of the host.
//!
//! The linker here names everything that the component can reach. There is no filesystem, no socket
//! and no argument. The only environment variables are the settings.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use kroger_core::ports::Timestamp;
use kroger_core::secret::Secret;
use kroger_core::sign_in::import::Found;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker, ResourceTable};
use wasmtime::{Cache, CacheConfig, Config, Engine, PoolingAllocationConfig, ResourceLimiterAsync, Store};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::{cli, random};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::files::{private_directory, trusted};
use crate::keep::buckets::Buckets;
use crate::reach::egress::Egress;
use crate::run::budget::{Claim, Portion};
use crate::run::guest_log::GuestLog;
use crate::wall_clock::Saturating;

mod bindings {
    #![allow(unreachable_pub, missing_docs, clippy::pedantic, reason = "generated code")]

    wasmtime::component::bindgen!({
        path: "../wit",
        world: "kroger:connector/service",
        imports: {
            "wasi:keyvalue": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:random": wasmtime_wasi::p2::bindings::random,
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "wasi:keyvalue/store.bucket": crate::keep::buckets::Bucket,
        },
    });
}

pub use bindings::exports::kroger::connector::authorization::{AuthorizationRequest, SignInProgress, SignedIn};
pub use bindings::exports::kroger::connector::maintenance::{RefreshOutcome, Timer};
use bindings::exports::kroger::connector::migration::TokenPair;
pub use bindings::exports::kroger::connector::migration::{ImportOutcome, Standing};
pub use bindings::exports::kroger::connector::tokens::{
    Check, CheckName, Credentials, Reach, RefreshError, TokenSource, TokenState, TokenStatus, UserChecks, Validation,
};
pub use bindings::kroger::connector::types::{Failure, FailureCode, NextAction};
pub(crate) use bindings::wasi::keyvalue;
use bindings::{Service, ServicePre};

/// The component itself, for any WASI 0.2 host.
pub static COMPONENT: &[u8] = include_bytes!(env!("KROGER_CONNECTOR_COMPONENT"));

/// Instances for callers at once. A call spends most of its time waiting for Kroger, so there are many
/// more instances than cores. 64 instances serve 64 clients, at about 2 MiB each.
pub(crate) const MAX_CALLS: u32 = 64;

/// Instances for upkeep, which callers cannot take: 8 refreshes of the timer, and the saving of tokens
/// that the store refused.
pub(crate) const MAX_UPKEEP: u32 = 9;

/// All instances at once, running or idle.
pub(crate) const MAX_INSTANCES: u32 = MAX_CALLS + MAX_UPKEEP;

/// Linear memory that one instance can have. Its working set is about 2 MiB;
/// the largest request and answer together are 6 MiB.
const MAX_MEMORY: usize = 64 << 20;

/// The memory that each running instance is counted with. An instance that grew beyond this is not used
/// again, because its memory never shrinks.
pub(crate) const USUAL_MEMORY: usize = 3 << 20;

/// How long an instance that must grow waits for others to end.
const GROWTH_WAIT: Duration = Duration::from_secs(10);

/// Said when not even one instance can be made.
const TOO_LITTLE: &str = "no instance of the component can be made; most likely there is too little memory or address space: \
                          raise the container's limit, or `ulimit -v`";

/// Elements of all the tables of one instance.
const MAX_TABLE_ELEMENTS: usize = 20_000;

/// The largest answer that the component can give.
const MAX_RESPONSE: usize = 4 << 20;

/// A compilation that takes longer than this is logged.
const NOTICEABLE: Duration = Duration::from_millis(500);

/// How often a running guest yields to others, and its deadline is checked.
const EPOCH: Duration = Duration::from_millis(20);

/// What instances are made from.
pub(crate) struct Blueprint {
    pre: ServicePre<State>,
    variables: Vec<(String, String)>,
    buckets: Arc<Buckets>,
    egress: Egress,
    growth: Portion,
}

impl Blueprint {
    /// Compiles the component, or takes it from the cache in `cache_dir`.
    ///
    /// `variables` become the guest's environment, all of it.
    pub(crate) fn new(
        cache_dir: Option<&Path>,
        variables: Vec<(String, String)>,
        buckets: Buckets,
        egress: Egress,
        growth: Portion,
    ) -> wasmtime::Result<Self> {
        let engine = engine(cache_dir)?;
        let component = compiled(&engine)?;
        let pre = ServicePre::new(pre_instance(&engine, &component)?)?;
        keep_epochs_passing(&engine);
        let blueprint = Self { pre, variables, buckets: Arc::new(buckets), egress, growth };
        blueprint.try_out()?;
        Ok(blueprint)
    }

    /// Makes one instance, so that a host that can make none does not start.
    fn try_out(&self) -> wasmtime::Result<()> {
        // On a thread of its own: this one may run an async runtime already.
        let made = thread::scope(|scope| {
            let alone = || tokio::runtime::Builder::new_current_thread().build()?.block_on(self.instantiate());
            thread::Builder::new()
                .spawn_scoped(scope, move || alone().map(drop))?
                .join()
                .map_err(|_| wasmtime::format_err!("panicked"))?
        });
        made.map_err(|error: wasmtime::Error| error.context(TOO_LITTLE))
    }

    pub(crate) async fn instantiate(&self) -> wasmtime::Result<Instance> {
        let mut store = Store::new(self.pre.engine(), self.state());
        store.limiter_async(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let service = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance { store, service })
    }

    fn state(&self) -> State {
        let log = GuestLog::default();
        let mut wasi = WasiCtx::builder();
        wasi.envs(&self.variables).stdout(log.clone()).stderr(log).wall_clock(Saturating);
        State {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            table: ResourceTable::new(),
            egress: self.egress.clone(),
            buckets: Arc::clone(&self.buckets),
            limits: Limits { memory: 0, growth: self.growth.clone(), claims: Vec::new() },
        }
    }
}

/// One instance, for one call at a time.
pub(crate) struct Instance {
    store: Store<State>,
    service: Service,
}

impl Instance {
    /// Whether the instance is small enough to be used again.
    pub(crate) fn is_slender(&self) -> bool {
        self.store.data().limits.memory <= USUAL_MEMORY
    }

    /// Has the component answer `request`, and collects its whole answer.
    pub(crate) async fn handle(&mut self, request: Request<Full<Bytes>>) -> wasmtime::Result<Response<Full<Bytes>>> {
        let (sender, receiver) = oneshot::channel();
        let mut http = self.store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request)?;
        let out = http.new_response_outparam(sender)?;
        let handler = self.service.wasi_http_incoming_handler();
        let answer = async {
            let (parts, body) = receiver.await??.into_parts();
            let body = Limited::new(body, MAX_RESPONSE).collect().await;
            let body = body.map_err(|error| wasmtime::format_err!("the answer's body: {error}"))?;
            Ok(Response::from_parts(parts, Full::new(body.to_bytes())))
        };
        let ((), response) = tokio::try_join!(handler.call_handle(&mut self.store, request, out), answer)?;
        Ok(response)
    }

    pub(crate) async fn due(&mut self, limit: u32) -> wasmtime::Result<Result<Vec<String>, Failure>> {
        self.service.kroger_connector_maintenance().call_due(&mut self.store, limit).await
    }

    pub(crate) async fn refresh_user(&mut self, user: &str) -> wasmtime::Result<Result<RefreshOutcome, Failure>> {
        self.service.kroger_connector_maintenance().call_refresh_user(&mut self.store, user).await
    }

    /// What a call of a typed export needs.
    pub(super) fn parts(&mut self) -> (&mut Store<State>, &Service) {
        (&mut self.store, &self.service)
    }

    pub(crate) async fn tidy(&mut self) -> wasmtime::Result<Result<u32, Failure>> {
        self.service.kroger_connector_maintenance().call_tidy(&mut self.store).await
    }
}

pub(super) fn token_pair(found: &Found) -> TokenPair {
    let text = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    TokenPair {
        access_token: text(&found.access_token),
        refresh_token: text(&found.refresh_token),
        expires_at: found.expires_at.map(Timestamp::as_secs),
        obtained_at: found.obtained_at.map(Timestamp::as_secs),
        scope: found.scope.clone(),
    }
}

/// The state of one instance on the side of the host.
pub(crate) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    pub(crate) table: ResourceTable,
    egress: Egress,
    pub(crate) buckets: Arc<Buckets>,
    limits: Limits,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.egress }
    }
}

/// Bounds an instance's memory and tables, and remembers its size.
struct Limits {
    memory: usize,
    growth: Portion,
    /// What the instance has of the share for growth. It gives it back when it is dropped.
    claims: Vec<Claim>,
}

#[async_trait]
impl ResourceLimiterAsync for Limits {
    async fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > MAX_MEMORY {
            return Ok(false);
        }
        let claimed = self.memory.max(USUAL_MEMORY);
        if desired > claimed {
            // Waits, because a guest without memory cannot end what it began.
            let Ok(Some(claim)) = timeout(GROWTH_WAIT, self.growth.claim(desired - claimed)).await else {
                return Ok(false);
            };
            self.claims.push(claim);
        }
        self.memory = self.memory.max(desired);
        Ok(true)
    }

    async fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }
}

fn engine(cache_dir: Option<&Path>) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .cache(cache_dir.and_then(cache))
        .allocation_strategy(pooling());
    if let Ok(engine) = Engine::new(&config) {
        return Ok(engine);
    }
    // The pool reserves address space, which the limits of a container may refuse.
    tracing::warn!("no address space for pooled instances; each is allocated by itself");
    config
        .allocation_strategy(wasmtime::InstanceAllocationStrategy::OnDemand)
        // By default each memory reserves 4 GiB, so that compiled code needs no bounds checks.
        .memory_reservation(0)
        .memory_guard_size(0)
        .memory_reservation_for_growth(1 << 20);
    Engine::new(&config)
}

/// Compiles the component: milliseconds with the cache, else seconds.
fn compiled(engine: &Engine) -> wasmtime::Result<Component> {
    let (done, compiling) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if compiling.recv_timeout(NOTICEABLE) == Err(mpsc::RecvTimeoutError::Timeout) {
                tracing::info!("compiling the component, once; this takes some seconds");
            }
        });
        let component = Component::from_binary(engine, COMPONENT);
        drop(done);
        component
    })
}

fn pooling() -> PoolingAllocationConfig {
    let mut pooling = PoolingAllocationConfig::new();
    pooling
        .total_component_instances(MAX_INSTANCES)
        .total_core_instances(MAX_INSTANCES * 16)
        .total_memories(MAX_INSTANCES * 2)
        .total_tables(MAX_INSTANCES * 8)
        .total_stacks(MAX_INSTANCES)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_memory_size(MAX_MEMORY)
        .max_unused_warm_slots(0);
    pooling
}

/// Opens the cache of compiled code. Without it each start compiles again, which takes seconds.
///
/// The code in it is executed as it is. So a cache that strangers may write is not used.
fn cache(dir: &Path) -> Option<Cache> {
    let made = trusted::check(dir).map_err(wasmtime::Error::from).and_then(|()| {
        private_directory::create(dir)?;
        // Again: another user may have made it since.
        trusted::check(dir)?;
        trusted::check_below(dir)?;
        let mut config = CacheConfig::new();
        config.with_directory(dir);
        Cache::new(config)
    });
    match made {
        Ok(cache) => Some(cache),
        Err(error) => {
            tracing::warn!("the cache of compiled code is not used, so each start takes some seconds: {error}");
            None
        }
    }
}

fn pre_instance(engine: &Engine, component: &Component) -> wasmtime::Result<InstancePre<State>> {
    let mut linker = Linker::new(engine);
    // Standard streams, clocks, randomness, outgoing HTTP; then what else Rust's standard library
    // imports. The linker has no filesystem and no sockets, so the component cannot import them.
    wasmtime_wasi_http::p2::add_to_linker_async(&mut linker)?;
    let l = &mut linker;
    cli::environment::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |state| state.wasi.random())?;
    keyvalue::store::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    keyvalue::atomics::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    linker.instantiate_pre(component)
}

/// Advances the epochs by which guests yield. In a thread, not a task: guests in endless loops may
/// hold every worker.
fn keep_epochs_passing(engine: &Engine) {
    let engine = engine.weak();
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(EPOCH);
        }
    };
    if let Err(error) = thread::Builder::new().name("epochs".to_owned()).spawn(ticker) {
        tracing::warn!(%error, "guests in loops will not be interrupted");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_cache_that_strangers_may_write_is_not_used() {
        for (changed, mode, is_used) in [
            ("cache", 0o700, true),
            ("cache", 0o755, true),
            ("cache", 0o777, false),
            ("cache", 0o1777, true),
            ("cache/compiled", 0o777, false),
            ("cache/compiled/modules", 0o777, false),
            ("cache/compiled/modules/mod-x", 0o666, false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path().join("cache/compiled");
            private_directory::create(&dir.join("modules")).unwrap();
            fs::write(dir.join("modules/mod-x"), "code").unwrap();
            fs::set_permissions(folder.path().join(changed), fs::Permissions::from_mode(mode)).unwrap();

            assert_eq!(cache(&dir).is_some(), is_used, "{changed} {mode:o}");
        }
    }

    #[test]
    fn a_cache_below_a_shared_temporary_directory_is_used() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();

        assert!(cache(&folder.path().join("kroger-mcp/compiled")).is_some());
    }
}
