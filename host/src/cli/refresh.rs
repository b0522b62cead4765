//! `refresh`: one pass of the periodic refresh, for cron.

use std::fmt::Write as _;

use anyhow::{Error, Result, anyhow};
use clap::Args;

use super::exit::Unwell;
use super::listen::DEFAULT_PORT;
use super::opening::{StoreOptions, start};
use super::print::{print, printable};
use super::values::user_id;
use super::{credentials, signals, words};
use crate::Given;
use crate::{Finished, Host, Pass, RefreshOutcome};

pub(super) const EXAMPLES: &str = "\
Examples:
  * * * * *  cd /srv/kroger && kroger-mcp refresh   (in a crontab)
  kroger-mcp refresh --user alice";

#[derive(Debug, Args)]
pub(super) struct RefreshOptions {
    /// Only this user's, if it is due.
    #[arg(long, value_name = "ID", value_parser = user_id)]
    user: Option<String>,
    #[command(flatten)]
    store: StoreOptions,
}

/// Makes one pass, or refreshes one user, and says what was done. Fails with [`Unwell`] if a failure
/// left a user without a fresh token.
pub(super) async fn refresh(options: &RefreshOptions, given: &Given) -> Result<()> {
    credentials::require(given, DEFAULT_PORT)?;
    let host = start(options.store.settings(given)?).await?;
    let told = tokio::select! {
        told = made(&host, options.user.as_deref()) => Some(told),
        () = signals::stop() => None,
    };
    let finished = host.finish().await?;
    told.unwrap_or_else(|| Err(interrupted(finished)))
}

fn interrupted(finished: Finished) -> Error {
    anyhow!(if finished.calls_ended {
        "Interrupted; the refreshes that had begun were ended first."
    } else {
        "Interrupted, and a refresh that had begun was given up: `kroger-mcp status` says who must sign in again."
    })
}

async fn made(host: &Host, user: Option<&str>) -> Result<()> {
    match user {
        Some(user) => refreshed(user, host.refresh_user(user).await.map_err(words::error)?),
        None => passed(&host.refresh_due().await.map_err(words::error)?),
    }
}

fn passed(pass: &Pass) -> Result<()> {
    print(&pass_line(pass))?;
    let is_well = pass.failed == 0 && pass.postponed == 0 && pass.reauthorize == 0;
    if is_well { Ok(()) } else { Err(Unwell.into()) }
}

fn refreshed(user: &str, outcome: RefreshOutcome) -> Result<()> {
    let (words, is_well) = match outcome {
        RefreshOutcome::Refreshed => ("refreshed", true),
        RefreshOutcome::Fresh => ("not due", true),
        RefreshOutcome::Postponed => ("failed, and is tried again later", false),
        RefreshOutcome::Reauthorize => ("must sign in again", false),
        RefreshOutcome::NothingToRefresh => ("has nothing to refresh", false),
    };
    print(&format!("{}: {words}\n", printable(user)))?;
    if is_well { Ok(()) } else { Err(Unwell.into()) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_names_only_what_happened() {
        let pass = Pass { due: 3, refreshed: 2, reauthorize: 1, ..Pass::default() };

        assert_eq!(pass_line(&pass), "3 due: 2 refreshed, 1 must sign in again.\n");
        assert_eq!(pass_line(&Pass::default()), "Nobody is due.\n");
    }
}
