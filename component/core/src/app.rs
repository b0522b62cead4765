//! The app and the server that tokens are bound to. Holds no secret.

pub(crate) mod loopback;

use serde::{Deserialize, Serialize};
use url::Url;

use loopback::is_loopback;

/// The app that tokens were granted to, and the server that granted them. A refresh
/// token is bound to its client (RFC 6749 § 6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// The URL of the token endpoint.
    pub server: String,
    /// None: no client id was configured.
    pub(crate) client_id: Option<String>,
}

impl App {
    pub(crate) fn new(api_base_url: &Url, token_path: &str, client_id: Option<String>) -> Self {
        let mut server = api_base_url.clone();
        server.set_path(token_path);
        if is_loopback(&server) {
            // A sandbox has a new port at each start, and three names.
            let _ = (server.set_port(None), server.set_host(Some("localhost")));
        }
        Self { server: server.into(), client_id }
    }

    /// Whether tokens that were granted to one may be sent by the other. An unknown
    /// client id equals any other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let is_same_client = self.client_id.is_none() || other.client_id.is_none() || self.client_id == other.client_id;
        self.server == other.server && is_same_client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(url: &str, client_id: Option<&str>) -> App {
        App::new(&Url::parse(url).unwrap(), "/token", client_id.map(str::to_owned))
    }

    #[test]
    fn a_sandbox_is_one_server_at_any_port_and_others_are_not() {
        let is_same = |one, other| app(one, None).is_same(&app(other, None));

        assert!(
            is_same("http://localhost:31945", "http://127.0.0.1:1") && is_same("http://localhost", "http://[::1]:1")
        );
        assert!(!is_same("http://localhost:31945", "https://api.kroger.com"));
        assert!(!is_same("https://api.kroger.com", "https://api-ce.kroger.com"));
        assert!(!is_same("https://kroger.example:1", "https://kroger.example:2"));
    }

    #[test]
    fn clients_differ_only_if_both_are_known() {
        let of = |client| app("https://api.kroger.com", client);

        assert!(of(Some("a")).is_same(&of(Some("a"))) && of(Some("a")).is_same(&of(None)));
        assert!(!of(Some("a")).is_same(&of(Some("b"))));
    }
}
