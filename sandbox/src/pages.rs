//! The pages that a person sees: front page, consent, refusal. Plain HTML, one style, no scripts.
//! Whatever came from outside goes through [`Escaped`].

use std::{fmt, time::SystemTime};

use crate::{
    api::cart::Line,
    app::App,
    oauth::authorization_server::{Customer, Standing},
    oauth::authorize::{AuthorizationRefusal, AuthorizationRequest},
    router::CUSTOMERS,
    sandbox::World,
};

/// Lines of one cart that the front page shows; a benchmark's cart is longer than anyone reads.
const LINES_SHOWN: usize = 50;

/// Text as it may stand in HTML, in an element as in a quoted attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

fn document(title: &str, class: &str, body: &str) -> String {
    format!(
        include_str!("pages/document.html"),
        title = Escaped(title),
        class = class,
        style = include_str!("pages/style.css"),
        body = body,
    )
}

/// Asks the customer; the form posts to the address that the page was read from.
pub(crate) fn consent(request: &AuthorizationRequest) -> String {
    let asked: String = request.scope.split(' ').map(scope_in_words).collect();
    let customers: String = CUSTOMERS.iter().enumerate().map(choice).collect();
    let body = format!(
        include_str!("pages/consent.html"),
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
        _ => "Something that the sandbox has no words for.",
    };
    format!("<li>{words} <code>{}</code></li>", Escaped(scope))
}

fn choice((at, name): (usize, &&str)) -> String {
    let checked = if at == 0 { " checked" } else { "" };
    format!("<label><input type=\"radio\" name=\"customer\" value=\"{name}\"{checked}> {name}</label>")
}

/// Why there is nothing to consent to, for the person who configures the application.
pub(crate) fn refusal(refusal: AuthorizationRefusal, apps: &[App]) -> String {
    let (error, description) = refusal.texts();
    let body = format!(
        include_str!("pages/refusal.html"),
        description = Escaped(description),
        error = Escaped(error),
        apps = apps_table(apps),
    );
    document("The sandbox cannot ask for this", "narrow", &body)
}

/// What this is, who is signed in, what is in the carts, how to connect and to disturb.
pub(crate) fn front(world: &World, now: SystemTime, host: &str) -> String {
    let kroger = &world.kroger;
    let customers: String = kroger.customers(now, &CUSTOMERS).iter().map(customer).collect();
    let body = format!(
        include_str!("pages/front.html"),
        customers = customers,
        host = Escaped(host),
        environment = environment(&kroger.apps),
        apps = apps_table(&kroger.apps),
        lifetime = kroger.settings.access_token_lifetime_seconds,
        faults = faults(world.faults.len()),
    );
    document("Kroger sandbox", "wide", &body)
}

fn faults(in_force: usize) -> String {
    match in_force {
        0 => "No faults are in force.".into(),
        1 => "<strong>1 fault is in force.</strong>".into(),
        many => format!("<strong>{many} faults are in force.</strong>"),
    }
}

fn customer(customer: &Customer<'_>) -> String {
    let (class, standing) = standing(customer.standing);
    format!(
        include_str!("pages/customer.html"),
        name = Escaped(customer.name),
        class = class,
        standing = standing,
        buttons = buttons(customer),
        cart = cart(customer.lines),
    )
}

fn standing(standing: Standing) -> (&'static str, String) {
    match standing {
        Standing::SignedIn(seconds) => ("good", format!("signed in, token good for {seconds} s")),
        Standing::Expired => ("waiting", "token expired, a refresh will bring a new one".into()),
        Standing::MustSignIn => ("ended", "must sign in again".into()),
        Standing::NeverSignedIn => ("none", "has not signed in".into()),
    }
}

fn buttons(customer: &Customer<'_>) -> String {
    let button = |action: &str, words: &str| {
        format!(
            "<form method=\"post\" action=\"/_sandbox/{action}\">\
             <button name=\"user\" value=\"{}\">{words}</button></form>",
            Escaped(customer.name)
        )
    };
    match customer.standing {
        Standing::SignedIn(_) => button("expire", "Expire token") + &button("revoke", "End sign-in"),
        Standing::Expired => button("revoke", "End sign-in"),
        Standing::MustSignIn | Standing::NeverSignedIn => String::new(),
    }
}

fn cart(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "<p class=\"empty\">The cart is empty.</p>".into();
    }
    let rows: String = lines.iter().take(LINES_SHOWN).map(row).collect();
    let more = match lines.len().saturating_sub(LINES_SHOWN) {
        0 => String::new(),
        more => format!("<p class=\"empty\">and {more} more lines</p>"),
    };
    format!(
        "<table class=\"cart\"><thead><tr><th>UPC<th>Quantity<th>Modality</thead>\
         <tbody>{rows}</tbody></table>{more}"
    )
}

fn row(line: &Line) -> String {
    let (upc, modality) = (Escaped(&line.upc), line.modality.name().to_lowercase());
    format!("<tr><td><code>{upc}</code><td>{}<td>{modality}", line.quantity)
}

/// The variables that point a server at this sandbox, for the first application.
fn environment(apps: &[App]) -> String {
    let Some(app) = apps.first() else {
        return String::new();
    };
    let secret = app.client_secret.iter();
    let secret = secret.map(|secret| format!("KROGER_CLIENT_SECRET={}\n", Escaped(secret)));
    format!("KROGER_CLIENT_ID={}\n", Escaped(&app.client_id)) + &secret.collect::<String>()
}

fn apps_table(apps: &[App]) -> String {
    let rows: String = apps.iter().map(app_row).collect();
    format!(
        "<table><thead><tr><th>Client id<th>Secret<th>Returns to</thead>\
         <tbody>{rows}</tbody></table>"
    )
}

fn app_row(app: &App) -> String {
    let secret = match &app.client_secret {
        Some(secret) => format!("<code>{}</code>", Escaped(secret)),
        None => "none (public, PKCE)".into(),
    };
    let uris: Vec<String> = app.redirect_uris.iter().map(ToString::to_string).collect();
    let uris = uris.join(" ");
    format!("<tr><td><code>{}</code><td>{secret}<td><code>{}</code>", Escaped(&app.client_id), Escaped(&uris))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_leave_its_place_in_the_page() {
        let hostile = r#"<script>"'&"#;
        assert_eq!(Escaped(hostile).to_string(), "&lt;script&gt;&quot;&#39;&amp;");
    }
}
