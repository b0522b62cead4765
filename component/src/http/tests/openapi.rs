//! `/openapi.json`: generated here from the types of the answers, and compared with the router.

mod document;
mod examples;
mod faults;
mod operations;
mod patterns;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::edge::{FINISH_ROUTE, INVITATION_ROUTE};

const REWRITE: &str = "OPENAPI=write";

fn served() -> Value {
    server().get("/openapi.json").json()
}

#[test]
fn served_document_is_the_generated_one() {
    let generated = operations::generated();
    if std::env::var("OPENAPI").is_ok_and(|what| what == "write") {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        std::fs::write(file, serde_json::to_string_pretty(&generated).unwrap() + "\n").unwrap();
        return;
    }

    assert!(
        served() == generated,
        "component/openapi.json is not what the code says; `just openapi` writes it: \
         {REWRITE} cargo test -p kroger-connector --lib openapi, then build again"
    );
}

/// `/mcp` speaks a protocol that describes itself. The other routes are for the pages that a person sees.
const UNDESCRIBED: [&str; 3] = ["/mcp", INVITATION_ROUTE, FINISH_ROUTE];

/// The paths of the router in `http.rs`, each with its methods, without `HEAD`.
pub(super) fn routes() -> BTreeMap<String, BTreeSet<String>> {
    let server = server();
    let source = include_str!("../../http.rs");
    let router = &source[source.find("\nfn router(").expect("a router")..];
    let router = &router[..router.find("\n}\n").expect("an end of it")];
    let literals = router.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/'));
    let paths = literals.chain([INVITATION_ROUTE, FINISH_ROUTE]);
    let methods = |path: &str| -> BTreeSet<String> {
        let refused = server.call_with("TRACE", path, &[], "");
        assert_eq!(refused.status, 405, "{path}");
        refused.header("allow").split(',').map(str::to_owned).filter(|method| method != "HEAD").collect()
    };
    paths.map(|path| (path.to_owned(), methods(path))).collect()
}

#[test]
fn document_has_exactly_the_routes_and_methods() {
    let described: BTreeMap<String, BTreeSet<String>> = operations::generated()["paths"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, item)| (path.clone(), item.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect()))
        .collect();

    let mut routes = routes();
    routes.retain(|path, _| !UNDESCRIBED.contains(&path.as_str()));

    assert_eq!(described, routes);
}

#[test]
fn item_is_described_in_query_and_body() {
    let simple = &operations::generated()["paths"]["/cart/add/simple"]["put"];
    let in_query = simple["parameters"].as_array().unwrap().iter().filter(|parameter| parameter["in"] == "query");
    let names: Vec<&str> = in_query.map(|parameter| parameter["name"].as_str().unwrap()).collect();

    for name in ["upc", "quantity", "modality"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert_eq!(simple["requestBody"]["required"], false);
}

#[test]
fn each_operation_has_a_unique_name_and_a_description() {
    let document = operations::generated();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && name.len() <= 64, "{name}");
            assert!(names.insert(name.to_owned()), "{name}");
            assert!(operation["summary"].as_str().unwrap().len() > 10, "{path}");
            assert!(operation["description"].as_str().unwrap().len() > 20, "{path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].as_str().unwrap().len() > 8, "{path} {parameter}");
            }
        }
    }
    for tool in ["add_to_cart", "add_item_to_cart", "start_sign_in"] {
        assert!(names.contains(tool), "{tool}");
    }
}

#[test]
fn each_reference_resolves_and_each_component_is_used() {
    let document = operations::generated();
    let text = document.to_string();
    let references: BTreeSet<&str> =
        text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();

    for reference in &references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    for section in ["schemas", "examples"] {
        for name in document["components"][section].as_object().unwrap().keys() {
            assert!(references.contains(format!("/components/{section}/{name}").as_str()), "{section} {name}");
        }
    }
}

#[test]
fn openapi_reader_can_read_the_document() {
    let document: utoipa::openapi::OpenApi = serde_json::from_value(operations::generated()).unwrap();

    assert_eq!(document.info.version, env!("CARGO_PKG_VERSION"));
}
