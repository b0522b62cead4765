//! Builds requests to Kroger. Sends nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::item::Item;
use crate::kroger::client::Client;
use crate::ports::{Method, Request};
use crate::scope::Scope;
use crate::secret::Secret;

const CART_ADD_PATH: &str = "/v1/cart/add";

/// The URL of the page on which the user agrees (RFC 6749 § 4.1.1, RFC 7636
/// § 4.3).
pub(crate) fn authorization_url(
    mut endpoint: Url,
    redirect_uri: &Url,
    client: &Client,
    scope: &Scope,
    state: &str,
    challenge: &str,
) -> Url {
    endpoint
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client.id)
        .append_pair("redirect_uri", redirect_uri.as_str())
        .append_pair("scope", scope.as_str())
        .append_pair("state", state)
        .append_pair("code_challenge", challenge)
        .append_pair("code_challenge_method", "S256");
    endpoint
}

/// Exchanges an authorization code for tokens (RFC 6749 § 4.1.3, RFC 7636 § 4.5).
pub(crate) fn code_request(
    token_path: &str,
    client: &Client,
    code: &Secret,
    redirect_uri: &str,
    verifier: &Secret,
) -> Request {
    token_request(
        token_path,
        client,
        &[
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose()),
        ],
    )
}

/// Refreshes an access token (RFC 6749 § 6).
pub(crate) fn refresh_request(token_path: &str, client: &Client, refresh_token: &Secret) -> Request {
    token_request(token_path, client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())])
}

/// Asks for the app's own token (RFC 6749 § 4.4.2), with the only scope that Kroger
/// grants an app by itself.
pub(crate) fn client_credentials_request(token_path: &str, client: &Client) -> Request {
    token_request(token_path, client, &[("grant_type", "client_credentials"), ("scope", "product.compact")])
}

/// A request to the token endpoint.
///
/// A confidential client authenticates with HTTP Basic. A public client names
/// itself in the body and sends no `Authorization` (RFC 6749 § 3.2.1).
fn token_request(token_path: &str, client: &Client, parameters: &[(&str, &str)]) -> Request {
    let mut form = Serializer::new(String::new());
    form.extend_pairs(parameters);
    let mut headers = vec![
        ("accept", "application/json".to_owned()),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
    ];
    match &client.secret {
        Some(secret) => {
            let pair = format!("{}:{}", client.id, secret.expose());
            headers.push(("authorization", format!("Basic {}", STANDARD.encode(pair))));
        }
        None => {
            form.append_pair("client_id", &client.id);
        }
    }
    Request { method: Method::Post, path: token_path.to_owned(), headers, body: form.finish().into_bytes() }
}

/// Adds `items` to the cart of the user of `access_token`. Kroger adds all or none.
pub(crate) fn cart_add_request(access_token: &Secret, items: &[Item]) -> Request {
    let items: Vec<Value> = items
        .iter()
        .map(|item| {
            json!({
                "upc": item.upc.as_str(),
                "quantity": item.quantity.get(),
                "modality": item.modality.as_str(),
            })
        })
        .collect();
    Request {
        method: Method::Put,
        path: CART_ADD_PATH.to_owned(),
        headers: vec![
            ("accept", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", access_token.expose())),
            ("content-type", "application/json".to_owned()),
        ],
        body: json!({ "items": items }).to_string().into_bytes(),
    }
}

/// Reads `path`, which includes the query, with `access_token`.
pub(crate) fn read_request(path: &str, access_token: &Secret) -> Request {
    Request {
        method: Method::Get,
        path: path.to_owned(),
        headers: vec![
            ("accept", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", access_token.expose())),
        ],
        body: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_client_is_named_in_the_body_without_authorization() {
        let public = Client { id: "app".to_owned(), secret: None };
        let confidential = Client { id: "app".to_owned(), secret: Some(Secret::new("s")) };

        let from_public = refresh_request("/token", &public, &Secret::new("r+1"));
        let from_confidential = refresh_request("/token", &confidential, &Secret::new("r+1"));

        assert_eq!(from_public.body, b"grant_type=refresh_token&refresh_token=r%2B1&client_id=app");
        assert!(!from_public.headers.iter().any(|(name, _)| *name == "authorization"));
        assert_eq!(from_confidential.body, b"grant_type=refresh_token&refresh_token=r%2B1");
        assert!(from_confidential.headers.contains(&("authorization", "Basic YXBwOnM=".to_owned())));
    }
}
