//! Finds the user whose process listens on the port to which sign-ins return. A link to a
//! port that another user of this machine holds would lead a person to that user's page.
//!
//! Linux tells the owner of each socket. Other systems do not tell it without a right, and
//! there every listener counts as ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Url;

use crate::reach::address::is_on_this_machine;

/// A user of this machine, by number.
type Owner = u32;

/// The port of `redirect_uri`, if it leads to this machine.
pub(super) fn of_redirect(redirect_uri: &Url) -> Option<u16> {
    if is_on_this_machine(redirect_uri) { redirect_uri.port_or_known_default() } else { None }
}

/// The user that holds `port`, if that is neither this process's user nor root.
pub(super) fn foreign_holder(port: u16) -> Option<Owner> {
    let own = own_user()?;
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    tables.iter().find_map(|table| foreign(table, port, own))
}

/// What to do about a port that another user holds.
pub(super) fn held(port: u16, owner: Owner) -> String {
    format!(
        "Port {port}, to which sign-ins return, is held by a process of another user of this machine (user id {owner}), \
         so no link to sign in is given out. Stop that process, or choose another port with --listen and \
         KROGER_REDIRECT_URI."
    )
}

/// The effective user of this process (`proc_pid_status(5)`); none where there is no `/proc`.
fn own_user() -> Option<Owner> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The first foreign owner of a socket that listens on `port` in a table of the kernel's
/// (`proc_pid_net(5)`).
fn foreign(table: &str, port: u16, own: Owner) -> Option<Owner> {
    const LISTENS: &str = "0A";

    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (local, state, owner) = (fields.get(1)?, *fields.get(3)?, fields.get(7)?.parse().ok()?);
        let local = address(local)?;
        let is_reached = local.ip().is_unspecified() || local.ip().to_canonical().is_loopback();
        let is_foreign = owner != own && owner != 0;
        (state == LISTENS && local.port() == port && is_reached && is_foreign).then_some(owner)
    })
}

/// An address as the kernel writes it: words of 32 bits in the order of this machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let octets: Vec<u8> = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn line(local: &str, state: &str, owner: u32) -> String {
        format!("{HEAD}   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {owner} 0 123 1\n")
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_listener_of_another_user_is_found_wherever_a_browser_would_reach_it() {
        let [v4, any, v6, any6, mapped] = [
            "0100007F:232C",
            "00000000:232C",
            "00000000000000000000000001000000:232C",
            "00000000000000000000000000000000:232C",
            "0000000000000000FFFF00000100007F:232C",
        ];
        for local in [v4, any, v6, any6, mapped] {
            assert_eq!(foreign(&line(local, "0A", 1001), 9004, 1000), Some(1001), "{local}");
        }
        for (local, state, owner) in [
            (v4, "0A", 1000),
            (v4, "0A", 0),
            (v4, "01", 1001),
            ("0100007F:232D", "0A", 1001),
            ("0500000A:232C", "0A", 1001),
            ("nonsense", "0A", 1001),
        ] {
            assert_eq!(foreign(&line(local, state, owner), 9004, 1000), None, "{local} {state} {owner}");
        }
        assert_eq!(foreign("", 9004, 1000), None);
    }

    #[test]
    fn an_own_listener_is_not_foreign() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();

        assert_eq!(foreign_holder(listener.local_addr().unwrap().port()), None);
    }

    #[test]
    fn only_a_redirect_to_this_machine_has_a_port_here() {
        let port = |uri: &str| of_redirect(&Url::parse(uri).unwrap());

        assert_eq!(port("http://localhost:9004/auth/callback"), Some(9004));
        assert_eq!(port("https://kroger.example/auth/callback"), None);
    }
}
