//! The faults of one run: which can happen at all, and how often.
//!
//! Each seed has its own mixture, and many are mild: a run in which everything fails all
//! the time never reaches the interesting states. Nothing here injects a fault.

use crate::random::Random;
use crate::time::{DAY, HOUR, MINUTE, SECOND, Time};

/// All faults of a run. Rates are per mille of the operations that can fail so.
#[derive(Debug)]
pub(crate) struct Weather {
    /// The end of the storm: from then on no fault is injected.
    pub(crate) until: Time,
    pub(crate) store: StoreWeather,
    pub(crate) network: NetworkWeather,
    pub(crate) machines: MachineWeather,
}

/// The faults of the store and the other buckets.
#[derive(Debug)]
pub(crate) struct StoreWeather {
    /// Whether the store keeps nothing from one opening to the next.
    pub(crate) forgets: bool,
    pub(crate) error_before: u64,
    pub(crate) error_after: u64,
    pub(crate) late: u64,
    /// The time in which nothing can be written.
    pub(crate) read_only: Option<(Time, Time)>,
    /// The rate at which the write that saves a grant is refused.
    pub(crate) save_refused: u64,
    pub(crate) rescue_error: u64,
    pub(crate) env_error: u64,
}

/// The faults of the network and of Kroger.
#[derive(Debug)]
pub(crate) struct NetworkWeather {
    pub(crate) not_sent: u64,
    pub(crate) request_lost: u64,
    pub(crate) reply_lost: u64,
    pub(crate) reply_late: u64,
    pub(crate) request_late: u64,
    pub(crate) slow: u64,
    pub(crate) garbled: u64,
    pub(crate) failed_before: u64,
    pub(crate) failed_after: u64,
    pub(crate) busy: u64,
    pub(crate) portal: u64,
    /// The time in which no request reaches Kroger.
    pub(crate) outage: Option<(Time, Time)>,
    /// The time in which the app's credentials are refused; it may have no end.
    pub(crate) client_refused: Option<(Time, Time)>,
}

/// The faults of machines and processes.
#[derive(Debug)]
pub(crate) struct MachineWeather {
    pub(crate) killed: u64,
    pub(crate) trapped: u64,
    pub(crate) stalled: u64,
    pub(crate) frozen: u64,
    pub(crate) stepped: u64,
    /// The most by which a wall clock differs from true time at the start.
    pub(crate) skew: Time,
}

impl Weather {
    pub(crate) fn any(random: &mut Random, until: Time) -> Self {
        Self {
            until,
            store: StoreWeather::any(random, until),
            network: NetworkWeather::any(random, until),
            machines: MachineWeather::any(random),
        }
    }
}

impl StoreWeather {
    fn any(random: &mut Random, until: Time) -> Self {
        Self {
            forgets: random.chance(15),
            error_before: sometimes(random, 250, &[2, 10, 50]),
            error_after: sometimes(random, 250, &[2, 10, 50]),
            late: sometimes(random, 250, &[2, 10, 50]),
            read_only: window(random, 150, until),
            save_refused: sometimes(random, 200, &[100, 500, 900]),
            rescue_error: sometimes(random, 100, &[50, 500]),
            env_error: sometimes(random, 150, &[50, 300]),
        }
    }
}

impl NetworkWeather {
    fn any(random: &mut Random, until: Time) -> Self {
        let mut rate = || sometimes(random, 200, &[20, 100, 300]);
        Self {
            not_sent: rate(),
            request_lost: rate(),
            reply_lost: rate(),
            reply_late: rate(),
            request_late: rate(),
            slow: rate(),
            garbled: rate(),
            failed_before: rate(),
            failed_after: rate(),
            busy: rate(),
            portal: rate(),
            outage: window(random, 100, until),
            client_refused: window(random, 100, until)
                .map(|(start, end)| (start, if random.chance(100) { Time::MAX } else { end })),
        }
    }
}

impl MachineWeather {
    fn any(random: &mut Random) -> Self {
        let skews =
            [0, 0, 0, 0, 0, 0, 0, 0, 500_000, 500_000, 3 * SECOND, 10 * SECOND, 60 * SECOND, 60 * SECOND, HOUR, DAY];
        Self {
            killed: sometimes(random, 250, &[1, 3, 10]),
            trapped: sometimes(random, 200, &[1, 3, 10]),
            stalled: sometimes(random, 250, &[2, 10, 30]),
            frozen: sometimes(random, 150, &[1, 3]),
            stepped: sometimes(random, 120, &[1, 3]),
            skew: random.pick(&skews),
        }
    }

    /// Whether no clock is ever set, and no two differ by more than a lease allows for.
    pub(crate) fn has_close_clocks(&self) -> bool {
        self.skew <= 3 * SECOND && self.stepped == 0
    }

    /// Whether all clocks show true time, and none is ever set.
    pub(crate) fn has_true_clocks(&self) -> bool {
        self.skew == 0 && self.stepped == 0
    }
}

fn sometimes(random: &mut Random, per_mille: u64, rates: &[u64]) -> u64 {
    if random.chance(per_mille) { random.pick(rates) } else { 0 }
}

fn window(random: &mut Random, per_mille: u64, until: Time) -> Option<(Time, Time)> {
    if !random.chance(per_mille) {
        return None;
    }
    let start = random.range(0, until);
    let length = random.pick(&[20 * SECOND, 5 * MINUTE, HOUR]);
    Some((start, (start + length).min(until)))
}

pub(crate) fn is_within(window: Option<(Time, Time)>, now: Time) -> bool {
    window.is_some_and(|(start, end)| (start..end).contains(&now))
}
