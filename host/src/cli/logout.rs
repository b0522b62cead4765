//! `logout`: forgets a person.

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::opening::{StoreOptions, open};
use super::print::{print, printable};
use super::values::user_id;
use super::{legacy, words};
use crate::Given;

pub(super) const EXAMPLES: &str = "\
Examples:
  kroger-mcp logout
  kroger-mcp logout --user alice";

#[derive(Debug, Args)]
pub(super) struct LogoutOptions {
    /// The user to forget [default: `KROGER_HARDCODED_USER_ID`, else `user_default`]
    #[arg(long, value_name = "ID", value_parser = user_id)]
    user: Option<String>,
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
    let status = host.token_status(&user).await.map_err(words::error).with_context(not_signed_out)?;
    if status.is_none() {
        return print(&format!("{} is not signed in.\n", printable(&user)));
    }
    host.forget(&user).await.map_err(words::error).with_context(not_signed_out)?;
    print(&format!("{} is signed out; the tokens are deleted here.\n", printable(&user)))
}
