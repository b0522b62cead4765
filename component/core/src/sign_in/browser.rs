//! Checks that the person who comes back from Kroger is the one who began. Uses up
//! nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use url::Url;

use crate::Context;
use crate::app::loopback::is_loopback;
use crate::failure::{Failure, SignInTrouble};
use crate::ports::StoreError;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::sign_in::pending::{Pending, Return, opened};
use crate::sign_in::seal::Seal;
use crate::user::UserId;

/// The secret that a browser shows to come back to the sign-in of `binding`.
pub(super) fn secret(cx: Context<'_>, binding: &str) -> Result<Secret, StoreError> {
    let seal = Seal::new(cx, "sign-in browser")?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(seal.derive("cookie", binding))))
}

/// True if `shown` is the secret of `binding`.
pub(super) fn is_bound(cx: Context<'_>, binding: &str, shown: Option<&str>) -> Result<bool, StoreError> {
    let own = secret(cx, binding)?;
    // Compares fingerprints, so that the time that it takes tells nothing.
    Ok(shown.is_some_and(|shown| Secret::new(shown).fingerprint() == own.fingerprint()))
}

/// A browser that may come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The browser in which the person began, or agreed.
    Bound,
    /// Any browser may come back, and this one may be of a person who was sent the link.
    Unbound {
        user_id: UserId,
        scope: String,
        /// There is nothing to tell; see [`is_usual`].
        is_usual: bool,
    },
}

/// Refuses a browser in which the sign-in of `state` may not come back. `shown` is
/// the text that the browser shows. The right browser may still complete it.
pub fn check_browser(cx: Context<'_>, state: &str, shown: Option<&str>) -> Result<Standing, Failure> {
    let Pending { returns, user_id, scope, .. } = opened(cx, state)?;
    match returns {
        Return::Browser(binding) => match is_bound(cx, &binding, shown) {
            Ok(true) => Ok(Standing::Bound),
            Ok(false) => Err(Failure::sign_in(SignInTrouble::OtherBrowser)),
            Err(_) => Err(Failure::store_unavailable()),
        },
        Return::Pasted => Err(Failure::sign_in(SignInTrouble::Pasted)),
        Return::Anywhere => {
            let is_usual = is_usual(cx, &user_id, &scope);
            Ok(Standing::Unbound { user_id, scope, is_usual })
        }
    }
}

/// Refuses a redirect that names another server as its sender (RFC 9207). The sign-in
/// stays open. Kroger names none today.
pub fn check_issuer(cx: Context<'_>, issuer: Option<&str>) -> Result<(), Failure> {
    let own = cx.settings.api_base_url.origin();
    let is_own = issuer.is_none_or(|issuer| Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == own));
    if is_own { Ok(()) } else { Err(Failure::sign_in(SignInTrouble::OtherIssuer)) }
}

/// True if a sign-in for `scope` gives the server's own user all that the server asks
/// for, and the browser is on the server's own machine. Then there is nothing to tell the
/// person who signs in.
pub fn is_usual(cx: Context<'_>, user: &UserId, scope: &str) -> bool {
    let asks = Scope::parse(scope).is_ok_and(|scope| scope.includes(&cx.settings.scope));
    *user == cx.settings.default_user && asks && is_loopback(&cx.settings.redirect_uri)
}

/// Refuses a user other than the one for whom the sign-in of `state` began.
pub fn check_user(cx: Context<'_>, state: &str, user: &UserId) -> Result<(), Failure> {
    let pending = opened(cx, state)?;
    if pending.user_id == *user { Ok(()) } else { Err(Failure::sign_in(SignInTrouble::OtherUser)) }
}
