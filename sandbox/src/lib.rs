//! A stand-in for Kroger's public API: what sign-in, tokens and carts do there, on this machine,
//! with nothing behind them. It lets the product run without a Kroger account, and it is the
//! adversary of the tests: it can refuse, dawdle, answer nonsense and hang up, on request and
//! repeatably. It stores nothing, calls nobody, and is gone when it stops.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let sandbox = kroger_sandbox::Sandbox::default();
//! kroger_sandbox::serve(listener, sandbox, std::future::pending()).await
//! # }
//! ```
//!
//! # Who may use it
//!
//! [`Sandbox::default`] knows two applications, [`App::sandbox`] (`sandbox-client` with the secret
//! `sandbox-secret`) and [`App::sandbox_public`] (`sandbox-public`, no secret, PKCE), both returning
//! to `/auth/callback` on any port of this machine. [`Sandbox::new`] registers others. Customers
//! are whoever one says one is on the consent page.
//!
//! # What it imitates
//!
//! | call | |
//! |---|---|
//! | `GET /v1/connect/oauth2/authorize` | consent page: choose the customer, Allow, Deny; PKCE S256, required for public clients. With `sandbox_decision=allow&sandbox_user=alice` or `sandbox_decision=deny` in the query it redirects at once |
//! | `POST /v1/connect/oauth2/token` | `client_credentials`, `authorization_code`, `refresh_token`; Basic, or `client_id` in the body for public clients; refresh tokens are used once and rotate; Kroger's 400 bodies, and 401 for credentials in the body |
//! | `PUT /v1/cart/add` | 204; additive: the same item twice has twice the quantity |
//! | `GET /v1/identity/profile` | the profile id |
//! | `GET /v1/products`, `/v1/products/{id}` | more than 300 products; price, stock, aisle and fulfilment with a location, and the oddities that clients met |
//! | `GET /v1/locations`, `/v1/locations/{id}` (and `HEAD`) | 36 stores near 12 cities; nearest first |
//! | `GET /v1/chains`, `/v1/departments`, each also by name or id (and `HEAD`) | 8 chains, 14 departments |
//! | anything else | 404 without a body |
//!
//! What tests may rely on: `0001111041700` is Kroger's 2% milk of 1 gallon, $1.99, on promotion at
//! $1.59, in stock everywhere; `Kroger Vanilla Extract` is out of stock, `Kroger Mixed Nuts` has no
//! price, `Kroger Tomato Paste` is sold nowhere, `Kroger Bath Tissue` is limited to two, `Kroger
//! Hot Dog Buns` can neither be picked up nor delivered. The store `01400376` is in Maineville, OH.
//!
//! `GET /` is for people: the customers, their carts, how to connect.
//!
//! # Watching and disturbing it
//!
//! - `GET /_sandbox/state`: `{"token_requests": {"<grant_type>": {"ok", "refused"}},
//!   "spent_refresh_tokens_presented", "calls": {"<METHOD path>": {"<status>" or "dropped": n}},
//!   "carts": {"<user>": [{"upc", "quantity", "modality"}]}}`. `token_requests` counts what was
//!   decided, even if the answer was then lost (unknown grant types as `other`); `calls` counts
//!   what was answered, for all that imitates Kroger. `quotas`: `{"cart": n, …}`, what counts
//!   against the daily limits: calls that were processed, in the window that is open.
//! - `GET`, `POST /_sandbox/settings`: any field of [`Settings`]; answers those in force.
//! - `GET`, `POST`, `DELETE /_sandbox/faults`: `POST` adds a list of
//!   `{"match": {"method"?, "path"?}, "probability"? | "times"? | "nth"?, "action", "seed"?}`. The
//!   first fault that matches and fires decides; without `probability` (0 to 1), `times` (the
//!   first n matching calls) or `nth` (only that one, from 1) it fires always. `seed` (default 0)
//!   makes a probability repeatable. The answer lists all with `matched` and `fired`. Actions:
//!
//!   | action | |
//!   |---|---|
//!   | `{"status": n, "headers"?, "body"?}` | answered without processing; a `body` that is not a string is sent as JSON |
//!   | `{"status_after": n}` | processed, then answered so, without a body |
//!   | `{"delay_ms": n}` | held up, then processed, even if the caller has gone |
//!   | `"drop_before"`, `"drop_after"` | closed without an answer, not processed or processed |
//!   | `"truncate"` | processed, half of the body, closed; an answer without a body is dropped |
//!   | `"garbage"` | processed, then 200 with a page of HTML |
//! - `POST /_sandbox/expire`, `/_sandbox/revoke` with `{"user": "alice"}`: ends that customer's
//!   access tokens, or all that descends from their sign-ins.
//!
//! Wrong input there is 400 with `{"error": "<what is wrong>"}`.

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
