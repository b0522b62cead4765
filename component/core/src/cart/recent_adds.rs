//! A log of the cart adds that this program made. It is off unless the operator turns
//! it on, and its entries expire. It is keyed by the caller's name for a user, never
//! by Kroger's profile id.
//!
//! It has 50 places for each user, taken in turn.

use serde::{Deserialize, Serialize};

use crate::Context;
use crate::failure::Failure;
use crate::item::Item;
use crate::ports::{Bucket, Event, StoreError, Timestamp};
use crate::store::codec::{self, Stored};
use crate::store::keys::{Key, Kind};
use crate::store::ring::Ring;
use crate::user::{UserId, UserKey};

const PLACES: u64 = 50;

/// One add that Kroger took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add {
    pub added_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub items: Vec<AddedItem>,
}

impl Stored for Add {
    const KIND: Kind = Kind::RecentAdd;
    const VERSION: u32 = 1;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedItem {
    pub upc: String,
    pub quantity: u32,
    pub modality: String,
}

fn ring(user: &UserId) -> Ring {
    Ring { counter: Key::RecentAddPlaces { user: user.key() }, places: PLACES }
}

fn add_key(user: &UserKey, place: u64) -> String {
    Key::RecentAdd { user: user.clone(), place }.to_string()
}

/// Notes an add, if the log is on. The add is done, so an error of the log does not
/// fail the call.
pub(crate) fn note(cx: Context<'_>, user: &UserId, items: &[Item]) {
    let Some(lifetime) = cx.settings.recent_adds else { return };
    let now = cx.ports.wall_now();
    let add = Add { added_at: now, expires_at: now + lifetime, items: items.iter().map(AddedItem::from).collect() };
    let place = ring(user).take(cx);
    let noted = place.and_then(|place| cx.ports.set(Bucket::Store, &add_key(&user.key(), place), &codec::encode(&add)));
    if noted.is_err() {
        cx.ports.log(&Event::StoreTrouble { doing: "noting a cart add" });
    }
}

impl From<&Item> for AddedItem {
    fn from(item: &Item) -> Self {
        Self {
            upc: item.upc.as_str().to_owned(),
            quantity: item.quantity.get(),
            modality: item.modality.as_str().to_owned(),
        }
    }
}

/// The adds that have not expired, the newest first.
pub fn view(cx: Context<'_>, user: &UserId) -> Result<Vec<Add>, Failure> {
    let now = cx.ports.wall_now();
    let mut adds = Vec::new();
    for place in ring(user).all() {
        let add: Option<Add> =
            codec::read(cx, Bucket::Store, &add_key(&user.key(), place)).map_err(|_| Failure::store_unavailable())?;
        adds.extend(add.filter(|add| now < add.expires_at));
    }
    adds.sort_by_key(|add| std::cmp::Reverse(add.added_at));
    Ok(adds)
}

/// Deletes all entries of the user's log.
pub fn forget(cx: Context<'_>, user: &UserId) -> Result<(), Failure> {
    for place in ring(user).all() {
        cx.ports.delete(Bucket::Store, &add_key(&user.key(), place)).map_err(|_| Failure::store_unavailable())?;
    }
    Ok(())
}

/// Whether the sweep may delete the add at `place`: it expired, or the log was turned
/// off.
pub(crate) fn is_over(cx: Context<'_>, user: &UserKey, place: u64) -> Result<bool, StoreError> {
    let add: Option<Add> = codec::read(cx, Bucket::Store, &add_key(user, place))?;
    Ok(add.is_some_and(|add| cx.settings.recent_adds.is_none() || add.expires_at <= cx.ports.wall_now()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::item::{Modality, Quantity, Upc};
    use crate::settings::Settings;
    use crate::testing::TestWorld;

    fn settings(hours: &str) -> Settings {
        Settings::from_variables([("KROGER_RECENT_ADDS_HOURS".to_owned(), hours.to_owned())]).unwrap()
    }

    fn items() -> Vec<Item> {
        let upc = Upc::parse("0001111041700").unwrap();
        vec![Item { upc, quantity: Quantity::new(2).unwrap(), modality: Modality::Pickup }]
    }

    #[test]
    fn nothing_is_noted_unless_the_operator_turned_the_log_on() {
        let (world, settings) = (TestWorld::new(), settings("0"));
        let cx = Context { settings: &settings, ports: &world };

        note(cx, &settings.default_user, &items());

        assert!(world.stored(Bucket::Store).is_empty());
    }

    #[test]
    fn what_is_noted_shows_the_newest_first_until_it_expires() {
        let (world, settings) = (TestWorld::new(), settings("1"));
        let cx = Context { settings: &settings, ports: &world };
        let user = &settings.default_user;

        note(cx, user, &items());
        world.advance(Duration::from_secs(1_800));
        note(cx, user, &items());
        let both = view(cx, user).unwrap();
        world.advance(Duration::from_secs(1_800));
        let one = view(cx, user).unwrap();

        assert_eq!(both.len(), 2);
        assert!(both[0].added_at > both[1].added_at);
        assert_eq!(one, both[..1]);
        assert!(is_over(cx, &user.key(), 1).unwrap() && !is_over(cx, &user.key(), 2).unwrap());
    }

    #[test]
    fn what_is_forgotten_is_gone_and_the_51st_takes_the_place_of_the_first() {
        let (world, settings) = (TestWorld::new(), settings("1"));
        let cx = Context { settings: &settings, ports: &world };
        let user = &settings.default_user;

        for _ in 0..=PLACES {
            note(cx, user, &items());
        }
        let kept = view(cx, user).unwrap().len();
        forget(cx, user).unwrap();

        assert_eq!(kept, usize::try_from(PLACES).unwrap());
        assert_eq!(view(cx, user).unwrap(), []);
    }
}
