//! `status`: who is signed in, until when, and what happens next.

use anyhow::{Result, ensure};
use clap::Args;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;

use super::opening::{Looked, StoreOptions, look};
use super::print::{Cell, Palette, Tone, bar, json, now, print, printable, short, span, table};
use super::words;
use crate::quote::option;
use crate::{Given, Purpose, StoreLocation, Timer, TokenState, TokenStatus};

pub(super) const EXAMPLES: &str = "\
Examples:
  kroger-mcp status
  kroger-mcp status --json | jq .user_tokens";

/// Cells of a bar.
const BAR: usize = 12;

/// More users than a person reads.
const MAX_USERS: u32 = 1_000;

#[derive(Debug, Args)]
pub(super) struct StatusOptions {
    /// Print the tokens, the store and the settings as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreOptions,
}

pub(super) async fn status(options: &StatusOptions, given: &Given) -> Result<()> {
    let looked = look(&options.store, given)?;
    if options.json {
        return print(&json(&answer_of_the_route(&looked).await?)?);
    }
    let users = looked.host.list_tokens(MAX_USERS).await.map_err(words::error)?;
    let timer = looked.host.timer_status().await.map_err(words::error)?;
    let view = View { now: now(), buffer: looked.refresh_buffer.as_secs(), timer: &timer };
    print(&view.page(Palette::of_stdout(), &users, &looked.store.path()))?;
    let of_sandbox = StoreLocation::find(options.store.store.as_deref(), given, Purpose::Sandbox)?;
    if !of_sandbox.is_there() {
        return Ok(());
    }
    print(&of_sandboxes(&of_sandbox.directory.to_string_lossy()))
}

/// How to look at the store that a sandbox made.
fn of_sandboxes(directory: &str) -> String {
    format!("The sandbox's:  kroger-mcp status {}\n", option("--store", directory))
}

/// The answer of `GET /admin/tokens`, as programs know it. Never a token.
async fn answer_of_the_route(looked: &Looked) -> Result<Value> {
    let request = Request::get("/admin/tokens")
        .header(header::HOST, "localhost")
        .header(header::ACCEPT, "application/json")
        .body(Full::default())?;
    let response = looked.host.handle(request).await;
    ensure!(response.status() == StatusCode::OK, "the token store cannot be read");
    let body = response.into_body().collect().await?.to_bytes();
    let mut answer: Value = serde_json::from_slice(&body)?;
    if !looked.is_there {
        answer["token_storage"]["file_exists"] = false.into();
    }
    Ok(answer)
}

/// What all rows have in common.
struct View<'a> {
    now: u64,
    /// Seconds before the end in which the timer refreshes.
    buffer: u64,
    timer: &'a Timer,
}

impl View<'_> {
    fn page(&self, palette: Palette, users: &[TokenStatus], store: &str) -> String {
        if users.is_empty() {
            return format!("Nobody is signed in. (Store: {store})\nTo sign in:  kroger-mcp login\n");
        }
        let rows: Vec<[Cell; 5]> = users.iter().map(|status| self.row(status)).collect();
        let rows = table(palette, ["USER", "STATUS", "TIME LEFT", "NEXT", "SCOPE"], &rows);
        let timer = if self.timer.running {
            palette.paint(Tone::Good, "running")
        } else {
            palette.paint(Tone::Soon, "not running: start kroger-mcp serve, or kroger-mcp refresh from cron")
        };
        let rate = self.timer.success_rate.as_deref().map(|rate| format!("Refreshes: {}\n", printable(rate)));
        format!("{rows}\nStore: {store}\nTimer: {timer}\n{}", rate.unwrap_or_default())
    }

    fn row(&self, status: &TokenStatus) -> [Cell; 5] {
        let tone = match status.state {
            TokenState::Valid => Tone::Good,
            TokenState::ExpiringSoon | TokenState::Expired => Tone::Soon,
            TokenState::Reauthorize | TokenState::OfAnotherApp => Tone::Bad,
        };
        [
            short(&status.user_id).as_ref().into(),
            Cell::new(tone, words::state(status.state)),
            Cell::new(tone, self.time_left(status)),
            self.next(status).into(),
            Cell::new(Tone::Faint, &status.scope),
        ]
    }

    fn time_left(&self, status: &TokenStatus) -> String {
        if status.expires_in == 0 {
            return format!("expired {} ago", span(self.now.saturating_sub(status.expires_at)));
        }
        let since = status.refreshed_at.unwrap_or(self.now);
        let lifetime = status.expires_at.saturating_sub(since);
        format!("{} {}", bar(status.expires_in, lifetime, BAR), span(status.expires_in))
    }

    fn next(&self, status: &TokenStatus) -> String {
        let trouble = status.last_error.map(|error| format!(" (last try: {})", words::refresh_error(error)));
        let trouble = trouble.unwrap_or_default();
        // A name that is cut short would sign in another user.
        let user = if short(&status.user_id) == status.user_id { &status.user_id } else { "ID" };
        let sign_in = format!("kroger-mcp login {}", option("--user", user));
        match status.state {
            TokenState::OfAnotherApp => words::OF_ANOTHER_APP.to_owned(),
            TokenState::Reauthorize => format!("sign in: {sign_in}"),
            _ if !status.has_refresh_token => format!("sign in before then: {sign_in}"),
            TokenState::Valid if self.timer.running => {
                format!("refreshed in about {}{trouble}", span(status.expires_in.saturating_sub(self.buffer)))
            }
            TokenState::ExpiringSoon if self.timer.running => format!("refreshed within the next minutes{trouble}"),
            TokenState::Valid | TokenState::ExpiringSoon | TokenState::Expired => {
                format!("refreshed on its next use{trouble}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{RefreshError, TokenSource};

    use super::*;

    fn timer(running: bool) -> Timer {
        Timer { running, last_pass_ago: None, success_rate: None }
    }

    fn page(running: bool, users: &[TokenStatus]) -> String {
        View { now: 1_000, buffer: 300, timer: &timer(running) }.page(Palette::Plain, users, ".tokens")
    }

    fn user(user_id: &str, state: TokenState, expires_at: u64) -> TokenStatus {
        TokenStatus {
            user_id: user_id.to_owned(),
            sign_in: Some("1.0".to_owned()),
            state,
            expires_at,
            expires_in: expires_at.saturating_sub(1_000),
            has_refresh_token: true,
            scope: String::new(),
            refreshed_at: Some(700),
            source: TokenSource::Oauth,
            last_error: None,
        }
    }

    #[test]
    fn the_table_shows_the_time_left_and_says_what_happens_next() {
        let alice = TokenStatus { scope: "cart.basic:write".to_owned(), ..user("alice", TokenState::Valid, 2_500) };
        let bob = TokenStatus { last_error: Some(RefreshError::NotSent), ..user("bob", TokenState::Expired, 988) };
        let users = [alice, bob, user("c\u{1b}d", TokenState::Reauthorize, 999)];

        let expected = "\
USER   STATUS       TIME LEFT         NEXT                                                               SCOPE
alice  valid        ██████████░░ 25m  refreshed in about 20m                                             cart.basic:write
bob    expired      expired 12s ago   refreshed on its next use (last try: Kroger could not be reached)
cd     reauthorize  expired 1s ago    sign in: kroger-mcp login --user $'c\\033d'

Store: .tokens
Timer: running
";
        assert_eq!(page(true, &users), expected);
    }

    #[test]
    fn what_is_printed_to_be_pasted_is_quoted() {
        for (user_id, option) in [
            ("x; touch y", "--user 'x; touch y'\n"),
            ("$(touch y)", "--user '$(touch y)'\n"),
            ("it's", "--user 'it'\\''s'\n"),
            ("-x", "--user=-x\n"),
            ("a\u{202e}b", "--user $'a\\342\\200\\256b'\n"),
            ("alice", "--user alice\n"),
        ] {
            let dead = page(true, &[user(user_id, TokenState::Reauthorize, 999)]);
            let ending = TokenStatus { has_refresh_token: false, ..user(user_id, TokenState::Valid, 2_000) };
            let ending = page(true, &[ending]);

            assert!(dead.contains(&format!("sign in: kroger-mcp login {option}")), "{dead}");
            assert!(ending.contains(&format!("sign in before then: kroger-mcp login {option}")), "{ending}");
        }
        assert!(of_sandboxes("/srv/my tokens;x-sandbox").contains("--store '/srv/my tokens;x-sandbox'\n"));
    }

    #[test]
    fn without_a_timer_the_page_says_how_to_start_one() {
        let page = page(false, &[user("alice", TokenState::Valid, 2_500)]);

        assert!(page.contains("refreshed on its next use"), "{page}");
        assert!(page.contains("kroger-mcp serve"), "{page}");
    }

    #[test]
    fn an_empty_store_is_said_in_words() {
        assert!(page(false, &[]).starts_with("Nobody is signed in. (Store: .tokens)\n"));
    }
}
