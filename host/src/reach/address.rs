//! Which addresses are of this machine, and which addresses the host of the API base URL may have.
//!
//! A public name that resolves to this machine or its network is an attack (DNS rebinding) or the work
//! of a broken resolver. No token is sent there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Where a host may be, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// `localhost` and names below it (RFC 6761): this machine.
    Loopback,
    /// A name that only a private network can know, such as one without a dot, or an address. The
    /// operator chose it, and it may be anywhere.
    Private,
    /// Any other name: on the public internet.
    Public,
}

/// Top-level names outside the public DNS (RFC 6761, 6762, 8375; ICANN reserved `internal`).
const PRIVATE_SUFFIXES: [&str; 6] = [".internal", ".local", ".lan", ".test", ".home.arpa", ".intranet"];

impl Naming {
    /// `host` as it stands in a URL: an IPv6 address has brackets.
    pub(super) fn of(host: &str) -> Self {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if is_localhost(&host) {
            return Self::Loopback;
        }
        let is_address = host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
        let is_private = !host.contains('.') || PRIVATE_SUFFIXES.iter().any(|suffix| host.ends_with(suffix));
        if is_address || is_private { Self::Private } else { Self::Public }
    }

    pub(super) fn permits(self, address: IpAddr) -> bool {
        match self {
            Self::Loopback => is_loopback(address),
            Self::Private => true,
            Self::Public => is_public(address),
        }
    }
}

/// Whether only this machine can reach `address`: `127.0.0.0/8` and `::1`.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether `url` leads to this machine, by the name `localhost` or by a loopback address.
pub(crate) fn is_on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => is_loopback(address.into()),
        Some(Host::Ipv6(address)) => is_loopback(address.into()),
        None => false,
    }
}

/// `localhost` and the names below it (RFC 6761), in lower case.
fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By the IANA special-purpose registry (RFC 6890), without its globally reachable ranges.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_protocol_assignment = (a, b, c) == (192, 0, 0);
    let is_benchmarking = a == 198 && (18..20).contains(&b);
    let is_reserved = a == 0 || a >= 224;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || is_shared
        || is_protocol_assignment
        || is_benchmarking
        || is_reserved)
}

/// Global unicast (`2000::/3`). NAT64 (`64:ff9b::/96`) and 6to4 (`2002::/16`) carry an IPv4 address,
/// which must be public.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(embedded(high, low)),
        [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        [0x2001, 0..=0x1ff | 0xdb8, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_permitted(host: &str, address: &str) -> bool {
        Naming::of(host).permits(address.parse().unwrap())
    }

    #[test]
    fn a_public_name_may_not_have_a_private_address() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "192.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
        ];
        for address in private {
            assert!(!is_permitted("api.kroger.com", address), "{address}");
        }
    }

    #[test]
    fn a_public_name_may_have_a_public_address() {
        for address in ["23.45.67.89", "2600:1400::1", "64:ff9b::172d:4359", "::ffff:23.45.67.89"] {
            assert!(is_permitted("api.kroger.com", address), "{address}");
        }
    }

    #[test]
    fn localhost_has_loopback_addresses_only() {
        assert!(is_permitted("localhost", "127.0.0.1"));
        assert!(is_permitted("kroger.LOCALHOST.", "::1"));
        assert!(!is_permitted("localhost", "10.0.0.1"));
    }

    #[test]
    fn a_url_is_on_this_machine_by_name_or_by_any_loopback_address() {
        for url in ["http://localhost:1/", "http://LOCALHOST/", "http://127.0.0.2/", "http://[::1]:1/"] {
            assert!(is_on_this_machine(&url.parse().unwrap()), "{url}");
        }
        for url in ["http://kroger.example/", "http://10.0.0.1/", "data:text/plain,localhost"] {
            assert!(!is_on_this_machine(&url.parse().unwrap()), "{url}");
        }
    }

    #[test]
    fn a_private_name_may_be_anywhere() {
        for host in ["sandbox", "kroger.internal", "[::1]", "10.0.0.7"] {
            assert!(is_permitted(host, "10.0.0.7"), "{host}");
        }
    }
}
