//! Serves the catalog: products, locations, chains, departments.
//!
//! Checks the token of each call, then lets `api::catalog` answer.

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::Value;

use crate::{
    answers::json_answer,
    api::catalog::{
        location_queries::{all_chains, all_departments, locations_page, one_chain, one_department, one_location},
        product_queries::{one_product, products_page},
        refusal::CatalogRefusal,
    },
    clock::now,
    guards::bearer,
    parameters::Parameters,
    sandbox::Sandbox,
};

const PRODUCT_SCOPE: &str = "product.compact";

pub(crate) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/v1/products", get(search_products))
        .route("/v1/products/{id}", get(product))
        .route("/v1/locations", get(search_locations))
        .route("/v1/locations/{id}", get(location).head(has_location))
        .route("/v1/chains", get(chains))
        .route("/v1/chains/{name}", get(chain).head(has_chain))
        .route("/v1/departments", get(departments))
        .route("/v1/departments/{id}", get(department).head(has_department))
}

/// Checks the token, then lets `find` answer.
fn answer(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    scope: Option<&str>,
    find: impl FnOnce() -> Result<Value, CatalogRefusal>,
) -> Response {
    let admitted = sandbox.lock().authorization_server.admit(now(), bearer(headers), scope);
    if let Err(refusal) = admitted {
        return refusal.into_response();
    }
    match find() {
        Ok(body) => json_answer(StatusCode::OK, &body),
        Err(refusal) => refusal.into_response(),
    }
}

/// Answers a `HEAD`: 204 if `find` finds something.
fn exists(sandbox: &Sandbox, headers: &HeaderMap, find: impl FnOnce() -> Result<Value, CatalogRefusal>) -> Response {
    let mut response = answer(sandbox, headers, None, find);
    if response.status() == StatusCode::OK {
        response = StatusCode::NO_CONTENT.into_response();
    }
    response
}

async fn search_products(State(sandbox): State<Sandbox>, query: RawQuery, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, Some(PRODUCT_SCOPE), || products_page(&Parameters::of_query(&query)))
}

async fn product(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&sandbox, &headers, Some(PRODUCT_SCOPE), || one_product(&id, &Parameters::of_query(&query)))
}

async fn search_locations(State(sandbox): State<Sandbox>, query: RawQuery, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, None, || locations_page(&Parameters::of_query(&query)))
}

async fn location(State(sandbox): State<Sandbox>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, None, || one_location(&id))
}

async fn has_location(State(sandbox): State<Sandbox>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    exists(&sandbox, &headers, || one_location(&id))
}

async fn chains(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, None, || Ok(all_chains()))
}

async fn chain(State(sandbox): State<Sandbox>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, None, || one_chain(&name))
}

async fn has_chain(State(sandbox): State<Sandbox>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    exists(&sandbox, &headers, || one_chain(&name))
}

async fn departments(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, None, || Ok(all_departments()))
}

async fn department(State(sandbox): State<Sandbox>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, None, || one_department(&id))
}

async fn has_department(State(sandbox): State<Sandbox>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    exists(&sandbox, &headers, || one_department(&id))
}
