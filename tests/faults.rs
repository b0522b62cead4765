//! Tries each of Kroger's error bodies and each fault of the sandbox on each route
//! that calls Kroger. Each has the right status and code.
//!
//! Run with `--nocapture` to see the table.

use serde_json::{Value, json};

use crate::support::{Answer, Kroger, Sandbox, Server, UPC, folder};

/// The status and the code of an answer.
type Told = (u16, &'static str);

const OK: Told = (200, "");
const UNAVAILABLE: Told = (503, "upstream_unavailable");
const UNKNOWN: Told = (504, "outcome_unknown");
const REFUSED: Told = (422, "upstream_rejected");
const NONSENSE: Told = (502, "upstream_rejected");
const CREDENTIALS: Told = (503, "client_credentials_rejected");
const REAUTHORIZE: Told = (401, "reauthorize");
const REJECTED: Told = (401, "token_rejected");
const SCOPE: Told = (403, "scope_missing");
const QUOTA: Told = (429, "quota_exhausted");
const CODE_REFUSED: Told = (400, "invalid_argument");
const NOT_FOUND: Told = (404, "not_found");

/// A route of this server that calls Kroger.
struct Route {
    name: &'static str,
    /// The path at Kroger whose answers are disturbed.
    disturbed: &'static str,
    call: fn(&Server, &str) -> Answer,
}

const TOKEN: &str = "/v1/connect/oauth2/token";
const CART: &str = "/v1/cart/add";

/// All routes that call Kroger. A new one belongs here.
const ROUTES: [Route; 9] = [
    Route {
        name: "callback",
        disturbed: TOKEN,
        call: |server, user| server.sign_in_as(&format!("{user}-again"), "bob"),
    },
    Route {
        name: "refresh",
        disturbed: TOKEN,
        call: |server, user| server.call("POST", &format!("/admin/tokens/refresh?user_id={user}"), None),
    },
    Route {
        name: "cart/add",
        disturbed: CART,
        call: |server, user| {
            let items = json!({ "items": [{ "upc": UPC }] });
            server.call("PUT", &format!("/cart/add?user_id={user}"), Some(&items))
        },
    },
    Route {
        name: "cart/add/simple",
        disturbed: CART,
        call: |server, user| {
            server.call("PUT", &format!("/cart/add/simple?user_id={user}"), Some(&json!({ "upc": UPC })))
        },
    },
    Route {
        name: "products/search",
        disturbed: "/v1/products",
        call: |server, user| server.call("GET", &format!("/products/search?term=milk&user_id={user}"), None),
    },
    Route {
        name: "products/{id}",
        disturbed: "/v1/products/0001111041700",
        call: |server, user| server.call("GET", &format!("/products/{UPC}?user_id={user}"), None),
    },
    Route {
        name: "locations/search",
        disturbed: "/v1/locations",
        call: |server, user| server.call("GET", &format!("/locations/search?zipCode=45039&user_id={user}"), None),
    },
    Route {
        name: "locations/{id}",
        disturbed: "/v1/locations/01400376",
        call: |server, user| server.call("GET", &format!("/locations/01400376?user_id={user}"), None),
    },
    Route {
        name: "identity/profile",
        disturbed: "/v1/identity/profile",
        call: |server, user| server.call("GET", &format!("/identity/profile?user_id={user}"), None),
    },
];

/// A disturbance, and the answer that each kind of route must give: sign-in,
/// refresh, cart and reading.
struct Case {
    name: &'static str,
    action: Value,
    callback: Told,
    refresh: Told,
    cart: Told,
    reading: Told,
}

fn case(name: &'static str, action: Value, [callback, refresh, cart, reading]: [Told; 4]) -> Case {
    Case { name, action, callback, refresh, cart, reading }
}

fn status(status: u16, body: &Value) -> Value {
    json!({ "status": status, "body": body })
}

fn cases() -> Vec<Case> {
    let nested = json!({ "errors": { "timestamp": 1, "code": "CART-2205", "reason": "Cannot parse parameters" } });
    let bare = json!({ "timestamp": 1, "code": "API-4101-400", "reason": "Cannot parse parameters" });
    let flat = json!({ "error": "invalid_token", "error_description": "The access token is invalid or has expired" });
    let oauth = |error: &str, description: &str| json!({ "error": error, "error_description": description });
    let scopes = json!({ "errors": { "code": "Forbidden", "reason": "missing required scopes" } });
    let spent = oauth("invalid_request", "invalid refresh_token");
    let nothing = |status: u16| json!({ "status": status });
    vec![
        case("400, nested", status(400, &nested.clone()), [UNAVAILABLE, UNAVAILABLE, REFUSED, REFUSED]),
        case("400, bare", status(400, &bare), [UNAVAILABLE, UNAVAILABLE, REFUSED, REFUSED]),
        case("401, flat", status(401, &flat.clone()), [REFUSED, UNAVAILABLE, REJECTED, REJECTED]),
        case("401, nested", status(401, &json!({ "errors": flat })), [UNAVAILABLE, UNAVAILABLE, REJECTED, REJECTED]),
        case("404, empty", nothing(404), [UNAVAILABLE, UNAVAILABLE, REFUSED, NOT_FOUND]),
        case("403, missing scopes", status(403, &scopes), [UNAVAILABLE, UNAVAILABLE, SCOPE, SCOPE]),
        case(
            "400, invalid code",
            status(400, &oauth("invalid_request", "invalid code")),
            [CODE_REFUSED, REAUTHORIZE, REFUSED, REFUSED],
        ),
        case("400, spent refresh token", status(400, &spent), [CODE_REFUSED, REAUTHORIZE, REFUSED, REFUSED]),
        case(
            "400, invalid_grant",
            status(400, &oauth("invalid_grant", "")),
            [CODE_REFUSED, REAUTHORIZE, REFUSED, REFUSED],
        ),
        case(
            "400, credentials",
            status(400, &oauth("unauthorized", "invalid credentials")),
            [CREDENTIALS, CREDENTIALS, REFUSED, REFUSED],
        ),
        case(
            "401, credentials",
            status(401, &oauth("invalid_client", "")),
            [CREDENTIALS, CREDENTIALS, REJECTED, REJECTED],
        ),
        case(
            "400, scope",
            status(400, &oauth("invalid_scope", "invalid scope")),
            [REFUSED, UNAVAILABLE, REFUSED, REFUSED],
        ),
        case("403, a proxy's page", status(403, &json!("<html>")), [UNAVAILABLE, UNAVAILABLE, NONSENSE, NONSENSE]),
        case(
            "302",
            json!({ "status": 302, "headers": { "Location": "/" } }),
            [UNAVAILABLE, UNAVAILABLE, NONSENSE, NONSENSE],
        ),
        case("408", nothing(408), [UNAVAILABLE, UNAVAILABLE, UNKNOWN, UNAVAILABLE]),
        case("429", nothing(429), [UNAVAILABLE, UNAVAILABLE, QUOTA, QUOTA]),
        case("500, Auth-4xxx", status(500, &nested), [UNAVAILABLE, UNAVAILABLE, UNKNOWN, UNAVAILABLE]),
        case("502", nothing(502), [UNAVAILABLE, UNAVAILABLE, UNKNOWN, UNAVAILABLE]),
        case("503", nothing(503), [UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, UNAVAILABLE]),
        case("504", nothing(504), [UNAVAILABLE, UNAVAILABLE, UNKNOWN, UNAVAILABLE]),
        case("status_after 500", json!({ "status_after": 500 }), [UNAVAILABLE, UNAVAILABLE, UNKNOWN, UNAVAILABLE]),
        case("drop_before", json!("drop_before"), [UNAVAILABLE, UNAVAILABLE, UNKNOWN, UNAVAILABLE]),
        case("drop_after", json!("drop_after"), [UNAVAILABLE, UNAVAILABLE, UNKNOWN, UNAVAILABLE]),
        case("truncate", json!("truncate"), [UNAVAILABLE, UNAVAILABLE, UNKNOWN, UNAVAILABLE]),
        case("garbage", json!("garbage"), [UNAVAILABLE, UNAVAILABLE, UNKNOWN, NONSENSE]),
        case("delay of 50 ms", json!({ "delay_ms": 50 }), [OK, OK, OK, OK]),
    ]
}

impl Case {
    fn expected(&self, route: &Route) -> Told {
        match (route.name, route.disturbed) {
            ("callback", _) => self.callback,
            (_, TOKEN) => self.refresh,
            (_, CART) => self.cart,
            _ => self.reading,
        }
    }
}

/// Runs one case. Each case has its own user, so that no case affects another.
fn told(server: &Server, sandbox: &Sandbox, case: &Case, route: &Route) -> (u16, String) {
    let user: String = [route.name, case.name].concat().chars().filter(char::is_ascii_alphanumeric).collect();
    server.sign_in_as(&user, "alice").expect(200);
    sandbox.faults(&json!([{ "match": { "path": route.disturbed }, "action": case.action }]));
    let answer = (route.call)(server, &user);
    sandbox.clear_faults();
    let code = if answer.status == 200 { String::new() } else { answer.code() };
    (answer.status, code)
}

#[test]
fn each_error_body_and_each_fault_on_each_route_has_its_status_and_code() {
    let (sandbox, folder, cases) = (Sandbox::start(), folder(), cases());
    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .at(&sandbox)
        .env("KROGER_MAX_REFRESH_RETRIES", "1")
        .serve();
    let mut wrong = Vec::new();
    print!("| Kroger answers |");
    for route in &ROUTES {
        print!(" {} |", route.name);
    }
    println!("\n|---|{}", "---|".repeat(ROUTES.len()));
    for case in &cases {
        print!("| {} |", case.name);
        for route in &ROUTES {
            let (status, code) = told(&server, &sandbox, case, route);
            let expected = case.expected(route);
            print!(" {status} {code} |");
            if (status, code.as_str()) != expected {
                wrong.push(format!("{} on {}: {status} {code}, not {expected:?}", case.name, route.name));
            }
        }
        println!();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
