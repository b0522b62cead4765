//! The once-only protocol: a deed that is done at most once for each try.
//!
//! claim → intent → read back → look at both clocks → act once → conclusion.
//! Two deeds follow it: a refresh sends a single-use token, and a keyed cart add sends
//! its items. Each deed names its records with [`TryRecords`] and its own rules with
//! [`Deed`]. This module knows neither of them.
//!
//! A try has a number and three records. The claim is a counter: the one caller
//! that raises it to 1 owns the try. The owner stores the intent before it acts
//! and the conclusion afterwards. If an owner vanishes, the missing records show
//! how far it came.
//!
//! This module never acts itself, never repeats an `increment` whose answer was
//! lost, and never lets an owner act before its intent is stored and read back.

use std::time::Duration;

use crate::ports::{Bucket, StoreError, Timestamp};
use crate::store::codec::{Stored, encode, read};
use crate::{CLOCK_SKEW, Context};

/// The time that an owner has from its intent to its conclusion, by everyone's clock.
pub(crate) const LEASE: Duration = Duration::from_secs(20);
/// An owner that has not come to act by then gives up.
pub(crate) const CLAIM_LIFE: Duration = Duration::from_secs(2);
/// After this time other callers take a claim without an intent for dead.
pub(crate) const CLAIM_DEATH: Duration = Duration::from_secs(5);

/// An intent says until when its owner may be acting.
pub(crate) trait Leased {
    fn lease_until(&self) -> Timestamp;
}

/// A claimed try, as far as its owner came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Try<I, C> {
    /// 1, 2, 3, …
    pub(crate) number: u64,
    pub(crate) intent: Option<I>,
    pub(crate) conclusion: Option<C>,
}

/// The number of the next try, given all tries in order.
pub(crate) fn next_number<I, C>(tries: &[Try<I, C>]) -> u64 {
    tries.last().map_or(0, |last| last.number) + 1
}

impl<I: Leased, C> Try<I, C> {
    /// Whether the try was claimed and says nothing else: its owner is alive or dead.
    pub(crate) fn is_silent(&self) -> bool {
        self.intent.is_none() && self.conclusion.is_none()
    }

    /// The intent, if the try has no conclusion: its owner may have acted, or may
    /// still act.
    pub(crate) fn open_intent(&self) -> Option<&I> {
        self.intent.as_ref().filter(|_| self.conclusion.is_none())
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open_intent().is_some()
    }

    /// What is left of the owner's lease. None: the try is not in flight.
    ///
    /// A lease counts only if it ends between now and little more than one lease
    /// ahead: a clock that stepped must not lock the deed.
    pub(crate) fn lease_left(&self, now: Timestamp) -> Option<Duration> {
        let lease_until = self.open_intent()?.lease_until();
        let is_in_flight = now < lease_until && lease_until <= now + LEASE + CLOCK_SKEW;
        is_in_flight.then(|| lease_until.since(now))
    }

    pub(crate) fn is_in_flight(&self, now: Timestamp) -> bool {
        self.lease_left(now).is_some()
    }
}

/// Since when one caller has seen one thing unchanged, by its own monotonic clock.
#[derive(Debug)]
pub(crate) struct Watch<K>(Option<(K, Duration)>);

impl<K> Default for Watch<K> {
    fn default() -> Self {
        Self(None)
    }
}

impl<K: PartialEq> Watch<K> {
    /// Since when the caller has seen `what`. The first sight is at `now`.
    pub(crate) fn since(&mut self, what: K, now: impl FnOnce() -> Duration) -> Duration {
        match &self.0 {
            Some((seen, since)) if *seen == what => *since,
            _ => {
                let now = now();
                self.0 = Some((what, now));
                now
            }
        }
    }

    /// Whether the owner of the silent `claim` is dead: it was silent for
    /// [`CLAIM_DEATH`], and an owner gives up after [`CLAIM_LIFE`].
    ///
    /// The time runs from the end of the first look to `asked_at`, the beginning of
    /// this look. A store that answers late tells how things were when it was asked.
    pub(crate) fn is_dead(&mut self, cx: Context<'_>, claim: K, asked_at: Duration) -> bool {
        asked_at >= self.since(claim, || cx.ports.monotonic_now()) + CLAIM_DEATH
    }
}

/// The records of the tries at one deed, and their keys.
pub(crate) trait TryRecords {
    type Intent: Leased + Stored;
    type Conclusion: Stored;

    fn claim_key(&self, number: u64) -> String;
    fn intent_key(&self, number: u64) -> String;
    fn conclusion_key(&self, number: u64) -> String;
}

/// A try with the records of `R`.
pub(crate) type TryAt<R> = Try<<R as TryRecords>::Intent, <R as TryRecords>::Conclusion>;

/// Reads try `number`. None: nobody has claimed it, or it was deleted.
///
/// The records are read backwards: a conclusion that was found has its intent.
pub(crate) fn read_try<R: TryRecords>(
    cx: Context<'_>,
    records: &R,
    number: u64,
) -> Result<Option<TryAt<R>>, StoreError> {
    let conclusion = read(cx, Bucket::Store, &records.conclusion_key(number))?;
    let intent = read(cx, Bucket::Store, &records.intent_key(number))?;
    let is_claimed = conclusion.is_some() || intent.is_some() || cx.ports.increment(&records.claim_key(number), 0)? > 0;
    Ok(is_claimed.then_some(Try { number, intent, conclusion }))
}

/// All tries in order. `stand_in` answers the one try that stands for a number and
/// others, if they were deleted; such a try comes first.
pub(crate) fn read_tries<R: TryRecords>(
    cx: Context<'_>,
    records: &R,
    stand_in: impl Fn(u64) -> Result<Option<TryAt<R>>, StoreError>,
) -> Result<Vec<TryAt<R>>, StoreError> {
    let mut tries = Vec::new();
    loop {
        let number = next_number(&tries);
        if let Some(each) = read_try(cx, records, number)? {
            tries.push(each);
        } else if let Some(stand_in) = stand_in(number)? {
            tries = vec![stand_in];
        } else {
            return Ok(tries);
        }
    }
}

/// The rules of one deed that the protocol does not share. `docs/protocol.md` says
/// why the two deeds differ in them.
pub(crate) trait Deed {
    type Records: TryRecords;

    fn records(&self) -> &Self::Records;

    /// The intent of try `number`, once everything holds that must hold before it is
    /// stored. None: the deed must not be done, and the caller looks again.
    fn intent(&self, number: u64) -> Result<Option<IntentOf<Self>>, StoreError>;

    /// Whether no other owner is, or may be, at the deed. Asked when the intent of
    /// try `number` is stored.
    fn is_alone(&self, _number: u64) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Stores, as the conclusion of try `number`, that its owner did nothing.
    fn withdraw(&self, number: u64, why: Withdrawal);
}

/// The intent of the deed `D`.
pub(crate) type IntentOf<D> = <<D as Deed>::Records as TryRecords>::Intent;

/// Why an owner that wrote an intent does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withdrawal {
    /// The store failed. The intent may be in it.
    StoreFailed,
    /// Another owner is, or may be, at the deed.
    NotAlone,
    /// The owner was stopped, or a clock was set, since its claim.
    TooLate,
}

/// What a caller got that claimed a try.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission<I> {
    /// The right to act once, at once. The caller concludes the try afterwards.
    Act(I),
    /// Another caller owns the try.
    Lost,
    /// This caller owns the try and does nothing under it.
    Withdrawn,
}

/// Why nobody may act on this store. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    StoreFailed,
    /// The store acknowledged an intent and does not have it.
    StoreForgets,
}

impl From<StoreError> for Obstacle {
    fn from(_: StoreError) -> Self {
        Self::StoreFailed
    }
}

/// Claims try `number` and does everything that must come before the deed.
///
/// # Errors
/// [`Obstacle`]: nobody may act on this store.
pub(crate) fn admit<D: Deed>(cx: Context<'_>, deed: &D, number: u64) -> Result<Admission<IntentOf<D>>, Obstacle> {
    let claimed = Claimed::now(cx);
    // An error says nothing of the counter: the claim counts as another caller's.
    if cx.ports.increment(&deed.records().claim_key(number), 1)? != 1 {
        return Ok(Admission::Lost);
    }
    let Some(intent) = deed.intent(number)? else { return Ok(Admission::Withdrawn) };
    store_intent(cx, deed, number, &intent)?;
    let withdrawal = match (deed.is_alone(number), claimed.is_too_late(cx)) {
        (Ok(true), false) => return Ok(Admission::Act(intent)),
        (Ok(true), true) => Withdrawal::TooLate,
        (Ok(false), _) => Withdrawal::NotAlone,
        (Err(_), _) => Withdrawal::StoreFailed,
    };
    deed.withdraw(number, withdrawal);
    if withdrawal == Withdrawal::StoreFailed { Err(Obstacle::StoreFailed) } else { Ok(Admission::Withdrawn) }
}

/// Stores the intent and reads it back through a newly opened bucket. A store that
/// forgets would let the next caller do the deed again.
fn store_intent<D: Deed>(cx: Context<'_>, deed: &D, number: u64, intent: &IntentOf<D>) -> Result<(), Obstacle> {
    let kept = keep(cx, &deed.records().intent_key(number), &encode(intent));
    if kept == Err(Obstacle::StoreFailed) {
        deed.withdraw(number, Withdrawal::StoreFailed);
    }
    kept
}

fn keep(cx: Context<'_>, key: &str, value: &[u8]) -> Result<(), Obstacle> {
    cx.ports.set(Bucket::Store, key, value)?;
    match cx.ports.read_back(key)? {
        Some(stored) if stored == value => Ok(()),
        _ => Err(Obstacle::StoreForgets),
    }
}

/// Stores the conclusion of try `number`. If that fails, the intent's lease runs
/// out instead.
pub(crate) fn conclude<R: TryRecords>(
    cx: Context<'_>,
    records: &R,
    number: u64,
    conclusion: &R::Conclusion,
) -> Result<(), StoreError> {
    cx.ports.set(Bucket::Store, &records.conclusion_key(number), &encode(conclusion))
}

/// Both clocks, read before the claim. So the time that the claim itself takes counts
/// against the owner.
struct Claimed {
    at: Duration,
    at_wall: Timestamp,
}

impl Claimed {
    fn now(cx: Context<'_>) -> Self {
        Self { at: cx.ports.monotonic_now(), at_wall: cx.ports.wall_now() }
    }

    /// Whether the process was stopped, the machine slept, or a clock was set, since
    /// the claim.
    fn is_too_late(&self, cx: Context<'_>) -> bool {
        let now = cx.ports.wall_now();
        let is_in_time =
            cx.ports.monotonic_now() < self.at + CLAIM_LIFE && now >= self.at_wall && now < self.at_wall + CLAIM_LIFE;
        !is_in_time
    }
}

#[cfg(test)]
mod tests;
