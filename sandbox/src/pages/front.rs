//! Builds the front page: what the sandbox is, the customers and their carts, how to connect a
//! server and how to disturb it.
//!
//! Only reads the state.

use std::time::SystemTime;

use super::html::{Escaped, apps_table, document};
use crate::{
    api::cart::CartLine,
    app::{App, CUSTOMERS},
    oauth::sign_in_status::SignInStatus,
    sandbox::SandboxState,
};

/// How many lines of a cart the front page shows. The cart of a benchmark is longer than anyone
/// reads.
const LINES_SHOWN: usize = 50;

/// What the front page shows of one customer.
struct CustomerCard<'a> {
    name: &'a str,
    status: SignInStatus,
    lines: &'a [CartLine],
}

pub(crate) fn front_page(state: &SandboxState, now: SystemTime, host: &str) -> String {
    let server = &state.authorization_server;
    let cards = server.sign_in_statuses(now, &CUSTOMERS).into_iter().map(|(name, status)| CustomerCard {
        name,
        status,
        lines: state.carts.lines_of(name),
    });
    let body = format!(
        include_str!("front.html"),
        customers = cards.map(|card| customer(&card)).collect::<String>(),
        host = Escaped(host),
        environment = environment(&server.apps),
        apps = apps_table(&server.apps),
        lifetime = server.settings.access_token_lifetime_seconds,
        faults = faults(state.faults.len()),
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

fn customer(card: &CustomerCard<'_>) -> String {
    let (class, status) = status_in_words(card.status);
    format!(
        include_str!("customer.html"),
        name = Escaped(card.name),
        class = class,
        status = status,
        buttons = buttons(card),
        cart = cart(card.lines),
    )
}

/// Returns the CSS class of a status, and its words.
fn status_in_words(status: SignInStatus) -> (&'static str, String) {
    match status {
        SignInStatus::SignedIn(seconds) => ("good", format!("signed in, token good for {seconds} s")),
        SignInStatus::Expired => ("waiting", "token expired, a refresh will bring a new one".into()),
        SignInStatus::MustSignIn => ("ended", "must sign in again".into()),
        SignInStatus::NeverSignedIn => ("none", "has not signed in".into()),
    }
}

fn buttons(card: &CustomerCard<'_>) -> String {
    let button = |action: &str, words: &str| {
        format!(
            "<form method=\"post\" action=\"/_sandbox/{action}\">\
             <button name=\"user\" value=\"{}\">{words}</button></form>",
            Escaped(card.name)
        )
    };
    match card.status {
        SignInStatus::SignedIn(_) => button("expire", "Expire token") + &button("revoke", "End sign-in"),
        SignInStatus::Expired => button("revoke", "End sign-in"),
        SignInStatus::MustSignIn | SignInStatus::NeverSignedIn => String::new(),
    }
}

fn cart(lines: &[CartLine]) -> String {
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

fn row(line: &CartLine) -> String {
    let (upc, modality) = (Escaped(&line.upc), line.modality.name().to_lowercase());
    format!("<tr><td><code>{upc}</code><td>{}<td>{modality}", line.quantity)
}

/// Returns the variables that point a server at this sandbox, for the first application.
fn environment(apps: &[App]) -> String {
    let Some(app) = apps.first() else {
        return String::new();
    };
    let secret = app.client_secret.iter();
    let secret = secret.map(|secret| format!("KROGER_CLIENT_SECRET={}\n", Escaped(secret)));
    format!("KROGER_CLIENT_ID={}\n", Escaped(&app.client_id)) + &secret.collect::<String>()
}
