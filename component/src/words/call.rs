//! The words for a call to Kroger's API that failed, or that a quota forbids.

use std::time::Duration;

use kroger_core::failure::{CallTrouble, QuotaTrouble};
use kroger_core::kroger::limits::Endpoint;
use kroger_core::ports::Timestamp;

/// A cart add has words of its own: they say whether anything was added.
pub(super) fn trouble(endpoint: Endpoint, trouble: &CallTrouble) -> String {
    match endpoint {
        Endpoint::Cart => cart_add(trouble).unwrap_or_else(|| call(endpoint, trouble)),
        _ => call(endpoint, trouble),
    }
}

fn cart_add(trouble: &CallTrouble) -> Option<String> {
    Some(match trouble {
        CallTrouble::SignInLacksScope(scope) => {
            format!("The sign-in does not allow adding to the cart{}. Nothing was added.", missing(*scope))
        }
        CallTrouble::NotReached => not_added("could not be reached"),
        CallTrouble::Unavailable(status) => not_added(&format!("is not available: it answered {status}")),
        CallTrouble::Rejected(error) => {
            format!("Kroger refused the cart add: {} ({}). Nothing was added.", error.reason, error.code)
        }
        CallTrouble::Foreign => {
            "Something other than Kroger's API answered the cart add, so it was most likely not added.".to_owned()
        }
        CallTrouble::AppTokenRejected
        | CallTrouble::AppLacksScope(_)
        | CallTrouble::NoAnswer
        | CallTrouble::WithoutData => return None,
    })
}

fn call(endpoint: Endpoint, trouble: &CallTrouble) -> String {
    let name = endpoint.as_str();
    match trouble {
        CallTrouble::AppTokenRejected => format!(
            "Token expired or invalid. Kroger's {name} rejected the app's own access token, and the one that was fetched \
             in its place."
        ),
        CallTrouble::SignInLacksScope(scope) => {
            format!("The sign-in does not allow reading Kroger's {name}{}.", missing(*scope))
        }
        CallTrouble::AppLacksScope(scope) => format!("The app may not read Kroger's {name}{}.", missing(*scope)),
        CallTrouble::NotReached => format!("Kroger's {name} could not be reached."),
        CallTrouble::NoAnswer => format!("Kroger's {name} did not answer in time."),
        CallTrouble::Unavailable(status) => format!("Kroger's {name} are not available: the answer was {status}."),
        CallTrouble::Rejected(error) => {
            format!("Kroger's {name} refused the call: {} ({}).", error.reason, error.code)
        }
        CallTrouble::Foreign => format!("Something other than Kroger's API answered for its {name}."),
        CallTrouble::WithoutData => format!("The answer from Kroger's {name} has no data in it."),
    }
}

pub(super) fn quota(endpoint: Endpoint, trouble: QuotaTrouble) -> String {
    let name = endpoint.as_str();
    match trouble {
        QuotaTrouble::Exceeded(asked_for) if endpoint == Endpoint::Cart => no_more_adds(asked_for),
        QuotaTrouble::Exceeded(_) => format!("Kroger accepts no more calls to its {name} for now."),
        QuotaTrouble::UsedUp { limit, until } => {
            undone_until(&format!("The app's {limit} calls a day to Kroger's {name} are used up"), until)
        }
        QuotaTrouble::OnlyReserveLeft { limit, reserve, until } => {
            let what = format!(
                "The last {reserve} of the app's {limit} calls a day to Kroger's {name} are reserved for adding to the \
                 cart"
            );
            undone_until(&what, until)
        }
        QuotaTrouble::ShareUsedUp { limit, until } => {
            let what = format!(
                "This user's part of the app's {limit} calls a day to Kroger's {name} is used up; the rest is for other \
                 users"
            );
            undone_until(&what, until)
        }
        QuotaTrouble::Blocked { until } => {
            undone_until(&format!("Kroger accepts no more calls to its {name} for now"), until)
        }
    }
}

fn no_more_adds(asked_for: Option<Duration>) -> String {
    let until = match asked_for {
        Some(wait) => format!("and asks to come back in {} seconds", wait.as_secs().max(1)),
        None => "and does not say until when; an app has 5,000 calls a day".to_owned(),
    };
    format!("Kroger accepts no more cart adds for now (PUT /v1/cart/add) {until}. Nothing was added.")
}

fn missing(scope: Option<&str>) -> String {
    scope.map_or_else(String::new, |scope| format!(": the scope `{scope}` is missing"))
}

fn not_added(what: &str) -> String {
    format!("Kroger's cart (PUT /v1/cart/add) {what}. Nothing was added.")
}

fn undone_until(what: &str, until: Timestamp) -> String {
    format!("{what}, until {}. Nothing was done.", until.readable())
}
