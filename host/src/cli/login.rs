//! `login`: a person signs in from a terminal.
//!
//! The redirect comes back to the process that listens on the redirect URI's port: this command, or a
//! server that runs there on the same store. If the person's browser reaches neither, the person
//! pastes the address that the browser ended at.

use std::future::{Future, pending};
use std::io::{BufRead as _, IsTerminal as _, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use url::Url;

use super::exit::usage;
use super::listen::DEFAULT_PORT;
use super::opening::{StoreOptions, start};
use super::print::{print, printable, span};
use super::values::{scope, user_id};
use super::{credentials, port, signals, words};
use crate::reach::address::is_on_this_machine;
use crate::{Given, Host, Routes, SignInProgress, TokenSource, TokenState, TokenStatus};

pub(super) const EXAMPLES: &str = "\
Examples:
  kroger-mcp login
  kroger-mcp login --user alice
  kroger-mcp login --no-browser          print the link alone
  ssh server kroger-mcp login --paste    the browser is on another machine:
                                         paste the address that it ends at";

/// How long a redirect that came may take to become a sign-in, or an error.
const EXCHANGE: Duration = Duration::from_secs(20);

/// How long a sign-in may take, and a little more.
const PATIENCE: Duration = Duration::from_secs(11 * 60);

/// How often the store is asked whether the person has signed in.
const POLL: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub(super) struct LoginOptions {
    /// The user who signs in [default: `KROGER_HARDCODED_USER_ID`, else `user_default`]
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

/// Signs a person in and says who it is.
pub(super) async fn login(options: &LoginOptions, given: &Given) -> Result<()> {
    credentials::require(given, DEFAULT_PORT)?;
    let settings = options.store.settings(given)?;
    let user = options.user.clone().unwrap_or_else(|| settings.component.default_user.as_str().to_owned());
    let redirect_uri = settings.component.redirect_uri.clone();
    let host = start(settings).await?;
    let listener = listener(&redirect_uri).await;
    if !options.paste {
        refuse_foreign_port(&redirect_uri)?;
    }
    let before = host.token_status(&user).await.map_err(words::error)?;
    let request = host.authorize(&user, options.scope.as_deref()).await.map_err(words::error)?;
    let pastes = options.paste || stdin().is_terminal();
    print(&invitation(&request.authorization_url, &redirect_uri, listener.is_some(), pastes))?;
    if !options.no_browser && stdout().is_terminal() {
        open_browser(&request.authorization_url);
    }
    let signed_in = async {
        tokio::select! {
            redirected = redirected(&host, &request.state, &user, before.as_ref()) => redirected,
            answered = pasted(&host, &request.state, pastes) => answered,
            () = signals::stop() => Err(anyhow!("Interrupted; nobody was signed in.")),
        }
    };
    while_serving(&host, listener, signed_in).await?;
    let now = host.token_status(&user).await.map_err(words::error)?;
    print(&welcome(&user, now.as_ref()))
}

/// Refuses to give out a link that ends at another user's process. With `--paste` the browser is on
/// another machine.
fn refuse_foreign_port(redirect_uri: &Url) -> Result<()> {
    let Some(port) = port::of_redirect(redirect_uri) else { return Ok(()) };
    match port::foreign_holder(port) {
        Some(owner) => bail!(port::held(port, owner)),
        None => Ok(()),
    }
}

/// Listens at the redirect URI if it leads to this machine and nobody else listens there.
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

/// Serves on `listener`, if there is one, until `done` resolves, and then until the browser has its
/// page.
async fn while_serving(
    host: &Host,
    listener: Option<TcpListener>,
    done: impl Future<Output = Result<()>>,
) -> Result<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    let listening = async {
        match listener {
            Some(listener) => listener,
            None => pending().await,
        }
    };
    let served = host.serve_when(listening, Routes::SignIn, async { drop(stopped.await) });
    let done = async {
        let done = done.await;
        drop(stop);
        done
    };
    let (done, served) = tokio::join!(done, served);
    served?;
    done
}

/// Resolves when the redirect of `state` has come, to whichever process, and the person is signed in
/// or not.
async fn redirected(host: &Host, state: &str, user: &str, before: Option<&TokenStatus>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        sleep(POLL).await;
        // A store that is busy now is asked again.
        match host.sign_in_progress(state).await {
            Ok(SignInProgress::Taken) => break,
            Ok(SignInProgress::Over) => {
                bail!("The link is dead: its 10 minutes are over, or the user was forgotten. {START_AGAIN}")
            }
            Err(error) if Instant::now() >= deadline => return Err(words::error(error)),
            Ok(SignInProgress::Open) | Err(_) => {}
        }
    }
    let deadline = Instant::now() + EXCHANGE;
    while Instant::now() < deadline {
        let now = host.token_status(user).await.ok().flatten();
        if now.is_some_and(|now| is_new_sign_in(before, &now)) {
            return Ok(());
        }
        sleep(POLL).await;
    }
    bail!("The sign-in did not succeed; the page in the browser says why. {START_AGAIN}")
}

const START_AGAIN: &str = "Start again: kroger-mcp login";

/// A refresh of the old grant meanwhile is no new sign-in.
fn is_new_sign_in(before: Option<&TokenStatus>, now: &TokenStatus) -> bool {
    let is_usable = matches!(now.state, TokenState::Valid | TokenState::ExpiringSoon);
    let is_other = now.sign_in.is_some() && before.and_then(|before| before.sign_in.as_ref()) != now.sign_in.as_ref();
    is_usable && is_other && now.source == TokenSource::Oauth
}

/// Resolves when a pasted address has signed someone in, or failed to.
async fn pasted(host: &Host, state: &str, pastes: bool) -> Result<()> {
    if !pastes {
        return pending().await;
    }
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        match Redirect::read(&line) {
            Some(redirect) if redirect.state == state => return finish(host, redirect).await,
            Some(_) => {
                print("That address belongs to another sign-in. Open the link above, and paste where it ends.\n")?;
            }
            None if line.trim().is_empty() => {}
            None => print(
                "That is not the address that the browser ended at. Copy all of it: `code=` and `state=` are in it.\n",
            )?,
        }
    }
    if stdin().is_terminal() {
        return pending().await;
    }
    Err(usage("No address with `code=` and `state=` came on stdin; nobody was signed in."))
}

async fn finish(host: &Host, Redirect { state, brought }: Redirect) -> Result<()> {
    match brought {
        Brought::Code(code) => host.complete_sign_in(&code, &state).await.map(drop).map_err(words::sign_in_error),
        Brought::Error(error) => {
            host.decline_sign_in(&state).await.map_err(words::sign_in_error)?;
            bail!("{} Nobody was signed in. {START_AGAIN}", declined(&error))
        }
    }
}

/// In our words: the text of the redirect could be anyone's.
fn declined(error: &str) -> &'static str {
    match error {
        "access_denied" => "The sign-in was declined on Kroger's page.",
        "invalid_scope" => "Kroger does not give this app the scope that was asked for.",
        _ => "Kroger reported an error instead of completing the sign-in.",
    }
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

/// What the address of a redirect says (RFC 6749 § 4.1.2).
#[derive(Clone, PartialEq, Eq)]
struct Redirect {
    state: String,
    brought: Brought,
}

#[derive(Clone, PartialEq, Eq)]
enum Brought {
    Code(String),
    Error(String),
}

impl Redirect {
    fn read(address: &str) -> Option<Self> {
        let address = Url::parse(address.trim()).ok()?;
        let value = |wanted: &str| {
            let (_, value) = address.query_pairs().find(|(name, _)| name == wanted)?;
            Some(value.into_owned())
        };
        let error = value("error").map(Brought::Error);
        let brought = error.or_else(|| value("code").map(Brought::Code))?;
        Some(Self { state: value("state")?, brought })
    }
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

fn welcome(user: &str, status: Option<&TokenStatus>) -> String {
    let user = printable(user);
    let Some(status) = status else { return format!("Signed in: {user}.\n") };
    let renewal = if status.has_refresh_token {
        "it is refreshed by itself from now on, while kroger-mcp serve runs or when it is used."
    } else {
        "Kroger gave no refresh token, so sign in again then."
    };
    let (scope, left) = (printable(&status.scope), span(status.expires_in));
    format!("Signed in: {user} (scope: {scope}). The access token is good for {left}; {renewal}\n")
}

/// Opens the link in a browser. The link is printed too, so that nothing depends on this.
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
    use super::*;

    fn status(sign_in: &str, source: TokenSource, state: TokenState) -> TokenStatus {
        TokenStatus {
            user_id: "ann".to_owned(),
            sign_in: Some(sign_in.to_owned()),
            state,
            expires_at: 1_801,
            expires_in: 1_799,
            has_refresh_token: true,
            scope: "cart.basic:write".to_owned(),
            refreshed_at: Some(1),
            source,
            last_error: None,
        }
    }

    #[test]
    fn only_an_address_with_a_state_and_an_outcome_can_be_pasted() {
        let callback = "http://localhost:9004/auth/callback";
        let read = |line: &str| match Redirect::read(line) {
            Some(Redirect { state, brought: Brought::Code(code) }) => Some((state, "code", code)),
            Some(Redirect { state, brought: Brought::Error(error) }) => Some((state, "error", error)),
            None => None,
        };
        for (line, expected) in [
            (format!(" {callback}?code=a%2Bb&state=s \n"), Some(("code", "a+b"))),
            (format!("{callback}?error=access_denied&state=s"), Some(("error", "access_denied"))),
            (format!("{callback}?code=a"), None),
            (format!("{callback}?state=s"), None),
            (callback.to_owned(), None),
            ("code=a&state=s".to_owned(), None),
        ] {
            let expected = expected.map(|(kind, text)| ("s".to_owned(), kind, text.to_owned()));
            assert_eq!(read(&line), expected, "{line}");
        }
    }

    #[test]
    fn a_refreshed_grant_or_one_from_elsewhere_is_no_new_sign_in() {
        let before = status("1.0", TokenSource::Oauth, TokenState::Valid);
        let refreshed = TokenStatus { refreshed_at: Some(2), expires_at: 1_802, ..before.clone() };
        let later = |source, state| status("2.0", source, state);

        assert!(!is_new_sign_in(Some(&before), &refreshed));
        assert!(!is_new_sign_in(Some(&before), &later(TokenSource::Import, TokenState::Valid)));
        assert!(!is_new_sign_in(Some(&before), &later(TokenSource::Oauth, TokenState::Expired)));
        assert!(is_new_sign_in(Some(&before), &later(TokenSource::Oauth, TokenState::Valid)));
        assert!(is_new_sign_in(None, &later(TokenSource::Oauth, TokenState::Valid)));
    }

    #[test]
    fn the_welcome_names_the_user_and_what_was_granted() {
        let text = welcome("al\u{1b}ice", Some(&status("1.0", TokenSource::Oauth, TokenState::Valid)));

        assert!(text.starts_with("Signed in: alice (scope: cart.basic:write). "), "{text}");
        assert!(text.contains("29m 59s"), "{text}");
    }
}
