//! `logout`: forgets a person.

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;

use super::opening::{StoreOptions, open};
use super::print::{print, printable};
use super::values::user_id;
use super::{legacy, words};
use crate::{Given, TokenStatus};
use kroger_core::ports::Timestamp;

pub(super) const EXAMPLES: &str = "\
Examples:
  kroger-mcp logout
  kroger-mcp logout --user alice";

#[derive(Debug, Args)]
pub(super) struct LogoutOptions {
    /// The user to forget [default: `KROGER_HARDCODED_USER_ID`, else `user_default`]
    #[arg(long, value_name = "ID", value_parser = user_id)]
    user: Option<String>,
    /// Delete the tokens also if the user's records are damaged, or of a newer version
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    store: StoreOptions,
}

/// Forgets a person, whatever refresh or sign-in is under way.
pub(super) async fn logout(options: &LogoutOptions, given: &Given) -> Result<()> {
    let settings = options.store.settings(given)?;
    let user = options.user.clone().unwrap_or_else(|| settings.component.default_user.as_str().to_owned());
    match legacy::waiting(&settings.store) {
        Ok(None) => {}
        Ok(Some(waiting)) => bail!("{waiting} Nobody was signed out: do so after that."),
        Err(refused) => bail!(refused),
    }
    let host = open(settings)?;
    let not_signed_out = || format!("{} was not signed out", printable(&user));
    let status = match host.token_status(&user).await {
        Ok(status) => status,
        Err(_) if options.force => None,
        Err(failure) => {
            let unreadable = words::error(failure);
            return Err(anyhow!("{unreadable} kroger-mcp logout --force deletes also what cannot be read."))
                .with_context(not_signed_out);
        }
    };
    // Also for a user who is signed out: an earlier sign-out may have failed before all was deleted.
    host.forget(&user).await.map_err(words::error).with_context(not_signed_out)?;
    print(&match status {
        Some(status) => signed_out(&printable(&user), &status),
        None if options.force => format!("{} is signed out; what was stored is deleted here.\n", printable(&user)),
        None => format!("{} is not signed in.\n", printable(&user)),
    })
}

fn signed_out(user: &str, before: &TokenStatus) -> String {
    let deleted = format!("{user} is signed out; the tokens are deleted here.");
    if before.expires_in == 0 {
        return format!("{deleted}\n");
    }
    let until = Timestamp::from_secs(before.expires_at).readable();
    format!("{deleted} Kroger still accepts the access token until {until}.\n")
}
