//! The resources: the reports of some tools as JSON, for a client that shows or attaches them without calling a tool.
//! They change nothing.

use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde::Serialize;
use serde_json::json;

use super::call::Call;
use super::told::Told;
use super::{account, products};
use kroger_core::catalog::one_product;
use kroger_core::catalog::preferred_location::{self, PreferredBy};
use kroger_core::failure::{Code, Failure};
use kroger_core::item::product_number::ProductNumber;
use kroger_core::text::cleaned;

const TOKEN_STATUS: &str = "kroger://token-status";
const PREFERRED_STORE: &str = "kroger://preferred-store";
const QUOTA: &str = "kroger://quota";
const PRODUCTS: &str = "kroger://products/";
const JSON: &str = "application/json";

pub(super) fn list() -> Vec<Resource> {
    let resource = |uri: &str, name: &str, title: &str, description: &str| {
        Resource::new(uri, name).with_title(title).with_description(description).with_mime_type(JSON)
    };
    vec![
        resource(TOKEN_STATUS, "token_status", "Sign-in status", "Whether the user's Kroger account is connected."),
        resource(PREFERRED_STORE, "preferred_store", "Preferred store", "The store whose prices and stock are shown."),
        resource(QUOTA, "quota", "Calls left today", "The calls of each kind that Kroger still accepts."),
    ]
}

pub(super) fn templates() -> Vec<ResourceTemplate> {
    let product = ResourceTemplate::new(format!("{PRODUCTS}{{upc}}"), "product")
        .with_title("Product")
        .with_description("A product by its UPC, 13 digits, with price and stock at the preferred store.")
        .with_mime_type(JSON);
    vec![product]
}

pub(super) fn read(call: &Call<'_>, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let text = match uri {
        TOKEN_STATUS => account::report(call).map(|report| text(&report)),
        PREFERRED_STORE => preferred_store(call),
        QUOTA => account::quotas(call).map(|quotas| text(&quotas)),
        _ => match uri.strip_prefix(PRODUCTS) {
            Some(upc) => product(call, upc),
            None => return Err(not_found(uri)),
        },
    };
    let text = text.map_err(|failure| refused(uri, &failure))?;
    Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri).with_mime_type(JSON)]))
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("reports have string keys and no failing parts")
}

fn preferred_store(call: &Call<'_>) -> Result<String, Failure> {
    let preferred = preferred_location::of(call.cx, call.user)?;
    Ok(text(&preferred.map_or_else(
        || json!({ "store_id": null }),
        |preferred| {
            let source = match preferred.source {
                PreferredBy::Chosen => "chosen by the user",
                PreferredBy::Configured => "configured",
            };
            json!({ "store_id": preferred.location.as_str(), "source": source })
        },
    )))
}

fn product(call: &Call<'_>, upc: &str) -> Result<String, Failure> {
    let number = ProductNumber::parse(upc).map_err(|no| Failure::invalid_argument("upc", &no.allowed()))?;
    let found = one_product::product(call.cx, call.user, &number, None)?;
    let store_id = found.location.map(|store| store.as_str().to_owned());
    Ok(text(&products::details(&found.product, store_id, found.note)))
}

fn refused(uri: &str, failure: &Failure) -> ErrorData {
    if failure.code == Code::NotFound {
        return not_found(uri);
    }
    let is_argument = failure.code == Code::InvalidArgument;
    let told = Told::from(failure);
    let data = Some(json!({ "code": told.code, "action": told.next_step }));
    if is_argument {
        ErrorData::invalid_params(told.detail, data)
    } else {
        ErrorData::internal_error(told.detail, data)
    }
}

fn not_found(uri: &str) -> ErrorData {
    let shown = cleaned(uri, 200);
    ErrorData::resource_not_found(format!("There is no resource {shown}."), Some(json!({ "uri": shown })))
}
