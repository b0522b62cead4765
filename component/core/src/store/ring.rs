//! A fixed number of places, taken in turn: a new entry pushes out the oldest.
//!
//! A counter says how many entries there were; its remainder by the number of
//! places is the next place. Nothing has to be deleted for the ring to stay small.

use crate::Context;
use crate::ports::StoreError;
use crate::store::keys::Key;

/// The longest id that names a place: the place, a dot, and random text.
const LONGEST_ID: usize = 64;

pub(crate) struct Ring {
    pub(crate) counter: Key,
    /// How many places the ring has.
    pub(crate) places: u64,
}

impl Ring {
    /// Takes the next place. No other caller gets it before all the others were taken.
    pub(crate) fn take(&self, cx: Context<'_>) -> Result<u64, StoreError> {
        Ok(cx.ports.increment(&self.counter.to_string(), 1)? % self.places)
    }

    /// The place that an id such as `17.<random text>` begins with.
    pub(crate) fn place_of(&self, id: &str) -> Option<u64> {
        let (place, _) = id.split_once('.').filter(|_| id.len() <= LONGEST_ID)?;
        self.place(place)
    }

    /// The place that `text` names.
    pub(crate) fn place(&self, text: &str) -> Option<u64> {
        let place: u64 = text.parse().ok()?;
        (place < self.places && place.to_string() == text).then_some(place)
    }

    /// The places that may have an entry, the oldest first.
    pub(crate) fn live(&self, cx: Context<'_>) -> Result<impl Iterator<Item = u64> + use<>, StoreError> {
        let (newest, places) = (cx.ports.increment(&self.counter.to_string(), 0)?, self.places);
        Ok((newest.saturating_sub(places - 1)..=newest).map(move |number| number % places))
    }

    /// All places, whatever the counter says.
    pub(crate) fn all(&self) -> std::ops::Range<u64> {
        0..self.places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::testing::TestWorld;

    const RING: Ring = Ring { counter: Key::SignInPlaces, places: 3 };

    #[test]
    fn places_are_taken_in_turn_and_the_last_ones_are_live() {
        let (settings, world) = (Settings::from_variables([]).unwrap(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };
        let live = || RING.live(cx).unwrap().collect::<Vec<_>>();

        assert_eq!(live(), [0], "the counter is at 0");
        assert_eq!([(); 2].map(|()| RING.take(cx).unwrap()), [1, 2]);
        assert_eq!(live(), [0, 1, 2]);
        assert_eq!([(); 2].map(|()| RING.take(cx).unwrap()), [0, 1]);
        assert_eq!(live(), [2, 0, 1]);
        assert_eq!(RING.all().collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn an_id_names_a_place_of_the_ring_or_none() {
        assert_eq!(RING.place_of("2.abc"), Some(2));
        for wrong in ["", "2", ".abc", "3.abc", "01.abc", "+1.abc", "-1.abc", "x.abc", "99999999999999999999999.abc"] {
            assert_eq!(RING.place_of(wrong), None, "{wrong}");
        }
        assert_eq!(RING.place_of(&format!("2.{}", "a".repeat(63))), None);
    }
}
