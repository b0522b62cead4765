//! Builds the page that asks a customer to consent. Never records the decision.

use super::html::{Escaped, document};
use crate::{app::CUSTOMERS, oauth::authorize::AuthorizationRequest};

/// Builds the consent page. Its form posts to the URL of the page itself.
pub(crate) fn consent_page(request: &AuthorizationRequest) -> String {
    let asked: String = request.scope.split(' ').map(scope_in_words).collect();
    let customers: String = CUSTOMERS.iter().enumerate().map(choice).collect();
    let body = format!(
        include_str!("consent.html"),
        client_id = Escaped(&request.client_id),
        redirect_uri = Escaped(&request.redirect_uri),
        asked = asked,
        customers = customers,
    );
    document("Sign in to the sandbox", "narrow", &body)
}

fn scope_in_words(scope: &str) -> String {
    let words = match scope {
        "cart.basic:write" => "Add items to your cart. It cannot look into the cart or take anything out.",
        "profile.compact" => "See the id of your profile. Not your name, not your address.",
        "product.compact" => "Look up products.",
        _ => "Something that the sandbox cannot describe.",
    };
    format!("<li>{words} <code>{}</code></li>", Escaped(scope))
}

fn choice((at, name): (usize, &&str)) -> String {
    let checked = if at == 0 { " checked" } else { "" };
    format!("<label><input type=\"radio\" name=\"customer\" value=\"{name}\"{checked}> {name}</label>")
}
