//! The words for the cause of a failure. Each larger subject has a file beside this
//! one.

use kroger_core::failure::{Cause, KeyTrouble, Missing};
use kroger_core::unknown_add::UnknownAdd;

use super::argument::argument;
use super::ways::Ways;
use super::{app, call, grant, sign_in, store};

/// Tells what happened, in one or two sentences that end with a full stop.
pub(crate) fn what(cause: &Cause, ways: &Ways) -> String {
    match cause {
        Cause::Grant(trouble) => grant::trouble(*trouble),
        Cause::Call(endpoint, trouble) => call::trouble(*endpoint, trouble),
        Cause::Quota(endpoint, trouble) => call::quota(*endpoint, *trouble),
        Cause::App(trouble) => app::trouble(trouble),
        Cause::AddUnknown(why) => {
            format!("The cart add was sent and {}, so the items may be in the cart.", why_unknown(*why))
        }
        Cause::Argument { field, allowed } => argument(field, allowed),
        Cause::Key(trouble) => key_trouble(*trouble, ways.key),
        Cause::SignIn(trouble) => sign_in::trouble(*trouble),
        Cause::Exchange(trouble) => sign_in::exchange(trouble),
        Cause::Store(trouble) => store::trouble(*trouble),
        Cause::NotFound(what) => missing(what),
    }
}

fn key_trouble(trouble: KeyTrouble, key: &str) -> String {
    match trouble {
        KeyTrouble::Expired => {
            argument(key, "it was used more than 24 hours ago, and nothing was added with it; use a new key")
        }
        KeyTrouble::TriedTooOften => {
            argument(key, "it was used for 100 tries, none of which added anything; use a new key")
        }
        KeyTrouble::Conflict => format!("This {key} was used before, with other items. This call sent nothing."),
        KeyTrouble::InFlight => format!("A call with this {key} is still running. This call sent nothing."),
    }
}

fn missing(what: &Missing) -> String {
    match what {
        Missing::User => "No token is stored for this user.".to_owned(),
        Missing::Product(upc) => format!("Kroger knows no product {}.", upc.as_str()),
        Missing::Location(id) => format!("Kroger has no location {id}."),
        Missing::Named(endpoint) => format!("Kroger's {} have no entry for this call.", endpoint.as_str()),
    }
}

fn why_unknown(why: UnknownAdd) -> String {
    match why {
        UnknownAdd::NoAnswer => "Kroger's answer did not arrive".to_owned(),
        UnknownAdd::Status(status) => format!("Kroger answered {status}, which does not say whether it was done"),
        UnknownAdd::Abandoned => "the process that sent it ended before it recorded an answer".to_owned(),
        UnknownAdd::Foreign => "the confirmation is not Kroger's; it may be a proxy's page".to_owned(),
    }
}
