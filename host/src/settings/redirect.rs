//! Where sign-ins return to, and whether a server answers there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Url;

use crate::quote::quoted;
use crate::reach::address::is_on_this_machine;

/// The component's route to which sign-ins return.
pub(super) const CALLBACK: &str = "/auth/callback";

/// A sentence for a redirect URI whose path no server answers.
pub(super) fn unserved(uri: &Url) -> Option<String> {
    if uri.path().ends_with(CALLBACK) {
        return None;
    }
    let mut served = uri.clone();
    served.set_path(CALLBACK);
    Some(format!(
        "KROGER_REDIRECT_URI leads to {}, which nobody serves, so sign-ins will not return: set \
         KROGER_REDIRECT_URI={} and register it at developer.kroger.com",
        uri.path(),
        quoted(served.as_str())
    ))
}

/// A sentence for a redirect URI that leads to this machine, but not to `address`, where the
/// server listens.
pub(super) fn dead(uri: &Url, address: SocketAddr) -> Option<String> {
    let port = uri.port_or_known_default()?;
    let is_reached =
        port == address.port() && (is_named_localhost(address.ip()) || uri.as_str().starts_with(&base_url(address)));
    // Behind https there is another server, which forwards the call.
    if uri.scheme() != "http" || !is_on_this_machine(uri) || is_reached {
        return None;
    }
    Some(format!(
        "KROGER_REDIRECT_URI leads to port {port} of this machine and the server listens on {address}: sign-ins \
         will not return here. Set KROGER_REDIRECT_URI={}{CALLBACK} and register it at developer.kroger.com",
        base_url(address)
    ))
}

/// The URL of a server that listens on `address`. It has the name `localhost` if the server is
/// reached by it: redirect URIs are registered with that name.
pub(crate) fn base_url(address: SocketAddr) -> String {
    if is_named_localhost(address.ip()) {
        return format!("http://localhost:{}", address.port());
    }
    // Built anew, because the zone of an address has no place in a URL.
    format!("http://{}", SocketAddr::new(address.ip(), address.port()))
}

/// Whether a listener at `ip` is reached by the name `localhost`. A listener at 127.0.0.2 is not.
pub(super) fn is_named_localhost(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST
}
