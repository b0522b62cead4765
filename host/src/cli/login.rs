//! `login` and `logout`: a person signs in from a terminal, and is forgotten.
//!
//! The redirect comes back to whoever listens on the redirect URI's port: this
//! command, or a server that runs there on the same store. Where neither can be
//! reached from the person's browser, the address that it ended at is pasted.

use std::future::{Future, pending};
use std::io::{BufRead as _, IsTerminal as _, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use http::Method;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use url::Url;

use super::ask::{self, text};
use super::print::{print, printable, span};
use super::{Ending, StoreOptions, legacy, open, require_credentials, scope, serve, settings, signals, start, user_id};
use crate::Given;
use crate::reach::address::is_on_this_machine;
use crate::{Host, SignInProgress};

pub(super) const LOGIN_EXAMPLES: &str = "\
Examples:
  kroger-mcp login
  kroger-mcp login --user alice
  kroger-mcp login --no-browser          print the link alone
  ssh server kroger-mcp login --paste    the browser is on another machine:
                                         paste the address that it ends at";

pub(super) const LOGOUT_EXAMPLES: &str = "\
Examples:
  kroger-mcp logout
  kroger-mcp logout --user alice";

/// How long a redirect that came may take to become a sign-in, or an error.
const EXCHANGE: Duration = Duration::from_secs(15);

/// How often the store is asked whether the person has signed in.
const POLL: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub(super) struct LoginOptions {
    /// Who signs in [default: `KROGER_HARDCODED_USER_ID`, else `user_default`]
    #[arg(long, value_name = "ID", value_parser = user_id)]
    user: Option<String>,
    /// Space-separated scopes to ask for [default: `KROGER_SCOPE`]
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    scope: Option<String>,
    /// Do not open a browser.
    #[arg(long)]
    no_browser: bool,
    /// Read the address that the browser ended at from stdin, even where that is no terminal.
    #[arg(long)]
    paste: bool,
    #[command(flatten)]
    store: StoreOptions,
}

#[derive(Debug, Args)]
pub(super) struct LogoutOptions {
    /// Who is to be forgotten [default: `KROGER_HARDCODED_USER_ID`, else `user_default`]
    #[arg(long, value_name = "ID", value_parser = user_id)]
    user: Option<String>,
    #[command(flatten)]
    store: StoreOptions,
}

/// Signs a person in and says who it is.
pub(super) async fn login(options: &LoginOptions, given: &Given) -> Result<(), Ending> {
    require_credentials(given, serve::DEFAULT_PORT)?;
    let settings = settings(&options.store, given)?;
    let user = options.user.clone().unwrap_or_else(|| settings.component.default_user.as_str().to_owned());
    let redirect_uri = settings.component.redirect_uri.clone();
    let host = start(settings).await?;
    let listener = listener(&redirect_uri).await;
    let before = entry(&host, &user).await?;
    let authorize = ask::get(&host, &authorize_path(&user, options.scope.as_deref())).await?;
    let link = text(&authorize, "authorization_url").unwrap_or_default();
    let state = text(&authorize, "state").unwrap_or_default();
    let pastes = options.paste || stdin().is_terminal();
    print(&invitation(&link, &redirect_uri, listener.is_some(), pastes))?;
    if !options.no_browser && stdout().is_terminal() {
        open_browser(&link);
    }
    let signed_in = async {
        tokio::select! {
            redirected = redirected(&host, &state, &user, &before) => redirected,
            answered = pasted(&host, pastes) => answered,
            () = signals::stop() => Err(Ending::Failed("Interrupted; nobody was signed in.".to_owned())),
        }
    };
    while_serving(&host, listener, signed_in).await?;
    let now = entry(&host, &user).await?;
    print(&welcome(&user, &now))
}

/// Forgets a person, whatever refresh or sign-in is under way.
pub(super) async fn logout(options: &LogoutOptions, given: &Given) -> Result<(), Ending> {
    let settings = settings(&options.store, given)?;
    let user = options.user.clone().unwrap_or_else(|| settings.component.default_user.as_str().to_owned());
    if let Some(waiting) = legacy::waiting(&settings.store).map_err(Ending::Failed)? {
        return Err(Ending::Failed(format!("{waiting} Nobody was signed out: do so after that.")));
    }
    let host = open(settings)?;
    if entry(&host, &user).await?.is_null() {
        return print(&format!("{} is not signed in.\n", printable(&user)));
    }
    ask::call(&host, Method::DELETE, &forget_path(&user)?).await?;
    print(&format!("{} is signed out; the tokens are deleted here.\n", printable(&user)))
}

/// Takes redirects at the redirect URI, if nobody else does and it is of this
/// machine.
async fn listener(redirect_uri: &Url) -> Option<TcpListener> {
    if redirect_uri.scheme() != "http" || !is_on_this_machine(redirect_uri) {
        return None;
    }
    let port = redirect_uri.port_or_known_default()?;
    let ip = match redirect_uri.host()? {
        url::Host::Domain(_) => Ipv4Addr::LOCALHOST.into(),
        url::Host::Ipv4(ip) => ip.into(),
        url::Host::Ipv6(ip) => ip.into(),
    };
    TcpListener::bind(SocketAddr::new(ip, port)).await.ok()
}

/// Serves on `listener`, if there is one, until `done` is, and then until the
/// browser has its page.
async fn while_serving(
    host: &Host,
    listener: Option<TcpListener>,
    done: impl Future<Output = Result<(), Ending>>,
) -> Result<(), Ending> {
    let (stop, stopped) = oneshot::channel::<()>();
    let listening = async {
        match listener {
            Some(listener) => listener,
            None => pending().await,
        }
    };
    let served = host.serve_when(listening, async { drop(stopped.await) });
    let done = async {
        let done = done.await;
        drop(stop);
        done
    };
    let (done, served) = tokio::join!(done, served);
    served.map_err(Ending::failed).and(done)
}

/// Resolves when the redirect of `state` has come, to whoever took it, and the
/// person is signed in or not.
async fn redirected(host: &Host, state: &str, user: &str, before: &Value) -> Result<(), Ending> {
    let failed = |why: &str| Err(Ending::Failed(format!("{why} Start again: kroger-mcp login")));
    loop {
        sleep(POLL).await;
        // A store that is busy now is asked again.
        match host.sign_in_progress(state).await {
            Ok(SignInProgress::Taken) => break,
            Ok(SignInProgress::Over) => {
                return failed("The link is dead: its 10 minutes are over, or the user was forgotten.");
            }
            Ok(SignInProgress::Open) | Err(_) => {}
        }
    }
    let deadline = Instant::now() + EXCHANGE;
    while Instant::now() < deadline {
        if entry(host, user).await.is_ok_and(|now| is_new_sign_in(before, &now)) {
            return Ok(());
        }
        sleep(POLL).await;
    }
    failed("The sign-in did not succeed; the page in the browser says why.")
}

fn is_new_sign_in(before: &Value, now: &Value) -> bool {
    let is_usable = matches!(now["status"].as_str(), Some("valid" | "expiring_soon"));
    let is_other = now["refreshed_at"] != before["refreshed_at"] || now["expires_at"] != before["expires_at"];
    is_usable && is_other && now["source"] == "oauth"
}

/// What `/admin/tokens` says of `user`; null where it does not know them.
async fn entry(host: &Host, user: &str) -> Result<Value, Ending> {
    let answer = ask::get(host, "/admin/tokens").await?;
    Ok(answer["user_tokens"].get(user).cloned().unwrap_or_default())
}

/// Resolves when a pasted address has signed someone in, or failed to.
async fn pasted(host: &Host, pastes: bool) -> Result<(), Ending> {
    if !pastes {
        return pending().await;
    }
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        match callback_path(&line) {
            Some(path) => return ask::get(host, &path).await.map(drop),
            None if line.trim().is_empty() => {}
            None => print(
                "That is not the address that the browser ended at. Copy all of it: `code=` and `state=` are in it.\n",
            )?,
        }
    }
    if stdin().is_terminal() {
        return pending().await;
    }
    Err(Ending::Usage("No address with `code=` and `state=` came on stdin; nobody was signed in.".to_owned()))
}

/// The lines of stdin, read by a thread that is left behind at the end.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Our own route for the redirect that ended at `address`.
fn callback_path(address: &str) -> Option<String> {
    let address = Url::parse(address.trim()).ok()?;
    let has = |wanted: &str| address.query_pairs().any(|(name, _)| name == wanted);
    if !has("state") || !(has("code") || has("error")) {
        return None;
    }
    Some(format!("/auth/callback?{}", address.query()?))
}

fn authorize_path(user: &str, scope: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("user_id", user);
    if let Some(scope) = scope {
        query.append_pair("scope", scope);
    }
    format!("/auth/authorize?{}", query.finish())
}

fn forget_path(user: &str) -> Result<String, Ending> {
    let mut url = Url::parse("http://localhost/admin/tokens").map_err(Ending::failed)?;
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.push(user);
    }
    Ok(url.path().to_owned())
}

fn invitation(link: &str, redirect_uri: &Url, listens: bool, pastes: bool) -> String {
    let waits = if listens {
        "Waiting for the browser to come back here"
    } else {
        "Waiting for the server at the redirect URI to sign you in; it must use the same store"
    };
    let pasting = format!(
        ".\nIf the browser ends at {redirect_uri} and shows an error, paste the whole address from its address bar here"
    );
    let pasting = if pastes { pasting.as_str() } else { "" };
    format!(
        "Open this link, sign in at Kroger and agree. It works once, for 10 minutes:\n\n  {link}\n\n{waits}{pasting}.\n"
    )
}

fn welcome(user: &str, entry: &Value) -> String {
    let user = printable(user);
    let scope = text(entry, "scope").unwrap_or_default();
    let left = text(entry, "expires_in").and_then(|left| left.split(' ').next()?.parse().ok()).map(span);
    let left = left.map_or_else(String::new, |left| format!(" The access token is good for {left};"));
    let renewal = if entry["has_refresh_token"] == true {
        " it is refreshed by itself from now on, while kroger-mcp serve runs or when it is used."
    } else {
        " Kroger gave no refresh token, so sign in again then."
    };
    format!("Signed in: {user} (scope: {scope}).{left}{renewal}\n")
}

/// A link that is printed, too, so that nothing depends on this.
fn open_browser(link: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(opener);
    command.arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Ok(mut child) = command.spawn() {
        std::thread::spawn(move || child.wait());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_address_with_a_state_and_an_outcome_is_one_to_paste() {
        let callback = "http://localhost:9004/auth/callback";
        for (line, expected) in [
            (format!(" {callback}?code=a%2Bb&state=s \n"), Some("/auth/callback?code=a%2Bb&state=s")),
            (format!("{callback}?error=access_denied&state=s"), Some("/auth/callback?error=access_denied&state=s")),
            (format!("{callback}?code=a"), None),
            (format!("{callback}?state=s"), None),
            (callback.to_owned(), None),
            ("code=a&state=s".to_owned(), None),
        ] {
            assert_eq!(callback_path(&line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_users_name_is_a_part_of_a_path_whatever_is_in_it() {
        assert_eq!(forget_path("a/../b ?c#d%").unwrap(), "/admin/tokens/a%2F..%2Fb%20%3Fc%23d%25");
        assert_eq!(authorize_path("a&b=c", Some("x y")), "/auth/authorize?user_id=a%26b%3Dc&scope=x+y");
    }

    #[test]
    fn what_was_there_before_or_came_from_elsewhere_is_no_new_sign_in() {
        let before = json!({"status": "valid", "refreshed_at": 1, "expires_at": 5, "source": "oauth"});
        let later = |source: &str, status: &str| json!({"status": status, "refreshed_at": 2, "expires_at": 6, "source": source});

        assert!(!is_new_sign_in(&before, &before));
        assert!(!is_new_sign_in(&before, &later("import", "valid")));
        assert!(!is_new_sign_in(&before, &later("oauth", "expired")));
        assert!(is_new_sign_in(&before, &later("oauth", "valid")));
        assert!(is_new_sign_in(&Value::Null, &later("oauth", "valid")));
    }

    #[test]
    fn whoever_signed_in_is_named_with_what_was_granted() {
        let entry = json!({"scope": "cart.basic:write", "expires_in": "1799 seconds", "has_refresh_token": true});

        let text = welcome("al\u{1b}ice", &entry);

        assert!(text.starts_with("Signed in: alice (scope: cart.basic:write). "), "{text}");
        assert!(text.contains("29m 59s"), "{text}");
    }
}
