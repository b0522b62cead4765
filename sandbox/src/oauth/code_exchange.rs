//! The rules for exchanging an authorization code for tokens, with PKCE.
//!
//! Never accepts a code twice: the first try of its own client uses it up, even if it fails.

use std::time::SystemTime;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{
    authorization_server::{AuthorizationCode, AuthorizationServer},
    issue::TokenResponse,
    refusals::TokenRefusal,
};
use crate::parameters::Parameters;

impl AuthorizationServer {
    pub(crate) fn exchange_code(
        &mut self,
        now: SystemTime,
        client_id: &str,
        form: &Parameters,
    ) -> Result<TokenResponse, TokenRefusal> {
        let presented = form.value("code").unwrap_or_default();
        let issued = self.codes.get(presented).ok_or(TokenRefusal::Code)?;
        if self.sign_ins[issued.sign_in].client_id != client_id {
            return Err(TokenRefusal::Code);
        }
        // The code's own client uses it up, even if the rest of the request is wrong.
        let code = self.codes.remove(presented).ok_or(TokenRefusal::Code)?;
        if self.sign_ins[code.sign_in].revoked {
            return Err(TokenRefusal::Code);
        }
        check_code(&code, now, form)?;
        Ok(self.issue_pair(now, code.sign_in))
    }
}

fn check_code(code: &AuthorizationCode, now: SystemTime, form: &Parameters) -> Result<(), TokenRefusal> {
    if code.expires_at <= now {
        return Err(TokenRefusal::Code);
    }
    if form.value("redirect_uri") != Some(code.redirect_uri.as_str()) {
        return Err(TokenRefusal::RedirectUri);
    }
    match (&code.challenge, form.value("code_verifier")) {
        (None, None) => Ok(()),
        (Some(challenge), Some(verifier)) if verifies(challenge, verifier) => Ok(()),
        // A verifier without a challenge is refused, too: an attacker removed the challenge from
        // the authorization request (RFC 9700 §4.8.2).
        _ => Err(TokenRefusal::Code),
    }
}

/// Reports whether `verifier` is well formed and matches an S256 `challenge` (RFC 7636 §4.6).
fn verifies(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge
}
