//! The HTTP routes. Each reads its request, calls one rule of [`kroger_core`] and writes the answer. Nothing here
//! decides anything about tokens.
//!
//! Every failure leaves as a problem document, by one conversion. No route shows a token, code, verifier, secret or
//! path of the machine.

mod admin;
mod call;
mod cart;
mod catalog;
mod invitation;
mod limits;
mod mcp;
mod openapi;
mod origin;
mod page;
mod problem;
mod rate_limits;
mod sign_in;
mod status;
#[cfg(test)]
mod tests;
mod told;
mod validation;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use http::header::{ALLOW, CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request};
use rmcp::ServerHandler;
use tower::ServiceExt as _;

use crate::edge::{FINISH_ROUTE, INVITATION_ROUTE, SharedPorts, block_on, misconfiguration};
use crate::mcp::{Mcp, Server};
use kroger_core::settings::{SettingError, Settings};
use origin::{Admitted, Known};
use problem::Problem;

/// A request that the export cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// All routes. Built once for each instance, and used for every call.
pub struct Service {
    /// The routes, or the problem that each call gets if the settings are invalid.
    routes: Result<Routes, Problem>,
}

struct Routes {
    router: Router,
    known: Known,
    settings: Arc<Settings>,
}

impl Service {
    /// Builds the routes. If the settings are invalid, every request gets a problem that names them.
    pub fn new(settings: Result<Arc<Settings>, Vec<SettingError>>) -> Self {
        Self::with_mcp(settings, Server::new)
    }

    /// Serves the same routes, with another server at `/mcp`.
    pub fn with_mcp<S: ServerHandler + Clone>(
        settings: Result<Arc<Settings>, Vec<SettingError>>,
        server: impl FnOnce(Arc<Settings>) -> S,
    ) -> Self {
        let routes = settings
            .map(|settings| {
                let mcp = mcp::endpoint(Mcp::new(server(Arc::clone(&settings))));
                Routes { known: Known::new(&settings), router: router(Arc::clone(&settings), mcp), settings }
            })
            .map_err(|errors| Problem::misconfigured(misconfiguration(&errors)));
        Self { routes }
    }

    /// Answers `request` through the `ports` of this call. A body over the limit of 256 KiB may be cut off one
    /// byte past it.
    pub async fn serve(&self, request: Request<Bytes>, ports: SharedPorts) -> http::Response<Bytes> {
        whole(self.answer(request, ports).await).await
    }

    /// Answers a request that the export cannot read.
    pub fn refuse(&self, _: Malformed) -> http::Response<Bytes> {
        block_on(whole(Problem::malformed().into_response()))
    }

    async fn answer(&self, mut request: Request<Bytes>, ports: SharedPorts) -> Response {
        let routes = match &self.routes {
            Ok(routes) => routes,
            Err(problem) => return problem.clone().into_response(),
        };
        let admitted = match routes.known.admit(&request) {
            Ok(admitted) => admitted,
            Err(problem) => return problem.into_response(),
        };
        request.extensions_mut().insert(Arc::clone(&ports));
        let mut response = if request.method() == Method::OPTIONS {
            routes.options(request, &admitted).await
        } else if let Err(problem) = limits::check(request.uri().path(), request.body()) {
            problem.into_response()
        } else {
            // A `HEAD` shows no link, so it makes none.
            let shows_body = request.method() != Method::HEAD;
            let refused_or_done = routes.ask(request).await;
            let cx = kroger_core::Context { settings: &routes.settings, ports: &*ports };
            if shows_body { problem::linked(refused_or_done, cx) } else { refused_or_done }
        };
        admitted.sign(response.headers_mut());
        response
    }
}

impl Routes {
    async fn ask(&self, request: Request<Bytes>) -> Response {
        let Ok(response) = self.router.clone().oneshot(request.map(Body::from)).await;
        response
    }

    /// Answers which methods the path takes. No route takes `OPTIONS`, so the refusal carries them in `Allow`.
    async fn options(&self, request: Request<Bytes>, admitted: &Admitted) -> Response {
        let refused = self.ask(request.map(|_| Bytes::new())).await;
        match refused.headers().get(ALLOW).and_then(|allow| allow.to_str().ok()) {
            Some(allow) => admitted.preflight(allow),
            None => refused,
        }
    }
}

fn router(settings: Arc<Settings>, mcp: MethodRouter<Arc<Settings>>) -> Router {
    Router::new()
        .route("/livez", get(status::livez))
        .route("/readyz", get(status::readyz))
        .route("/health", get(status::health))
        .route("/config", get(status::config))
        .route("/openapi.json", get(openapi::describe))
        .route("/auth/authorize", get(sign_in::authorize).head(get_only).fallback(get_only))
        .route(INVITATION_ROUTE, get(invitation::show).post(invitation::accept))
        .route(FINISH_ROUTE, post(sign_in::finish))
        .route("/auth/callback", get(sign_in::callback).head(get_only).fallback(get_only))
        .route("/cart/add", put(cart::add))
        .route("/cart/add/simple", put(cart::add_simple))
        .route("/products/search", get(catalog::search_products))
        .route("/products/{id}", get(catalog::product))
        .route("/locations/search", get(catalog::search_locations))
        .route("/locations/{id}", get(catalog::location_by_id))
        .route("/identity/profile", get(catalog::profile))
        .route("/admin/rate-limits", get(rate_limits::rate_limits))
        .route("/mcp", mcp)
        .route("/admin/tokens", get(admin::tokens))
        .route("/admin/tokens/refresh", post(admin::refresh))
        .route("/admin/tokens/validate", get(validation::validate))
        .route("/admin/tokens/status", get(validation::status))
        .route("/admin/tokens/{user_id}", delete(admin::forget))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .with_state(settings)
}

/// Refuses every method except `GET`. A `GET` of these routes has an effect that a link checker's `HEAD` must not
/// have.
async fn get_only() -> impl IntoResponse {
    ([(ALLOW, HeaderValue::from_static("GET"))], Problem::method_not_allowed())
}

async fn whole(response: Response) -> http::Response<Bytes> {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The bodies of the routes are in memory, so reading them cannot fail.
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    if bytes.is_empty() {
        // The answer to a `HEAD` names the length of a body that it does not have. `wasi:http` would count the bytes
        // and fail.
        parts.headers.remove(CONTENT_LENGTH);
    }
    http::Response::from_parts(parts, bytes)
}
