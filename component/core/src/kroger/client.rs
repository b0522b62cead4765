//! The credentials of the app, as the operator gave them. Checks nothing.

use crate::secret::Secret;

/// The app's credentials. An app without a secret is a public client (RFC 6749
/// § 2.1); PKCE protects its sign-ins.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) id: String,
    pub secret: Option<Secret>,
}
