//! Gives each caller a share of the slots for calls.
//!
//! Calls that wait for Kroger hold their slots for up to 90 s, so a caller with all slots would silence
//! everybody. Three rules prevent that:
//!
//! 1. Each kind of call has slots of its own. Only the rest is common to all kinds. So searches that
//!    hang leave slots for cart adds, and probes always find one.
//! 2. An address has a quarter of the slots at most, of each kind. This machine has half of them: all
//!    callers on it have the same address. A user has half of what the address has.
//! 3. A call that waits for its caller's share holds nothing that others wait for.
//!
//! The user is what the call says. Nothing here proves it.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::unconstrained;
use tokio::time::timeout;

use crate::run::component::MAX_CALLS;

/// How long a call waits for a slot.
pub(super) const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// The most calls that wait for a slot. A further call is refused.
const MAX_WAITING: usize = 512;

/// The calls of one caller that wait.
const WAITING_OF_A_CALLER: usize = MAX_WAITING / 4;

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// `/livez`, `/readyz` and `/health`: short, and they must always answer.
    Probe,
    /// What lists many users: each costs much, so few run at once.
    List,
    /// Reads of the catalog, which wait for Kroger.
    Search,
    /// Messages of agents.
    Mcp,
    /// Adding to the cart, signing in, and everything else.
    Other,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Probe, Self::List, Self::Search, Self::Mcp, Self::Other];

    /// The kind of a call to `path`.
    fn of(path: &str) -> Self {
        match path {
            "/livez" | "/readyz" | "/health" => Self::Probe,
            "/admin/tokens" | "/admin/tokens/status" | "/admin/tokens/validate" => Self::List,
            "/mcp" => Self::Mcp,
            _ if path.starts_with("/products/") || path.starts_with("/locations/") => Self::Search,
            _ => Self::Other,
        }
    }

    /// The slots of `all` that only this kind may use: one at least.
    fn own(self, all: usize) -> usize {
        let of_64 = match self {
            Self::Probe => 4,
            Self::List => 2,
            Self::Search => 6,
            Self::Mcp => 8,
            Self::Other => 12,
        };
        (of_64 * all / 64).max(1)
    }

    /// The slots of an address, of `all`, for calls of this kind.
    fn of_address(self, network: Option<IpAddr>, all: usize) -> usize {
        let all = if self.may_use_common() { all } else { self.own(all) * 2 };
        (if network.is_some() { all / 4 } else { all / 2 }).max(1)
    }

    /// Whether calls of this kind may use the common slots too.
    fn may_use_common(self) -> bool {
        !matches!(self, Self::Probe | Self::List)
    }
}

/// What a call asks for, and who makes it, as far as the host can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    kind: Kind,
    /// None: this machine.
    network: Option<IpAddr>,
    /// The hash of the user's id. None: the operator.
    user: Option<u64>,
}

impl Caller {
    /// A command of the operator, in this process.
    pub(crate) const OPERATOR: Self = Self { kind: Kind::Other, network: None, user: None };
}

/// The network that counts as one address: of IPv6 the first 64 bits, because one customer of a provider
/// has as many. None: the loopback.
pub(crate) fn network(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        loopback if loopback.is_loopback() => None,
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
        IpAddr::V4(address) => Some(address.into()),
    }
}

/// The user that `request` names: the header first, as the component reads it.
fn user<B>(request: &Request<B>) -> &[u8] {
    let named = request.headers().get("x-kroger-user").map(http::HeaderValue::as_bytes);
    let in_query = || {
        let query = request.uri().query()?;
        query.split('&').find_map(|pair| pair.strip_prefix("user_id=")).map(str::as_bytes)
    };
    named.or_else(in_query).unwrap_or_default()
}

/// The slots of a user or an address, and the calls that wait for one.
struct Share {
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// All slots for calls.
pub(crate) struct Shares {
    all: usize,
    own: HashMap<Kind, Arc<Semaphore>>,
    common: Arc<Semaphore>,
    /// How many slots no kind has for itself.
    common_slots: usize,
    waiting: AtomicUsize,
    /// The shares of users and, without a user, of addresses. Those without a call under way are dropped.
    callers: Mutex<HashMap<Caller, Arc<Share>>>,
    hasher: RandomState,
}

/// Why a call gets no slot. Nothing ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// All callers together have too many calls under way.
    Busy,
    /// This caller has.
    OverShare,
}

/// The right to run one call; dropping this ends it.
pub(crate) struct Slot {
    _user: Option<OwnedSemaphorePermit>,
    _address: OwnedSemaphorePermit,
    _kind: OwnedSemaphorePermit,
}

impl Shares {
    /// Divides `slots`, of which there is memory for so many.
    pub(crate) fn of(slots: usize) -> Self {
        let all = slots.clamp(1, MAX_CALLS as usize);
        let own: usize = Kind::ALL.iter().map(|kind| kind.own(all)).sum();
        let common_slots = all.saturating_sub(own);
        Self {
            all,
            own: Kind::ALL.map(|kind| (kind, Arc::new(Semaphore::new(kind.own(all))))).into(),
            common: Arc::new(Semaphore::new(common_slots)),
            common_slots,
            waiting: AtomicUsize::new(0),
            callers: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// The caller of `request`, which came from `peer`. None: it came over stdin.
    pub(crate) fn caller<B>(&self, peer: Option<IpAddr>, request: &Request<B>) -> Caller {
        let user = Some(self.hasher.hash_one(user(request)));
        Caller { kind: Kind::of(request.uri().path()), network: peer.and_then(network), user }
    }

    /// Waits for a slot for a call of `caller`.
    ///
    /// # Errors
    /// [`Refused::OverShare`] if the caller has too many calls under way, [`Refused::Busy`] if all
    /// callers together have.
    pub(crate) async fn admit(&self, caller: Caller) -> Result<Slot, Refused> {
        let of_user = caller.user.map(|_| self.share(caller));
        let of_address = self.share(Caller { user: None, ..caller });
        // The users of another machine may be made up, so its calls count together.
        let share = of_user.as_deref().filter(|_| caller.network.is_none()).unwrap_or(&of_address);
        let mut slot = pin!(async {
            let user = match &of_user {
                Some(of_user) => Some(acquire(&of_user.slots).await),
                None => None,
            };
            let address = acquire(&of_address.slots).await;
            Slot { _user: user, _address: address, _kind: self.slot(caller.kind).await }
        });
        if let Some(slot) = now(slot.as_mut()).await {
            return Ok(slot);
        }
        let _own = Waiting::count(&share.waiting, WAITING_OF_A_CALLER).ok_or(Refused::OverShare)?;
        let _all = Waiting::count(&self.waiting, MAX_WAITING).ok_or(Refused::Busy)?;
        timeout(WAIT_LIMIT, slot).await.map_err(|_| match share.slots.available_permits() {
            0 => Refused::OverShare,
            _ => Refused::Busy,
        })
    }

    async fn slot(&self, kind: Kind) -> OwnedSemaphorePermit {
        let own = acquire(&self.own[&kind]);
        if !kind.may_use_common() {
            return own.await;
        }
        tokio::select! {
            biased;
            slot = own => slot,
            slot = acquire(&self.common) => slot,
        }
    }

    fn share(&self, caller: Caller) -> Arc<Share> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        // A waiting call holds its share, and a running one the slots of it.
        callers.retain(|_, share| Arc::strong_count(share) > 1 || Arc::strong_count(&share.slots) > 1);
        let share = callers.entry(caller).or_insert_with(|| {
            let of_address = caller.kind.of_address(caller.network, self.all);
            let slots = if caller.user.is_some() { of_address.div_ceil(2) } else { of_address };
            Arc::new(Share { slots: Arc::new(Semaphore::new(slots)), waiting: AtomicUsize::new(0) })
        });
        Arc::clone(share)
    }

    /// Waits until no call runs. Calls that arrive meanwhile are accepted too, so close the listener
    /// first.
    pub(crate) async fn drained(&self) {
        let all = |slots: &Arc<Semaphore>, count: usize| {
            Arc::clone(slots).acquire_many_owned(u32::try_from(count).unwrap_or(u32::MAX))
        };
        let mut ended = vec![all(&self.common, self.common_slots).await];
        for kind in Kind::ALL {
            ended.push(all(&self.own[&kind], kind.own(self.all)).await);
        }
    }
}

async fn acquire(slots: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(slots).acquire_owned().await.expect("nothing closes these semaphores")
}

/// The output of `future`, if it has one at once.
async fn now<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let look = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    });
    // A task that has used up its turn is told to wait for slots that are free.
    unconstrained(look).await
}

/// One waiting call; dropping this ends the wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    /// None: there are `most` already.
    fn count(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let counted = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < most).then_some(counted)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: &str = "192.0.2.7";

    fn request(path: &str, user: Option<&str>) -> Request<()> {
        let mut request = Request::builder().uri(path);
        if let Some(user) = user {
            request = request.header("x-kroger-user", user);
        }
        request.body(()).unwrap()
    }

    fn call(shares: &Shares, peer: &str, path: &str, user: &str) -> Caller {
        shares.caller(Some(peer.parse().unwrap()), &request(path, Some(user)))
    }

    /// Takes slots for calls of `caller` until a further one would have to wait.
    async fn fill(shares: &Shares, held: &mut Vec<Slot>, caller: Caller) -> usize {
        let before = held.len();
        while let Some(slot) = now(pin!(shares.admit(caller))).await {
            held.push(slot.unwrap());
        }
        held.len() - before
    }

    #[tokio::test]
    async fn no_attack_takes_the_slots_of_others() {
        type Attack = fn(&Shares, usize) -> Caller;
        let attacks: [(&str, Attack, usize); 7] = [
            ("one user's searches", |all, _| call(all, "127.0.0.1", "/products/search", "mallory"), 16),
            ("searches of many users", |all, n| call(all, "127.0.0.1", "/products/search", &n.to_string()), 32),
            ("MCP calls of many users", |all, n| call(all, "::1", "/mcp", &n.to_string()), 32),
            ("a user of another machine", |all, _| call(all, REMOTE, "/cart/add", "mallory"), 8),
            ("another machine", |all, n| call(all, REMOTE, "/cart/add", &n.to_string()), 16),
            ("lists", |all, n| call(all, "127.0.0.1", "/admin/tokens/status", &n.to_string()), 2),
            ("probes of one user", |all, _| call(all, "127.0.0.1", "/health", "mallory"), 2),
        ];
        for (what, attack, most) in attacks {
            let (shares, mut held) = (Shares::of(64), Vec::new());
            let taken: Vec<_> = {
                let mut taken = Vec::new();
                for n in 0..600 {
                    taken.push(fill(&shares, &mut held, attack(&shares, n)).await);
                }
                taken
            };

            assert_eq!(taken.iter().sum::<usize>(), most, "{what}");
            for path in ["/livez", "/readyz", "/health", "/cart/add/simple", "/mcp"] {
                let honest = call(&shares, "192.0.2.1", path, "alice");
                assert!(now(pin!(shares.admit(honest))).await.is_some(), "{what}: {path}");
            }
        }
    }

    #[tokio::test]
    async fn all_kinds_together_leave_probes_their_slots() {
        let (shares, mut held) = (Shares::of(64), Vec::new());
        for network in 1..=50 {
            for path in ["/mcp", "/products/search", "/cart/add", "/admin/tokens"] {
                fill(&shares, &mut held, call(&shares, &format!("192.0.2.{network}"), path, "")).await;
            }
        }

        assert_eq!(held.len(), 64 - Kind::Probe.own(64));
        assert!(now(pin!(shares.admit(call(&shares, "127.0.0.1", "/readyz", "")))).await.is_some());
        held.clear();
        shares.drained().await;
        shares.share(Caller::OPERATOR);
        assert_eq!(shares.callers.lock().unwrap().len(), 1, "a caller without calls leaves nothing");
    }

    #[tokio::test]
    async fn a_caller_over_its_share_is_told_so_and_keeps_nobody_waiting() {
        let (shares, mut held) = (Shares::of(64), Vec::new());
        let greedy = call(&shares, REMOTE, "/products/search", "");
        fill(&shares, &mut held, greedy).await;
        let mut waiting: Vec<_> = (0..WAITING_OF_A_CALLER).map(|_| Box::pin(shares.admit(greedy))).collect();
        for wait in &mut waiting {
            assert!(now(wait.as_mut()).await.is_none());
        }

        assert!(matches!(shares.admit(greedy).await, Err(Refused::OverShare)));
        let honest = call(&shares, "192.0.2.1", "/products/search", "");
        assert!(now(pin!(shares.admit(honest))).await.is_some());
        held.clear();
        assert!(waiting.swap_remove(0).await.is_ok());
    }

    #[test]
    fn one_customer_of_a_provider_is_one_address() {
        let network = |text: &str| network(text.parse().unwrap()).map(|network| network.to_string());

        for (address, counts_as) in [
            ("127.0.0.1", None),
            ("127.9.9.9", None),
            ("::1", None),
            ("::ffff:127.0.0.1", None),
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::")),
        ] {
            assert_eq!(network(address).as_deref(), counts_as, "{address}");
        }
    }

    #[test]
    fn a_call_names_its_user_in_the_header_or_in_the_query() {
        for (path, header, expected) in [
            ("/cart/add", Some("alice"), "alice"),
            ("/cart/add?user_id=bob", Some("alice"), "alice"),
            ("/cart/add?x=1&user_id=bob", None, "bob"),
            ("/cart/add", None, ""),
        ] {
            assert_eq!(user(&request(path, header)), expected.as_bytes(), "{path}");
        }
    }
}
