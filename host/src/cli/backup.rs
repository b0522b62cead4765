//! `backup` and `restore`: a copy of the store, and back.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Result, bail};
use clap::Args;

use super::exit::usage;
use super::opening::StoreOptions;
use super::print::{confirm, print, span};
use crate::Given;
use crate::keep::sqlite::{self, Existing};

pub(super) const BACKUP_EXAMPLES: &str = "\
Examples:
  kroger-mcp backup tokens.backup
  kroger-mcp backup --force /backup/tokens   (from cron, over the last one)

Servers may go on meanwhile. The file holds tokens: keep it as you keep them.
A backup grows old fast: a refresh token is spent by the next refresh, within
half an hour. It keeps what else is in the store, and users who are not used.";

pub(super) const RESTORE_EXAMPLES: &str = "\
Examples:
  kroger-mcp restore tokens.backup

Stop every kroger-mcp that uses the store first. The store that is replaced is
kept beside the new one.";

#[derive(Debug, Args)]
pub(super) struct BackupOptions {
    /// Where to write the copy; readable by its owner alone.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace the file if it is there and is an older backup.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    store: StoreOptions,
}

#[derive(Debug, Args)]
pub(super) struct RestoreOptions {
    /// A file that `backup` made.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace the store without asking.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    store: StoreOptions,
}

pub(super) fn backup(options: &BackupOptions, given: &Given) -> Result<()> {
    let store = options.store.find(given)?;
    let existing = if options.force { Existing::Replace } else { Existing::Keep };
    let name = store.path();
    let size = sqlite::backup(&store.directory, &name, &options.file, existing)?;
    print(&format!("Copied the store {name} to {} ({} KiB).\n", options.file.display(), size.div_ceil(1_024)))
}

pub(super) fn restore(options: &RestoreOptions, given: &Given) -> Result<()> {
    let store = options.store.find(given)?;
    let backup = sqlite::verify(&options.file).map_err(|error| usage(error.to_string()))?;
    let age = backup.made.and_then(|made| SystemTime::now().duration_since(made).ok());
    let age = age.map_or_else(|| "of an unknown time".to_owned(), |age| format!("{} old", span(age.as_secs())));
    print(&format!(
        "{} is {age}. Whoever's tokens were refreshed since then must sign in again: the refresh tokens in it are \
         spent.\n",
        options.file.display()
    ))?;
    let name = store.path();
    if sqlite::is_store(&store.directory).unwrap_or(true) && !options.yes {
        let question = format!("Replace the store {name}?");
        if !confirm(&question, "nothing was restored; --yes answers yes")? {
            bail!("Nothing was restored.");
        }
    }
    let kept = sqlite::restore(&backup, &store.directory, &name)?;
    let kept = kept.map(|kept| format!(" The one that was there is kept as {name}/{kept}."));
    print(&format!("Restored the store {name}.{}\n", kept.unwrap_or_default()))
}
