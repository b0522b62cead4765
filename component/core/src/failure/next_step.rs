//! The next step of a caller after a failure, as facts. Each face has its own words for it.

use crate::scope::Scope;
use crate::user::UserId;

/// The next step of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// A person signs `user` in for `scope`; then the same call again.
    SignIn {
        user: UserId,
        scope: Scope,
    },
    /// A person signs the user in.
    StartSignIn,
    /// The sign-in is over; a new one is needed.
    StartAgain,
    /// The person gives the whole address to the caller who began the sign-in.
    PasteAddress,
    /// The caller does not ask again unless the person wants it.
    LeaveIt,
    Repeat(Repeat),
    UseNewKey,
    /// A new idempotency key; the old key answers for its own items.
    UseNewKeyForOtherItems,
    LookAtCart,
    Store(StoreStep),
    Settings(SettingsStep),
    Correct(Correction),
}

/// When and how the same call is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    Now,
    AfterWait,
    /// After the wait; the sign-in is kept.
    AfterWaitSignInKept,
    /// After the wait; the quotas can be looked at.
    AfterWaitForQuota,
    /// With the same idempotency key, after the wait.
    WithKey,
    /// Once the network works.
    AfterNetworkCheck,
}

/// The operator's step for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreStep {
    Check,
    CheckAndStartAgain,
    /// The server must not stop before the store works again.
    CheckBeforeStopping,
    UseDurable,
    UseDurableOrNoKey,
}

/// The operator's step for the settings, or for the app's registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsStep {
    SetCredentials,
    CorrectCredentials,
    /// The settings that the grant was made with, another store, or forgetting.
    UseTheGrants,
    /// Client id and server must belong to one environment of Kroger's.
    MatchEnvironment,
    /// The app must be registered for what the call needs.
    RegisterApp,
    /// Redirect URI and scopes must be those that are registered.
    CheckRegistration,
    /// The API's address, or what stands between.
    CheckUpstreamAddress,
    /// The same, and whether the items are in the cart.
    CheckUpstreamAddressAndCart,
}

/// The caller's step for the call's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correction {
    Argument(String),
    Call,
    /// A person says which of several things is meant.
    AskWhich,
    Upc,
    Id,
    SearchLocations,
}
