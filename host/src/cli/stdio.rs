//! `stdio`: the server as an agent's app starts it. stdout has answers alone.
//!
//! Tokens are kept fresh, and sign-ins return to this process if nobody else has
//! the port; else to whoever has it, which is most likely another one like this
//! on the same store.

use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::thread;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::serve::{RunningSandbox, address, bind, listen_address, redirect_port};
use super::{Ending, ServeOptions, require_credentials, settings, signals, start, warn};
use crate::Host;
use crate::settings::{Given, Purpose, Settings, StoreLocation};

/// Lines that wait to be read, or written.
const LINES: usize = 64;

pub(super) async fn stdio(options: &ServeOptions, given: &Given) -> Result<(), Ending> {
    let listen = listen_address(options, given)?;
    if options.sandbox {
        return with_sandbox(options, given, &listen).await;
    }
    require_credentials(given, redirect_port(&listen))?;
    let settings = settings(&options.store, given)?;
    run(settings, callback(&listen).await?).await
}

async fn with_sandbox(options: &ServeOptions, given: &Given, listen: &str) -> Result<(), Ending> {
    let store = StoreLocation::choose(options.store.store.as_deref(), given, Purpose::Sandbox)?;
    // The sandbox knows this process alone, so a port that is taken is no use.
    let listener = match callback(listen).await? {
        Some(listener) => listener,
        None => bind("127.0.0.1:0").await?,
    };
    let own = address(&listener)?;
    let sandbox = RunningSandbox::start(own).await?;
    let settings = Settings::for_sandbox(given, store, sandbox.address, own)?;
    let served = run(settings, Some(listener)).await;
    sandbox.stop().await;
    served
}

/// Where sign-ins return to, if nobody else listens there.
async fn callback(listen: &str) -> Result<Option<TcpListener>, Ending> {
    match bind(listen).await {
        Ok(listener) => Ok(Some(listener)),
        Err(wrong @ Ending::Usage(_)) => Err(wrong),
        Err(_) => {
            tracing::warn!(listen, "the port is taken: sign-ins return to whoever has it");
            Ok(None)
        }
    }
}

async fn run(settings: Settings, listener: Option<TcpListener>) -> Result<(), Ending> {
    let stop = signals::stop();
    let own = listener.as_ref().map(address).transpose()?;
    let settings = match own {
        Some(own) => {
            warn(settings.dead_redirect(own).as_slice());
            settings.listening_on(own)
        }
        None => settings,
    };
    let host = &start(settings).await?;
    tracing::info!(address = own.map(tracing::field::display), "serving stdin");
    let (lines, answers) = (read_lines(), write_lines());
    let (ending, ended) = watch::channel(());
    let ended = async move {
        let mut ended = ended;
        drop(ended.changed().await);
    };
    let calls = async move {
        host.serve_lines(lines, answers.sender, stop).await;
        ending.send_replace(());
    };
    tokio::join!(calls, beside(host, listener, ended));
    answers.written.join().map_err(|_| Ending::failed("stdout cannot be written"))?;
    tracing::info!("stopped");
    Ok(())
}

async fn beside(host: &Host, listener: Option<TcpListener>, ended: impl Future<Output = ()>) {
    match listener {
        Some(listener) => host.serve(listener, ended).await,
        None => host.keep_fresh(ended).await,
    }
}

/// The lines of stdin, until its end or a line that is no text. A thread of its
/// own: nothing else can interrupt a read.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES);
    thread::spawn(move || {
        for line in stdin().lock().lines() {
            let is_wanted = line.is_ok_and(|line| sender.blocking_send(line).is_ok());
            if !is_wanted {
                return;
            }
        }
    });
    lines
}

/// Writes lines on stdout.
struct Writer {
    sender: mpsc::Sender<String>,
    written: thread::JoinHandle<()>,
}

fn write_lines() -> Writer {
    let (sender, mut lines) = mpsc::channel::<String>(LINES);
    let written = thread::spawn(move || {
        let mut out = stdout().lock();
        while let Some(mut line) = lines.blocking_recv() {
            line.push('\n');
            if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    });
    Writer { sender, written }
}
