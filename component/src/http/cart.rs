//! `PUT /cart/add` and `PUT /cart/add/simple`.

use axum::body::Bytes;
use axum::response::Response;
use http::HeaderValue;
use serde::Serialize;
use serde_json::Value;

use super::call::{Call, json};
use super::fields::Fields;
use super::problem::{IDEMPOTENT_REPLAYED, Problem};
use super::words;
use kroger_core::Context;
use kroger_core::cart::order::{self, Given};
use kroger_core::cart::{self, Added};
use kroger_core::grant::status;
use kroger_core::item::Modality;
use kroger_core::user::UserId;

const ITEM: [&str; 3] = ["upc", "quantity", "modality"];
const A_UPC: &str = "a UPC of 13 digits, such as 0001111041700; shorter ones are padded with zeros";
const A_QUANTITY: &str = "a whole number from 1 to 999";
const A_MODALITY: &str = "PICKUP or DELIVERY";
const SOME_ITEMS: &str = "a list of 1 to 100 items, each with `upc`, `quantity`, `modality`";

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct AddedAll {
    message: &'static str,
    items_added: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct AddedOne<'a> {
    success: bool,
    upc: &'a str,
    quantity: u32,
    message: String,
    token_status: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

pub(super) async fn add(call: Call, body: Bytes) -> Result<Response, Problem> {
    let cx = call.context();
    let mut fields = Fields::of_body(&body, &["items"])?;
    let items = fields.list("items", SOME_ITEMS)?;
    let given: Result<Vec<Given>, Problem> = items.into_iter().enumerate().map(item).collect();
    let order = order::many(&given?, cx.settings.default_modality)?;
    let added = cart::add(cx, &call.user()?, &order.items, call.idempotency_key()?.as_ref())?;
    let answer =
        AddedAll { message: "Items added to cart successfully", items_added: order.items.len(), notes: order.notes };
    Ok(marked(json(&answer), &added))
}

fn item((index, value): (usize, Value)) -> Result<Given, Problem> {
    given(Fields::of_value(value, format!("items[{index}]."), &ITEM)?)
}

pub(super) async fn add_simple(call: Call, body: Bytes) -> Result<Response, Problem> {
    let cx = call.context();
    let given = if body.is_empty() { in_query(&call)? } else { in_body(&call, &body)? };
    let order = order::one(&given, cx.settings.default_modality)?;
    let user = call.user()?;
    let added = cart::add(cx, &user, &order.items, call.idempotency_key()?.as_ref())?;
    let item = &order.items[0];
    let answer = AddedOne {
        success: true,
        upc: item.upc.as_str(),
        quantity: item.quantity.get(),
        message: format!("Added {}x item to cart", item.quantity.get()),
        token_status: token_status(cx, &user, &added),
        notes: order.notes,
    };
    Ok(marked(json(&answer), &added))
}

/// A replay is told by a header, its answer is that of the first call.
fn marked(mut response: Response, added: &Added) -> Response {
    if *added == Added::Before {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn token_status(cx: Context<'_>, user: &UserId, added: &Added) -> String {
    let now = cx.ports.wall_now();
    match added {
        Added::Now(grant) => words::valid(&grant.tokens, now),
        Added::Before => {
            let known = status::known(cx, user).map(|known| words::user_token(&known, now));
            known.unwrap_or_else(|_| "unknown: the store cannot be read".to_owned())
        }
    }
}

fn in_body(call: &Call, body: &[u8]) -> Result<Given, Problem> {
    for name in ITEM {
        if call.given(name)?.is_some() {
            return Err(Problem::invalid_argument(name, "the item is in the body already; give it in one place"));
        }
    }
    given(Fields::of_body(body, &ITEM)?)
}

fn given(mut fields: Fields) -> Result<Given, Problem> {
    let upc = fields.text("upc", A_UPC)?;
    let quantity = fields.whole_number("quantity", A_QUANTITY)?;
    let modality = match fields.text("modality", A_MODALITY)? {
        Some(text) => Some(Modality::parse(&text).ok_or_else(|| fields.refuse("modality", A_MODALITY))?),
        None => None,
    };
    let upc = upc.ok_or_else(|| fields.refuse("upc", &format!("it is missing; {A_UPC}")))?;
    Ok(Given { upc, quantity: quantity.unwrap_or(1), modality })
}

fn in_query(call: &Call) -> Result<Given, Problem> {
    let Some(upc) = call.given("upc")? else {
        return Err(Problem::invalid_argument("upc", &format!("it is missing; {A_UPC}")));
    };
    let quantity = match call.given("quantity")? {
        Some(text) => digits(&text).ok_or_else(|| Problem::invalid_argument("quantity", A_QUANTITY))?,
        None => 1,
    };
    let modality = match call.given("modality")? {
        Some(text) => Some(Modality::parse(&text).ok_or_else(|| Problem::invalid_argument("modality", A_MODALITY))?),
        None => None,
    };
    Ok(Given { upc: upc.into_owned(), quantity, modality })
}

/// Digits alone: `parse` takes a sign.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
