//! `status`: who is signed in, until when, and what happens next.

use clap::Args;
use kroger_core::grant::attempts::AttemptOutcome;
use serde_json::Value;

use super::ask::{self, text};
use super::print::{Cell, Palette, Tone, bar, now, print, short, span, table};
use super::{Ending, StoreOptions, look};
use crate::{Given, Purpose, StoreLocation};

pub(super) const EXAMPLES: &str = "\
Examples:
  kroger-mcp status
  kroger-mcp status --json | jq .user_tokens";

/// Cells of a bar.
const BAR: usize = 12;

#[derive(Debug, Args)]
pub(super) struct StatusOptions {
    /// Print what GET /admin/tokens answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreOptions,
}

pub(super) async fn status(options: &StatusOptions, given: &Given) -> Result<(), Ending> {
    let looked = look(&options.store, given).await?;
    let mut answer = ask::get(&looked.host, "/admin/tokens").await?;
    if !looked.is_there {
        answer["token_storage"]["file_exists"] = false.into();
    }
    if options.json {
        return json(&answer);
    }
    answer["token_storage"]["file_path"] = looked.store.into();
    print(&page(Palette::of_stdout(), &answer, now()))?;
    let of_sandbox = StoreLocation::find(options.store.store.as_deref(), given, Purpose::Sandbox)?;
    if !of_sandbox.is_there() {
        return Ok(());
    }
    print(&format!("The sandbox's:  kroger-mcp status --store {}\n", of_sandbox.directory.display()))
}

fn json(answer: &Value) -> Result<(), Ending> {
    let mut pretty = serde_json::to_string_pretty(answer).map_err(Ending::failed)?;
    pretty.push('\n');
    print(&pretty)
}

fn page(palette: Palette, answer: &Value, now: u64) -> String {
    let users = answer["user_tokens"].as_object().into_iter().flatten();
    let is_running = answer["token_storage"]["auto_refresh_enabled"] == true;
    let buffer = answer["settings"]["refresh_buffer_seconds"].as_u64().unwrap_or(0);
    let view = View { now, buffer, is_running };
    let rows: Vec<[Cell; 5]> = users.map(|(user, token)| view.row(user, token)).collect();
    let store = text(&answer["token_storage"], "file_path").unwrap_or_default();
    if rows.is_empty() {
        return format!("Nobody is signed in. (Store: {store})\nTo sign in:  kroger-mcp login\n");
    }
    let timer = if is_running {
        palette.paint(Tone::Good, "running")
    } else {
        palette.paint(Tone::Soon, "not running: start kroger-mcp serve, or kroger-mcp refresh from cron")
    };
    let rate = text(&answer["settings"], "success_rate").map(|rate| format!("Refreshes: {rate}\n"));
    let rows = table(palette, ["USER", "STATUS", "TIME LEFT", "NEXT", "SCOPE"], &rows);
    format!("{rows}\nStore: {store}\nTimer: {timer}\n{}", rate.unwrap_or_default())
}

/// What all rows are seen by.
struct View {
    now: u64,
    /// Seconds before the end in which the timer refreshes.
    buffer: u64,
    is_running: bool,
}

impl View {
    fn row(&self, user: &str, token: &Value) -> [Cell; 5] {
        let status = text(token, "status").unwrap_or_default();
        let tone = match status.as_str() {
            "valid" => Tone::Good,
            "expiring_soon" | "expired" => Tone::Soon,
            _ => Tone::Bad,
        };
        [
            short(user).as_ref().into(),
            Cell::new(tone, status.replace('_', " ")),
            Cell::new(tone, self.time_left(token)),
            self.next(user, token).into(),
            Cell::new(Tone::Faint, text(token, "scope").unwrap_or_default()),
        ]
    }

    fn time_left(&self, token: &Value) -> String {
        let Some(expires_at) = token["expires_at"].as_u64() else {
            return text(token, "expired_ago").map_or_else(String::new, |ago| format!("expired {ago}"));
        };
        let left = expires_at.saturating_sub(self.now);
        let since = token["refreshed_at"].as_u64().unwrap_or(self.now);
        format!("{} {}", bar(left, expires_at.saturating_sub(since), BAR), span(left))
    }

    fn next(&self, user: &str, token: &Value) -> String {
        let left = token["expires_at"].as_u64().map_or(0, |at| at.saturating_sub(self.now));
        let trouble = text(token, "last_error").map(|error| format!(" (last try: {})", words(&error)));
        let trouble = trouble.unwrap_or_default();
        // A name that is cut is no name to sign in by.
        let user = if short(user) == user { user } else { "ID" };
        match text(token, "status").as_deref() {
            Some("invalid") => text(token, "reason").unwrap_or_default(),
            Some("reauthorize") => format!("sign in: kroger-mcp login --user {user}"),
            _ if token["has_refresh_token"] != true => format!("sign in before then: kroger-mcp login --user {user}"),
            Some("valid") if self.is_running => {
                format!("refreshed in about {}{trouble}", span(left.saturating_sub(self.buffer)))
            }
            Some("expiring_soon") if self.is_running => format!("refreshed within the next minutes{trouble}"),
            _ => format!("refreshed on its next use{trouble}"),
        }
    }
}

/// What became of a refresh, which programs know by `last_error`.
fn words(last_error: &str) -> String {
    const FAILURES: [AttemptOutcome; 7] = [
        AttemptOutcome::Refused,
        AttemptOutcome::ClientRefused,
        AttemptOutcome::RequestRefused,
        AttemptOutcome::NotSent,
        AttemptOutcome::Busy,
        AttemptOutcome::Failed,
        AttemptOutcome::Unknown,
    ];
    let known = FAILURES.iter().find(|outcome| outcome.as_str() == last_error);
    known.map_or_else(|| last_error.replace('_', " "), |outcome| outcome.words().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(is_running: bool, users: &Value) -> Value {
        json!({
            "user_tokens": users,
            "token_storage": {"file_path": ".tokens", "auto_refresh_enabled": is_running},
            "settings": {"refresh_buffer_seconds": 300, "success_rate": null},
        })
    }

    #[test]
    fn the_table_shows_the_time_left_and_says_what_happens_next() {
        let users = json!({
            "alice": {"status": "valid", "expires_at": 2_500, "refreshed_at": 700, "has_refresh_token": true,
                "scope": "cart.basic:write"},
            "bob": {"status": "expired", "expired_ago": "12 seconds ago", "has_refresh_token": true,
                "last_error": "not_sent"},
            "c\u{1b}d": {"status": "reauthorize", "expired_ago": "1 seconds ago", "has_refresh_token": true},
        });

        let expected = "\
USER   STATUS       TIME LEFT               NEXT                                                               SCOPE
alice  valid        ██████████░░ 25m        refreshed in about 20m                                             cart.basic:write
bob    expired      expired 12 seconds ago  refreshed on its next use (last try: Kroger could not be reached)
cd     reauthorize  expired 1 seconds ago   sign in: kroger-mcp login --user cd

Store: .tokens
Timer: running
";
        assert_eq!(page(Palette::Plain, &answer(true, &users), 1_000), expected);
    }

    #[test]
    fn where_no_timer_runs_it_is_said_how_to_start_one() {
        let users = json!({"alice": {"status": "valid", "expires_at": 2_500, "has_refresh_token": true}});

        let page = page(Palette::Plain, &answer(false, &users), 1_000);

        assert!(page.contains("refreshed on its next use"), "{page}");
        assert!(page.contains("kroger-mcp serve"), "{page}");
    }

    #[test]
    fn an_empty_store_is_said_in_words() {
        let page = page(Palette::Plain, &answer(false, &json!({})), 1_000);

        assert!(page.starts_with("Nobody is signed in. (Store: .tokens)\n"), "{page}");
    }
}
