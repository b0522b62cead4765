//! The component's typed exports as methods of [`Host`]. Each makes one call, and decides nothing.

use kroger_core::sign_in::import::Found;

use super::component::{
    AuthorizationRequest, Credentials, ImportOutcome, Reach, RefreshOutcome, SignInProgress, SignedIn, Standing, Timer,
    TokenStatus, Validation,
};
use super::host::Host;
use super::shares::Caller;
use super::timer::ComponentError;
use super::{component, timer};

/// The answer of a call: the component's, or why there is none.
type Answer<T> = Result<T, ComponentError>;

/// Calls `$function` of the interface `$interface`, and waits for its answer.
macro_rules! call {
    ($host:ident, $interface:ident.$function:ident($($argument:expr),*)) => {{
        let called = $host.pool.call(Caller::OPERATOR, move |instance| {
            Box::pin(async move {
                let (store, service) = instance.parts();
                service.$interface().$function(store, $($argument),*).await
            })
        });
        Ok(called.await??)
    }};
}

impl Host {
    /// Starts a sign-in of `user`, for the configured scope if `scope` is absent.
    pub async fn authorize(&self, user: &str, scope: Option<&str>) -> Answer<AuthorizationRequest> {
        let (user, scope) = (user.to_owned(), scope.map(str::to_owned));
        call!(self, kroger_connector_authorization.call_authorize(Some(&user), scope.as_deref()))
    }

    /// Exchanges the `code` of a redirect for tokens and stores the grant.
    pub async fn complete_sign_in(&self, code: &str, state: &str) -> Answer<SignedIn> {
        let (code, state) = (code.to_owned(), state.to_owned());
        call!(self, kroger_connector_authorization.call_complete(&code, &state))
    }

    /// Ends the sign-in of `state`, whose redirect came back with an error.
    pub async fn decline_sign_in(&self, state: &str) -> Answer<()> {
        let state = state.to_owned();
        call!(self, kroger_connector_authorization.call_decline(&state))
    }

    /// How far the sign-in of `state` has come.
    pub async fn sign_in_progress(&self, state: &str) -> Answer<SignInProgress> {
        let state = state.to_owned();
        call!(self, kroger_connector_authorization.call_progress(&state))
    }

    /// The status of the grant of `user`; `None` if the user is not signed in.
    pub async fn token_status(&self, user: &str) -> Answer<Option<TokenStatus>> {
        let user = user.to_owned();
        call!(self, kroger_connector_tokens.call_status(Some(&user)))
    }

    /// The status of each user, `limit` at most, in the order of user ids.
    pub async fn list_tokens(&self, limit: u32) -> Answer<Vec<TokenStatus>> {
        call!(self, kroger_connector_tokens.call_list(limit))
    }

    /// Looks at everything that keeps people signed in, and refreshes nothing.
    pub async fn validate(&self, reach: Reach) -> Answer<Validation> {
        call!(self, kroger_connector_tokens.call_validate(reach))
    }

    /// Asks Kroger whether it accepts the app's credentials.
    pub async fn check_credentials(&self) -> Answer<Credentials> {
        call!(self, kroger_connector_tokens.call_check_credentials())
    }

    /// Forgets the grant of `user`. A user without a grant is no error.
    pub async fn forget(&self, user: &str) -> Answer<()> {
        let user = user.to_owned();
        call!(self, kroger_connector_tokens.call_forget(&user))
    }

    /// How the periodic refresh stands, whichever process makes it.
    pub async fn timer_status(&self) -> Answer<Timer> {
        call!(self, kroger_connector_maintenance.call_timer_status())
    }

    /// Refreshes `user` if that is due.
    pub async fn refresh_user(&self, user: &str) -> Answer<RefreshOutcome> {
        timer::refresh(&self.pool, user.to_owned()).await
    }

    /// What `found` would be as the grant of `user`; writes nothing.
    pub async fn assess(&self, user: &str, found: &Found) -> Answer<Standing> {
        let (user, pair) = (user.to_owned(), component::token_pair(found));
        call!(self, kroger_connector_migration.call_assess(&user, &pair))
    }

    /// Makes `found` the grant of `user`, if its standing still is `expected`.
    pub async fn import(&self, user: &str, found: &Found, expected: Standing) -> Answer<ImportOutcome> {
        let (user, pair) = (user.to_owned(), component::token_pair(found));
        call!(self, kroger_connector_migration.call_import_grant(&user, &pair, expected))
    }
}
