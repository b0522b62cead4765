//! Opens the store that a command works on, and starts a host on it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::legacy;
use super::print::warn;
use crate::{Given, Host, Purpose, Settings, StoreLocation, cache_directory, log};

#[derive(Debug, Args)]
pub(super) struct StoreOptions {
    /// The directory of the token store [default: `KROGER_STORE`, else .tokens here, else the user's data directory]
    #[arg(long, value_name = "DIR")]
    pub(super) store: Option<String>,
}

impl StoreOptions {
    /// The store that these options choose, and the settings for it.
    pub(super) fn settings(&self, given: &Given) -> Result<Settings> {
        let store = StoreLocation::choose(self.store.as_deref(), given, Purpose::Kroger)?;
        Ok(Settings::new(given, store)?)
    }

    /// The store that is there already.
    pub(super) fn find(&self, given: &Given) -> Result<StoreLocation> {
        Ok(StoreLocation::find(self.store.as_deref(), given, Purpose::Kroger)?)
    }
}

/// Starts a host. A token file of the first system in the store's place is taken in.
pub(super) async fn start(settings: Settings) -> Result<Host> {
    let kept = legacy::set_aside(&settings.store)?;
    let host = open(settings)?;
    legacy::take_in(&host, &kept).await;
    Ok(host)
}

/// Starts a host, and takes nothing in.
pub(super) fn open(settings: Settings) -> Result<Host> {
    warn(&settings.warnings());
    Ok(Host::start(settings, cache_directory().as_deref())?)
}

/// A host for a command that only looks.
pub(super) struct Looked {
    pub(super) host: Host,
    pub(super) store: StoreLocation,
    /// False if there is no store: the answers are those of an empty one.
    pub(super) is_there: bool,
    /// How long before their end tokens are refreshed.
    pub(super) refresh_buffer: Duration,
    /// Stands in for a store that is not there.
    _stand_in: Option<tempfile::TempDir>,
}

/// Starts a host on the store that is there. Makes no store in its place.
pub(super) fn look(options: &StoreOptions, given: &Given) -> Result<Looked> {
    let store = options.find(given)?;
    let waiting = match legacy::waiting(&store) {
        Ok(waiting) => waiting,
        Err(refused) => bail!(refused),
    };
    waiting.iter().for_each(log::complain);
    let is_there = store.is_there() && waiting.is_none();
    let stand_in = if is_there { None } else { Some(stand_in()?) };
    let mut looked_at = store.clone();
    if let Some(stand_in) = &stand_in {
        looked_at.directory = stand_in.path().into();
    }
    let settings = Settings::to_look(given, looked_at)?;
    let refresh_buffer = settings.component.refresh_buffer;
    Ok(Looked { host: open(settings)?, store, is_there, refresh_buffer, _stand_in: stand_in })
}

/// A directory for an empty store, which is removed afterwards.
pub(super) fn stand_in() -> Result<tempfile::TempDir> {
    tempfile::tempdir().context("no temporary directory can be made")
}
