//! The routes that a listener serves.

use super::livez;

/// The routes that a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routes {
    /// The whole API.
    All,
    /// What a person's browser needs to sign in, and `/livez`. Any user of the machine can reach a port
    /// of it, so a server that an agent's app started for itself opens no more.
    SignIn,
}

impl Routes {
    pub(super) fn have(self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::SignIn => path == livez::PATH || path.starts_with("/auth/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_needs_its_pages_and_nothing_else() {
        for path in ["/livez", "/auth/authorize", "/auth/callback", "/auth/finish", "/auth/start/x"] {
            assert!(Routes::SignIn.have(path), "{path}");
        }
        for path in [
            "/",
            "/auth",
            "/authx",
            "//auth/authorize",
            "/AUTH/authorize",
            "/x/auth/authorize",
            "/mcp",
            "/health",
            "/readyz",
            "/config",
            "/cart/add",
            "/admin/tokens",
            "/openapi.json",
            "/products/search",
        ] {
            assert!(!Routes::SignIn.have(path), "{path}");
            assert!(Routes::All.have(path), "{path}");
        }
    }
}
