//! What `refresh` and `status` print on stdout.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::Ending;
use crate::{Host, Pass, RefreshOutcome};

/// Says what one pass did; [`Ending::Unwell`] where someone is without a fresh
/// token because of a failure.
pub(super) fn passed(pass: &Pass) -> Result<(), Ending> {
    print(&pass_line(pass))?;
    let is_well = pass.failed == 0 && pass.postponed == 0 && pass.reauthorize == 0;
    if is_well { Ok(()) } else { Err(Ending::Unwell) }
}

pub(super) fn refreshed(user: &str, outcome: RefreshOutcome) -> Result<(), Ending> {
    let (words, is_well) = match outcome {
        RefreshOutcome::Refreshed => ("refreshed", true),
        RefreshOutcome::Fresh => ("not due", true),
        RefreshOutcome::Postponed => ("failed, and is tried again later", false),
        RefreshOutcome::Reauthorize => ("must sign in again", false),
        RefreshOutcome::NothingToRefresh => ("has nothing to refresh", false),
    };
    print(&format!("{}: {words}\n", printable(user)))?;
    if is_well { Ok(()) } else { Err(Ending::Unwell) }
}

/// What the component answers to `GET path`, in process.
pub(super) async fn ask(host: &Host, path: &str) -> Result<Value, Ending> {
    let request = Request::get(path)
        .header(header::HOST, "localhost")
        .header(header::ACCEPT, "application/json")
        .body(Full::new(Bytes::new()))
        .map_err(Ending::failed)?;
    let response = host.handle(request).await;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(Ending::failed)?.to_bytes();
    let answer: Value = serde_json::from_slice(&body).map_err(Ending::failed)?;
    if status == StatusCode::OK {
        return Ok(answer);
    }
    Err(Ending::Failed(text(&answer, "detail").unwrap_or_else(|| status.to_string())))
}

pub(super) fn json(answer: &Value) -> Result<(), Ending> {
    let mut pretty = serde_json::to_string_pretty(answer).map_err(Ending::failed)?;
    pretty.push('\n');
    print(&pretty)
}

pub(super) fn table(answer: &Value) -> Result<(), Ending> {
    print(&rows(answer))
}

fn pass_line(pass: &Pass) -> String {
    if pass.due == 0 {
        return "Nobody is due.\n".to_owned();
    }
    let mut line = format!("{} due: {} refreshed", pass.due, pass.refreshed);
    for (count, words) in [
        (pass.fresh, "fresh already"),
        (pass.nothing_to_refresh, "with nothing to refresh"),
        (pass.postponed, "failed, tried again later"),
        (pass.reauthorize, "must sign in again"),
        (pass.failed, "not answered"),
    ] {
        if count > 0 {
            let _ = write!(line, ", {count} {words}");
        }
    }
    line + ".\n"
}

fn rows(answer: &Value) -> String {
    let mut rows = vec![["USER", "STATUS", "EXPIRES", "SCOPE"].map(str::to_owned)];
    let users = answer["user_tokens"].as_object();
    rows.extend(users.into_iter().flatten().map(|(user, token)| row(user, token)));
    let store = text(&answer["token_storage"], "file_path").unwrap_or_default();
    if rows.len() == 1 {
        return format!("Nobody is signed in. (Store: {store})\n");
    }
    aligned(&rows) + &format!("Store: {store}\n")
}

fn row(user: &str, token: &Value) -> [String; 4] {
    let expires = text(token, "expires_in")
        .map(|time| format!("in {time}"))
        .or_else(|| text(token, "expired_ago"))
        .or_else(|| text(token, "reason"))
        .unwrap_or_default();
    [printable(user), text(token, "status").unwrap_or_default(), expires, text(token, "scope").unwrap_or_default()]
}

fn aligned(rows: &[[String; 4]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    rows.iter().fold(String::new(), |mut text, [user, status, expires, scope]| {
        let [first, second, third] = widths;
        let line = format!("{user:first$}  {status:second$}  {expires:third$}  {scope}");
        text.push_str(line.trim_end());
        text.push('\n');
        text
    })
}

fn text(value: &Value, member: &str) -> Option<String> {
    Some(printable(value.get(member)?.as_str()?))
}

/// A user's name is anyone's choice; it must not drive the terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn print(text: &str) -> Result<(), Ending> {
    stdout().write_all(text.as_bytes()).map_err(Ending::failed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_is_aligned_and_says_until_when() {
        let answer = json!({
            "user_tokens": {
                "alice": {"status": "valid", "expires_in": "1500 seconds", "scope": "cart.basic:write"},
                "b\u{1b}ob": {"status": "expired", "expired_ago": "12 seconds ago", "scope": ""},
            },
            "token_storage": {"file_path": ".tokens"},
        });

        let expected = "\
USER   STATUS   EXPIRES          SCOPE
alice  valid    in 1500 seconds  cart.basic:write
bob    expired  12 seconds ago
Store: .tokens
";
        assert_eq!(rows(&answer), expected);
    }

    #[test]
    fn an_empty_store_is_said_in_words() {
        let answer = json!({"user_tokens": {}, "token_storage": {"file_path": ".tokens"}});

        assert_eq!(rows(&answer), "Nobody is signed in. (Store: .tokens)\n");
    }

    #[test]
    fn a_pass_names_only_what_happened() {
        let pass = Pass { due: 3, refreshed: 2, reauthorize: 1, ..Pass::default() };

        assert_eq!(pass_line(&pass), "3 due: 2 refreshed, 1 must sign in again.\n");
        assert_eq!(pass_line(&Pass::default()), "Nobody is due.\n");
    }
}
