//! The rules for refreshing an access token: rotation, and what a spent refresh token meets.
//!
//! A refresh token of another client is refused, and stays valid for its own client.

use std::time::{Duration, SystemTime};

use super::{
    authorization_server::{AuthorizationServer, RefreshTokenRecord, SignInId, Spent},
    issue::TokenResponse,
    refusals::TokenRefusal,
};
use crate::{clock::seconds_until, parameters::Parameters, settings::Reuse};

/// How many spent refresh tokens are remembered. Older ones are refused all the same, as unknown.
pub(crate) const SPENT_TOKENS_KEPT: usize = 20_000;

impl AuthorizationServer {
    pub(crate) fn refresh_access_token(
        &mut self,
        now: SystemTime,
        client_id: &str,
        form: &Parameters,
    ) -> Result<TokenResponse, TokenRefusal> {
        let presented = form.value("refresh_token").unwrap_or_default();
        let token = self.refresh_tokens.get(presented).ok_or(TokenRefusal::RefreshToken)?;
        let sign_in = token.sign_in;
        if self.sign_ins[sign_in].client_id != client_id {
            return Err(TokenRefusal::RefreshToken);
        }
        if token.spent.is_some() {
            self.spent_refresh_tokens_presented += 1;
            return self.answer_reuse(now, presented);
        }
        if self.sign_ins[sign_in].revoked || token.expires_at <= now {
            return Err(TokenRefusal::RefreshToken);
        }
        Ok(self.refresh(now, sign_in, presented))
    }

    fn refresh(&mut self, now: SystemTime, sign_in: SignInId, presented: &str) -> TokenResponse {
        let scope = self.sign_ins[sign_in].scope.clone();
        if self.settings.omit_refresh_token {
            return self.issue(now, Some(sign_in), scope, None);
        }
        if !self.settings.rotate {
            return self.issue(now, Some(sign_in), scope, Some(presented.into()));
        }
        let response = self.issue_pair(now, sign_in);
        self.spend(now, presented, &response);
        response
    }

    /// Marks `presented` as spent for `response`.
    fn spend(&mut self, now: SystemTime, presented: &str, response: &TokenResponse) {
        let Some(token) = self.refresh_tokens.get_mut(presented) else {
            return;
        };
        token.spent = Some(Spent {
            at: now,
            access_token: response.access_token.clone(),
            refresh_token: response.refresh_token.clone().unwrap_or_default(),
        });
        self.spent.push_back(presented.into());
        if self.spent.len() > SPENT_TOKENS_KEPT
            && let Some(oldest) = self.spent.pop_front()
        {
            self.refresh_tokens.remove(&oldest);
        }
    }

    fn answer_reuse(&mut self, now: SystemTime, presented: &str) -> Result<TokenResponse, TokenRefusal> {
        let token = &self.refresh_tokens[presented];
        match self.settings.reuse {
            Reuse::Refuse => Err(TokenRefusal::RefreshToken),
            Reuse::RevokeFamily => {
                let sign_in = token.sign_in;
                self.sign_ins[sign_in].revoked = true;
                Err(TokenRefusal::RefreshToken)
            }
            Reuse::GraceSeconds(seconds) => {
                self.same_pair_again(now, token, Duration::from_secs(seconds)).ok_or(TokenRefusal::RefreshToken)
            }
        }
    }

    fn same_pair_again(&self, now: SystemTime, token: &RefreshTokenRecord, grace: Duration) -> Option<TokenResponse> {
        let spent = token.spent.as_ref()?;
        let sign_in = &self.sign_ins[token.sign_in];
        let age = now.duration_since(spent.at).unwrap_or_default();
        if sign_in.revoked || age >= grace {
            return None;
        }
        let expires_at = self.access_tokens.get(&spent.access_token)?.expires_at;
        Some(TokenResponse {
            expires_in: seconds_until(now, expires_at),
            access_token: spent.access_token.clone(),
            token_type: "bearer",
            refresh_token: Some(spent.refresh_token.clone()),
            scope: sign_in.scope.clone(),
        })
    }
}
