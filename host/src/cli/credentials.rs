//! Refuses to start without the app's credentials, and says how to get them.

use anyhow::Result;

use super::exit::usage;
use super::listen::DEFAULT_PORT;
use crate::Given;

/// Fails if `KROGER_CLIENT_ID` is not set. `port` is where this server would listen.
pub(super) fn require(given: &Given, port: u16) -> Result<()> {
    if given.has_credentials() {
        return Ok(());
    }
    let is_set = given.variable("KROGER_REDIRECT_URI").is_some();
    Err(usage(how_to_get_them(if is_set { None } else { Some(port) })))
}

/// `port` is where sign-ins are to return to, if no redirect URI is set.
fn how_to_get_them(port: Option<u16>) -> String {
    let redirect_uri = port.map(|port| format!("http://localhost:{port}/auth/callback"));
    let to_register = redirect_uri.as_deref().unwrap_or("that KROGER_REDIRECT_URI says");
    let to_set = match &redirect_uri {
        Some(uri) if port != Some(DEFAULT_PORT) => format!("\nSet KROGER_REDIRECT_URI={uri} too."),
        _ => String::new(),
    };
    format!(
        "\
KROGER_CLIENT_ID is not set, so Kroger does not know who is calling.

To get it, register an app at https://developer.kroger.com (free) with the
redirect URI {to_register} and the cart and profile APIs.
Then set KROGER_CLIENT_ID and KROGER_CLIENT_SECRET in the environment, or in a
file .env in this directory.{to_set}

To try it without an account:  kroger-mcp serve --sandbox"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_credentials_the_message_names_what_is_missing_and_the_sandbox() {
        for named in ["KROGER_CLIENT_ID", "KROGER_CLIENT_SECRET", "developer.kroger.com", "--sandbox"] {
            assert!(how_to_get_them(None).contains(named), "{named}");
        }
    }
}
