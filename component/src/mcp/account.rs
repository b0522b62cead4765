//! The tools of the account: sign in, sign out, and report the sign-in. None of them shows or takes a token.

use schemars::JsonSchema;
use serde::Serialize;
use url::{Url, form_urlencoded};

use super::call::Call;
use super::means::Means;
use super::tool::{Effect, Reply, Tool};
use crate::edge::invitation_url;
use crate::fields::values::{Flag, Text, choices};
use crate::fields::{Nothing, arguments};
use kroger_core::catalog::profile;
use kroger_core::failure::{Cause, Declined, Failure, GrantTrouble, SignInTrouble};
use kroger_core::grant::status::{self, TokenState};
use kroger_core::ports::Timestamp;
use kroger_core::secret::Secret;
use kroger_core::sign_in::pending::Return;
use kroger_core::sign_in::{authorization, browser, exchange, invitation, lifetime, sign_out};
use kroger_core::upstream::quota;

choices! {
    /// The place of the user's browser.
    Browser { Here = "here", Elsewhere = "elsewhere" }
}

arguments! {
    /// The arguments of `sign_in`.
    SignInInput {
        /// elsewhere: the user's browser is on another computer than this server. here if absent.
        browser: Option<Browser>,
        /// true: make a new link although an account is connected, if Kroger rejects that sign-in or it allows too
        /// little.
        anew: Option<Flag>,
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct SignInLink {
    /// The account is connected already.
    signed_in: bool,
    /// The link for the user to open in a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The page shows this number. Tell it to the user, who compares the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_minutes: Option<u64>,
}

const THERE: &str = "Give the user the link to open, and the number, which the page shows too. When the user has agreed at \
    Kroger, token_status says signed_in; then repeat the call that needed the sign-in.";
const AWAY: &str = "Give the user the link to open. When the user has agreed, the last page does not load, or asks to \
    copy its address. Ask the user for that address (http…code=…&state=…), and call complete_sign_in with it.";

/// Starts a sign-in.
pub(super) struct SignIn;

impl Tool for SignIn {
    const NAME: &'static str = "sign_in";
    const TITLE: &'static str = "Sign in to Kroger";
    const DESCRIPTION: &'static str = "Connects the user's Kroger account: makes a link for the user to open. Needed once: \
        the sign-in then renews itself. Never open the link yourself.";
    const EFFECT: Effect = Effect::Sets;
    const ASKS_KROGER: bool = false;
    type Input = SignInInput;
    type Output = SignInLink;

    fn run(call: &Call<'_>, input: SignInInput) -> Result<Reply<SignInLink>, Failure> {
        let is_anew = input.anew == Some(Flag(true));
        if !is_anew && report(call)?.signed_in {
            let value = SignInLink { signed_in: true, url: None, number: None, expires_in_minutes: None };
            let text = "The Kroger account is connected. Next: go on; for another account, call sign_out first. If \
                        Kroger rejects this sign-in, call sign_in with anew true.";
            return Ok(Reply { value, text: text.to_owned() });
        }
        match (input.browser, call.means) {
            (Some(Browser::Elsewhere), _) => elsewhere(call),
            (_, Means::Words) => here(call),
            // The other means repeat the call, and the repeat would ask again.
            _ if is_anew => here(call),
            (_, Means::InputRequired | Means::UrlError) => Err(Failure::sign_in_needed(
                Cause::Grant(GrantTrouble::NotSignedIn),
                call.user,
                &call.cx.settings.scope,
            )),
        }
    }
}

fn here(call: &Call<'_>) -> Result<Reply<SignInLink>, Failure> {
    let invited = invitation::invite(call.cx, call.user, &call.cx.settings.scope)?;
    let url = invitation_url(call.cx.settings, &invited.id);
    let text = format!("Link: {url}\nNumber: {}\nNext: {THERE}", invited.number);
    Ok(Reply { value: link(url, Some(invited.number)), text })
}

/// Gives Kroger's own link, because that browser may not reach our page. The person can compare no number, so only
/// the caller who asked can finish the sign-in.
fn elsewhere(call: &Call<'_>) -> Result<Reply<SignInLink>, Failure> {
    let scope = &call.cx.settings.scope;
    let url = authorization::authorize_for(call.cx, call.user, scope, Return::Pasted)?.authorization_url;
    let text = format!("Link: {url}\nNext: {AWAY}");
    Ok(Reply { value: link(url, None), text })
}

fn link(url: String, number: Option<String>) -> SignInLink {
    SignInLink { signed_in: false, url: Some(url), number, expires_in_minutes: Some(lifetime::minutes()) }
}

arguments! {
    /// The arguments of `complete_sign_in`.
    CompleteInput {
        /// The whole address of the page that Kroger sent the user to, with code= and state= in it.
        redirect_url: Text,
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct SignedIn {
    signed_in: bool,
    expires_in_seconds: u64,
}

/// Completes a sign-in from a pasted address.
pub(super) struct CompleteSignIn;

impl Tool for CompleteSignIn {
    const NAME: &'static str = "complete_sign_in";
    const TITLE: &'static str = "Complete a sign-in by hand";
    const DESCRIPTION: &'static str = "Completes a sign-in if its last page did not load in the user's browser, or asked to \
        be copied. Takes the address of that page, which the user copies from the browser. Works once.";
    const EFFECT: Effect = Effect::Spends;
    const ASKS_KROGER: bool = true;
    type Input = CompleteInput;
    type Output = SignedIn;

    fn run(call: &Call<'_>, input: CompleteInput) -> Result<Reply<SignedIn>, Failure> {
        let Redirect { code, state, issuer } = redirect(&input.redirect_url.0)?;
        browser::check_issuer(call.cx, issuer.as_deref())?;
        browser::check_user(call.cx, &state, call.user)?;
        let signed_in = exchange::complete(call.cx, &code, &state)?;
        let expires_in_seconds = signed_in.grant.tokens.expires_at.since(call.cx.ports.wall_now()).as_secs();
        let text = "The Kroger account is connected. Repeat the call that needed the sign-in.".to_owned();
        Ok(Reply { value: SignedIn { signed_in: true, expires_in_seconds }, text })
    }
}

struct Redirect {
    code: Secret,
    state: String,
    issuer: Option<String>,
}

/// Reads the address with which Kroger sent the user back, or its query alone.
fn redirect(text: &str) -> Result<Redirect, Failure> {
    const ALLOWED: &str = "the address that the browser shows after agreeing, with `code=` and `state=` in it";

    let query = match Url::parse(text) {
        Ok(url) => url.query().unwrap_or_default().to_owned(),
        Err(_) => text.rsplit('?').next().unwrap_or_default().to_owned(),
    };
    let parameter = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.into_owned())
    };
    if let Some(error) = parameter("error") {
        return Err(Failure::sign_in(SignInTrouble::Declined(Declined::parse(&error))));
    }
    match (parameter("code"), parameter("state")) {
        (Some(code), Some(state)) => Ok(Redirect { code: Secret::new(code), state, issuer: parameter("iss") }),
        _ => Err(Failure::invalid_argument("redirect_url", ALLOWED)),
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct SignedOut {
    signed_out: bool,
    /// Until when Kroger still accepts the access token, which is deleted here. Kroger cannot end it earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token_expires_at: Option<String>,
}

/// Forgets the user's sign-in.
pub(super) struct SignOut;

impl Tool for SignOut {
    const NAME: &'static str = "sign_out";
    const TITLE: &'static str = "Sign out of Kroger";
    const DESCRIPTION: &'static str = "Forgets the user's Kroger sign-in here. The cart stays as it is. Call it only when the \
        user asks for it.";
    const EFFECT: Effect = Effect::Removes;
    const ASKS_KROGER: bool = false;
    type Input = Nothing;
    type Output = SignedOut;

    fn run(call: &Call<'_>, _: Nothing) -> Result<Reply<SignedOut>, Failure> {
        let access_token_expires_at =
            sign_out::forget(call.cx, call.user)?.access_token_expires_at.map(Timestamp::readable);
        let mut text = "Signed out: the sign-in is forgotten here. To connect again, call sign_in.".to_owned();
        if let Some(until) = &access_token_expires_at {
            text = format!("{text} Kroger still accepts the deleted access token until {until}.");
        }
        Ok(Reply { value: SignedOut { signed_out: true, access_token_expires_at }, text })
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Standing {
    SignedIn,
    RenewsOnUse,
    Reauthorize,
    OfAnotherApp,
    NotSignedIn,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct TokenReport {
    /// Whether calls to Kroger work now.
    signed_in: bool,
    /// renews_on_use: the next call renews the sign-in first. reauthorize: the user must sign in again. of_another_app: the operator must correct the settings.
    status: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// The scope that the user agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// Reports the sign-in.
pub(super) struct TokenStatus;

impl Tool for TokenStatus {
    const NAME: &'static str = "token_status";
    const TITLE: &'static str = "Sign-in status";
    const DESCRIPTION: &'static str = "Says whether the user's Kroger account is connected. Shows no token. Call it to see \
        whether a sign-in is complete. Other calls do not need it first.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = false;
    type Input = Nothing;
    type Output = TokenReport;

    fn run(call: &Call<'_>, _: Nothing) -> Result<Reply<TokenReport>, Failure> {
        let report = report(call)?;
        let text = match report.status {
            Standing::SignedIn => "The Kroger account is connected; the sign-in renews itself.",
            Standing::RenewsOnUse => "The Kroger account is connected; the next call renews the sign-in first.",
            Standing::Reauthorize => "The sign-in has ended. Call sign_in and give the user the link.",
            Standing::OfAnotherApp => {
                "The stored sign-in belongs to another app or server than this one: the operator of kroger-mcp must correct \
                 the settings. Nothing is lost."
            }
            Standing::NotSignedIn => "No Kroger account is connected. Call sign_in and give the user the link.",
        };
        Ok(Reply { value: report, text: text.to_owned() })
    }
}

pub(super) fn report(call: &Call<'_>) -> Result<TokenReport, Failure> {
    let now = call.cx.ports.wall_now();
    let token = status::known(call.cx, call.user).map_err(|_| Failure::store_unavailable())?;
    let state = token.status.as_ref().map(|status| status.state);
    let status = match (token.is_valid(now), state) {
        (true, _) => Standing::SignedIn,
        (false, _) if token.outside.is_some() => Standing::RenewsOnUse,
        (false, Some(TokenState::Reauthorize { .. })) => Standing::Reauthorize,
        (false, Some(TokenState::OfAnotherApp)) => Standing::OfAnotherApp,
        (false, Some(_)) => Standing::RenewsOnUse,
        (false, None) => Standing::NotSignedIn,
    };
    let signed_in = matches!(status, Standing::SignedIn | Standing::RenewsOnUse);
    let tokens = token.status.map(|status| status.grant.tokens).filter(|_| signed_in);
    let expires_at = tokens.as_ref().map(|tokens| tokens.expires_at);
    Ok(TokenReport {
        signed_in,
        status,
        expires_in_seconds: expires_at.map(|at| at.since(now).as_secs()),
        expires_at: expires_at.map(Timestamp::readable),
        scope: tokens.and_then(|tokens| tokens.scope),
    })
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Quotas {
    /// One entry for each kind of call.
    endpoints: Vec<Quota>,
}

#[derive(Serialize, JsonSchema)]
struct Quota {
    endpoint: &'static str,
    limit: u64,
    remaining: u64,
    /// The part of the remaining calls that is kept for adding to the cart.
    #[serde(skip_serializing_if = "is_zero")]
    reserve: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<String>,
    /// The time until which Kroger asked for no calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_until: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls; not so where a pointer is small")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Reports the calls that are left.
pub(super) struct QuotaStatus;

impl Tool for QuotaStatus {
    const NAME: &'static str = "quota_status";
    const TITLE: &'static str = "Calls left today";
    const DESCRIPTION: &'static str = "Says how many calls of each kind Kroger still accepts from this app in its 24-hour \
        window, by this server's count. All users of the app share them.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = false;
    type Input = Nothing;
    type Output = Quotas;

    fn run(call: &Call<'_>, _: Nothing) -> Result<Reply<Quotas>, Failure> {
        let value = quotas(call)?;
        let left: Vec<String> =
            value.endpoints.iter().map(|one| format!("{} {} of {}", one.endpoint, one.remaining, one.limit)).collect();
        let text = format!(
            "Calls left: {}.\nNext: nothing; a call that is refused for its quota says when to repeat it.",
            left.join(", ")
        );
        Ok(Reply { value, text })
    }
}

pub(super) fn quotas(call: &Call<'_>) -> Result<Quotas, Failure> {
    let statuses = quota::statuses(call.cx).map_err(|_| Failure::store_unavailable())?;
    let endpoints = statuses.iter().map(|quota| Quota {
        endpoint: quota.endpoint.as_str(),
        limit: quota.limit,
        remaining: quota.remaining(),
        reserve: quota.reserve,
        resets_at: quota.resets_at().map(Timestamp::readable),
        blocked_until: quota.blocked_until.map(Timestamp::readable),
    });
    Ok(Quotas { endpoints: endpoints.collect() })
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Profile {
    /// Kroger's id of the customer. Kroger gives nothing else, no name and no address.
    profile_id: String,
}

/// Asks Kroger for the customer's id.
pub(super) struct GetProfile;

impl Tool for GetProfile {
    const NAME: &'static str = "get_profile";
    const TITLE: &'static str = "Profile id";
    const DESCRIPTION: &'static str = "Asks Kroger for the profile id of the signed-in customer. The answer proves that the \
        sign-in works. Kroger gives nothing else about a customer.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = true;
    type Input = Nothing;
    type Output = Profile;

    fn run(call: &Call<'_>, _: Nothing) -> Result<Reply<Profile>, Failure> {
        let profile_id = profile::profile(call.cx, call.user)?.id;
        let text = format!("Profile id: {profile_id}. Do not keep it.\nNext: nothing; the sign-in works.");
        Ok(Reply { value: Profile { profile_id }, text })
    }
}
