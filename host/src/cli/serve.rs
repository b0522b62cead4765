//! `serve`: serves HTTP and keeps tokens fresh until it is told to stop.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use tokio::net::TcpListener;

use super::listen::{address, bind, listen_address, redirect_port};
use super::opening::{StoreOptions, start};
use super::print::{print_aside, warn};
use super::sandbox::RunningSandbox;
use super::{credentials, signals};
use crate::quote::quoted;
use crate::reach::address::is_loopback;
use crate::settings::redirect::base_url;
use crate::{Given, Purpose, Settings, StoreLocation};

pub(super) const EXAMPLES: &str = "\
Examples:
  kroger-mcp serve --sandbox
  KROGER_CLIENT_ID=… KROGER_CLIENT_SECRET=… kroger-mcp serve --store ~/.kroger
  PORT=8080 kroger-mcp serve --log-format json";

#[derive(Debug, Args)]
pub(super) struct ServeOptions {
    /// Where to listen [default: 127.0.0.1:9004, or the port that PORT names]
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
    /// Run a stand-in for Kroger in this process, and use it: no account needed.
    #[arg(long)]
    pub(super) sandbox: bool,
    #[command(flatten)]
    pub(super) store: StoreOptions,
}

pub(super) async fn serve(options: &ServeOptions, given: &Given) -> Result<()> {
    let listen = listen_address(options.listen.as_deref(), given)?;
    if options.sandbox {
        return serve_with_sandbox(options, given, &listen).await;
    }
    credentials::require(given, redirect_port(&listen))?;
    let settings = options.store.settings(given)?;
    let listener = bind(&listen).await?;
    run(settings, listener, "").await
}

async fn serve_with_sandbox(options: &ServeOptions, given: &Given, listen: &str) -> Result<()> {
    let store = StoreLocation::choose(options.store.store.as_deref(), given, Purpose::Sandbox)?;
    let listener = bind(listen).await?;
    let own = address(&listener)?;
    let sandbox = RunningSandbox::start(own).await?;
    let settings = Settings::for_sandbox(given, store, sandbox.address, own)?;
    let served = run(settings, listener, &sandbox_lines(own, sandbox.address)).await;
    // Not earlier: refreshes under way still needed answers of the sandbox.
    sandbox.stop().await;
    served
}

/// Prints `lines` once there is a server behind what they say.
async fn run(settings: Settings, listener: TcpListener, lines: &str) -> Result<()> {
    let stop = signals::stop();
    let address = address(&listener)?;
    warn(settings.dead_redirect(address).as_slice());
    let (began, store) = (Instant::now(), settings.store.path());
    let host = start(settings.listening_on(address)).await?;
    let startup_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    warn_of_exposure(address);
    if !lines.is_empty() {
        print_aside(lines.to_owned());
    }
    tracing::info!(%address, store, startup_ms, "listening");
    host.serve(listener, stop).await?;
    tracing::info!("stopped");
    Ok(())
}

fn warn_of_exposure(address: SocketAddr) {
    if !is_loopback(address.ip()) {
        tracing::warn!(%address, "whoever reaches this address can act for everyone who is signed in");
    }
    if address.ip().is_unspecified() {
        tracing::warn!(
            "calls by another name than localhost are refused unless KROGER_ALLOWED_ORIGINS has it, such as \
             KROGER_ALLOWED_ORIGINS=http://192.168.1.5:{}",
            address.port()
        );
    }
}

fn sandbox_lines(own: SocketAddr, sandbox: SocketAddr) -> String {
    let (base, look) = (base_url(own), base_url(sandbox));
    let add = format!("{base}/cart/add/simple");
    let add = quoted(&add);
    format!(
        "Sign in:      {base}/auth/authorize\n\
         Add to cart:  curl -X PUT {add} -H 'Content-Type: application/json' \
         -d '{{\"upc\": \"0001111041700\", \"quantity\": 2}}'\n\
         Look:         {look}/\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandboxs_three_lines_say_where_to_sign_in_how_to_add_and_where_to_look() {
        let text = sandbox_lines("127.0.0.1:9004".parse().unwrap(), "127.0.0.1:4000".parse().unwrap());
        let lines: Vec<&str> = text.lines().collect();

        assert!(lines[0].ends_with("http://localhost:9004/auth/authorize"), "{lines:?}");
        assert!(lines[1].contains("curl -X PUT http://localhost:9004/cart/add/simple"), "{lines:?}");
        assert!(lines[2].ends_with("http://localhost:4000/"), "{lines:?}");
    }
}
