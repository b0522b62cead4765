//! Every operation of the API, in the words that an agent reads when it chooses its tools. To add a route, declare it
//! here; then `just openapi` writes the file.

use serde_json::{Value, json};

use super::super::super::{admin, cart, catalog, problem, rate_limits, sign_in, status, validation};
use super::super::UPC;
use super::document::{Operation, document, operation};
use super::examples;
use super::faults::{
    EVERYWHERE, IDEMPOTENCY_CONFLICT, IDEMPOTENCY_IN_FLIGHT, INVALID_ARGUMENT, NO_REFRESH_TOKEN, NO_SUCH_THING,
    OUTCOME_UNKNOWN, RATE_LIMITED, SCOPE_MISSING, SIGN_IN_REFUSED, STORE_UNAVAILABLE, UNKNOWN_USER, WITH_A_BODY,
    WITH_A_CALL, WITH_A_TOKEN,
};
use super::patterns;

const DESCRIPTION: &str = "Keeps Kroger customers signed in and adds to their carts.\n\n\
    Call `search_products` to find products, and `find_stores` to find stores. Prices and stock are those of a store. \
    Call `add_item_to_cart` or `add_to_cart` to add to the cart. The server finds and refreshes access tokens; no caller \
    handles one. If a call answers 401 with `authorization_url`, give that link to the user. When the user has agreed \
    there, repeat the call.\n\n\
    **Errors** are problem documents (RFC 9457). `code` says what happened, and `action` says what to do. If `retryable` \
    is true, the same call may be sent again after `retry_after` seconds. After `outcome_unknown` never send a cart add \
    again: adding is additive, and Kroger may have done the first one.\n\n\
    **Users.** A call is for one user: the parameter `user_id` or the header `X-Kroger-User` names the user, else it is \
    the server's default user. Most servers have one user and need neither.\n\n\
    **Who may call.** There is no API key. The server answers programs that reach it by a name that it knows (`Host`: a loopback \
    name, or one that the operator configured), and web pages of the origins that the operator allows (`Origin`).\n\n\
    **Methods.** Every route with `GET` also answers `HEAD`, except `/auth/authorize` and `/auth/callback`, where `GET` has \
    an effect. `OPTIONS` answers 204 with `Allow`; a web page also gets the headers of CORS. Any other method answers \
    405 (`method_not_allowed`) with `Allow`, and any other path 404 (`not_found`). The server ignores unknown query \
    parameters, and refuses unknown fields of a body.";

/// Generates the document of this build.
pub(super) fn generated() -> Value {
    let info = json!({
        "title": "kroger-mcp", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION,
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    let tags = json!([
        { "name": "cart", "description": "Adds to the cart of a signed-in user." },
        { "name": "catalog", "description": "Kroger's products and stores, in Kroger's own form." },
        { "name": "sign-in", "description": "Sign-in of a user at Kroger." },
        { "name": "tokens", "description": "The state of the tokens, and repairs. No answer shows a token." },
        { "name": "server", "description": "The state of the server." },
    ]);
    document(&info, &tags, operations(), &inputs())
}

fn operations() -> Vec<Operation> {
    let mut all = cart_operations();
    all.extend(product_operations());
    all.extend(location_operations());
    all.push(profile_operation());
    all.extend(sign_in_operations());
    all.extend(token_operations());
    all.extend(validation_operations());
    all.extend(server_operations());
    all.into_iter().map(|operation| operation.fails(&EVERYWHERE)).collect()
}

fn cart_operations() -> Vec<Operation> {
    let one = json!({ "upc": UPC, "quantity": 2 });
    let many = json!({ "items": [{ "upc": UPC, "quantity": 2 }, { "upc": "0001111041195", "modality": "DELIVERY" }] });
    let quantity_in_query = json!({ "type": "integer", "minimum": 1, "maximum": 999, "default": 1 });
    let modality_in_query = json!({ "type": "string", "enum": ["PICKUP", "DELIVERY"] });
    vec![
        to_cart(operation("PUT", "/cart/add/simple", "add_item_to_cart", "cart"))
            .says(
                "Add one item to the user's cart",
                "Adds `quantity` of the product `upc` to the cart. Adding is additive: the same call twice adds twice, \
                 unless both carry the same `Idempotency-Key`. A cart can be neither read nor emptied from here. Give \
                 the item either as the body or, without a body, as the query parameters `upc`, `quantity` and \
                 `modality`. A call with both or neither is refused.",
            )
            .body("The item. Without a body the item is in the query.", &schema("Item"), &[("two", one.clone()), ("delivered", delivered())])
            .with_optional_body()
            .parameter("query", "upc", IN_QUERY, upc_schema())
            .parameter("query", "quantity", "The number to add. Only without a body.", quantity_in_query)
            .parameter("query", "modality", "The way in which the user gets the item. Only without a body.", modality_in_query)
            .answers::<cart::AddedOne<'_>>("Kroger accepted the item.", examples::put("/cart/add/simple", &one)),
        to_cart(operation("PUT", "/cart/add", "add_to_cart", "cart"))
            .says(
                "Add several items to the user's cart",
                "Adds up to 100 items in one request to Kroger, which adds all of them or none. Adding is additive: the \
                 same call twice adds twice, unless both carry the same `Idempotency-Key`. A cart can be neither read nor \
                 emptied from here.",
            )
            .body("The items.", &schema("Items"), &[("two", many.clone())])
            .answers::<cart::AddedAll>("Kroger accepted the items.", examples::put("/cart/add", &many)),
    ]
}

fn product_operations() -> Vec<Operation> {
    vec![
        from_catalog(operation("GET", "/products/search", "search_products", "catalog"))
            .says(
                "Find products by words, with prices at a store",
                "Finds what Kroger sells for `term`, the most relevant first. Prices, stock and aisles are those of `locationId`, \
                 else of the user's preferred store, else of the configured one. Without a store there are none. Answers \
                 are up to a minute old.",
            )
            .parameter("query", "term", "The words to search for: 3 characters or more. Kroger reads the first 8 words.", text(3, 200))
            .required()
            .parameter("query", "locationId", "The store, by its id from `find_stores`.", location_id())
            .parameter("query", "brand", "Only this brand, in Kroger's spelling. Separate several by `|`.", text(1, 200))
            .parameter("query", "fulfillment", FULFILLMENT, json!({ "type": "string", "pattern": "^(ais|csp|dth|sth)(,(ais|csp|dth|sth))*$" }))
            .parameter("query", "limit", "The most products to answer.", number(1, 50, 10))
            .parameter("query", "start", "The number of products to skip.", number(0, 250, 0))
            .answers::<catalog::Products>("The products.", examples::catalog("/products/search?term=2%25+milk&locationId=01400376")),
        from_catalog(operation("GET", "/products/{id}", "get_product", "catalog"))
            .says(
                "Show one product, with its price at a store",
                "Shows the product with the UPC `id`, at `locationId`, else at the user's preferred store, else at the configured \
                 one. Answers are up to a minute old.",
            )
            .parameter("path", "id", "The UPC: 13 digits, without the barcode's check digit. Barcodes are read too.", schema_of_upc())
            .parameter("query", "locationId", "The store, by its id from `find_stores`.", location_id())
            .answers::<catalog::OneProduct>("The product.", examples::catalog("/products/0001111041700?locationId=01400376"))
            .fails(&[NO_SUCH_THING]),
    ]
}

fn location_operations() -> Vec<Operation> {
    vec![
        from_catalog(operation("GET", "/locations/search", "find_stores", "catalog"))
            .says(
                "Find stores near a zip code or a place",
                "Finds stores of Kroger and its chains, the nearest first, near `zipCode`, or `lat` and `lon`, else the configured \
                 zip code. Answers are up to an hour old.",
            )
            .parameter("query", "zipCode", "5 digits.", json!({ "type": "string", "pattern": "^[0-9]{5}$", "examples": ["45202"] }))
            .parameter("query", "lat", "Degrees north. Requires `lon`.", json!({ "type": "number", "minimum": -90, "maximum": 90 }))
            .parameter("query", "lon", "Degrees east: negative in America. Requires `lat`.", json!({ "type": "number", "minimum": -180, "maximum": 180 }))
            .parameter("query", "radiusInMiles", "The largest distance. Absent: the configured one.", json!({ "type": "integer", "minimum": 1, "maximum": 100 }))
            .parameter("query", "chain", "Only this chain, such as `RALPHS`.", text(1, 64))
            .parameter("query", "department", DEPARTMENT, json!({ "type": "string", "pattern": "^[0-9]{2}(,[0-9]{2})*$" }))
            .parameter("query", "limit", "The most stores to answer.", number(1, 200, 10))
            .answers::<catalog::Locations>("The stores.", examples::catalog("/locations/search?zipCode=45039")),
        from_catalog(operation("GET", "/locations/{id}", "get_store", "catalog"))
            .says(
                "Show one store: address, hours, departments",
                "Shows the store with the id `id`, from `find_stores`. Answers are up to an hour old.",
            )
            .parameter("path", "id", "The store's id: 8 letters or digits.", location_id())
            .answers::<catalog::OneLocation>("The store.", examples::catalog("/locations/01400376"))
            .fails(&[NO_SUCH_THING]),
    ]
}

fn profile_operation() -> Operation {
    from_catalog(operation("GET", "/identity/profile", "get_profile", "catalog"))
        .says(
            "Show the user's profile id at Kroger",
            "Shows the id, which is all that Kroger gives about a customer. Nothing may be stored under that id.",
        )
        .answers::<catalog::Profile>("The profile.", examples::catalog("/identity/profile"))
        .fails(&[NO_SUCH_THING])
}

/// Text of `least` to `most` characters, all of them visible or single spaces.
fn text(least: u32, most: u32) -> Value {
    json!({ "type": "string", "minLength": least, "maxLength": most, "pattern": patterns::plain() })
}

fn number(least: u32, most: u32, default: u32) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "default": default })
}

fn location_id() -> Value {
    json!({ "type": "string", "pattern": "^[0-9A-Za-z]{8}$", "examples": ["01400376"] })
}

const FULFILLMENT: &str = "Only products that are offered so: `ais` in store, `csp` pickup, `dth` delivery, `sth` shipping. Separate \
    several by commas.";
const DEPARTMENT: &str =
    "Only stores that have this department, such as `09`, the pharmacy. Separate several by commas.";

fn from_catalog(operation: Operation) -> Operation {
    for_user(operation).fails(&WITH_A_TOKEN).fails(&WITH_A_CALL).fails(&[INVALID_ARGUMENT, SCOPE_MISSING])
}

const IN_QUERY: &str = "The item's UPC. Only without a body, and then required.";

fn schema_of_upc() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{13}$", "not": { "const": "0000000000000" }, "examples": [UPC] })
}

fn delivered() -> Value {
    json!({ "upc": "0001111041195", "quantity": 1, "modality": "DELIVERY" })
}

fn to_cart(operation: Operation) -> Operation {
    let operation = for_user(operation).parameter(
        "header",
        "Idempotency-Key",
        "Names this add, such as a UUID. A repeat with the same key and items within 24 hours adds nothing. It answers \
         what the first call did, with the header `Idempotent-Replayed: true`.",
        json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]([ -~]*[!-~])?$" }),
    );
    operation.fails(&WITH_A_BODY).fails(&WITH_A_TOKEN).fails(&WITH_A_CALL).fails(&[
        SCOPE_MISSING,
        OUTCOME_UNKNOWN,
        IDEMPOTENCY_CONFLICT,
        IDEMPOTENCY_IN_FLIGHT,
    ])
}

fn sign_in_operations() -> Vec<Operation> {
    vec![
        for_user(operation("GET", "/auth/authorize", "start_sign_in", "sign-in"))
            .says(
                "Get a link with which the user signs in at Kroger",
                "Give `authorization_url` to the user to open in a browser. When the user has agreed there, Kroger \
                 redirects to this server, which saves the tokens. Nothing else needs to be done. The link works once, for \
                 10 minutes. A browser (`Accept: text/html`) is redirected to Kroger at once.",
            )
            .parameter("query", "scope", SCOPE, json!({ "type": "string", "maxLength": 512, "pattern": SCOPE_PATTERN }))
            .answers::<sign_in::Authorize>("The link.", examples::get("/auth/authorize"))
            .redirects(303, "A browser is redirected to Kroger's page.", "Location")
            .leads_to(200, "complete_sign_in", "Kroger redirects with this state.", from_body("state", "state"))
            .fails(&[INVALID_ARGUMENT, STORE_UNAVAILABLE, super::faults::CLIENT_CREDENTIALS_REJECTED]),
        operation("GET", "/auth/callback", "complete_sign_in", "sign-in")
            .says(
                "Take Kroger's redirect at the end of a sign-in",
                "Exchanges `code` for tokens and saves them. The user's browser calls it, not an agent.",
            )
            .parameter("query", "code", "The code that Kroger exchanges for tokens, once.", json!({ "type": "string" }))
            .parameter("query", "state", "The state of the sign-in that this call completes.", json!({ "type": "string" }))
            .required()
            .parameter("query", "error", "The reason why there is no code, such as `access_denied`.", json!({ "type": "string" }))
            .answers::<sign_in::Callback>("The user is signed in and the tokens are saved.", examples::sign_in())
            .responds(200, "", "text/html", json!({ "schema": { "type": "string" } }))
            .leads_to(200, "refresh_token", "Refresh the user's new token.", from_body("user_id", "user_id"))
            .leads_to(200, "forget_user", "Sign the user out again.", from_body("user_id", "user_id"))
            .fails(&[SIGN_IN_REFUSED, super::faults::REAUTHORIZE, super::faults::SIGN_IN_UNANSWERED])
            .fails(&[super::faults::UPSTREAM_REJECTED, super::faults::UPSTREAM_NONSENSE])
            .fails(&[STORE_UNAVAILABLE, super::faults::CLIENT_CREDENTIALS_REJECTED]),
    ]
}

fn token_operations() -> Vec<Operation> {
    vec![
        operation("GET", "/admin/tokens", "list_tokens", "tokens")
            .says(
                "Show the state of each user's tokens",
                "Shows each token's status (`valid`, `expiring_soon`, `expired`, `reauthorize`), its times and its source, \
                 one page of users at a time.",
            )
            .paged()
            .answers::<admin::TokensPage<'_>>("The state of the tokens.", examples::get("/admin/tokens"))
            .leads_to(200, "start_sign_in", "If the status of a token is `reauthorize`.", json!({}))
            .leads_to(200, "refresh_token", "To refresh a token before it is due.", json!({}))
            .fails(&[INVALID_ARGUMENT, STORE_UNAVAILABLE]),
        for_user(operation("POST", "/admin/tokens/refresh", "refresh_token", "tokens"))
            .says(
                "Refresh the user's token now",
                "The server refreshes tokens by itself; this route is for tests and repairs. Calls at the same time share \
                 one refresh. There is a least pause of a minute between two refreshes. There is no body.",
            )
            .answers::<admin::Refreshed<'_>>("The new token is stored.", examples::refresh())
            .leads_to(200, "forget_user", "Sign the user out.", from_body("user_id", "user_id"))
            .fails(&[INVALID_ARGUMENT, NO_REFRESH_TOKEN, UNKNOWN_USER, RATE_LIMITED])
            .fails(&WITH_A_TOKEN),
        operation("DELETE", "/admin/tokens/{user_id}", "forget_user", "tokens")
            .says(
                "Sign a user out",
                "Forgets the user's tokens and ends any sign-in under way. The user must sign in again. A user who is not \
                 signed in is no error. If the id equals the last word of another route, percent-encode one of its \
                 characters: `/admin/tokens/stat%75s`.",
            )
            .parameter("path", "user_id", "The user.", user_schema(1))
            .answers::<admin::Forgotten<'_>>("The user is signed out.", examples::forget())
            .fails(&[INVALID_ARGUMENT, STORE_UNAVAILABLE]),
    ]
}

fn validation_operations() -> Vec<Operation> {
    vec![
        operation("GET", "/admin/tokens/validate", "validate_tokens", "tokens")
            .says(
                "Check all tokens, the periodic refresh and the store",
                "Each check says what it found and, if that is bad, what to do. The call refreshes nothing. It asks Kroger \
                 only with `online=true`: once for each access token that has not expired.",
            )
            .parameter("query", "online", "Whether to ask Kroger too.", json!({ "type": "boolean", "default": false }))
            .paged()
            .answers::<validation::ValidationPage>("The checks.", examples::get("/admin/tokens/validate"))
            .fails(&[INVALID_ARGUMENT]),
        operation("GET", "/admin/tokens/status", "token_status", "tokens")
            .says(
                "Show the health of the tokens in short",
                "Shows the issues, the state of each token, the periodic refresh and the store.",
            )
            .paged()
            .answers::<validation::StatusPage<'_>>("The state.", examples::get("/admin/tokens/status"))
            .fails(&[INVALID_ARGUMENT]),
    ]
}

fn server_operations() -> Vec<Operation> {
    vec![
        for_user(operation("GET", "/config", "show_config", "server"))
            .says(
                "Show the settings and how to use this server",
                "Shows the state of the user's token, the defaults, the features that are on, and instructions for an agent.",
            )
            .answers::<status::Config<'_>>("The settings.", examples::get("/config"))
            .fails(&[INVALID_ARGUMENT]),
        for_user(operation("GET", "/health", "check_health", "server"))
            .says(
                "Show whether everything works",
                "`status` is `healthy`, or `degraded` with `reasons`. Both answer 200.",
            )
            .answers::<status::Health>("The state.", examples::get("/health"))
            .fails(&[INVALID_ARGUMENT]),
        operation("GET", "/admin/rate-limits", "show_rate_limits", "server")
            .says(
                "Show how many calls Kroger still accepts today",
                "Shows Kroger's daily quotas for each kind of call, by this server's count. A window lasts 24 hours from its \
                 first call.",
            )
            .answers::<rate_limits::RateLimits>("The quotas.", examples::get("/admin/rate-limits"))
            .fails(&[STORE_UNAVAILABLE]),
        operation("GET", "/livez", "is_alive", "server")
            .says("Show whether the process runs", "For a supervisor. Checks nothing, and answers any `Host`.")
            .answers::<status::Status>("The process runs.", examples::get("/livez")),
        operation("GET", "/readyz", "is_ready", "server")
            .says(
                "Show whether the server can take calls",
                "For a supervisor. Ready means that the store can be written and no refreshed token waits to be saved.",
            )
            .answers::<status::Status>("The server is ready.", examples::get("/readyz"))
            .fails(&[STORE_UNAVAILABLE]),
        operation("GET", "/openapi.json", "describe_api", "server")
            .says("Show this document", "Describes this server as OpenAPI 3.1.")
            .responds(200, "This document.", "application/json", json!({ "schema": { "type": "object" } })),
    ]
}

const SCOPE: &str =
    "The space-separated scopes to ask the user for. Absent: the configured ones. A cart needs `cart.basic:write`.";
/// Space-separated scopes (RFC 6749 § 3.3). An empty value counts as absent.
const SCOPE_PATTERN: &str = r"^( *[!#-\[\]-~]+ *)*$";

fn for_user(operation: Operation) -> Operation {
    operation
        .parameter("query", "user_id", "The user of the call. Absent: the default user.", user_schema(0))
        .parameter(
            "header",
            "X-Kroger-User",
            "The same as `user_id`, for callers that set headers. If both are given, they must be equal.",
            json!({
                "type": "string", "maxLength": 256, "pattern": "^[!-~]([ -~]*[!-~])?$", "examples": ["user_default"],
            }),
        )
}

/// An id without hidden characters and without the mark of text that is not UTF-8.
fn user_schema(least: u32) -> Value {
    json!({
        "type": "string", "minLength": least, "maxLength": 256,
        "pattern": patterns::user_id(), "examples": ["user_default"],
    })
}

fn from_body(parameter: &str, member: &str) -> Value {
    json!({ parameter: format!("$response.body#/{member}") })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A UPC as the cart routes take it: also with fewer digits, and in groups. The code reads more forms
/// (`docs/product-numbers.md`), which are not for programs.
fn upc_schema() -> Value {
    json!({ "type": "string", "pattern": "^(?=[0 -]*[1-9])[0-9]([ -]*[0-9]){0,12}$", "examples": [UPC] })
}

/// The schemas of the inputs and of a failure. The code reads the inputs without these schemas, so that each error
/// can name its field; the tests compare the two.
fn inputs() -> Vec<(&'static str, Value)> {
    let mut upc = upc_schema();
    upc["description"] =
        "Kroger's product code: 13 digits, without the barcode's check digit. Barcodes, PLUs and shorter numbers \
        are looked up. `notes` names each correction. Kroger knows no such product, or several: nothing is added."
            .into();
    let item = json!({
        "type": "object", "additionalProperties": false, "required": ["upc"],
        "properties": {
            "upc": upc,
            "quantity": {
                "type": ["integer", "null"], "minimum": 1, "maximum": 999, "default": 1,
                "description": "The number to add to the cart.",
            },
            "modality": {
                "type": ["string", "null"], "enum": ["PICKUP", "DELIVERY", null],
                "description": "The way in which the user gets it. Absent: the configured one.",
            },
        },
    });
    let items = json!({
        "type": "object", "additionalProperties": false, "required": ["items"],
        "properties": { "items": { "type": "array", "minItems": 1, "maxItems": 100, "items": schema("Item") } },
    });
    let problem = serde_json::to_value(<problem::Document as utoipa::PartialSchema>::schema()).unwrap();
    vec![("Item", item), ("Items", items), ("Problem", problem)]
}
