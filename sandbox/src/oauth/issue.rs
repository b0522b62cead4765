//! Issues tokens and forgets expired ones.
//!
//! Never checks whether a client may have them: the callers do.

use std::time::SystemTime;

use serde::Serialize;

use super::authorization_server::{AccessTokenRecord, AuthorizationServer, RefreshTokenRecord, SWEEP_FROM, SignInId};

/// The answer to a granted token request. It carries tokens, so it has no `Debug`.
#[derive(Serialize)]
pub(crate) struct TokenResponse {
    pub(crate) expires_in: u64,
    pub(crate) access_token: String,
    pub(crate) token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    pub(crate) scope: String,
}

impl AuthorizationServer {
    /// Issues an access token and a new refresh token.
    pub(crate) fn issue_pair(&mut self, now: SystemTime, sign_in: SignInId) -> TokenResponse {
        let refresh_token = self.mint.token();
        let expires_at = now + self.settings.refresh_token_lifetime();
        let record = RefreshTokenRecord { sign_in, expires_at, spent: None };
        self.refresh_tokens.insert(refresh_token.clone(), record);
        let scope = self.sign_ins[sign_in].scope.clone();
        self.issue(now, Some(sign_in), scope, Some(refresh_token))
    }

    /// Issues an access token, and answers with `refresh_token` as it is.
    pub(crate) fn issue(
        &mut self,
        now: SystemTime,
        sign_in: Option<SignInId>,
        scope: String,
        refresh_token: Option<String>,
    ) -> TokenResponse {
        self.sweep_if_many(now);
        let access_token = self.mint.token();
        let expires_at = now + self.settings.access_token_lifetime();
        let record = AccessTokenRecord { sign_in, scope: scope.clone(), expires_at };
        self.access_tokens.insert(access_token.clone(), record);
        TokenResponse {
            expires_in: self.settings.access_token_lifetime_seconds,
            access_token,
            token_type: "bearer",
            refresh_token,
            scope,
        }
    }

    /// Forgets expired access tokens each time their number has doubled since the last time.
    fn sweep_if_many(&mut self, now: SystemTime) {
        if self.access_tokens.len() < self.sweep_at {
            return;
        }
        self.access_tokens.retain(|_, token| now < token.expires_at);
        self.sweep_at = SWEEP_FROM.max(2 * self.access_tokens.len());
    }
}
