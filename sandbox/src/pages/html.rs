//! Builds the parts that all pages share: escaped text, the document around a page, its headers.
//!
//! Text from outside never reaches a page except through [`Escaped`].

use std::fmt;

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use crate::app::App;

/// Writes text so that it is safe in HTML, in an element and in a quoted attribute.
pub(super) struct Escaped<'a>(pub(super) &'a str);

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

/// Answers with a page.
pub(crate) fn page(status: StatusCode, html: String) -> Response {
    // There is no form-action: browsers apply it to the redirect after the form, too, and that
    // leaves this host.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                  base-uri 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(html)).into_response()
}

/// Builds the whole document around `body`, which must be HTML already.
pub(super) fn document(title: &str, class: &str, body: &str) -> String {
    format!(
        include_str!("document.html"),
        title = Escaped(title),
        class = class,
        style = include_str!("style.css"),
        body = body,
    )
}

pub(super) fn apps_table(apps: &[App]) -> String {
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
    fn hostile_text_is_escaped() {
        let hostile = r#"<script>"'&"#;
        assert_eq!(Escaped(hostile).to_string(), "&lt;script&gt;&quot;&#39;&amp;");
    }
}
