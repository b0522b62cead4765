//! The examples of the document: answers that the routes really give, in a world of their own.

use super::super::*;
use super::faults::Fault;

/// Two users, one signed in just now, and a periodic refresh.
fn running() -> Server {
    let server = signed_in();
    server.world.answer_with_tokens("access", "unused");
    maintenance::tidy(server.context()).unwrap();
    server
}

fn good(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// The answer of `GET path`.
pub(super) fn get(path: &str) -> Value {
    good(&running().get(path))
}

pub(super) fn sign_in() -> Value {
    good(&server().sign_in("/auth/authorize"))
}

pub(super) fn refresh() -> Value {
    let server = running();
    server.world.advance(Duration::from_secs(60));
    server.world.answer_with_tokens("access", "refresh");
    good(&server.call_with("POST", "/admin/tokens/refresh", &[], ""))
}

pub(super) fn forget() -> Value {
    good(&running().call_with("DELETE", "/admin/tokens/user_default", &[], ""))
}

/// The answer of `PUT path` with `body` if Kroger accepts it.
pub(super) fn put(path: &str, body: &Value) -> Value {
    let server = running();
    server.world.answer(204, "");
    good(&server.put(path, body))
}

/// The answer of `GET path` if Kroger has what it names.
pub(super) fn catalog(path: &str) -> Value {
    let server = running();
    let store = json!({
        "locationId": "01400376", "chain": "KROGER", "name": "Kroger Landen", "phone": "5551234567",
        "address": { "addressLine1": "2900 W. St. Rt. 22 & 3", "city": "Maineville", "state": "OH", "zipCode": "45039" },
        "geolocation": { "latitude": 39.311_088_1, "longitude": -84.275_116_7 },
        "hours": { "timezone": "America/New_York", "monday": { "open": "06:00", "close": "23:00", "open24": false } },
        "departments": [{ "departmentId": "09", "name": "Pharmacy" }],
    });
    let milk = json!({
        "productId": UPC, "upc": UPC, "brand": "Kroger", "description": "Kroger 2% Reduced Fat Milk", "categories": ["Dairy"],
        "aisleLocations": [{ "description": "Aisle 35", "number": "35" }],
        "items": [{
            "itemId": UPC, "size": "1 gal", "soldBy": "UNIT", "price": { "regular": 1.99, "promo": 1.59 },
            "inventory": { "stockLevel": "HIGH" },
            "fulfillment": { "curbside": true, "delivery": true, "inStore": true, "shipToHome": false },
        }],
    });
    let data = match path.split('?').next().unwrap_or_default() {
        "/products/search" => json!([milk]),
        "/locations/search" => json!([store]),
        "/locations/01400376" => store,
        "/identity/profile" => json!({ "id": "53990804-cfd1-43f3-8256-bdc9817a4fd0" }),
        _ => milk,
    };
    let meta = json!({ "pagination": { "start": 0, "limit": 10, "total": 1 } });
    server.world.answer(200, json!({ "data": data, "meta": meta }).to_string());
    good(&server.get(path))
}

fn unknown_product() -> Answer {
    let server = running();
    server.world.answer(404, "");
    server.get("/products/0009999999999")
}

fn add(server: &Server) -> Answer {
    server.put("/cart/add/simple", &json!({ "upc": UPC, "quantity": 2 }))
}

/// An add of a signed-in user that gets this answer from Kroger.
fn add_answered(status: u16, body: &str) -> Answer {
    let server = running();
    for _ in 0..3 {
        server.world.answer(status, body);
    }
    add(&server)
}

fn rejected_twice() -> Answer {
    let server = running();
    server.world.answer(401, "");
    server.world.answer_with_tokens("access", "refresh");
    server.world.answer(401, "");
    add(&server)
}

fn refused_refresh() -> Answer {
    let server = running();
    server.world.advance(Duration::from_secs(1_800));
    server.world.answer(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#);
    add(&server)
}

fn failed_refresh() -> Answer {
    let server = running();
    server.world.advance(Duration::from_secs(1_800));
    add(&server)
}

fn without_store() -> Answer {
    let server = running();
    server.world.set_store_mood(StoreMood::Failing);
    add(&server)
}

fn without_refresh_token() -> Answer {
    let server = server();
    let state = server.state("/auth/authorize");
    server.world.answer(200, r#"{"access_token":"a","expires_in":1800,"token_type":"bearer"}"#);
    server.get(&format!("/auth/callback?code=c&state={state}"));
    server.call_with("POST", "/admin/tokens/refresh", &[], "")
}

fn refreshed_twice() -> Answer {
    let server = running();
    server.world.answer_with_tokens("access-2", "refresh-2");
    server.call_with("POST", "/admin/tokens/refresh", &[], "");
    server.call_with("POST", "/admin/tokens/refresh", &[], "")
}

fn with_wrong_settings() -> Answer {
    let variables = [("KROGER_TOKEN_CHECK_INTERVAL".to_owned(), "often".to_owned())];
    let settings = Settings::from_variables(variables).map(Arc::new);
    Server { service: Service::new(settings), ..server() }.get("/config")
}

/// The problem document of `fault`.
pub(super) fn problem(fault: &Fault) -> Value {
    if let Some(problem) = of_the_host(fault) {
        return problem;
    }
    let answer = of_the_component(fault.example);
    assert_eq!((answer.status, answer.problem().1.as_str()), (fault.status, fault.code), "{}", answer.text);
    assert_eq!(answer.json()["retryable"], fault.is_retryable, "{}", answer.text);
    answer.json()
}

fn of_the_component(example: &str) -> Answer {
    match example {
        "reauthorize" => refused_refresh(),
        "token_rejected" => rejected_twice(),
        "upstream_unavailable" => failed_refresh(),
        "upstream_rejected" => {
            add_answered(400, r#"{"errors":{"code":"CART-2205","reason":"Cannot parse parameters"}}"#)
        }
        "upstream_nonsense" => add_answered(418, "<html>"),
        "client_credentials_rejected" => server_with(&[]).get("/auth/authorize"),
        "outcome_unknown" => add_answered(500, ""),
        "quota_exhausted" => add_answered(429, ""),
        "rate_limited" => refreshed_twice(),
        "scope_missing" => add_answered(403, r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#),
        "invalid_argument" => running().put("/cart/add/simple", &json!({ "upc": UPC, "quantity": 0 })),
        "idempotency_conflict" => with_other_items(),
        "idempotency_in_flight" => while_the_first_call_runs(),
        "sign_in_refused" => running().get("/auth/callback?code=c&state=s"),
        "sign_in_unanswered" => unanswered_sign_in(),
        "no_refresh_token" => without_refresh_token(),
        "store_unavailable" => without_store(),
        "not_found" => running().call_with("POST", "/admin/tokens/refresh?user_id=nobody", &[], ""),
        "no_such_product" => unknown_product(),
        "too_large" => running().call_with("PUT", "/cart/add", &[], &" ".repeat(crate::edge::LARGEST_REQUEST + 1)),
        "forbidden_origin" => running().call_with("GET", "/config", &[("origin", "https://evil.example")], ""),
        "misconfigured" => with_wrong_settings(),
        other => panic!("no example {other}"),
    }
}

fn unanswered_sign_in() -> Answer {
    let server = server();
    let state = server.state("/auth/authorize");
    server.get(&format!("/auth/callback?code=c&state={state}"))
}

fn add_with_key(server: &Server, upc: &str) -> Answer {
    server.call_with("PUT", "/cart/add/simple", &[("idempotency-key", "k")], &json!({ "upc": upc }).to_string())
}

fn with_other_items() -> Answer {
    let server = running();
    server.world.answer(204, "");
    add_with_key(&server, UPC);
    add_with_key(&server, "0001111041195")
}

fn while_the_first_call_runs() -> Answer {
    let server = running();
    let (settings, world) = (Arc::clone(&server.settings), Arc::clone(&server.world));
    let told = Arc::new(std::sync::Mutex::new(None));
    let second = Arc::clone(&told);
    server.world.answer_while(204, "", move || {
        let service = Service::new(Ok(Arc::clone(&settings)));
        *second.lock().unwrap() = Some(add_with_key(&Server { world, service, settings }, UPC));
    });
    add_with_key(&server, UPC);
    told.lock().unwrap().take().unwrap()
}

/// The problems of the host, which the component never sees. The host's tests compare their members.
fn of_the_host(fault: &Fault) -> Option<Value> {
    let (title, detail, action) = match fault.example {
        "broken_request" => {
            ("Bad Request", "The request's body ended early.", "Send the call again with its whole body.")
        }
        "slow_request" => (
            "Request Timeout",
            "The request's body did not arrive within 10 seconds.",
            "Send the call again with its whole body.",
        ),
        "internal" => (
            "Internal Server Error",
            "The server failed while it worked on this call. A cart add may have been sent: look in the cart before \
             you send it again.",
            "Look in the cart before you send an add again; the log says more.",
        ),
        "timed_out" => (
            "Gateway Timeout",
            "The call took too long and was given up. A cart add may have been sent: look in the cart before you send \
             it again.",
            "Look in the cart before you send an add again; the log says more.",
        ),
        "over_share" => (
            "Too Many Requests",
            "Too many of your own calls are under way. Nothing was done; try again when some have ended.",
            "Make fewer calls at a time, and send this one again after `Retry-After`.",
        ),
        "busy" => (
            "Service Unavailable",
            "Too many calls are under way. Nothing was done; try again in a moment.",
            "Send the call again after `Retry-After`.",
        ),
        _ => return None,
    };
    let mut problem = json!({
        "type": format!("urn:kroger-mcp:{}", fault.code), "title": title, "status": fault.status, "detail": detail,
        "code": fault.code, "retryable": fault.is_retryable, "action": action,
    });
    if fault.is_retryable {
        problem["retry_after"] = 1.into();
    }
    Some(problem)
}
