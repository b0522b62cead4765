//! The words for the app's own credentials that do not serve a call.

use kroger_core::app::App;
use kroger_core::failure::AppTrouble;

pub(super) fn trouble(trouble: &AppTrouble) -> String {
    match trouble {
        AppTrouble::ClientMissing => "Invalid Kroger API credentials. Please check KROGER_CLIENT_ID and \
                                      KROGER_CLIENT_SECRET. None are configured."
            .to_owned(),
        AppTrouble::ClientRejected => {
            "Invalid Kroger API credentials. Please check KROGER_CLIENT_ID and KROGER_CLIENT_SECRET.".to_owned()
        }
        AppTrouble::TokenUnavailable => "Kroger did not give the app an access token.".to_owned(),
        AppTrouble::NotTheGrants { theirs, ours } => of_another_app(theirs, ours),
    }
}

fn of_another_app(theirs: &App, ours: &App) -> String {
    let whose = if theirs.server == ours.server {
        "is of an app with another KROGER_CLIENT_ID".to_owned()
    } else {
        format!("was given by {}, and this runs with {}", theirs.server, ours.server)
    };
    format!("The sign-in that the token store has {whose}. Nothing was sent, nothing was lost.")
}
