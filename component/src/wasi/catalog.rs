//! The typed export `catalog`. Translates the arguments, calls one rule, and translates the answer. Decides nothing.

use super::bindings::exports::kroger::connector::cart::{Item as WitItem, Modality as WitModality};
use super::bindings::exports::kroger::connector::catalog as wit;
use super::bindings::kroger::connector::types::Failure as WitFailure;
use super::component::Component;
use super::told::unlinked;
use super::typed::{answer, user};
use kroger_core::cart::check::{self, Concern, Line};
use kroger_core::cart::order::{self, Given};
use kroger_core::catalog::location::{Department, Hours, Location, LocationId, WEEK};
use kroger_core::catalog::locations::{self, LocationQuery, Near};
use kroger_core::catalog::page_request::Fulfillment;
use kroger_core::catalog::preferred_location::{self, Preferred, PreferredBy};
use kroger_core::catalog::product::{Cents, Price, Product, SoldBy, Stock};
use kroger_core::catalog::search;
use kroger_core::catalog::search::found::TermFound;
use kroger_core::catalog::search::query::{ProductOrder, ProductQuery, StockWanted};
use kroger_core::catalog::{one_product, profile};
use kroger_core::failure::Failure;
use kroger_core::item::product_number::ProductNumber;
use kroger_core::item::{Item, Modality};

impl wit::Guest for Component {
    fn search_products(user_id: Option<String>, query: wit::ProductQuery) -> Result<wit::ProductsFound, WitFailure> {
        answer(|cx| {
            let found = search::search_products(cx, &user(cx, user_id.as_deref())?, &product_query(query)?)?;
            Ok(wit::ProductsFound {
                location_id: found.location.as_ref().map(id),
                found: found.found.into_iter().map(Into::into).collect(),
                notes: found.notes,
            })
        })
    }

    fn get_product(
        user_id: Option<String>,
        upc: String,
        location_id: Option<String>,
    ) -> Result<wit::ProductAt, WitFailure> {
        answer(|cx| {
            let number = ProductNumber::parse(&upc).map_err(|no| Failure::invalid_argument("upc", &no.allowed()))?;
            let location = location_id.as_deref().map(location).transpose()?;
            let found = one_product::product(cx, &user(cx, user_id.as_deref())?, &number, location.as_ref())?;
            Ok(wit::ProductAt { product: found.product.into(), location_id: found.location.as_ref().map(id) })
        })
    }

    fn find_locations(user_id: Option<String>, query: wit::LocationQuery) -> Result<wit::LocationsFound, WitFailure> {
        answer(|cx| {
            let found = locations::find_locations(cx, &user(cx, user_id.as_deref())?, &location_query(query)?)?;
            Ok(wit::LocationsFound {
                locations: found.locations.into_iter().map(Into::into).collect(),
                notes: found.notes,
            })
        })
    }

    fn get_location(user_id: Option<String>, location_id: String) -> Result<wit::Location, WitFailure> {
        answer(|cx| Ok(locations::location(cx, &user(cx, user_id.as_deref())?, &location(&location_id)?)?.into()))
    }

    fn chains(user_id: Option<String>) -> Result<Vec<wit::Chain>, WitFailure> {
        answer(|cx| {
            let chains = locations::chains(cx, &user(cx, user_id.as_deref())?)?;
            let chains = chains.into_iter();
            Ok(chains.map(|chain| wit::Chain { name: chain.name, friendly_name: chain.friendly_name }).collect())
        })
    }

    fn departments(user_id: Option<String>) -> Result<Vec<wit::Department>, WitFailure> {
        answer(|cx| {
            let departments = locations::departments(cx, &user(cx, user_id.as_deref())?)?;
            Ok(departments.into_iter().map(Into::into).collect())
        })
    }

    fn profile_id(user_id: Option<String>) -> Result<String, WitFailure> {
        answer(|cx| Ok(profile::profile(cx, &user(cx, user_id.as_deref())?)?.id))
    }

    fn preferred_location(user_id: Option<String>) -> Result<Option<wit::LocationChoice>, WitFailure> {
        answer(|cx| Ok(preferred_location::of(cx, &user(cx, user_id.as_deref())?)?.map(Into::into)))
    }

    fn set_preferred_location(user_id: Option<String>, location_id: String) -> Result<wit::Location, WitFailure> {
        answer(|cx| Ok(preferred_location::set(cx, &user(cx, user_id.as_deref())?, &location(&location_id)?)?.into()))
    }

    fn clear_preferred_location(user_id: Option<String>) -> Result<(), WitFailure> {
        answer(|cx| preferred_location::clear(cx, &user(cx, user_id.as_deref())?))
    }

    fn check_cart_items(
        user_id: Option<String>,
        items: Vec<WitItem>,
        location_id: Option<String>,
    ) -> Result<wit::CartCheck, WitFailure> {
        answer(|cx| {
            let given: Vec<Given> = items.into_iter().map(Into::into).collect();
            let draft = order::many(&given, cx.settings.default_modality)?;
            let location = location_id.as_deref().map(location).transpose()?;
            let checked = check::check_cart_items(cx, &user(cx, user_id.as_deref())?, &draft, location.as_ref())?;
            Ok(wit::CartCheck {
                ready: checked.is_ready(),
                location_id: checked.location.as_ref().map(id),
                estimated_total_cents: checked.estimated_total.0,
                not_in_total: u32::try_from(checked.not_in_total).unwrap_or(u32::MAX),
                items: checked.lines.into_iter().map(Into::into).collect(),
                notes: checked.notes,
            })
        })
    }
}

fn location(text: &str) -> Result<LocationId, Failure> {
    LocationId::parse(text).map_err(|allowed| Failure::invalid_argument("location-id", allowed))
}

fn id(location: &LocationId) -> String {
    location.as_str().to_owned()
}

fn product_query(query: wit::ProductQuery) -> Result<ProductQuery, Failure> {
    Ok(ProductQuery {
        terms: query.terms,
        brand: query.brand,
        upcs: query.upcs,
        location: query.location_id.as_deref().map(location).transpose()?,
        fulfillment: query.fulfillment.into_iter().map(Into::into).collect(),
        stock: if query.in_stock_only { StockWanted::InStock } else { StockWanted::Any },
        order: match query.order {
            wit::ProductOrder::Relevance => ProductOrder::Relevance,
            wit::ProductOrder::Price => ProductOrder::Price,
            wit::ProductOrder::UnitPrice => ProductOrder::UnitPrice,
        },
        limit: query.limit,
        start: query.start,
    })
}

fn location_query(query: wit::LocationQuery) -> Result<LocationQuery, Failure> {
    let near = match query.near {
        None => None,
        Some(wit::Near::ZipCode(zip)) => {
            Some(Near::zip_code(&zip).map_err(|allowed| Failure::invalid_argument("zip-code", allowed))?)
        }
        Some(wit::Near::Place((latitude, longitude))) => {
            Some(Near::place(latitude, longitude).map_err(|allowed| Failure::invalid_argument("place", allowed))?)
        }
    };
    Ok(LocationQuery {
        near,
        radius_miles: query.radius_miles,
        chain: query.chain,
        departments: query.departments,
        limit: query.limit,
    })
}

impl From<wit::Fulfillment> for Fulfillment {
    fn from(fulfillment: wit::Fulfillment) -> Self {
        match fulfillment {
            wit::Fulfillment::InStore => Self::InStore,
            wit::Fulfillment::Pickup => Self::Pickup,
            wit::Fulfillment::Delivery => Self::Delivery,
            wit::Fulfillment::Shipping => Self::Shipping,
        }
    }
}

impl From<TermFound> for wit::Found {
    fn from(found: TermFound) -> Self {
        Self {
            searched_for: found.searched_for,
            products: found.products.into_iter().map(Into::into).collect(),
            total: found.total,
            next_start: found.next_start,
            notes: found.notes,
            failure: found.failure.as_ref().map(unlinked),
        }
    }
}

impl From<Product> for wit::Product {
    fn from(product: Product) -> Self {
        Self {
            upc: product.upc.as_str().to_owned(),
            description: product.description,
            brand: product.brand,
            categories: product.categories,
            size: product.size,
            sold_by_weight: product.sold_by == SoldBy::Weight,
            price: product.price.map(Into::into),
            unit_price: product
                .unit_price
                .map(|price| wit::UnitPrice { dollars: price.dollars, unit: price.unit.as_str().to_owned() }),
            stock: match product.stock {
                Stock::High => wit::Stock::High,
                Stock::Low => wit::Stock::Low,
                Stock::Out => wit::Stock::Out,
                Stock::Unknown => wit::Stock::Unknown,
            },
            offered: wit::Offered {
                in_store: product.offered.in_store,
                pickup: product.offered.pickup,
                delivery: product.offered.delivery,
                shipping: product.offered.shipping,
            },
            aisle: product.aisle,
            temperature: product.temperature,
            image_url: product.image_url,
            age_restricted: product.age_restricted,
            snap_eligible: product.snap_eligible,
            least_quantity: product.least_quantity,
            most_quantity: product.most_quantity,
        }
    }
}

impl From<Price> for wit::Price {
    fn from(price: Price) -> Self {
        let cents = |cents: Option<Cents>| cents.map(|cents| cents.0);
        Self { regular_cents: price.regular.0, promo_cents: cents(price.promo), estimate_cents: cents(price.estimate) }
    }
}

impl From<Location> for wit::Location {
    fn from(store: Location) -> Self {
        let (latitude, longitude) = store.place.unzip();
        let hours = store.hours.as_ref();
        Self {
            location_id: id(&store.id),
            name: store.name,
            chain: store.chain,
            address: store.address.line(),
            phone: store.phone,
            latitude,
            longitude,
            timezone: hours.and_then(|hours| hours.timezone.clone()),
            open_24_hours: hours.is_some_and(|hours| hours.open_24_hours),
            hours: hours.map(days).unwrap_or_default(),
            departments: store.departments.into_iter().map(Into::into).collect(),
        }
    }
}

fn days(hours: &Hours) -> Vec<wit::DayHours> {
    let told = WEEK.iter().zip(&hours.week).filter_map(|(name, day)| Some((name, day.as_ref()?)));
    told.map(|(name, day)| wit::DayHours {
        day: (*name).to_owned(),
        open: day.open.clone(),
        close: day.close.clone(),
        open_24_hours: day.open_24_hours,
    })
    .collect()
}

impl From<Department> for wit::Department {
    fn from(department: Department) -> Self {
        Self { id: department.id, name: department.name }
    }
}

impl From<Preferred> for wit::LocationChoice {
    fn from(preferred: Preferred) -> Self {
        Self { location_id: id(&preferred.location), chosen: preferred.source == PreferredBy::Chosen }
    }
}

impl From<Line> for wit::CheckedItem {
    fn from(line: Line) -> Self {
        Self {
            estimate_cents: line.estimate.map(|cents| cents.0),
            concerns: line.concerns.iter().map(Into::into).collect(),
            item: line.item.into(),
            product: line.product.map(Into::into),
        }
    }
}

impl From<Item> for WitItem {
    fn from(item: Item) -> Self {
        Self {
            upc: item.upc.as_str().to_owned(),
            quantity: item.quantity.get(),
            modality: Some(match item.modality {
                Modality::Pickup => WitModality::Pickup,
                Modality::Delivery => WitModality::Delivery,
            }),
        }
    }
}

impl From<&Concern> for wit::Concern {
    fn from(concern: &Concern) -> Self {
        Self {
            code: concern.code().to_owned(),
            message: concern.sentence(),
            stands_in_the_way: concern.stands_in_the_way(),
        }
    }
}
