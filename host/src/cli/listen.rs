//! Where a server listens.

use std::io;
use std::net::SocketAddr;

use anyhow::{Result, anyhow};
use kroger_core::settings::known::is_harmless;
use tokio::net::TcpListener;

use super::exit::usage;
use crate::Given;

/// The port of the default address, and of the default redirect URI.
pub(super) const DEFAULT_PORT: u16 = 9004;

/// The address of `--listen`, else the usual one with the port that `PORT` names.
pub(super) fn listen_address(listen: Option<&str>, given: &Given) -> Result<String> {
    if let Some(listen) = listen {
        return Ok(listen.to_owned());
    }
    let Some(port) = given.variable("PORT") else { return Ok(format!("127.0.0.1:{DEFAULT_PORT}")) };
    if let Ok(port) = port.parse::<u16>() {
        return Ok(format!("127.0.0.1:{port}"));
    }
    let shown = if is_harmless(port) { format!("is `{port}`") } else { "cannot be used".to_owned() };
    Err(usage(format!("PORT {shown}; allowed: a number from 0 to 65535")))
}

/// The port that sign-ins should return to. Port 0 is any port, and cannot be registered.
pub(super) fn redirect_port(listen: &str) -> u16 {
    let port = listen.rsplit(':').next().and_then(|port| port.parse().ok());
    port.filter(|port| *port != 0).unwrap_or(DEFAULT_PORT)
}

/// Listens on `listen`: an address or a name, and a port.
pub(super) async fn bind(listen: &str) -> Result<TcpListener> {
    if !is_address(listen) {
        return Err(usage(format!(
            "--listen is `{listen}`; allowed: an address and a port, such as 127.0.0.1:9004, 0.0.0.0:9004 or [::1]:9004"
        )));
    }
    TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!(format!(
            "{listen} is in use, perhaps by another kroger-mcp. Stop that, or choose another port with --listen; but for \
             --sandbox set KROGER_REDIRECT_URI=http://localhost:PORT/auth/callback to that port too and register it at \
             developer.kroger.com, or sign-ins will not return here."
        )),
        // A name that cannot be resolved has no kind, and no error of the system.
        _ if error.raw_os_error().is_none() => anyhow!(format!(
            "{listen} cannot be listened on: no address has that name. Choose another address with --listen."
        )),
        kind => {
            anyhow!(format!("{listen} cannot be listened on: {kind}. Choose another address with --listen."))
        }
    })
}

/// Whether `listen` has a host and a port. An IPv6 address is in brackets.
fn is_address(listen: &str) -> bool {
    let Some((host, port)) = listen.rsplit_once(':') else { return false };
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    let is_host = !host.is_empty() && (is_bracketed || !host.contains(':')) && !host.contains(char::is_whitespace);
    is_host && port.parse::<u16>().is_ok()
}

/// The address that `listener` has.
pub(super) fn address(listener: &TcpListener) -> Result<SocketAddr> {
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Usage;

    fn given(port: &str) -> Given {
        Given { environment: vec![("PORT".to_owned(), port.to_owned())], ..Given::default() }
    }

    #[test]
    fn the_port_variable_sets_the_port_of_the_default_address_only() {
        assert_eq!(listen_address(None, &Given::default()).unwrap(), "127.0.0.1:9004");
        assert_eq!(listen_address(None, &given("8080")).unwrap(), "127.0.0.1:8080");
        assert_eq!(listen_address(Some("[::1]:1"), &given("8080")).unwrap(), "[::1]:1");
        assert!(matches!(listen_address(None, &given("http")), Err(error) if error.is::<Usage>()));
    }

    #[tokio::test]
    async fn a_port_in_use_is_a_clear_error_that_names_the_option() {
        let first = bind("127.0.0.1:0").await.unwrap();

        let second = bind(&first.local_addr().unwrap().to_string()).await;

        let message = second.unwrap_err().to_string();
        assert!(message.contains("in use") && message.contains("--listen"), "{message}");
    }

    #[tokio::test]
    async fn an_address_that_lacks_a_part_is_a_usage_error() {
        for listen in ["localhost", ":8080", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "::1:9004", ""] {
            let error = bind(listen).await.unwrap_err();
            let told = error.to_string();
            assert!(error.is::<Usage>(), "{listen}: {told}");

            assert!(told.contains("--listen") && told.contains("127.0.0.1:9004"), "{told}");
        }
    }
}
