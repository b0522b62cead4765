//! A fixed number of places, taken in turn: a new entry pushes out the oldest.
//!
//! A counter says how many entries there were; its remainder by the number of
//! places is the next place. Nothing has to be deleted for the ring to stay small.

use crate::Context;
use crate::ports::StoreError;
use crate::store::keys::Key;

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
    fn places_are_taken_in_turn() {
        let (settings, world) = (Settings::from_variables([]).unwrap(), TestWorld::new());
        let cx = Context { settings: &settings, ports: &world };

        assert_eq!([(); 4].map(|()| RING.take(cx).unwrap()), [1, 2, 0, 1]);
        assert_eq!(RING.all().collect::<Vec<_>>(), [0, 1, 2]);
    }
}
