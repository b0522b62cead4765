//! `PUT /cart/add` and `PUT /cart/add/simple`: read the items, have the core add them, and answer. Never send
//! anything themselves.

use axum::body::Bytes;
use axum::response::Response;
use http::HeaderValue;
use serde::Serialize;
use serde_json::Value;

use super::call::{Call, json};
use super::problem::{IDEMPOTENT_REPLAYED, Problem};
use super::words;
use crate::fields::values::Whole;
use crate::fields::{Field, Place, fields, json as body_json};
use kroger_core::Context;
use kroger_core::cart::order::{self, Given};
use kroger_core::cart::{self, Added};
use kroger_core::failure::Failure;
use kroger_core::grant::status;
use kroger_core::item::Modality;
use kroger_core::user::UserId;

const ITEM: [&str; 3] = ["upc", "quantity", "modality"];
const A_UPC: &str = "a UPC of 13 digits, such as 0001111041700; shorter ones are padded with zeros";
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
    let AddBody { items } = body_json::read(&body)?;
    let draft = order::many(&items.0, cx.settings.default_modality)?;
    let (user, key) = (call.user()?, call.idempotency_key()?);
    let (order, added) = cart::add_draft(cx, &user, &draft, key.as_ref())?;
    let answer =
        AddedAll { message: "Items added to cart successfully", items_added: order.items.len(), notes: order.notes };
    Ok(marked(json(&answer), &added))
}

pub(super) async fn add_simple(call: Call, body: Bytes) -> Result<Response, Problem> {
    let cx = call.context();
    let item = if body.is_empty() { in_query(&call)? } else { in_body(&call, &body)? };
    let draft = order::one(&item.into(), cx.settings.default_modality)?;
    let (user, key) = (call.user()?, call.idempotency_key()?);
    let (order, added) = cart::add_draft(cx, &user, &draft, key.as_ref())?;
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

/// Marks a replay by a header. Its answer is the answer of the first call.
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

fn in_body(call: &Call, body: &[u8]) -> Result<ItemFields, Problem> {
    for name in ITEM {
        if call.given(name)?.is_some() {
            return Err(Problem::invalid_argument(name, "the item is in the body already; give it in one place"));
        }
    }
    Ok(body_json::read(body)?)
}

/// Reads the item from the query. Ignores parameters that are not of an item: `user_id` is one of them.
fn in_query(call: &Call) -> Result<ItemFields, Problem> {
    Ok(ItemFields { upc: call.read("upc")?, quantity: call.read("quantity")?, modality: call.read("modality")? })
}

fields! {
    /// The body of `PUT /cart/add`.
    AddBody {
        items: Items,
    }
}

fields! {
    /// One item to add.
    ItemFields {
        upc: UpcText,
        quantity: Option<Whole<1, 999>>,
        modality: Option<Way>,
    }
}

impl From<ItemFields> for Given {
    fn from(item: ItemFields) -> Self {
        let quantity = item.quantity.map_or(1, |quantity| quantity.0);
        Self { upc: item.upc.0, quantity, modality: item.modality.map(|way| way.0) }
    }
}

/// The items of a body.
pub(crate) struct Items(Vec<Given>);

impl Field for Items {
    fn read(value: Option<Value>, place: &Place) -> Result<Self, Failure> {
        let list = match value {
            Some(Value::Array(list)) => list,
            None => return Err(place.refuse(&format!("it is missing; {SOME_ITEMS}"))),
            Some(_) => return Err(place.refuse(SOME_ITEMS)),
        };
        let items = list.into_iter().enumerate();
        let items = items.map(|(index, item)| ItemFields::read(Some(item), &place.element(index)).map(Given::from));
        items.collect::<Result<_, _>>().map(Self)
    }
}

/// A UPC as the caller wrote it. The core checks it.
pub(crate) struct UpcText(String);

impl Field for UpcText {
    fn read(value: Option<Value>, place: &Place) -> Result<Self, Failure> {
        match value {
            Some(Value::String(text)) => Ok(Self(text)),
            None => Err(place.refuse(&format!("it is missing; {A_UPC}"))),
            Some(_) => Err(place.refuse(&format!("a JSON string, {A_UPC}"))),
        }
    }
}

/// The way in which the customer gets an item.
pub(crate) struct Way(Modality);

impl Field for Way {
    fn read(value: Option<Value>, place: &Place) -> Result<Self, Failure> {
        let Some(Value::String(text)) = value else {
            return Err(place.refuse(&format!("a JSON string, {A_MODALITY}")));
        };
        Modality::parse(&text).map(Self).ok_or_else(|| place.refuse(A_MODALITY))
    }
}
