//! The catalog as its callers ask it, with Kroger's answers scripted.

mod cache;
mod locations;
mod products;
mod reading;
mod search;

use serde_json::{Value, json};

use crate::Context;
use crate::catalog::search::found::{ProductsFound, TermFound};
use crate::catalog::search::query::ProductQuery;
use crate::catalog::search::search_products;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::testing::TestWorld;
use crate::user::UserId;

pub(crate) const MILK: &str = "0001111041700";
pub(crate) const EGGS: &str = "0001111041910";
pub(crate) const LANDEN: &str = "01400376";

/// An app with a secret, whose token was just granted.
pub(crate) struct Shop {
    settings: Settings,
    pub(crate) world: TestWorld,
    pub(crate) user: UserId,
}

impl Shop {
    pub(crate) fn open() -> Self {
        Self::with(&[])
    }

    /// The same shop, on a host with a cache.
    pub(crate) fn with_cache(self) -> Self {
        Self { world: self.world.with_cache(), ..self }
    }

    pub(crate) fn at_landen() -> Self {
        Self::with(&[("KROGER_DEFAULT_STORE_ID", LANDEN)])
    }

    fn with(variables: &[(&str, &str)]) -> Self {
        let app = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "s")];
        let variables = app.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::from_variables(variables).unwrap();
        let world = TestWorld::new();
        world.answer(200, r#"{"access_token":"app-token","expires_in":1800}"#);
        Self { user: settings.default_user.clone(), settings, world }
    }

    pub(crate) fn cx(&self) -> Context<'_> {
        Context { settings: &self.settings, ports: &self.world }
    }

    pub(crate) fn answer(&self, data: &Value) {
        self.world.answer(200, json!({ "data": data }).to_string());
    }

    /// What was asked of Kroger, token requests aside.
    pub(crate) fn asked(&self) -> Vec<String> {
        let paths = self.world.sent().into_iter().map(|request| request.path);
        paths.filter(|path| !path.contains("oauth2")).collect()
    }

    fn search(&self, query: &ProductQuery) -> Result<ProductsFound, Failure> {
        search_products(self.cx(), &self.user, query)
    }
}

fn query(terms: &[&str]) -> ProductQuery {
    ProductQuery { terms: terms.iter().map(|term| (*term).to_owned()).collect(), ..ProductQuery::default() }
}

pub(crate) fn product_json(upc: &str, size: &str, regular: f64, stock: &str) -> Value {
    json!({
        "upc": upc, "description": format!("Product {upc}"),
        "items": [{
            "size": size, "soldBy": "UNIT", "inventory": { "stockLevel": stock },
            "price": { "regular": regular, "promo": 0 },
            "fulfillment": { "curbside": true, "delivery": false, "inStore": true, "shipToHome": false },
        }],
    })
}

fn upcs(found: &TermFound) -> Vec<&str> {
    found.products.iter().map(|product| product.upc.as_str()).collect()
}
