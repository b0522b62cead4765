//! The sign-ins that are under way. Sends nothing.
//!
//! The `state` of a sign-in carries it, sealed. So it outlives a restart, a caller who
//! begins a thousand of them pushes out nobody's, and none leaves a record. The store
//! keeps only that one was used, and the marks of `sign_in::ended`.
//!
//! A sign-in is void once a newer one of its user was completed, or the user signed out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::Context;
use crate::failure::{Cause, Failure, GrantTrouble, SignInTrouble, StoreTrouble};
use crate::grant::lineage::Current;
use crate::grant::records;
use crate::ports::{StoreError, Timestamp};
use crate::secret::Secret;
use crate::sign_in::lifetime::is_expired;
use crate::sign_in::seal::Seal;
use crate::sign_in::{ended, used};
use crate::store::ticket::Root;
use crate::user::{UserId, UserKey};

/// A sign-in as its `state` carries it. The names are short: Kroger sees the length.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    #[serde(rename = "u")]
    pub(super) user_id: UserId,
    #[serde(rename = "s")]
    pub(super) scope: String,
    #[serde(rename = "d")]
    pub(super) redirect_uri: String,
    #[serde(rename = "h")]
    pub(super) history: History,
    #[serde(rename = "t")]
    pub(super) started_at: Timestamp,
    #[serde(rename = "w")]
    pub(super) returns: Return,
    /// Random: no two sign-ins have the same `state`.
    #[serde(rename = "n")]
    pub(super) nonce: String,
}

/// The user's sign-ins and sign-outs when a link was made. A later one voids it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct History {
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) root: Option<Root>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
}

impl History {
    pub(super) fn read(cx: Context<'_>, user: &UserKey) -> Result<Self, StoreError> {
        Self::of(cx, user, &records::current(cx, user)?)
    }

    pub(super) fn of(cx: Context<'_>, user: &UserKey, current: &Current) -> Result<Self, StoreError> {
        Ok(Self { root: current.root(), ended: ended::mark(cx, user)? })
    }

    /// True if the user signed in or out since. A pair that was adopted from outside is
    /// no sign-in.
    pub(super) fn is_past(&self, cx: Context<'_>, user: &UserKey, current: &Current) -> Result<bool, StoreError> {
        let number = |root: Option<Root>| root.unwrap_or_default().number;
        Ok(number(current.root()) != number(self.root) || ended::is_since(cx, user, self.ended.as_deref())?)
    }
}

/// The way by which the user must come back from Kroger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Return {
    /// In any browser.
    #[default]
    #[serde(rename = "a")]
    Anywhere,
    /// In the browser that shows the secret of this text; see
    /// [`crate::sign_in::browser`].
    #[serde(rename = "b")]
    Browser(String),
    /// In no browser: the user gives the address to the caller that began.
    #[serde(rename = "p")]
    Pasted,
}

/// The user and the scope of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub user_id: UserId,
    pub scope: String,
}

/// How far a sign-in has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The person has not come back from Kroger.
    Open,
    /// The redirect came: the sign-in was completed or declined, or this is under way.
    Taken,
    /// Nobody can complete it any more.
    Over,
}

fn seal(cx: Context<'_>) -> Result<Seal, StoreError> {
    Seal::new(cx, "sign-in state")
}

/// The `state` that carries `pending`, and the PKCE verifier that belongs to it
/// (RFC 7636 § 4.1).
pub(super) fn sealed(cx: Context<'_>, pending: &Pending) -> Result<(String, Secret), StoreError> {
    let seal = seal(cx)?;
    let state = seal.seal(pending);
    let verifier = verifier(&seal, &state);
    Ok((state, verifier))
}

/// The verifier of the sign-in of `state`.
pub(super) fn verifier_of(cx: Context<'_>, state: &str) -> Result<Secret, StoreError> {
    Ok(verifier(&seal(cx)?, state))
}

fn verifier(seal: &Seal, state: &str) -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(seal.derive("verifier", state)))
}

/// The sign-in of `state`, even if it is used or expired.
pub(super) fn opened(cx: Context<'_>, state: &str) -> Result<Pending, Failure> {
    let seal = seal(cx).map_err(|_| Failure::store_unavailable())?;
    seal.open(state).ok_or_else(|| Failure::sign_in(SignInTrouble::Unknown))
}

/// The user and the scope of the sign-in of `state`, even if it is used or expired.
pub fn subject(cx: Context<'_>, state: &str) -> Option<Subject> {
    let pending = opened(cx, state).ok()?;
    Some(Subject { user_id: pending.user_id, scope: pending.scope })
}

/// Uses the sign-in of `state`. Only one caller succeeds.
pub(super) fn take(cx: Context<'_>, state: &str) -> Result<Pending, Failure> {
    let unavailable = |_| Failure::store_unavailable();
    let pending = opened(cx, state)?;
    if used::is_used(cx, state, pending.started_at).map_err(unavailable)? {
        return Err(Failure::sign_in(SignInTrouble::Used));
    }
    if is_expired(cx, pending.started_at) {
        return Err(Failure::sign_in(SignInTrouble::Expired));
    }
    let user = pending.user_id.key();
    check(cx, &pending, &records::current(cx, &user).map_err(unavailable)?)?;
    match used::take(cx, state, pending.started_at) {
        Ok(true) => Ok(pending),
        Ok(false) => Err(Failure::sign_in(SignInTrouble::Used)),
        // The mark may have been set, so the state may be spent.
        Err(_) => Err(Cause::Store(StoreTrouble::SignInSpent).into()),
    }
}

/// Refuses if the user signed in or out since the sign-in began.
fn check(cx: Context<'_>, pending: &Pending, current: &Current) -> Result<(), Failure> {
    if current.buried() > pending.history.root {
        return Err(Cause::Grant(GrantTrouble::ForgottenMeanwhile).into());
    }
    match pending.history.is_past(cx, &pending.user_id.key(), current) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Failure::sign_in(SignInTrouble::Unknown)),
        Err(_) => Err(Failure::store_unavailable()),
    }
}

/// True if the user signed out since, and had never signed in.
pub(super) fn is_ended(cx: Context<'_>, pending: &Pending) -> Result<bool, StoreError> {
    ended::is_since(cx, &pending.user_id.key(), pending.history.ended.as_deref())
}

/// How far the sign-in of `state` has come. Writes nothing.
pub fn progress(cx: Context<'_>, state: &str) -> Result<Progress, StoreError> {
    let Some(pending) = seal(cx)?.open::<Pending>(state) else { return Ok(Progress::Over) };
    if used::is_used(cx, state, pending.started_at)? {
        return Ok(Progress::Taken);
    }
    let user = pending.user_id.key();
    let is_void = pending.history.is_past(cx, &user, &records::current(cx, &user)?)?;
    Ok(if is_void || is_expired(cx, pending.started_at) { Progress::Over } else { Progress::Open })
}
