//! The token endpoint's rules: three grants, single-use refresh tokens, Kroger's refusals.

use std::time::{Duration, SystemTime};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    app::CLIENT_SCOPE,
    oauth::authorization_server::{AccessToken, Kroger, RefreshToken, SignInId, Spent, seconds_until},
    oauth::authorize::Code,
    parameters::Parameters,
    settings::Reuse,
};

pub(crate) const REDIRECT_URI_MISMATCH: &str =
    "The redirect_uri did not match the registered redirect_uri for this application";

/// Older spent tokens are forgotten; they are refused all the same, as unknown ones.
const SPENT_TOKENS_KEPT: usize = 20_000;

/// The answer to a granted request. It carries tokens, hence no `Debug`.
#[derive(Serialize)]
pub(crate) struct TokenResponse {
    pub(crate) expires_in: u64,
    pub(crate) access_token: String,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    pub(crate) scope: String,
}

/// Why the token endpoint refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenRefusal {
    Credentials,
    /// A confidential client put its credentials in the body: an opaque 401 in the field.
    CredentialsInBody,
    GrantType,
    Scope,
    Code,
    RedirectUri,
    RefreshToken,
    Repeated,
}

impl TokenRefusal {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::CredentialsInBody => 401,
            _ => 400,
        }
    }

    /// Kroger's `error` and `error_description`, which are not RFC 6749's.
    pub(crate) fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Credentials | Self::CredentialsInBody => ("unauthorized", "invalid credentials"),
            Self::GrantType => ("unsupported_grant_type", "invalid grant_type"),
            Self::Scope => ("invalid_scope", "invalid scope"),
            Self::Code => ("invalid_request", "invalid code"),
            Self::RedirectUri => ("invalid_request", REDIRECT_URI_MISMATCH),
            Self::RefreshToken => ("invalid_request", "invalid refresh_token"),
            Self::Repeated => ("invalid_request", "a parameter is repeated"),
        }
    }
}

impl Kroger {
    /// Decides on a token request and counts the verdict. `authorization` is the header's value.
    pub(crate) fn token(
        &mut self,
        now: SystemTime,
        authorization: Option<&str>,
        form: &Parameters,
    ) -> Result<TokenResponse, TokenRefusal> {
        let answer = self.decide_token(now, authorization, form);
        let verdicts = self.token_requests.entry(grant_name(form)).or_default();
        match &answer {
            Ok(_) => verdicts.ok += 1,
            Err(_) => verdicts.refused += 1,
        }
        answer
    }

    fn decide_token(
        &mut self,
        now: SystemTime,
        authorization: Option<&str>,
        form: &Parameters,
    ) -> Result<TokenResponse, TokenRefusal> {
        if form.has_repeats() {
            return Err(TokenRefusal::Repeated);
        }
        let client_id = self.authenticate(authorization, form)?;
        match grant_name(form) {
            "client_credentials" => self.grant_to_client(now, &client_id, form),
            "authorization_code" => self.grant_for_code(now, &client_id, form),
            "refresh_token" => self.grant_for_refresh_token(now, &client_id, form),
            _ => Err(TokenRefusal::GrantType),
        }
    }

    /// Which client asks. A confidential one proves it by Basic, a public one only says so.
    fn authenticate(&self, authorization: Option<&str>, form: &Parameters) -> Result<String, TokenRefusal> {
        let Some(header) = authorization else {
            return self.public_client(form);
        };
        let (client_id, secret) = basic_credentials(header).ok_or(TokenRefusal::Credentials)?;
        let app = self.app(&client_id).ok_or(TokenRefusal::Credentials)?;
        let known = app.client_secret.as_ref().is_some_and(|known| *known == secret);
        if known { Ok(client_id) } else { Err(TokenRefusal::Credentials) }
    }

    fn public_client(&self, form: &Parameters) -> Result<String, TokenRefusal> {
        let client_id = form.value("client_id").ok_or(TokenRefusal::Credentials)?;
        let app = self.app(client_id).ok_or(TokenRefusal::Credentials)?;
        if app.client_secret.is_some() || form.value("client_secret").is_some() {
            return Err(TokenRefusal::CredentialsInBody);
        }
        Ok(client_id.into())
    }

    fn grant_to_client(
        &mut self,
        now: SystemTime,
        client_id: &str,
        form: &Parameters,
    ) -> Result<TokenResponse, TokenRefusal> {
        let app = self.app(client_id).ok_or(TokenRefusal::Credentials)?;
        if app.client_secret.is_none() {
            return Err(TokenRefusal::Credentials);
        }
        let scope = form.value("scope").unwrap_or(CLIENT_SCOPE);
        if scope != CLIENT_SCOPE || !app.allows_scope(scope) {
            return Err(TokenRefusal::Scope);
        }
        Ok(self.issue(now, None, scope.into(), None))
    }

    fn grant_for_code(
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
        // Its own client used it up, even if what follows is wrong.
        let code = self.codes.remove(presented).ok_or(TokenRefusal::Code)?;
        if self.sign_ins[code.sign_in].revoked {
            return Err(TokenRefusal::Code);
        }
        check_code(&code, now, form)?;
        Ok(self.issue_pair(now, code.sign_in))
    }

    fn grant_for_refresh_token(
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

    fn spend(&mut self, now: SystemTime, presented: &str, bought: &TokenResponse) {
        let Some(token) = self.refresh_tokens.get_mut(presented) else {
            return;
        };
        token.spent = Some(Spent {
            at: now,
            access_token: bought.access_token.clone(),
            refresh_token: bought.refresh_token.clone().unwrap_or_default(),
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

    fn same_pair_again(&self, now: SystemTime, token: &RefreshToken, grace: Duration) -> Option<TokenResponse> {
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

    fn issue_pair(&mut self, now: SystemTime, sign_in: SignInId) -> TokenResponse {
        let refresh_token = self.mint.token();
        let stored = RefreshToken { sign_in, expires_at: now + self.settings.refresh_token_lifetime(), spent: None };
        self.refresh_tokens.insert(refresh_token.clone(), stored);
        let scope = self.sign_ins[sign_in].scope.clone();
        self.issue(now, Some(sign_in), scope, Some(refresh_token))
    }

    fn issue(
        &mut self,
        now: SystemTime,
        sign_in: Option<SignInId>,
        scope: String,
        refresh_token: Option<String>,
    ) -> TokenResponse {
        self.sweep_if_many(now);
        let access_token = self.mint.token();
        let expires_at = now + self.settings.access_token_lifetime();
        let stored = AccessToken { sign_in, scope: scope.clone(), expires_at };
        self.access_tokens.insert(access_token.clone(), stored);
        TokenResponse {
            expires_in: self.settings.access_token_lifetime_seconds,
            access_token,
            token_type: "bearer",
            refresh_token,
            scope,
        }
    }

    /// Forgets expired access tokens whenever their number has doubled since the last time.
    fn sweep_if_many(&mut self, now: SystemTime) {
        if self.access_tokens.len() < self.sweep_at {
            return;
        }
        self.access_tokens.retain(|_, token| now < token.expires_at);
        self.sweep_at = 1024.max(2 * self.access_tokens.len());
    }
}

/// The grant type asked for, as one of the names that the state counts under.
fn grant_name(form: &Parameters) -> &'static str {
    match form.value("grant_type") {
        Some("authorization_code") => "authorization_code",
        Some("client_credentials") => "client_credentials",
        Some("refresh_token") => "refresh_token",
        _ => "other",
    }
}

fn basic_credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client_id, secret) = decoded.split_once(':')?;
    Some((client_id.into(), secret.into()))
}

fn check_code(code: &Code, now: SystemTime, form: &Parameters) -> Result<(), TokenRefusal> {
    if code.expires_at <= now {
        return Err(TokenRefusal::Code);
    }
    if form.value("redirect_uri") != Some(code.redirect_uri.as_str()) {
        return Err(TokenRefusal::RedirectUri);
    }
    match (&code.challenge, form.value("code_verifier")) {
        (None, None) => Ok(()),
        (Some(challenge), Some(verifier)) if answers(challenge, verifier) => Ok(()),
        // A verifier without a challenge is refused too: someone took the challenge away
        // (RFC 9700 §4.8.2).
        _ => Err(TokenRefusal::Code),
    }
}

/// RFC 7636 §4.6, S256.
fn answers(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::App,
        oauth::authorization_server::{BearerRefusal, Standing},
        settings::Settings,
    };

    const VERIFIER: &str = "a-verifier-that-is-long-enough-for-rfc-7636-xyz";
    const REDIRECT_URI: &str = "http://localhost:9004/auth/callback";
    const BASIC: Option<&str> = Some("Basic c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ=");

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn kroger(settings: Settings) -> Kroger {
        let mut kroger = Kroger::new(vec![App::sandbox(), App::sandbox_public()], [7; 32]);
        kroger.settings = settings;
        kroger
    }

    fn form(text: &str) -> Parameters {
        Parameters::parse(text.as_bytes())
    }

    /// A code for alice, given at second 0 to `client_id`.
    fn code(kroger: &mut Kroger, client_id: &str, extra: &str) -> String {
        let query = format!(
            "client_id={client_id}&redirect_uri={REDIRECT_URI}&response_type=code\
             &scope=cart.basic:write{extra}"
        );
        let request = kroger.authorization_request(&form(&query)).ok().unwrap();
        let location = kroger.allow(at(0), &request, "alice");
        location.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned()
    }

    fn challenge() -> String {
        format!("&code_challenge={}", URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER)))
    }

    fn exchange(kroger: &mut Kroger, now: SystemTime, code: &str) -> TokenResponse {
        let text = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}");
        kroger.token(now, BASIC, &form(&text)).ok().unwrap()
    }

    fn sign_in(kroger: &mut Kroger) -> TokenResponse {
        let code = code(kroger, "sandbox-client", "");
        exchange(kroger, at(0), &code)
    }

    fn refresh(kroger: &mut Kroger, now: SystemTime, token: &TokenResponse) -> Result<TokenResponse, TokenRefusal> {
        let refresh_token = token.refresh_token.as_deref().unwrap();
        let text = format!("grant_type=refresh_token&refresh_token={refresh_token}");
        kroger.token(now, BASIC, &form(&text))
    }

    fn is_accepted(kroger: &Kroger, now: SystemTime, token: &TokenResponse) -> bool {
        // A cart token asking for the profile: good, but not for this.
        kroger.profile_id(now, Some(&token.access_token)) == Err(BearerRefusal::Scope)
    }

    #[test]
    fn client_credentials_bring_an_access_token_and_no_refresh_token() {
        let mut kroger = kroger(Settings::default());
        let text = "grant_type=client_credentials&scope=product.compact";
        let response = kroger.token(at(0), BASIC, &form(text)).ok().unwrap();
        assert_eq!(response.expires_in, 1800);
        assert_eq!(response.scope, "product.compact");
        assert!(response.refresh_token.is_none());
    }

    #[test]
    fn a_client_token_acts_for_no_customer() {
        let mut kroger = kroger(Settings::default());
        let response = kroger.token(at(0), BASIC, &form("grant_type=client_credentials")).ok().unwrap();
        let refusal = kroger.profile_id(at(0), Some(&response.access_token));
        assert_eq!(refusal, Err(BearerRefusal::Scope));
    }

    #[test]
    fn each_refusal_is_told_apart() {
        let mut kroger = kroger(Settings::default());
        let mut refusal = |authorization, text| kroger.token(at(0), authorization, &form(text)).err();
        let wrong = Some("Basic c2FuZGJveC1jbGllbnQ6d3Jvbmc=");
        for (authorization, text, expected) in [
            (wrong, "grant_type=client_credentials", TokenRefusal::Credentials),
            (Some("Bearer x"), "grant_type=client_credentials", TokenRefusal::Credentials),
            (None, "grant_type=client_credentials", TokenRefusal::Credentials),
            (
                None,
                "grant_type=client_credentials&client_id=sandbox-client&client_secret=sandbox-secret",
                TokenRefusal::CredentialsInBody,
            ),
            (None, "grant_type=client_credentials&client_id=sandbox-public", TokenRefusal::Credentials),
            (BASIC, "grant_type=password", TokenRefusal::GrantType),
            (BASIC, "", TokenRefusal::GrantType),
            (BASIC, "grant_type=client_credentials&scope=cart.basic:write", TokenRefusal::Scope),
            (BASIC, "grant_type=authorization_code&code=none", TokenRefusal::Code),
            (BASIC, "grant_type=refresh_token&refresh_token=none", TokenRefusal::RefreshToken),
            (BASIC, "grant_type=refresh_token", TokenRefusal::RefreshToken),
            (BASIC, "grant_type=refresh_token&scope=a&scope=b", TokenRefusal::Repeated),
        ] {
            assert_eq!(refusal(authorization, text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_code_buys_one_pair_once() {
        let mut kroger = kroger(Settings::default());
        let code = code(&mut kroger, "sandbox-client", "");
        let pair = exchange(&mut kroger, at(1), &code);
        assert!(is_accepted(&kroger, at(1), &pair));
        let again = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}");
        assert_eq!(kroger.token(at(1), BASIC, &form(&again)).err(), Some(TokenRefusal::Code));
    }

    #[test]
    fn a_code_is_bound_to_its_client_redirect_uri_and_time() {
        let attempt = |now, authorization, extra: &str| {
            let mut kroger = kroger(Settings::default());
            let code = code(&mut kroger, "sandbox-client", "");
            let text = format!("grant_type=authorization_code&code={code}&{extra}");
            kroger.token(now, authorization, &form(&text)).err()
        };
        let uri = format!("redirect_uri={REDIRECT_URI}");
        assert_eq!(attempt(at(119), BASIC, &uri), None);
        assert_eq!(attempt(at(120), BASIC, &uri), Some(TokenRefusal::Code));
        assert_eq!(attempt(at(0), BASIC, "x=y"), Some(TokenRefusal::RedirectUri));
        let other = format!("{uri}0");
        assert_eq!(attempt(at(0), BASIC, &other), Some(TokenRefusal::RedirectUri));
        let stranger = format!("{uri}&client_id=sandbox-public");
        assert_eq!(attempt(at(0), None, &stranger), Some(TokenRefusal::Code));
    }

    #[test]
    fn a_challenge_wants_its_verifier_and_a_verifier_wants_its_challenge() {
        let attempt = |challenge: &str, verifier: &str| {
            let mut kroger = kroger(Settings::default());
            let code = code(&mut kroger, "sandbox-client", challenge);
            let text = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}{verifier}");
            kroger.token(at(0), BASIC, &form(&text)).err()
        };
        let verifier = format!("&code_verifier={VERIFIER}");
        assert_eq!(attempt(&challenge(), &verifier), None);
        assert_eq!(attempt(&challenge(), ""), Some(TokenRefusal::Code));
        assert_eq!(attempt(&challenge(), &format!("{verifier}x")), Some(TokenRefusal::Code));
        assert_eq!(attempt("", &verifier), Some(TokenRefusal::Code));
    }

    #[test]
    fn a_public_client_signs_in_with_pkce_and_refreshes_without_a_secret() {
        let mut kroger = kroger(Settings::default());
        let code = code(&mut kroger, "sandbox-public", &challenge());
        let text = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}\
             &client_id=sandbox-public&code_verifier={VERIFIER}"
        );
        let pair = kroger.token(at(0), None, &form(&text)).ok().unwrap();
        let refresh_token = pair.refresh_token.unwrap();
        let text = format!("grant_type=refresh_token&client_id=sandbox-public&refresh_token={refresh_token}");
        assert!(kroger.token(at(0), None, &form(&text)).is_ok());
    }

    #[test]
    fn a_refresh_token_of_another_client_is_refused_and_stays_good() {
        let mut kroger = kroger(Settings::default());
        let pair = sign_in(&mut kroger);
        let stolen = format!(
            "grant_type=refresh_token&client_id=sandbox-public&refresh_token={}",
            pair.refresh_token.as_deref().unwrap()
        );
        assert_eq!(kroger.token(at(1), None, &form(&stolen)).err(), Some(TokenRefusal::RefreshToken));
        assert!(refresh(&mut kroger, at(1), &pair).is_ok());
    }

    #[test]
    fn access_tokens_end_with_their_lifetime() {
        let settings = Settings { access_token_lifetime_seconds: 5, ..Settings::default() };
        let mut kroger = kroger(settings);
        let pair = sign_in(&mut kroger);
        assert_eq!(pair.expires_in, 5);
        assert!(is_accepted(&kroger, at(4), &pair));
        assert!(!is_accepted(&kroger, at(5), &pair));
    }

    #[test]
    fn refresh_tokens_end_with_their_lifetime() {
        let settings = Settings { refresh_token_lifetime_seconds: 5, ..Settings::default() };
        let mut kroger = kroger(settings);
        let pair = sign_in(&mut kroger);
        assert_eq!(refresh(&mut kroger, at(5), &pair).err(), Some(TokenRefusal::RefreshToken));
        assert_eq!(kroger.spent_refresh_tokens_presented, 0);
        assert!(refresh(&mut kroger, at(4), &pair).is_ok());
    }

    #[test]
    fn a_refresh_token_is_used_once_and_its_reuse_is_counted() {
        let mut kroger = kroger(Settings::default());
        let first = sign_in(&mut kroger);
        let second = refresh(&mut kroger, at(1), &first).ok().unwrap();
        assert_ne!(first.refresh_token, second.refresh_token);
        assert_eq!(refresh(&mut kroger, at(1), &first).err(), Some(TokenRefusal::RefreshToken));
        assert_eq!(kroger.spent_refresh_tokens_presented, 1);
        assert!(is_accepted(&kroger, at(1), &second));
        assert!(refresh(&mut kroger, at(1), &second).is_ok());
        let verdicts = &kroger.token_requests["refresh_token"];
        assert_eq!((verdicts.ok, verdicts.refused), (2, 1));
    }

    #[test]
    fn with_revoke_family_a_reuse_ends_all_that_descends_from_the_sign_in_and_nothing_else() {
        let settings = Settings { reuse: Reuse::RevokeFamily, ..Settings::default() };
        let mut kroger = kroger(settings);
        let other = sign_in(&mut kroger);
        let first = sign_in(&mut kroger);
        let second = refresh(&mut kroger, at(1), &first).ok().unwrap();
        assert_eq!(refresh(&mut kroger, at(1), &first).err(), Some(TokenRefusal::RefreshToken));
        assert!(!is_accepted(&kroger, at(1), &first));
        assert!(!is_accepted(&kroger, at(1), &second));
        assert_eq!(refresh(&mut kroger, at(1), &second).err(), Some(TokenRefusal::RefreshToken));
        assert!(refresh(&mut kroger, at(1), &other).is_ok());
    }

    #[test]
    fn within_the_grace_a_spent_token_brings_the_same_pair_again() {
        let settings = Settings { reuse: Reuse::GraceSeconds(10), ..Settings::default() };
        let mut kroger = kroger(settings);
        let first = sign_in(&mut kroger);
        let second = refresh(&mut kroger, at(1), &first).ok().unwrap();
        let again = refresh(&mut kroger, at(10), &first).ok().unwrap();
        assert_eq!(again.access_token, second.access_token);
        assert_eq!(again.refresh_token, second.refresh_token);
        assert_eq!(again.expires_in, 1800 - 9);
        assert_eq!(refresh(&mut kroger, at(11), &first).err(), Some(TokenRefusal::RefreshToken));
        assert_eq!(kroger.spent_refresh_tokens_presented, 2);
    }

    #[test]
    fn without_rotation_the_same_refresh_token_stays_good() {
        let mut kroger = kroger(Settings { rotate: false, ..Settings::default() });
        let first = sign_in(&mut kroger);
        let second = refresh(&mut kroger, at(1), &first).ok().unwrap();
        assert_eq!(first.refresh_token, second.refresh_token);
        assert_ne!(first.access_token, second.access_token);
        assert!(refresh(&mut kroger, at(2), &first).is_ok());
    }

    #[test]
    fn an_omitted_refresh_token_leaves_the_old_one_good() {
        let mut kroger = kroger(Settings { omit_refresh_token: true, ..Settings::default() });
        let first = sign_in(&mut kroger);
        assert!(refresh(&mut kroger, at(1), &first).ok().unwrap().refresh_token.is_none());
        assert!(refresh(&mut kroger, at(2), &first).is_ok());
    }

    #[test]
    fn expiring_leaves_the_refresh_token_and_revoking_leaves_nothing() {
        let mut kroger = kroger(Settings::default());
        let first = sign_in(&mut kroger);
        assert_eq!(kroger.customers(at(0), &[])[0].standing, Standing::SignedIn(1800));
        assert_eq!(kroger.expire(at(1), "bob"), 0);
        assert_eq!(kroger.expire(at(1), "alice"), 1);
        assert!(!is_accepted(&kroger, at(1), &first));
        assert_eq!(kroger.customers(at(1), &[])[0].standing, Standing::Expired);
        let second = refresh(&mut kroger, at(2), &first).ok().unwrap();
        assert_eq!(kroger.revoke("alice"), 1);
        assert!(!is_accepted(&kroger, at(2), &second));
        assert_eq!(refresh(&mut kroger, at(2), &second).err(), Some(TokenRefusal::RefreshToken));
        assert_eq!(kroger.customers(at(2), &[])[0].standing, Standing::MustSignIn);
    }

    #[test]
    fn expired_access_tokens_and_the_oldest_spent_tokens_are_forgotten() {
        let settings = Settings { access_token_lifetime_seconds: 1, ..Settings::default() };
        let mut kroger = kroger(settings);
        let mut pair = sign_in(&mut kroger);
        for second in 0..SPENT_TOKENS_KEPT as u64 + 10 {
            pair = refresh(&mut kroger, at(second), &pair).ok().unwrap();
        }
        assert!(kroger.access_tokens.len() <= 1024);
        assert_eq!(kroger.refresh_tokens.len(), SPENT_TOKENS_KEPT + 1);
    }
}
