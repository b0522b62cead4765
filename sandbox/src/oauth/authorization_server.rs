//! The stand-in itself: who signed in, which tokens live, what is in the carts. Every decision
//! takes `now` and answers with a value; nothing here reads a clock, a socket or randomness.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::SystemTime,
};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    api::cart::{Cart, Item, ItemsRefusal, Line},
    app::App,
    oauth::authorize::Code,
    oauth::mint::Mint,
    settings::Settings,
};

/// Everything the sandbox remembers of its customers and applications.
pub(crate) struct Kroger {
    pub(crate) apps: Vec<App>,
    pub(crate) settings: Settings,
    pub(crate) mint: Mint,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) sign_ins: Vec<SignIn>,
    pub(crate) access_tokens: HashMap<String, AccessToken>,
    pub(crate) refresh_tokens: HashMap<String, RefreshToken>,
    /// Spent refresh tokens, oldest first, so that the oldest can be forgotten.
    pub(crate) spent: VecDeque<String>,
    /// How many access tokens there may be before the dead ones are swept out.
    pub(crate) sweep_at: usize,
    pub(crate) token_requests: BTreeMap<&'static str, Verdicts>,
    pub(crate) spent_refresh_tokens_presented: u64,
    carts: BTreeMap<String, Cart>,
}

/// One consent given by a customer; every token pair descends from one.
pub(crate) struct SignIn {
    pub(crate) user: String,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) revoked: bool,
}

/// An index into [`Kroger::sign_ins`], which only grows.
pub(crate) type SignInId = usize;

pub(crate) struct AccessToken {
    /// `None` for client credentials, which act for no customer.
    pub(crate) sign_in: Option<SignInId>,
    pub(crate) scope: String,
    pub(crate) expires_at: SystemTime,
}

pub(crate) struct RefreshToken {
    pub(crate) sign_in: SignInId,
    pub(crate) expires_at: SystemTime,
    pub(crate) spent: Option<Spent>,
}

/// When a refresh token was used, and the pair that it bought.
pub(crate) struct Spent {
    pub(crate) at: SystemTime,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// How the token endpoint decided on one grant type.
#[derive(Default, Serialize)]
pub(crate) struct Verdicts {
    pub(crate) ok: u64,
    pub(crate) refused: u64,
}

/// Why a call with a bearer token is not carried out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BearerRefusal {
    /// 401: no bearer token at all.
    Missing,
    /// 401: unknown, expired or revoked.
    Invalid,
    /// 403: good, but not for this.
    Scope,
}

/// Why an add does not reach the cart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AddRefusal {
    Bearer(BearerRefusal),
    Items(ItemsRefusal),
}

/// What the front page tells of one customer.
pub(crate) struct Customer<'a> {
    pub(crate) name: &'a str,
    pub(crate) standing: Standing,
    pub(crate) lines: &'a [Line],
}

/// How a customer stands over all sign-ins; the best counts, hence the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    NeverSignedIn,
    /// Nothing is good; the customer must consent again.
    MustSignIn,
    /// No access token is good; a refresh brings a new one.
    Expired,
    /// The longest-lived access token has this many seconds left.
    SignedIn(u64),
}

impl Kroger {
    pub(crate) fn new(apps: Vec<App>, seed: [u8; 32]) -> Self {
        let grant_types = ["authorization_code", "client_credentials", "refresh_token"];
        Self {
            apps,
            settings: Settings::default(),
            mint: Mint::new(seed),
            codes: HashMap::new(),
            sign_ins: Vec::new(),
            access_tokens: HashMap::new(),
            refresh_tokens: HashMap::new(),
            spent: VecDeque::new(),
            sweep_at: 1024,
            token_requests: grant_types.map(|name| (name, Verdicts::default())).into(),
            spent_refresh_tokens_presented: 0,
            carts: BTreeMap::new(),
        }
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }

    /// Puts all of `items` into the cart of the token's customer, whether or not they were
    /// added before: Kroger's add is not idempotent either. The token is looked at first, so
    /// that a stranger learns nothing about what is wrong with the items.
    pub(crate) fn add_to_cart(
        &mut self,
        now: SystemTime,
        bearer: Option<&str>,
        items: Result<Vec<Item>, ItemsRefusal>,
    ) -> Result<(), AddRefusal> {
        let user = self.customer_of(now, bearer, "cart.basic:write").map_err(AddRefusal::Bearer)?;
        let user = user.to_owned();
        let items = items.map_err(AddRefusal::Items)?;
        self.carts.entry(user).or_default().add(items);
        Ok(())
    }

    /// The profile id of the token's customer: a UUID that depends on the name alone.
    pub(crate) fn profile_id(&self, now: SystemTime, bearer: Option<&str>) -> Result<String, BearerRefusal> {
        let user = self.customer_of(now, bearer, "profile.compact")?;
        Ok(uuid_of(user))
    }

    /// Whether `bearer` is good for a call that needs no customer: an app's own token does as well
    /// as a customer's. Some of them need no scope either.
    pub(crate) fn admit(
        &self,
        now: SystemTime,
        bearer: Option<&str>,
        scope: Option<&str>,
    ) -> Result<(), BearerRefusal> {
        let token = self.good_token(now, bearer)?;
        if scope.is_none_or(|scope| has_scope(&token.scope, scope)) { Ok(()) } else { Err(BearerRefusal::Scope) }
    }

    /// The customer for whom `bearer` acts, if it is good for `scope`.
    fn customer_of(&self, now: SystemTime, bearer: Option<&str>, scope: &str) -> Result<&str, BearerRefusal> {
        let token = self.good_token(now, bearer)?;
        let sign_in = token.sign_in.map(|id| &self.sign_ins[id]);
        match sign_in {
            Some(sign_in) if has_scope(&token.scope, scope) => Ok(&sign_in.user),
            _ => Err(BearerRefusal::Scope),
        }
    }

    fn good_token(&self, now: SystemTime, bearer: Option<&str>) -> Result<&AccessToken, BearerRefusal> {
        let bearer = bearer.ok_or(BearerRefusal::Missing)?;
        let token = self.access_tokens.get(bearer).ok_or(BearerRefusal::Invalid)?;
        if self.is_good(token, now) { Ok(token) } else { Err(BearerRefusal::Invalid) }
    }

    fn is_good(&self, token: &AccessToken, now: SystemTime) -> bool {
        let revoked = token.sign_in.is_some_and(|id| self.sign_ins[id].revoked);
        !revoked && now < token.expires_at
    }

    /// Ends the access tokens of `user` at once; answers how many were still good.
    pub(crate) fn expire(&mut self, now: SystemTime, user: &str) -> usize {
        let sign_ins = &self.sign_ins;
        let theirs = |token: &AccessToken| token.sign_in.is_some_and(|id| sign_ins[id].user == user);
        let mut expired = 0;
        for token in self.access_tokens.values_mut() {
            if theirs(token) && now < token.expires_at {
                token.expires_at = now;
                expired += 1;
            }
        }
        expired
    }

    /// Withdraws every consent of `user`, so that all tokens from it are refused; answers how
    /// many sign-ins that were.
    pub(crate) fn revoke(&mut self, user: &str) -> usize {
        let mut revoked = 0;
        for sign_in in self.sign_ins.iter_mut().filter(|one| one.user == user && !one.revoked) {
            sign_in.revoked = true;
            revoked += 1;
        }
        revoked
    }

    pub(crate) fn carts(&self) -> impl Iterator<Item = (&str, &[Line])> {
        self.carts.iter().map(|(user, cart)| (user.as_str(), cart.lines()))
    }

    /// Everyone who signed in, and `known`, in the order of their names.
    pub(crate) fn customers<'a>(&'a self, now: SystemTime, known: &[&'a str]) -> Vec<Customer<'a>> {
        let mut standings: BTreeMap<&str, Standing> =
            known.iter().map(|name| (*name, Standing::NeverSignedIn)).collect();
        for (id, standing) in self.standings(now) {
            let best = standings.entry(&self.sign_ins[id].user).or_insert(standing);
            *best = standing.max(*best);
        }
        let lines = |name| self.carts.get(name).map_or(&[][..], Cart::lines);
        standings.into_iter().map(|(name, standing)| Customer { name, standing, lines: lines(name) }).collect()
    }

    /// What each sign-in and each of its tokens is good for.
    fn standings(&self, now: SystemTime) -> impl Iterator<Item = (SignInId, Standing)> {
        let consents = (0..self.sign_ins.len()).map(|id| (id, Standing::MustSignIn));
        let usable = self.refresh_tokens.values().filter(move |token| {
            let revoked = self.sign_ins[token.sign_in].revoked;
            !revoked && token.spent.is_none() && now < token.expires_at
        });
        let refreshable = usable.map(|token| (token.sign_in, Standing::Expired));
        let good = self.access_tokens.values().filter(move |token| self.is_good(token, now));
        let signed_in = good.filter_map(move |token| {
            let left = seconds_until(now, token.expires_at);
            token.sign_in.map(|id| (id, Standing::SignedIn(left)))
        });
        consents.chain(refreshable).chain(signed_in)
    }
}

/// Whole seconds, rounded up, so that a fresh token says its full lifetime.
pub(crate) fn seconds_until(now: SystemTime, then: SystemTime) -> u64 {
    let left = then.duration_since(now).unwrap_or_default();
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

fn has_scope(granted: &str, wanted: &str) -> bool {
    granted.split_whitespace().any(|scope| scope == wanted)
}

fn uuid_of(user: &str) -> String {
    let digest = Sha256::digest(user);
    let hex = digest[..16].iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let hex = format!("{hex:032x}");
    // Version 8 of RFC 9562: the bits are ours.
    let (time_high, sequence) = (&hex[13..16], &hex[17..20]);
    format!("{}-{}-8{time_high}-a{sequence}-{}", &hex[..8], &hex[8..12], &hex[20..])
}
