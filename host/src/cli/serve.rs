//! `serve` and `sandbox`: the commands that run until they are told to stop.

use std::io::{self, Write, stdout};
use std::net::SocketAddr;
use std::time::Instant;

use kroger_sandbox::{App, RedirectUri, Sandbox};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Ending, ServeOptions, require_credentials, settings, signals, start, warn};
use crate::reach::address::is_loopback;
use crate::settings::redirect::base_url;
use crate::{Given, Purpose, Settings, StoreLocation};

pub(super) const DEFAULT_PORT: u16 = 9004;

pub(super) async fn serve(options: &ServeOptions, given: &Given) -> Result<(), Ending> {
    let listen = listen_address(options, given)?;
    if options.sandbox {
        return serve_with_sandbox(options, given, &listen).await;
    }
    require_credentials(given, redirect_port(&listen))?;
    let settings = settings(&options.store, given)?;
    let listener = bind(&listen).await?;
    run(settings, listener, &[]).await
}

pub(super) async fn sandbox_alone(listen: &str) -> Result<(), Ending> {
    let listener = bind(listen).await?;
    let base = base_url(address(&listener)?);
    print(&[
        format!("Sandbox:   {base}/"),
        format!(
            "Point at:  KROGER_API_BASE_URL={base} KROGER_CLIENT_ID=sandbox-client KROGER_CLIENT_SECRET=sandbox-secret"
        ),
    ])?;
    kroger_sandbox::serve(listener, Sandbox::default(), signals::stop()).await.map_err(Ending::failed)
}

async fn serve_with_sandbox(options: &ServeOptions, given: &Given, listen: &str) -> Result<(), Ending> {
    let store = StoreLocation::choose(options.store.store.as_deref(), given, Purpose::Sandbox)?;
    let listener = bind(listen).await?;
    let own = address(&listener)?;
    let sandbox = RunningSandbox::start(own).await?;
    let settings = Settings::for_sandbox(given, store, sandbox.address, own)?;
    let served = run(settings, listener, &sandbox_lines(own, sandbox.address)).await;
    // Only now: refreshes that were under way have had their answers.
    sandbox.stop().await;
    served
}

/// Prints `lines` once there is a server behind what they say.
async fn run(settings: Settings, listener: TcpListener, lines: &[String]) -> Result<(), Ending> {
    let stop = signals::stop();
    let address = address(&listener)?;
    warn(settings.dead_redirect(address).as_slice());
    let (began, store) = (Instant::now(), settings.store.path());
    let host = start(settings.listening_on(address)).await?;
    let startup_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    warn_of_exposure(address);
    print(lines)?;
    tracing::info!(%address, store, startup_ms, "listening");
    host.serve(listener, stop).await.map_err(Ending::failed)?;
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

/// The sandbox of `serve --sandbox`, on a free port.
pub(super) struct RunningSandbox {
    pub(super) address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

impl RunningSandbox {
    /// Sign-ins return to this machine, or to the server at `own`.
    pub(super) async fn start(own: SocketAddr) -> Result<Self, Ending> {
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

fn sandbox_lines(own: SocketAddr, sandbox: SocketAddr) -> [String; 3] {
    let base = base_url(own);
    [
        format!("Sign in:      {base}/auth/authorize"),
        format!(
            "Add to cart:  curl -X PUT {base}/cart/add/simple -H 'Content-Type: application/json' \
             -d '{{\"upc\": \"0001111041700\", \"quantity\": 2}}'"
        ),
        format!("Look:         {}/", base_url(sandbox)),
    ]
}

fn print(lines: &[String]) -> Result<(), Ending> {
    let mut out = stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(Ending::failed)?;
    out.flush().map_err(Ending::failed)
}

pub(super) fn listen_address(options: &ServeOptions, given: &Given) -> Result<String, Ending> {
    if let Some(listen) = &options.listen {
        return Ok(listen.clone());
    }
    let Some(port) = given.variable("PORT") else { return Ok(format!("127.0.0.1:{DEFAULT_PORT}")) };
    match port.parse::<u16>() {
        Ok(port) => Ok(format!("127.0.0.1:{port}")),
        Err(_) => Err(Ending::Usage(format!("PORT is `{port}`; allowed: a number from 0 to 65535"))),
    }
}

/// Where sign-ins should return to; port 0 is any, so there is nothing to register.
pub(super) fn redirect_port(listen: &str) -> u16 {
    let port = listen.rsplit(':').next().and_then(|port| port.parse().ok());
    port.filter(|port| *port != 0).unwrap_or(DEFAULT_PORT)
}

pub(super) async fn bind(listen: &str) -> Result<TcpListener, Ending> {
    if !is_address(listen) {
        return Err(Ending::Usage(format!(
            "--listen is `{listen}`; allowed: an address and a port, such as 127.0.0.1:9004, 0.0.0.0:9004 or [::1]:9004"
        )));
    }
    TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Ending::Failed(format!(
            "{listen} is in use, perhaps by another kroger-mcp. Stop that, or choose another port with --listen; but for \
             --sandbox set KROGER_REDIRECT_URI=http://localhost:PORT/auth/callback to that port too and register it at \
             developer.kroger.com, or sign-ins will not return here."
        )),
        // A name that cannot be resolved has no kind, and no error of the system.
        _ if error.raw_os_error().is_none() => Ending::Failed(format!(
            "{listen} cannot be listened on: no address has that name. Choose another address with --listen."
        )),
        kind => {
            Ending::Failed(format!("{listen} cannot be listened on: {kind}. Choose another address with --listen."))
        }
    })
}

/// Whether a host and a port are there; an IPv6 address is in brackets.
fn is_address(listen: &str) -> bool {
    let Some((host, port)) = listen.rsplit_once(':') else { return false };
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    let is_host = !host.is_empty() && (is_bracketed || !host.contains(':')) && !host.contains(char::is_whitespace);
    is_host && port.parse::<u16>().is_ok()
}

pub(super) fn address(listener: &TcpListener) -> Result<SocketAddr, Ending> {
    listener.local_addr().map_err(Ending::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(port: &str) -> Given {
        Given { environment: vec![("PORT".to_owned(), port.to_owned())], ..Given::default() }
    }

    fn options(listen: Option<&str>) -> ServeOptions {
        ServeOptions {
            listen: listen.map(str::to_owned),
            sandbox: false,
            store: super::super::StoreOptions { store: None },
        }
    }

    #[test]
    fn the_port_variable_sets_the_port_of_the_default_address_only() {
        assert_eq!(listen_address(&options(None), &Given::default()).unwrap(), "127.0.0.1:9004");
        assert_eq!(listen_address(&options(None), &given("8080")).unwrap(), "127.0.0.1:8080");
        assert_eq!(listen_address(&options(Some("[::1]:1")), &given("8080")).unwrap(), "[::1]:1");
        assert!(matches!(listen_address(&options(None), &given("http")), Err(Ending::Usage(_))));
    }

    #[tokio::test]
    async fn a_port_in_use_is_a_clear_error_that_names_the_option() {
        let first = bind("127.0.0.1:0").await.unwrap();

        let second = bind(&first.local_addr().unwrap().to_string()).await;

        let Err(Ending::Failed(message)) = second else { panic!("{second:?}") };
        assert!(message.contains("in use") && message.contains("--listen"), "{message}");
    }

    #[tokio::test]
    async fn an_address_that_lacks_a_part_is_a_usage_error() {
        for listen in ["localhost", ":8080", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "::1:9004", ""] {
            let Err(Ending::Usage(told)) = bind(listen).await else { panic!("{listen}") };

            assert!(told.contains("--listen") && told.contains("127.0.0.1:9004"), "{told}");
        }
    }

    #[test]
    fn the_sandboxs_three_lines_say_where_to_sign_in_how_to_add_and_where_to_look() {
        let lines = sandbox_lines("127.0.0.1:9004".parse().unwrap(), "127.0.0.1:4000".parse().unwrap());

        assert!(lines[0].ends_with("http://localhost:9004/auth/authorize"), "{lines:?}");
        assert!(lines[1].contains("curl -X PUT http://localhost:9004/cart/add/simple"), "{lines:?}");
        assert!(lines[2].ends_with("http://localhost:4000/"), "{lines:?}");
    }
}
