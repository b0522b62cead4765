//! Refuses calls beyond the daily limits.
//!
//! Never counts or decides: `quotas` does.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    answers::{json_answer, nested_error},
    clock::{now, seconds_until},
    quotas::Endpoint,
    sandbox::Sandbox,
};

pub(crate) async fn limit(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let refused = Endpoint::of(request.uri().path()).and_then(|endpoint| {
        let mut state = sandbox.lock();
        let (limit, length) = (state.call_settings.daily_limits[&endpoint], state.call_settings.quota_window());
        state.quota_usage.count(now(), endpoint, limit, length).err()
    });
    match refused {
        Some(ends_at) => {
            let retry_after = [(header::RETRY_AFTER, seconds_until(now(), ends_at).to_string())];
            let error = nested_error("RateLimit-429", "Daily call limit exceeded");
            (retry_after, json_answer(StatusCode::TOO_MANY_REQUESTS, &error)).into_response()
        }
        None => next.run(request).await,
    }
}
