//! `stdio`: the server as an app of an agent starts it. stdout carries only answers.
//!
//! It keeps tokens fresh. Sign-ins return to this process if its port is free. Else they return to the
//! process that has the port, most likely another kroger-mcp on the same store, until that one ends.
//! No link is given out while another user of the machine has the port.

use std::io::{self, BufRead, Read as _, Write as _, stdin, stdout};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use url::Url;

use super::exit::Usage;
use super::listen::{address, bind, listen_address, redirect_port};
use super::opening::start;
use super::print::warn;
use super::sandbox::RunningSandbox;
use super::serve::ServeOptions;
use super::{credentials, port, signals};
use crate::{Given, MAX_LINE, Purpose, Routes, Settings, StoreLocation};

pub(super) const EXAMPLES: &str = "\
Examples:
  kroger-mcp stdio --sandbox
  {\"mcpServers\": {\"kroger\": {\"command\": \"kroger-mcp\", \"args\": [\"stdio\"]}}}   (in an app's settings)

The address of --listen serves what a sign-in needs, and nothing else. Sign-ins
return to it; where that is taken, most likely by
another kroger-mcp on the same store, they return there.";

/// Lines that wait to be read, or written.
const LINES: usize = 64;

/// JSON-RPC 2.0 § 5.1.
const INTERNAL_ERROR: i32 = -32603;

/// How often a taken port is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How long the end waits for the app to read the last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct StdioOptions {
    #[command(flatten)]
    serve: ServeOptions,
    /// Serve all routes on the port, to every user of this machine; without this, only what a sign-in needs.
    #[arg(long)]
    all_routes: bool,
}

impl StdioOptions {
    fn routes(&self) -> Routes {
        if self.all_routes { Routes::All } else { Routes::SignIn }
    }
}

pub(super) async fn stdio(options: &StdioOptions, given: &Given) -> Result<()> {
    let listen = listen_address(options.serve.listen.as_deref(), given)?;
    if options.serve.sandbox {
        return with_sandbox(options, given, &listen).await;
    }
    credentials::require(given, redirect_port(&listen))?;
    let settings = options.serve.store.settings(given)?;
    let callback = Callback { now: callback(&listen).await?, listen };
    run(settings, callback, options.routes()).await
}

async fn with_sandbox(options: &StdioOptions, given: &Given, listen: &str) -> Result<()> {
    let store = StoreLocation::choose(options.serve.store.store.as_deref(), given, Purpose::Sandbox)?;
    // The sandbox knows only this process, so a taken port is of no use.
    let listener = match callback(listen).await? {
        Some(listener) => listener,
        None => bind("127.0.0.1:0").await?,
    };
    let own = address(&listener)?;
    let sandbox = RunningSandbox::start(own).await?;
    let settings = Settings::for_sandbox(given, store, sandbox.address, own)?;
    let served = {
        let callback = Callback { now: Some(listener), listen: own.to_string() };
        run(settings, callback, options.routes()).await
    };
    sandbox.stop().await;
    served
}

/// Where sign-ins return to.
struct Callback {
    listen: String,
    /// `None` while another process has the port.
    now: Option<TcpListener>,
}

impl Callback {
    fn address(&self) -> Result<Option<SocketAddr>> {
        self.now.as_ref().map_or_else(|| Ok(self.listen.parse().ok()), |listener| address(listener).map(Some))
    }

    /// The listener, once the port can be had.
    async fn listener(self) -> TcpListener {
        if let Some(listener) = self.now {
            return listener;
        }
        loop {
            sleep(RETRY).await;
            if let Ok(listener) = bind(&self.listen).await {
                tracing::info!(listen = self.listen, "the port is free: sign-ins return here now");
                return listener;
            }
        }
    }
}

/// The listener for sign-ins, if the port is free.
async fn callback(listen: &str) -> Result<Option<TcpListener>> {
    match bind(listen).await {
        Ok(listener) => Ok(Some(listener)),
        Err(wrong) if wrong.is::<Usage>() => Err(wrong),
        Err(_) => {
            tracing::warn!(listen, "the port is taken: sign-ins return to whoever has it, until it is free");
            Ok(None)
        }
    }
}

async fn run(settings: Settings, callback: Callback, routes: Routes) -> Result<()> {
    let stop = signals::stop();
    let (own, is_bound) = (callback.address()?, callback.now.is_some());
    let store = settings.store.path();
    let guard = Links::of(&settings.component.redirect_uri);
    let settings = match own {
        Some(own) => {
            warn(settings.dead_redirect(own).as_slice());
            settings.listening_on(own)
        }
        None => settings,
    };
    let host = &start(settings).await?;
    tracing::info!(address = own.filter(|_| is_bound).map(tracing::field::display), store, "serving stdin");
    let (lines, answers) = (read_lines(), write_lines(guard));
    let sender = answers.sender.clone();
    let (ending, ended) = watch::channel(());
    let ended = async move {
        let mut ended = ended;
        drop(ended.changed().await);
    };
    let calls = async move {
        host.serve_lines(lines, sender, stop).await;
        ending.send_replace(());
    };
    let ((), served) = tokio::join!(calls, host.serve_when(callback.listener(), routes, ended));
    answers.end().await?;
    served?;
    tracing::info!("stopped");
    Ok(())
}

/// The lines of stdin, until its end. Read by a thread of its own, because a read cannot be
/// interrupted.
fn read_lines() -> mpsc::Receiver<Vec<u8>> {
    let (sender, lines) = mpsc::channel(LINES);
    thread::spawn(move || {
        let mut stdin = stdin().lock();
        while let Ok(Some(line)) = read_line(&mut stdin) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The next line, or `None` at the end. Reads one byte past the limit of a message, enough to report
/// that the line is too long.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let (mut line, most) = (Vec::new(), MAX_LINE as u64 + 1);
    if input.take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() > MAX_LINE && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

/// The links to our own pages, which lead to a port of this machine.
struct Links {
    port: Option<u16>,
    /// How each of them begins.
    beginning: String,
}

impl Links {
    fn of(redirect_uri: &Url) -> Self {
        Self { port: port::of_redirect(redirect_uri), beginning: redirect_uri.origin().ascii_serialization() }
    }

    /// The error to answer in place of `line`, if it has a link and another user of the machine
    /// holds the port. The port is looked at for each link: it may have changed hands.
    fn withheld(&self, line: &str) -> Option<String> {
        let port = self.port.filter(|_| line.contains(&self.beginning))?;
        let owner = port::foreign_holder(port)?;
        tracing::error!(port, owner, "another user of this machine holds the port of sign-ins; no link is given out");
        let id = serde_json::from_str(line).map(|answer: Value| answer["id"].clone()).unwrap_or_default();
        let error = json!({ "code": INTERNAL_ERROR, "message": port::held(port, owner) });
        Some(json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string())
    }
}

/// Writes lines on stdout.
struct Writer {
    sender: mpsc::Sender<String>,
    written: thread::JoinHandle<()>,
}

impl Writer {
    /// Waits until all answers are written. Gives up soon: an app that reads nothing must not keep the
    /// process.
    async fn end(self) -> Result<()> {
        drop(self.sender);
        match timeout(LAST_ANSWERS, spawn_blocking(move || self.written.join())).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(_) => Err(anyhow!("stdout cannot be written")),
            Err(_) => Err(anyhow!("nobody reads stdout: the last answers are lost")),
        }
    }
}

fn write_lines(guard: Links) -> Writer {
    let (sender, mut lines) = mpsc::channel::<String>(LINES);
    let written = thread::spawn(move || {
        let mut out = stdout().lock();
        while let Some(line) = lines.blocking_recv() {
            let mut line = guard.withheld(&line).unwrap_or(line);
            line.push('\n');
            if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    });
    Writer { sender, written }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_no_message_can_be_is_cut_and_the_next_one_is_whole() {
        let mut input = vec![b'a'; 3 * MAX_LINE];
        input.extend_from_slice(b"\nb\xe9\nc");
        let mut input = input.as_slice();

        assert_eq!(read_line(&mut input).unwrap().unwrap().len(), MAX_LINE + 1);
        assert_eq!(read_line(&mut input).unwrap().unwrap(), b"b\xe9\n");
        assert_eq!(read_line(&mut input).unwrap().unwrap(), b"c");
        assert_eq!(read_line(&mut input).unwrap(), None);
    }
}
