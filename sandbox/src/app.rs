//! The applications that are registered at the sandbox, what each may ask for, and the customers
//! that the sandbox offers by name.
//!
//! All of it is fixed when the sandbox starts. Nothing here changes later.

use std::fmt;

use url::{Host, Url};

/// Kroger's public scopes: products, cart, profile.
const SCOPES: [&str; 3] = ["product.compact", "cart.basic:write", "profile.compact"];

/// The scope that needs no customer, so client credentials are enough for it.
pub(crate) const CLIENT_SCOPE: &str = "product.compact";

/// The customers that the consent page offers by name. Any other name works, too.
pub(crate) const CUSTOMERS: [&str; 3] = ["alice", "bob", "carol"];

/// An application, as a developer registers it at Kroger's developer portal.
#[derive(Clone)]
pub struct App {
    /// The public identifier.
    pub client_id: String,
    /// The secret; `None` for a public client, which must use PKCE and has no client credentials.
    pub client_secret: Option<String>,
    /// The addresses to which a sign-in may return.
    pub redirect_uris: Vec<RedirectUri>,
    /// The scopes that the application may ask for. Asking for another one fails the whole
    /// authorization.
    pub scopes: Vec<String>,
}

/// A rule for the redirect URIs that an application may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectUri {
    /// Exactly this string, as at Kroger.
    Exact(String),
    /// `http://` to `localhost`, `127.0.0.1` or `[::1]` on any port with exactly this path.
    ///
    /// A server under test does not know its port when the sandbox starts.
    Loopback {
        /// The path, with its leading slash.
        path: String,
    },
}

impl App {
    /// Returns the confidential client that a default sandbox knows.
    ///
    /// It is `sandbox-client` with the secret `sandbox-secret` and all scopes. It returns to
    /// `/auth/callback` on any port of this machine.
    pub fn sandbox() -> Self {
        Self { client_secret: Some("sandbox-secret".into()), ..Self::sandbox_public() }.named("sandbox-client")
    }

    /// Returns the public client that a default sandbox knows.
    ///
    /// It is `sandbox-public`, without a secret. The rest is as in [`App::sandbox`].
    pub fn sandbox_public() -> Self {
        Self {
            client_id: "sandbox-public".into(),
            client_secret: None,
            redirect_uris: vec![RedirectUri::Loopback { path: "/auth/callback".into() }],
            scopes: SCOPES.map(String::from).to_vec(),
        }
    }

    fn named(self, client_id: &str) -> Self {
        Self { client_id: client_id.into(), ..self }
    }

    pub(crate) fn allows_redirect(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|rule| rule.matches(uri))
    }

    /// Reports whether `scope` lists at least one scope, and only registered ones.
    ///
    /// Spaces separate the scopes.
    pub(crate) fn allows_scope(&self, scope: &str) -> bool {
        let mut asked = scope.split_whitespace().peekable();
        asked.peek().is_some() && asked.all(|one| self.scopes.iter().any(|known| known == one))
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("client_id", &self.client_id)
            .field("confidential", &self.client_secret.is_some())
            .field("redirect_uris", &self.redirect_uris)
            .field("scopes", &self.scopes)
            .finish()
    }
}

impl RedirectUri {
    fn matches(&self, uri: &str) -> bool {
        match self {
            Self::Exact(registered) => registered == uri,
            Self::Loopback { path } => is_loopback(uri, path),
        }
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(uri) => f.write_str(uri),
            Self::Loopback { path } => write!(f, "http://localhost:<any port>{path}"),
        }
    }
}

/// Compares the parsed URL, so that `http://localhost@elsewhere/` cannot pass for this machine.
fn is_loopback(uri: &str, path: &str) -> bool {
    let Ok(url) = Url::parse(uri) else {
        return false;
    };
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let bare = url.username().is_empty() && url.password().is_none();
    let plain = url.query().is_none() && url.fragment().is_none();
    here && bare && plain && url.scheme() == "http" && url.path() == path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_app_returns_only_to_this_machine() {
        let app = App::sandbox();
        for good in [
            "http://localhost:9004/auth/callback",
            "http://127.0.0.1:1/auth/callback",
            "http://[::1]:8080/auth/callback",
            "http://localhost/auth/callback",
        ] {
            assert!(app.allows_redirect(good), "{good}");
        }
        for bad in [
            "https://localhost:9004/auth/callback",
            "http://localhost.example/auth/callback",
            "http://localhost@example.com/auth/callback",
            "http://localhost:9004/auth/callback?next=x",
            "http://localhost:9004/auth/callback#x",
            "http://localhost:9004/other",
            "not a uri",
        ] {
            assert!(!app.allows_redirect(bad), "{bad}");
        }
    }

    #[test]
    fn exact_redirect_uri_allows_no_variant() {
        let rule = RedirectUri::Exact("https://example.com/callback".into());
        assert!(rule.matches("https://example.com/callback"));
        assert!(!rule.matches("https://example.com/callback/"));
        assert!(!rule.matches("HTTPS://example.com/callback"));
    }

    #[test]
    fn unregistered_or_missing_scope_is_not_allowed() {
        let app = App { scopes: vec!["profile.compact".into()], ..App::sandbox() };
        assert!(app.allows_scope("profile.compact"));
        assert!(!app.allows_scope("profile.compact cart.basic:write"));
        assert!(!app.allows_scope("  "));
    }

    #[test]
    fn debug_output_has_no_secret() {
        assert!(!format!("{:?}", App::sandbox()).contains("sandbox-secret"));
    }
}
