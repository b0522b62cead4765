//! A stand-in for Kroger's public API: sign-in, tokens, carts and the catalog.
//!
//! With it the product runs without a Kroger account. It is also the adversary of the tests: on
//! request it refuses, delays, answers nonsense and closes connections, and a test can repeat each
//! fault exactly. It stores nothing on disk and calls no other server. Its state is gone when it
//! stops.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let sandbox = kroger_sandbox::Sandbox::default();
//! kroger_sandbox::serve(listener, sandbox, std::future::pending()).await
//! # }
//! ```
//!
//! # Applications and customers
//!
//! [`Sandbox::default`] knows two applications: [`App::sandbox`] (`sandbox-client` with the secret
//! `sandbox-secret`) and [`App::sandbox_public`] (`sandbox-public`, no secret, PKCE). Both return to
//! `/auth/callback` on any port of this machine. [`Sandbox::new`] registers others. There is no list
//! of customers: a person types any name on the consent page.
//!
//! # What it imitates
//!
//! | call | |
//! |---|---|
//! | `GET /v1/connect/oauth2/authorize` | The consent page: choose the customer, Allow, Deny. PKCE with S256, which public clients must use. With `sandbox_decision=allow&sandbox_user=alice` or `sandbox_decision=deny` in the query it redirects at once |
//! | `POST /v1/connect/oauth2/token` | `client_credentials`, `authorization_code`, `refresh_token`. Basic credentials, or `client_id` in the body for public clients. A refresh token is valid once and rotates. Kroger's 400 bodies, and 401 for credentials in the body |
//! | `PUT /v1/cart/add` | 204. Additive: the same item twice has twice the quantity |
//! | `GET /v1/identity/profile` | The profile id |
//! | `GET /v1/products`, `/v1/products/{id}` | More than 300 products. With a location they have price, stock, aisle and fulfilment, and the oddities that clients have met |
//! | `GET /v1/locations`, `/v1/locations/{id}` (and `HEAD`) | 36 locations (Kroger's word for its supermarkets) near 12 cities, nearest first |
//! | `GET /v1/chains`, `/v1/departments`, each also by name or id (and `HEAD`) | 8 chains, 14 departments |
//! | anything else | 404 without a body |
//!
//! Tests may rely on these products: `0001111041700` is Kroger's 2% milk of 1 gallon, $1.99, on
//! promotion at $1.59, in stock everywhere. `Kroger Vanilla Extract` is out of stock, `Kroger Mixed
//! Nuts` has no price, `Kroger Tomato Paste` is sold nowhere, `Kroger Bath Tissue` is limited to two,
//! and `Kroger Hot Dog Buns` has neither pickup nor delivery. The location `01400376` is in
//! Maineville, OH.
//!
//! `GET /` is a page for people: the customers, their carts, how to connect a server.
//!
//! # How to watch and disturb it
//!
//! - `GET /_sandbox/state`: `{"token_requests": {"<grant_type>": {"ok", "refused"}},
//!   "spent_refresh_tokens_presented", "calls": {"<METHOD path>": {"<status>" or "dropped": n}},
//!   "carts": {"<user>": [{"upc", "quantity", "modality"}]}, "quotas": {"cart": n, …}}`.
//!   `token_requests` counts decisions, even if a fault then loses the answer; unknown grant types
//!   count as `other`. `calls` counts answers, for all paths that imitate Kroger. `quotas` counts the
//!   calls against the daily limits: those that were processed, in the window that is open.
//! - `GET`, `POST /_sandbox/settings`: `POST` changes the settings that it names. Both answer with
//!   the settings in force:
//!
//!   | setting | default | |
//!   |---|---|---|
//!   | `access_token_lifetime_seconds` | 1800 | for tokens issued from then on |
//!   | `refresh_token_lifetime_seconds` | 180 days | for tokens issued from then on |
//!   | `rotate` | `true` | whether a refresh spends the refresh token and answers with a new one. If not, it stays valid and the answer repeats it |
//!   | `reuse` | `"refuse"` | what a spent refresh token brings. `"refuse"`: an error. `"revoke_family"`: an error, and every token of the same sign-in dies. `{"grace_seconds": n}`: the same pair again for n seconds, then an error |
//!   | `omit_refresh_token` | `false` | whether a refresh answers without a refresh token. The presented one then stays valid |
//!   | `latency_ms` | 0 | how long each call outside `/_sandbox/` and `/` waits before it is processed |
//!   | `daily_limits` | Kroger's | `{"products": 10000, "cart": 5000, "identity": 5000, "locations": 1600, "chains": 1600, "departments": 1600}` |
//!   | `quota_window_seconds` | a day | for windows that begin from then on |
//! - `GET`, `POST`, `DELETE /_sandbox/faults`: `POST` adds a list of
//!   `{"match": {"method"?, "path"?}, "probability"? | "times"? | "nth"?, "action", "seed"?}`. The
//!   first fault that matches and fires decides. `probability` is from 0 to 1. `times` fires for the
//!   first n matching calls, `nth` only for the nth (from 1). Without any of them the fault always
//!   fires. `seed` (default 0) makes a probability repeatable. The answer lists all faults with
//!   `matched` and `fired`. Actions:
//!
//!   | action | |
//!   |---|---|
//!   | `{"status": n, "headers"?, "body"?}` | The call is answered without processing. A `body` that is not a string is sent as JSON |
//!   | `{"status_after": n}` | The call is processed, then answered with this status and no body |
//!   | `{"delay_ms": n}` | The call waits and is then processed, even if the caller has gone |
//!   | `"drop_before"`, `"drop_after"` | The connection closes without an answer, before or after the call is processed |
//!   | `"truncate"` | The call is processed, half of the body is sent, the connection closes. An answer without a body is dropped |
//!   | `"garbage"` | The call is processed, then answered 200 with a page of HTML |
//! - `POST /_sandbox/expire`, `/_sandbox/revoke` with `{"user": "alice"}`: `expire` ends that
//!   customer's access tokens, `revoke` all tokens that descend from their sign-ins.
//!
//! Wrong input to these paths is answered 400 with `{"error": "<what is wrong>"}`.

mod answers;
mod api;
mod app;
mod call_counts;
mod clock;
mod faults;
mod guards;
mod layers;
mod oauth;
mod pages;
mod parameters;
mod quotas;
mod routes;
mod sandbox;
mod server;
mod settings;

pub use app::{App, RedirectUri};
pub use sandbox::Sandbox;
pub use server::serve;
