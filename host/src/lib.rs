//! The wasmtime host of the `kroger-connector` component, as a library.
//!
//! It carries calls in: HTTP from a socket that its embedder hands over, the
//! periodic refresh, and calls in process. It gives the component what it cannot
//! have by itself: a durable store, requests to Kroger, time and a log. It
//! decides nothing about tokens or carts.
//!
//! ```no_run
//! use kroger_mcp::{Given, Host, Settings, StoreLocation};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::new(&Given::here()?, StoreLocation::named(".tokens"))?;
//! let host = Host::start(settings, None)?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9004").await?;
//! host.serve(listener, async { tokio::signal::ctrl_c().await.unwrap_or(()) }).await?;
//! # Ok(())
//! # }
//! ```

pub mod cli;
mod files;
mod keep;
pub mod log;
mod quote;
mod reach;
mod run;
mod settings;
mod time_limit;
mod wall_clock;

pub use keep::sqlite::{Fault, OpenError};
pub use run::component::{
    AuthorizationRequest, COMPONENT, Check, CheckName, Credentials, Failure, FailureCode, ImportOutcome, NextAction,
    Reach, RefreshError, RefreshOutcome, SignInProgress, SignedIn, Standing, Timer, TokenSource, TokenState,
    TokenStatus, UserChecks, Validation,
};
pub use run::host::{Finished, Host, StartError, Unsaved};
pub use run::server::{MAX_BODY as MAX_LINE, Routes};
pub use run::timer::{ComponentError, Pass};
pub use settings::checked::Settings;
pub use settings::given::Given;
pub use settings::refused::Refused;
pub use settings::store_place::{Purpose, StoreLocation, cache_directory};
