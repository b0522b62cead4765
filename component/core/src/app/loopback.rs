//! Tells addresses of this machine from all others. Resolves no name.

use url::{Host, Url};

/// True if `url` leads to this machine: `localhost`, an address in 127.0.0.0/8
/// (RFC 1122 § 3.2.1.3), or `::1` (RFC 4291 § 2.5.3).
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_localhost_127_and_colon_colon_1() {
        let is_here = |host: &str| is_loopback(&Url::parse(&format!("http://{host}/")).unwrap());

        assert!(["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9", "[::1]"].into_iter().all(is_here));
        assert!(!["localhost.example", "128.0.0.1", "0.0.0.0", "[::2]"].into_iter().any(is_here));
    }
}
