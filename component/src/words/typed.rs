//! The ways of an embedder, in the names of the WIT interfaces.
//!
//! The exports exist only in the component; these words are built for the tests too.

use super::ways::Ways;

/// The functions that an embedder can call.
pub(crate) const WAYS: Ways = Ways {
    open_link: "Let the person open `authorization-url` and sign in; then repeat the call",
    start_sign_in: "Sign the user in with `authorization.authorize`",
    start_again: "Start again with `authorization.authorize`",
    paste_address: "Hand the code and the state of the address to `authorization.complete`",
    wait: "Repeat the call after `retry-after-seconds`",
    see_quotas: "`quotas.rate-limits` shows each quota",
    search_locations: "Search with `catalog.find-locations` near a zip code; each location has its id",
    forget: "forget it (`tokens.forget`)",
    refresh: "refresh it",
    sign_in: "sign in again",
    run_passes: "have the periodic refresh run",
    key: "idempotency-key",
};
