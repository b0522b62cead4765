//! `/auth/start/{invitation}`: the page that an agent's link opens. The page asks the person to compare a number. The
//! browser in which the person accepts gets a cookie, and only that browser may come back from Kroger. Stores no
//! token.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use http::HeaderValue;
use http::header::{REFERRER_POLICY, SET_COOKIE};

use super::call::Call;
use super::page;
use super::problem::Problem;
use kroger_core::sign_in::authorization::ForBrowser;
use kroger_core::sign_in::invitation;

const COOKIE: &str = "kroger_sign_in";

/// The last part of the path, if it is UTF-8.
type Id = Result<Path<String>, PathRejection>;

pub(super) async fn show(call: Call, id: Id) -> Response {
    let opened = id
        .map_err(|_| Problem::not_found())
        .and_then(|Path(id)| Ok(invitation::open(call.context(), &id, browser(&call).as_deref())?));
    let response = match opened {
        Ok(invitation) => page::invitation(invitation.user_id.as_str(), &invitation.number),
        Err(problem) => page::uninvited(&problem),
    };
    // Under `no-referrer` the browser would send the form with `Origin: null`, and the Origin check would refuse it.
    told(response, "same-origin")
}

pub(super) async fn accept(call: Call, id: Id) -> Response {
    let response = go_on(&call, id).unwrap_or_else(|problem| page::uninvited(&problem));
    told(response, "no-referrer")
}

fn go_on(call: &Call, id: Id) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found())?;
    leaving(call, &invitation::accept(call.context(), &id, browser(call).as_deref())?)
}

fn leaving(call: &Call, accepted: &ForBrowser) -> Result<Response, Problem> {
    let mut response = page::leaving(&accepted.authorization_url);
    response.headers_mut().insert(SET_COOKIE, cookie(call, accepted)?);
    Ok(response)
}

/// The cookie of the browser that may come back. It is `Lax`, so that the browser sends it with Kroger's redirect from
/// another site.
pub(super) fn cookie(call: &Call, accepted: &ForBrowser) -> Result<HeaderValue, Problem> {
    let is_secure = call.context().settings.redirect_uri.scheme() == "https";
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Lax; Path=/; Max-Age=600{secure}", accepted.browser.expose());
    HeaderValue::from_str(&cookie).map_err(|_| Problem::malformed())
}

/// The secret in the cookie of this browser, if an invitation was accepted in it.
pub(super) fn browser(call: &Call) -> Option<String> {
    call.cookie(COOKIE).map(str::to_owned)
}

/// Limits the `Referer`: the address of the page is the invitation, so no other site may see it.
pub(super) fn told(mut response: Response, referrer_policy: &'static str) -> Response {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static(referrer_policy));
    response
}
