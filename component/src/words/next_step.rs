//! The words for the next step. None ends with a full stop.

use kroger_core::failure::{Correction, NextStep, Repeat, SettingsStep, StoreStep};

use super::ways::Ways;

pub(super) fn step(next: &NextStep, ways: &Ways) -> String {
    match next {
        NextStep::SignIn { .. } => ways.open_link.to_owned(),
        NextStep::StartSignIn => ways.start_sign_in.to_owned(),
        NextStep::StartAgain => ways.start_again.to_owned(),
        NextStep::PasteAddress => ways.paste_address.to_owned(),
        NextStep::LeaveIt => "Do not ask again unless the user wants it".to_owned(),
        NextStep::Repeat(repeat) => repeated(*repeat, ways),
        NextStep::UseNewKey => format!("Use a new {}", ways.key),
        NextStep::UseNewKeyForOtherItems => format!(
            "Use a new {} for other items; this key with the same items gets the answer of the first call",
            ways.key
        ),
        NextStep::LookAtCart => "Do not send the items again; look at the cart in the Kroger app first".to_owned(),
        NextStep::Store(step) => store(*step, ways),
        NextStep::Settings(step) => settings(*step, ways),
        NextStep::Correct(correction) => correct(correction, ways),
    }
}

fn repeated(repeat: Repeat, ways: &Ways) -> String {
    let wait = ways.wait;
    match repeat {
        Repeat::Now => "Send the call again".to_owned(),
        Repeat::AfterWait => wait.to_owned(),
        Repeat::AfterWaitSignInKept => format!("{wait}; the sign-in is kept"),
        Repeat::AfterWaitForQuota => format!("{wait}; {}", ways.see_quotas),
        Repeat::WithKey => {
            format!("{wait}, with the same {} and items; it gets the answer of the first call", ways.key)
        }
        Repeat::AfterNetworkCheck => "Check network connectivity, then try again".to_owned(),
    }
}

fn store(step: StoreStep, ways: &Ways) -> String {
    let words = match step {
        StoreStep::Check => "Check the store's disk space and permissions, then try again",
        StoreStep::CheckAndStartAgain => {
            return format!("Check the store's disk space and permissions. {}", ways.start_again);
        }
        StoreStep::CheckBeforeStopping => {
            "Check the store's disk space and permissions; do not stop the server before this is ready again"
        }
        StoreStep::UseDurable => "Run the component under a host whose key-value store is durable",
        StoreStep::UseDurableOrNoKey => {
            return format!(
                "Run the component under a host whose key-value store is durable, or leave the {} out",
                ways.key
            );
        }
    };
    words.to_owned()
}

fn settings(step: SettingsStep, ways: &Ways) -> String {
    let words = match step {
        SettingsStep::SetCredentials => {
            "Set KROGER_CLIENT_ID and KROGER_CLIENT_SECRET from the app's page at developer.kroger.com"
        }
        SettingsStep::CorrectCredentials => {
            "Correct the credentials; they belong to one environment, production or certification. No sign-in is lost"
        }
        SettingsStep::UseTheGrants => return use_the_grants(ways.forget),
        SettingsStep::MatchEnvironment => {
            "The operator of this server must check that KROGER_CLIENT_ID and KROGER_API_BASE_URL belong to the same \
             environment of Kroger's; signing in does not help"
        }
        SettingsStep::RegisterApp => {
            "The operator of this server must register the app for it at developer.kroger.com; signing in does not help"
        }
        SettingsStep::CheckRegistration => {
            return format!(
                "Check that KROGER_REDIRECT_URI and KROGER_SCOPE are those registered with Kroger. {}",
                ways.start_again
            );
        }
        SettingsStep::CheckUpstreamAddress => {
            "Check KROGER_API_BASE_URL and whether a proxy or a sign-in page of the network stands between"
        }
        SettingsStep::CheckUpstreamAddressAndCart => {
            "Check KROGER_API_BASE_URL and whether a proxy or a sign-in page of the network stands between; then look at \
             the cart in the Kroger app"
        }
    };
    words.to_owned()
}

fn use_the_grants(forget: &str) -> String {
    format!(
        "Run it with the settings that it was made with, or in another folder with another KROGER_STORE (a .env here has \
         that sign-in's tokens, too); or {forget} and sign in again"
    )
}

fn correct(correction: &Correction, ways: &Ways) -> String {
    let words = match correction {
        Correction::Argument(field) => return format!("Correct `{field}` and send the call again"),
        Correction::Call => "Correct the arguments and send the call again",
        Correction::AskWhich => "Ask the user which is meant, then call again with its UPC or id",
        Correction::Upc => "Check the UPC, which has no check digit, or search for the product by name",
        Correction::Id => "Check the id, or search for it",
        Correction::SearchLocations => ways.search_locations,
    };
    words.to_owned()
}
