//! Runs the component in a foreign host, made of wasmtime's stock crates: checks its
//! imports and its typed interfaces.

use std::collections::BTreeSet;

use serde_json::json;
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_keyvalue::{WasiKeyValue, WasiKeyValueCtx, WasiKeyValueCtxBuilder};

use crate::support::{Sandbox, Server, UPC, folder, mirror_in};

mod shelf;

mod bindings {
    #![allow(unreachable_pub, missing_docs, clippy::pedantic, reason = "generated code")]

    wasmtime::component::bindgen!({
        path: "../wit",
        world: "kroger:connector/service",
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::sync::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:random": wasmtime_wasi::p2::bindings::random,
            "wasi:http": wasmtime_wasi_http::p2::bindings::sync::http,
            "wasi:keyvalue/store.bucket": super::shelf::Bucket,
        },
    });
}

use bindings::Service;
use bindings::exports::kroger::connector::cart::{Item, Modality};
use bindings::exports::kroger::connector::catalog::{LocationQuery, Near, ProductOrder, ProductQuery, Stock};
use bindings::exports::kroger::connector::maintenance::RefreshOutcome;
use bindings::exports::kroger::connector::tokens::{Credentials, TokenSource};
use bindings::kroger::connector::types::{FailureCode, NextAction};
use bindings::wasi::keyvalue;
use shelf::Shelf;

/// The state of a minimal host.
struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    keyvalue: WasiKeyValueCtx,
    shelf: Shelf,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: wasmtime_wasi_http::default_hooks() }
    }
}

/// Loads the component with the stock key-value store, which forgets between opens.
fn load(variables: &[(&str, &str)]) -> (Store<State>, Service) {
    load_with(variables, |linker| {
        wasmtime_wasi_keyvalue::add_to_linker(linker, |state: &mut State| {
            WasiKeyValue::new(&state.keyvalue, &mut state.table)
        })
    })
}

/// Loads the component with a key-value store that keeps what it acknowledged.
fn load_with_shelf(variables: &[(&str, &str)]) -> (Store<State>, Service) {
    load_with(variables, |linker| {
        keyvalue::store::add_to_linker::<_, HasSelf<Shelf>>(linker, |state: &mut State| &mut state.shelf)?;
        keyvalue::atomics::add_to_linker::<_, HasSelf<Shelf>>(linker, |state: &mut State| &mut state.shelf)
    })
}

fn load_with(
    variables: &[(&str, &str)],
    add_keyvalue: impl FnOnce(&mut Linker<State>) -> wasmtime::Result<()>,
) -> (Store<State>, Service) {
    let engine = Engine::default();
    let component = Component::from_binary(&engine, kroger_mcp::COMPONENT).unwrap();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
    wasmtime_wasi_http::p2::add_only_http_to_linker_sync(&mut linker).unwrap();
    add_keyvalue(&mut linker).unwrap();
    let state = State {
        table: ResourceTable::new(),
        wasi: WasiCtx::builder().envs(variables).build(),
        http: WasiHttpCtx::new(),
        keyvalue: WasiKeyValueCtxBuilder::new().build(),
        shelf: Shelf::default(),
    };
    let mut store = Store::new(&engine, state);
    let service = Service::instantiate(&mut store, &component, &linker).unwrap();
    (store, service)
}

/// The tokens of a fresh sign-in at `sandbox`, as the `.env` mirror shows them.
fn environment(sandbox: &Sandbox) -> Vec<(String, String)> {
    let folder = folder();
    mirror_in(folder.path());
    let server = Server::start(folder.path(), sandbox);
    server.sign_in();
    let mirror = std::fs::read_to_string(folder.path().join(".env")).unwrap();
    let pairs = mirror.lines().filter_map(|line| line.split_once('='));
    let app = [
        ("KROGER_CLIENT_ID", "sandbox-client".to_owned()),
        ("KROGER_CLIENT_SECRET", "sandbox-secret".to_owned()),
        ("KROGER_API_BASE_URL", sandbox.url()),
    ];
    let app = app.map(|(name, value)| (name.to_owned(), value));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).chain(app).collect()
}

#[test]
fn component_imports_match_the_list_in_the_repository() {
    let engine = Engine::default();
    let component = Component::from_binary(&engine, kroger_mcp::COMPONENT).unwrap();
    let component_type = component.component_type();
    let mut names: Vec<&str> = component_type.imports(&engine).map(|(name, _)| name).collect();
    names.sort_unstable();

    let listed = include_str!("component-imports.txt");

    assert_eq!(names.join("\n"), listed.trim_end());
}

#[test]
fn the_typed_cart_adds_with_a_token_from_the_environment() {
    let sandbox = Sandbox::start();
    let environment = environment(&sandbox);
    let variables: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (mut store, service) = load(&variables);
    let item = Item { upc: "011110417008".to_owned(), quantity: 2, modality: Some(Modality::Delivery) };

    let added = service.kroger_connector_cart().call_add(&mut store, None, &[item], None).unwrap().unwrap();

    assert_eq!(added.items_added, 1);
    assert!(added.notes[0].contains("check digit"));
    assert_eq!(sandbox.cart("alice"), json!([{ "upc": UPC, "quantity": 2, "modality": "DELIVERY" }]));
}

#[test]
fn the_typed_catalog_works_with_the_apps_own_token() {
    let sandbox = Sandbox::start();
    let url = sandbox.url();
    let (mut store, service) = load(&[
        ("KROGER_CLIENT_ID", "sandbox-client"),
        ("KROGER_CLIENT_SECRET", "sandbox-secret"),
        ("KROGER_API_BASE_URL", &url),
    ]);
    let catalog = service.kroger_connector_catalog();
    let near = Some(Near::ZipCode("45039".to_owned()));
    let nearby = LocationQuery { near, radius_miles: Some(20), chain: None, departments: vec![], limit: None };
    let query = ProductQuery {
        terms: vec!["reduced fat milk".to_owned(), "x".repeat(3)],
        brand: None,
        upcs: vec![],
        location_id: None,
        fulfillment: vec![],
        in_stock_only: true,
        order: ProductOrder::UnitPrice,
        limit: Some(2),
        start: 0,
    };
    let item = |upc: &str| Item { upc: upc.to_owned(), quantity: 2, modality: None };

    let locations = catalog.call_find_locations(&mut store, None, &nearby).unwrap().unwrap().locations;
    let chosen = catalog.call_set_preferred_location(&mut store, None, &locations[0].location_id).unwrap().unwrap();
    let found = catalog.call_search_products(&mut store, None, &query).unwrap().unwrap();
    let items = [item("011110417008"), item("0009999999999")];
    let check = catalog.call_check_cart_items(&mut store, None, &items, Some("01400376")).unwrap().unwrap();
    let chains = catalog.call_chains(&mut store, None).unwrap().unwrap();
    let unknown = catalog.call_get_product(&mut store, None, "0009999999999", None).unwrap().unwrap_err();

    assert_eq!((chosen.location_id.as_str(), chosen.name.as_str()), ("01400376", "Kroger Landen"));
    assert!(chosen.address.ends_with("Maineville, OH 45039"));
    assert_eq!(found.found[0].products.len(), 2);
    assert!(found.found[0].products.iter().all(|product| product.stock != Stock::Out));
    assert!(found.found[1].products.is_empty());
    assert_eq!((check.estimated_total_cents, check.not_in_total, check.ready), (2 * 159, 1, false));
    assert_eq!(check.items[1].concerns[0].code, "unknown_upc");
    assert_eq!(chains.len(), 8);
    assert_eq!(unknown.code, FailureCode::NotFound);
}

#[test]
fn a_typed_failure_says_what_must_happen_next() {
    let sandbox = Sandbox::start();
    let url = sandbox.url();
    let (mut store, service) = load(&[("KROGER_CLIENT_ID", "sandbox-public"), ("KROGER_API_BASE_URL", &url)]);
    let item = |upc: &str| Item { upc: upc.to_owned(), quantity: 1, modality: None };
    let cart = service.kroger_connector_cart();

    let wrong = cart.call_add(&mut store, None, &[item("milk")], None).unwrap().unwrap_err();
    let nobody = cart.call_add(&mut store, None, &[item(UPC)], None).unwrap().unwrap_err();

    assert_eq!(wrong.code, FailureCode::InvalidArgument);
    assert_eq!(wrong.retry_after_seconds, None);
    assert_eq!(nobody.code, FailureCode::Reauthorize);
    assert_eq!((wrong.next, nobody.next), (NextAction::CorrectArgument, NextAction::SignIn));
}

#[test]
fn hundred_typed_adds_without_a_sign_in_leave_nothing() {
    let sandbox = Sandbox::start();
    let url = sandbox.url();
    let (mut store, service) =
        load_with_shelf(&[("KROGER_CLIENT_ID", "sandbox-public"), ("KROGER_API_BASE_URL", &url)]);
    let item = Item { upc: UPC.to_owned(), quantity: 1, modality: None };
    let mut links = BTreeSet::new();

    for number in 0..100 {
        let key = (number % 2 == 0).then(|| format!("order-{number}"));
        let items = std::slice::from_ref(&item);
        let refused = service
            .kroger_connector_cart()
            .call_add(&mut store, Some("ann"), items, key.as_deref())
            .unwrap()
            .unwrap_err();
        assert_eq!(refused.code, FailureCode::Reauthorize);
        links.insert(refused.authorization_url.expect("a link"));
    }

    assert_eq!(links.len(), 100, "whoever has a link can use it up, so each call has its own");
    assert_eq!(store.data().shelf.keys(), ["request_state_key"]);
}

#[test]
fn the_typed_interfaces_fail_closed_in_a_store_that_forgets() {
    let sandbox = Sandbox::start();
    let url = sandbox.url();
    let (mut store, service) = load(&[("KROGER_CLIENT_ID", "sandbox-public"), ("KROGER_API_BASE_URL", &url)]);
    let authorization = service.kroger_connector_authorization();

    // This store forgets between opens, so the sign-in is unknown to the next call.
    let started = authorization.call_authorize(&mut store, None, None).unwrap().unwrap();
    let completed = authorization.call_complete(&mut store, "a-code", &started.state).unwrap();
    let maintenance = service.kroger_connector_maintenance();
    let due = maintenance.call_due(&mut store, 10).unwrap().unwrap();
    let outcome = maintenance.call_refresh_user(&mut store, "nobody").unwrap().unwrap();
    let status = service.kroger_connector_tokens().call_status(&mut store, Some("nobody")).unwrap().unwrap();

    assert_eq!(started.scope, "profile.compact cart.basic:write");
    assert_eq!(completed.unwrap_err().code, FailureCode::InvalidArgument);
    assert!(due.is_empty());
    assert_eq!(outcome, RefreshOutcome::NothingToRefresh);
    assert!(status.is_none());
    assert_eq!(sandbox.state()["token_requests"]["authorization_code"]["ok"], 0);
}

#[test]
fn the_typed_tokens_say_who_is_signed_in_and_whether_kroger_accepts_the_app() {
    let sandbox = Sandbox::start();
    let environment = environment(&sandbox);
    let mut variables: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (mut store, service) = load(&variables);
    let tokens = service.kroger_connector_tokens();

    let listed = tokens.call_list(&mut store, 10).unwrap().unwrap();
    let of_default = tokens.call_status(&mut store, None).unwrap().unwrap();
    let accepted = tokens.call_check_credentials(&mut store).unwrap().unwrap();
    let timer = service.kroger_connector_maintenance().call_timer_status(&mut store).unwrap().unwrap();
    let declined = service.kroger_connector_authorization().call_decline(&mut store, "no-such-state").unwrap();
    variables.retain(|(name, _)| *name != "KROGER_CLIENT_SECRET");
    let (mut without, service) = load(&variables);
    let no_secret = service.kroger_connector_tokens().call_check_credentials(&mut without).unwrap().unwrap();
    variables.push(("KROGER_CLIENT_SECRET", "wrong"));
    let (mut wrong, service) = load(&variables);
    let rejected = service.kroger_connector_tokens().call_check_credentials(&mut wrong).unwrap().unwrap();

    let users: Vec<_> = listed.iter().map(|status| (status.user_id.as_str(), status.source)).collect();
    assert_eq!(users, [("user_default", TokenSource::EnvFile)]);
    assert_eq!(
        of_default.map(|status| (status.user_id, status.source)),
        Some(("user_default".to_owned(), TokenSource::EnvFile))
    );
    assert!(listed[0].expires_in > 0 && listed[0].has_refresh_token && listed[0].refreshed_at.is_none());
    assert_eq!((timer.running, timer.last_pass_ago, timer.success_rate), (false, None, None));
    assert_eq!(declined.unwrap_err().code, FailureCode::InvalidArgument);
    assert!(matches!(accepted, Credentials::Accepted), "{accepted:?}");
    assert!(matches!(no_secret, Credentials::NoSecret), "{no_secret:?}");
    assert!(matches!(rejected, Credentials::Rejected), "{rejected:?}");
}
