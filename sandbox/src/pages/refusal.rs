//! Builds the page that explains a refused authorization request. Never decides to refuse.

use super::html::{Escaped, apps_table, document};
use crate::{app::App, oauth::refusals::AuthorizationRefusal};

/// Builds the refusal page, for the person who configures the application.
pub(crate) fn refusal_page(refusal: AuthorizationRefusal, apps: &[App]) -> String {
    let (error, description) = refusal.texts();
    let body = format!(
        include_str!("refusal.html"),
        description = Escaped(description),
        error = Escaped(error),
        apps = apps_table(apps),
    );
    document("The sandbox cannot ask for this", "narrow", &body)
}
