//! Remembers who signed in and which tokens live, and decides what a bearer token allows.
//!
//! Every decision takes `now` and returns a value. Nothing here reads a clock, a socket or
//! randomness.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::SystemTime,
};

use serde::Serialize;

use super::{mint::TokenMint, refusals::BearerRefusal};
use crate::{app::App, settings::TokenSettings};

/// Up to this number of access tokens the sandbox deletes none.
pub(crate) const SWEEP_FROM: usize = 1024;

/// Everything the sandbox remembers about applications, sign-ins and tokens.
pub(crate) struct AuthorizationServer {
    pub(crate) apps: Vec<App>,
    pub(crate) settings: TokenSettings,
    pub(crate) mint: TokenMint,
    pub(crate) codes: HashMap<String, AuthorizationCode>,
    pub(crate) sign_ins: Vec<CustomerSignIn>,
    pub(crate) access_tokens: HashMap<String, AccessTokenRecord>,
    pub(crate) refresh_tokens: HashMap<String, RefreshTokenRecord>,
    /// Spent refresh tokens, oldest first, so that the oldest can be forgotten.
    pub(crate) spent: VecDeque<String>,
    /// How many access tokens there may be before the expired ones are deleted.
    pub(crate) sweep_at: usize,
    pub(crate) token_requests: BTreeMap<&'static str, TokenRequestCounts>,
    pub(crate) spent_refresh_tokens_presented: u64,
}

/// A consent that a customer gave. Every token pair descends from one.
pub(crate) struct CustomerSignIn {
    pub(crate) user: String,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) revoked: bool,
}

/// An index into [`AuthorizationServer::sign_ins`], which only grows.
pub(crate) type SignInId = usize;

/// A code that no client has exchanged yet, and everything it is bound to.
pub(crate) struct AuthorizationCode {
    pub(crate) sign_in: SignInId,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
    pub(crate) expires_at: SystemTime,
}

pub(crate) struct AccessTokenRecord {
    /// `None` for client credentials, which act for no customer.
    pub(crate) sign_in: Option<SignInId>,
    pub(crate) scope: String,
    pub(crate) expires_at: SystemTime,
}

pub(crate) struct RefreshTokenRecord {
    pub(crate) sign_in: SignInId,
    pub(crate) expires_at: SystemTime,
    pub(crate) spent: Option<Spent>,
}

/// When a client used a refresh token, and the token pair that it received.
pub(crate) struct Spent {
    pub(crate) at: SystemTime,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// How the token endpoint decided on the requests of one grant type.
#[derive(Default, Serialize)]
pub(crate) struct TokenRequestCounts {
    pub(crate) ok: u64,
    pub(crate) refused: u64,
}

impl AuthorizationServer {
    pub(crate) fn new(apps: Vec<App>, seed: [u8; 32]) -> Self {
        let grant_types = ["authorization_code", "client_credentials", "refresh_token"];
        Self {
            apps,
            settings: TokenSettings::default(),
            mint: TokenMint::new(seed),
            codes: HashMap::new(),
            sign_ins: Vec::new(),
            access_tokens: HashMap::new(),
            refresh_tokens: HashMap::new(),
            spent: VecDeque::new(),
            sweep_at: SWEEP_FROM,
            token_requests: grant_types.map(|name| (name, TokenRequestCounts::default())).into(),
            spent_refresh_tokens_presented: 0,
        }
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }

    /// Checks that `bearer` is valid for a call that needs no customer.
    ///
    /// An app's own token is enough, and so is a customer's. Some of these calls need no scope.
    pub(crate) fn admit(
        &self,
        now: SystemTime,
        bearer: Option<&str>,
        scope: Option<&str>,
    ) -> Result<(), BearerRefusal> {
        let token = self.live_token(now, bearer)?;
        if scope.is_none_or(|scope| has_scope(&token.scope, scope)) { Ok(()) } else { Err(BearerRefusal::Scope) }
    }

    /// Returns the customer for whom `bearer` acts, if the token has `scope`.
    pub(crate) fn customer_of(
        &self,
        now: SystemTime,
        bearer: Option<&str>,
        scope: &str,
    ) -> Result<&str, BearerRefusal> {
        let token = self.live_token(now, bearer)?;
        let sign_in = token.sign_in.map(|id| &self.sign_ins[id]);
        match sign_in {
            Some(sign_in) if has_scope(&token.scope, scope) => Ok(&sign_in.user),
            _ => Err(BearerRefusal::Scope),
        }
    }

    fn live_token(&self, now: SystemTime, bearer: Option<&str>) -> Result<&AccessTokenRecord, BearerRefusal> {
        let bearer = bearer.ok_or(BearerRefusal::Missing)?;
        let token = self.access_tokens.get(bearer).ok_or(BearerRefusal::Invalid)?;
        if self.is_live(token, now) { Ok(token) } else { Err(BearerRefusal::Invalid) }
    }

    /// Reports whether `token` is neither expired nor revoked.
    pub(crate) fn is_live(&self, token: &AccessTokenRecord, now: SystemTime) -> bool {
        let revoked = token.sign_in.is_some_and(|id| self.sign_ins[id].revoked);
        !revoked && now < token.expires_at
    }

    /// Expires the access tokens of `user` at once, and returns how many had not expired.
    pub(crate) fn expire(&mut self, now: SystemTime, user: &str) -> usize {
        let sign_ins = &self.sign_ins;
        let theirs = |token: &AccessTokenRecord| token.sign_in.is_some_and(|id| sign_ins[id].user == user);
        let mut expired = 0;
        for token in self.access_tokens.values_mut() {
            if theirs(token) && now < token.expires_at {
                token.expires_at = now;
                expired += 1;
            }
        }
        expired
    }

    /// Withdraws every consent of `user`, and returns how many there were.
    ///
    /// All tokens that descend from them are refused from then on.
    pub(crate) fn revoke(&mut self, user: &str) -> usize {
        let mut revoked = 0;
        for sign_in in self.sign_ins.iter_mut().filter(|one| one.user == user && !one.revoked) {
            sign_in.revoked = true;
            revoked += 1;
        }
        revoked
    }
}

fn has_scope(granted: &str, wanted: &str) -> bool {
    granted.split_whitespace().any(|scope| scope == wanted)
}
