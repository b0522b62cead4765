//! The pages that a person sees at the beginning and the end of a sign-in. They
//! load nothing and run nothing. The text shows neither code nor state.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use url::form_urlencoded;

use super::problem::Problem;
use kroger_core::failure::{Cause, Code, SignInTrouble};
use kroger_core::sign_in::pending::Subject;

const FRAME: &str = include_str!("page.html");
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Allows a form that this server answers.
const FORM_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Asks whether the person is the one who asked to sign in.
pub(super) fn invitation(user_id: &str, number: &str) -> Response {
    let text = format!(
        "<p>An assistant asks you to connect your Kroger account, for <strong>{}</strong>.</p>\n\
         <p>It shows you the number <strong>{}</strong>. Go on only if you asked it to, and it is the same number: \
         whoever sent you this link will be able to add to your cart.</p>\n\
         <form method=\"post\"><button>Go on to Kroger</button></form>",
        escaped(user_id),
        escaped(number),
    );
    with_policy(StatusCode::OK, FORM_POLICY, "Connect your Kroger account", &text)
}

/// Asks the person who opened a link whether to sign in for this user.
pub(super) fn ask_before(user_id: &str, scope: &str, action: &str) -> Response {
    let text = format!(
        "<p>This link connects your Kroger account here for <strong>{0}</strong>, with the permissions \
         <strong>{1}</strong>.</p>\n\
         <p>Go on only if that is your own name here, and you asked for this. Whoever uses that name will be able to add \
         to your cart. If somebody sent you this link, close the page.</p>\n\
         <form method=\"post\" action=\"{2}\"><button>Go on to Kroger</button></form>",
        escaped(user_id),
        escaped(scope),
        escaped(action),
    );
    with_policy(StatusCode::OK, FORM_POLICY, "Connect your Kroger account", &text)
}

/// Asks the person who comes back from Kroger whether to finish. The person may have got Kroger's link from somebody
/// else.
pub(super) fn ask_after(user_id: &str, scope: &str, action: &str) -> Response {
    let text = format!(
        "<p>Your Kroger account is about to be connected here for <strong>{0}</strong>, with the permissions \
         <strong>{1}</strong>. Nothing is saved yet.</p>\n\
         <p>Connect it only if that is your own name here, and you asked for this. Whoever uses that name will be able to \
         add to your cart. If somebody sent you the link, close the page.</p>\n\
         <form method=\"post\" action=\"{2}\"><button>Connect the account</button></form>",
        escaped(user_id),
        escaped(scope),
        escaped(action),
    );
    with_policy(StatusCode::OK, FORM_POLICY, "Connect this Kroger account?", &text)
}

/// Sends the browser on to Kroger.
///
/// Not a redirect: it would follow a form, and some browsers apply the policy for
/// forms to the redirect's target too.
pub(super) fn leaving(authorization_url: &str) -> Response {
    let text = format!(
        "<meta http-equiv=\"refresh\" content=\"0;url={0}\">\n<p><a href=\"{0}\">Go on to Kroger</a>, if it does not \
         open by itself.</p>",
        escaped(authorization_url)
    );
    page(StatusCode::OK, "On to Kroger", &text)
}

/// The invitation cannot be accepted.
pub(super) fn uninvited(problem: &Problem) -> Response {
    let text = "<p>This link works for 10 minutes, once, and in one browser. It ends when you sign in or out.</p>\n<p>Ask your assistant for a new \
                link.</p>";
    page(problem.status(), "The link does not work any more", text)
}

pub(super) fn signed_in(user_id: &str, is_stored: bool) -> Response {
    let saved = if is_stored {
        "<p>The sign-in is saved and renews itself from now on, so your assistant can add to your cart.</p>"
    } else {
        "<p>The sign-in works, but it could not be saved yet: it is kept in memory until the disk can be written.</p>"
    };
    let text = format!(
        "<p>The Kroger account is now connected for <strong>{}</strong>.</p>\n{saved}\n<p>You can close this page.</p>",
        escaped(user_id)
    );
    page(StatusCode::OK, "You are signed in", &text)
}

/// The person agreed, and must now give this page's address to the assistant.
pub(super) fn pasted(problem: &Problem, subject: Option<&Subject>) -> Response {
    let user = subject.map_or("", |subject| subject.user_id.as_str());
    let text = format!(
        "<p>Your Kroger account is about to be connected for <strong>{}</strong>.</p>\n\
         <p>Copy the address of this page, all of it, from your browser's address bar.</p>\n\
         <p>Paste it into the chat in which you asked to connect your account, and nowhere else: whoever gets it will be \
         able to add to your cart. If somebody sent you the link, close the page. It works once, for 10 minutes.</p>",
        escaped(user)
    );
    page(problem.status(), "One more step", &text)
}

/// The sign-in failed. `subject` is the user of the sign-in, if known.
///
/// Without a subject the page has no link: it would sign the person in as another
/// user.
pub(super) fn failed(problem: &Problem, subject: Option<&Subject>) -> Response {
    let again = match subject {
        Some(subject) => format!("<a href=\"{}\">Sign in again</a>", escaped(&start_again(subject))),
        None => "Ask your assistant for a new link".to_owned(),
    };
    let when = if problem.cause() == Some(&Cause::SignIn(SignInTrouble::Used)) { " if you are not" } else { "" };
    let text = format!("<p>{}</p>\n<p>{again}{when}.</p>", escaped(why(problem)));
    page(problem.status(), "The sign-in did not work", &text)
}

fn start_again(subject: &Subject) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("user_id", subject.user_id.as_str()).append_pair("scope", &subject.scope);
    format!("/auth/authorize?{}", query.finish())
}

/// Tells the person, not the program, why the sign-in failed.
fn why(problem: &Problem) -> &str {
    match (problem.cause(), problem.code()) {
        (Some(Cause::SignIn(SignInTrouble::Expired)), _) => "This sign-in took too long: a link works for 10 minutes.",
        (Some(Cause::SignIn(SignInTrouble::OtherIssuer)), _) => {
            "Another server than Kroger sent you here. Nothing was saved."
        }
        (Some(Cause::SignIn(SignInTrouble::OtherBrowser)), _) => {
            "This sign-in was begun in another browser. Open the link in one browser and agree in the same."
        }
        (Some(Cause::SignIn(SignInTrouble::Used)), _) => {
            "This sign-in was completed before, so you may be signed in already."
        }
        (Some(Cause::SignIn(SignInTrouble::CodeRefused)), _) => {
            "Kroger did not accept this sign-in; it may have taken too long."
        }
        (_, Some(Code::SignInDeclined)) => problem.detail(),
        (_, Some(Code::Reauthorize)) => "The account was disconnected here while you were signing in.",
        (_, Some(Code::UpstreamUnavailable)) => "Kroger could not complete the sign-in just now. Nothing was saved.",
        (_, Some(Code::UpstreamRejected | Code::ClientCredentialsRejected)) => {
            "Kroger does not accept the settings of this server. Its operator must correct them."
        }
        (_, Some(Code::StoreUnavailable)) => "This server could not save the sign-in, so you are not signed in.",
        _ => "This sign-in is not known here: the link is incomplete, or a newer one took its place.",
    }
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    with_policy(status, POLICY, title, text)
}

fn with_policy(status: StatusCode, policy: &'static str, title: &str, text: &str) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
    ];
    (status, headers, FRAME.replace("{title}", title).replace("{text}", text)).into_response()
}

/// Safe in text and in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}
