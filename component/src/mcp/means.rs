//! How a client can ask the person to sign in, read from its request. Asks nobody itself.

use http::request::Parts;
use rmcp::RoleServer;
use rmcp::model::ProtocolVersion;
use rmcp::service::RequestContext;

/// The beginning of a session id of a client that opens links (2025-11-25). The session has no other content: the
/// client keeps what its handshake said.
pub(super) const OPENS_LINKS: &str = "links-";
pub(super) const SESSION: &str = "mcp-session-id";

/// The ways in which a client can ask the person to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    InputRequired,
    UrlError,
    Words,
}

impl Means {
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Self {
        let version = context.protocol_version();
        let is_at_least =
            |least: &ProtocolVersion| version.as_ref().is_some_and(|version| version.as_str() >= least.as_str());
        if is_at_least(&ProtocolVersion::V_2026_07_28) {
            let elicitation = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
            let opens_links = elicitation.is_some_and(|elicitation| elicitation.url.is_some());
            return if opens_links { Self::InputRequired } else { Self::Words };
        }
        let parts = context.extensions.get::<Parts>();
        let session = parts.and_then(|parts| parts.headers.get(SESSION)?.to_str().ok());
        let opens_links = session.is_some_and(|session| session.starts_with(OPENS_LINKS));
        if opens_links && is_at_least(&ProtocolVersion::V_2025_11_25) { Self::UrlError } else { Self::Words }
    }
}
