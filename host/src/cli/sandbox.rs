//! `sandbox`: the stand-in for Kroger, alone or beside a server.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use clap::Args;
use kroger_sandbox::{App, RedirectUri, Sandbox};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::listen::{address, bind};
use super::print::print;
use super::signals;
use crate::quote::quoted;
use crate::settings::redirect::base_url;

pub(super) const EXAMPLES: &str = "\
Examples:
  kroger-mcp sandbox
  kroger-mcp sandbox --listen 127.0.0.1:0";

#[derive(Debug, Args)]
pub(super) struct SandboxOptions {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9005")]
    listen: String,
}

/// Runs the sandbox until it is told to stop.
pub(super) async fn sandbox(options: &SandboxOptions) -> Result<()> {
    let listener = bind(&options.listen).await?;
    let base = base_url(address(&listener)?);
    print(&format!(
        "Sandbox:   {base}/\nPoint at:  KROGER_API_BASE_URL={} KROGER_CLIENT_ID=sandbox-client KROGER_CLIENT_SECRET=sandbox-secret\n",
        quoted(&base)
    ))?;
    kroger_sandbox::serve(listener, Sandbox::default(), signals::stop()).await.context("the sandbox failed")
}

/// The sandbox of `serve --sandbox`, on a free port.
pub(super) struct RunningSandbox {
    pub(super) address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

impl RunningSandbox {
    /// Sign-ins return to this machine, or to the server at `own`.
    pub(super) async fn start(own: SocketAddr) -> Result<Self> {
        let listener = bind("127.0.0.1:0").await?;
        let address = address(&listener)?;
        let (stop, stopped) = oneshot::channel();
        let stopped = async move { drop(stopped.await) };
        let mut app = App::sandbox();
        app.redirect_uris.push(RedirectUri::Exact(format!("{}/auth/callback", base_url(own))));
        let sandbox = Sandbox::new([app, App::sandbox_public()]);
        let serving = tokio::spawn(kroger_sandbox::serve(listener, sandbox, stopped));
        Ok(Self { address, stop, serving })
    }

    pub(super) async fn stop(self) {
        drop(self.stop);
        if let Ok(Err(error)) = self.serving.await {
            tracing::warn!(%error, "the sandbox failed");
        }
    }
}
