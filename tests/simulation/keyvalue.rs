//! Applies key-value operations to the shared store, the rescue buckets and the `.env`
//! files, and injects their faults.
//!
//! An `increment` is atomic, and a value that was acknowledged is kept, except in a store
//! that forgets.

use kroger_core::ports::{Bucket, KeyPage, StoreError};

use crate::machine::MachineId;
use crate::process::{CallId, Op, PortAnswer};
use crate::records::StoredValue;
use crate::simulation::{ScheduledEvent, Simulation};
use crate::time::{SECOND, Time};
use crate::weather::is_within;

impl Simulation {
    pub(crate) fn begin_store(&mut self, call: CallId, serial: u64, op: Op, stall: Time) {
        self.counts.operations += 1;
        let before = self.now + stall + self.random.range(20, 2_000);
        let machine = self.calls[call].machine;
        if self.fails_before(call, &op) {
            self.note(call, machine, || format!("{} ✗ (no effect)", text_of(&op)));
            let answer = op.failure(StoreError::Failed);
            self.witness_answer(call, &op, &answer);
            return self.schedule(before, ScheduledEvent::Resume { call, serial, answer });
        }
        let rates = &self.weather.store;
        let (after, late) = (rates.error_after, rates.late);
        let is_stormy = self.is_stormy() && bucket_of(&op) == Bucket::Store;
        let is_told = !(is_stormy && self.random.chance(after));
        let mut effect_at = before;
        let mut answer_at = before + self.random.range(20, 2_000);
        if !is_told {
            self.counts.fault(if matches!(op, Op::Increment(..)) {
                "increment done, answer lost"
            } else {
                "store operation done, error answered"
            });
        }
        if is_stormy && self.random.chance(late) {
            self.counts.fault("store operation late");
            let delay = self.random.pick(&[SECOND, 3 * SECOND, 6 * SECOND, 22 * SECOND]);
            answer_at += delay;
            if self.random.chance(500) {
                effect_at += delay;
            }
        }
        let survives = self.random.chance(500);
        self.schedule(effect_at, ScheduledEvent::Effect { call, serial, op, answer_at, is_told, survives });
    }

    fn fails_before(&mut self, call: CallId, op: &Op) -> bool {
        if !self.is_stormy() {
            return false;
        }
        let machine = self.calls[call].machine;
        let rates = &self.weather.store;
        match bucket_of(op) {
            Bucket::Rescue => {
                self.machines[machine].rescue.is_some() && self.random.chance(rates.rescue_error) && {
                    self.counts.fault("rescue bucket fails");
                    true
                }
            }
            Bucket::Env => {
                self.machines[machine].env.is_some() && self.random.chance(rates.env_error) && {
                    self.counts.fault(".env file fails");
                    true
                }
            }
            // The protocol keeps nothing there.
            Bucket::Cache | Bucket::Replaced => false,
            Bucket::Store if writes(op) && is_within(rates.read_only, self.now) => {
                self.counts.fault("store read-only");
                true
            }
            Bucket::Store if saves(op) && self.random.chance(rates.save_refused) => {
                self.counts.fault("save of a grant refused");
                true
            }
            Bucket::Store => {
                self.random.chance(rates.error_before) && {
                    self.counts.fault("store operation fails");
                    true
                }
            }
        }
    }

    pub(crate) fn apply(&mut self, call: CallId, op: &Op) -> PortAnswer {
        let machine = self.calls[call].machine;
        let answer = match bucket_of(op) {
            Bucket::Store => self.apply_to_store(call, op),
            Bucket::Rescue => self.apply_to_rescue(machine, op),
            Bucket::Env => self.apply_to_env(machine, op),
            Bucket::Cache | Bucket::Replaced => op.failure(StoreError::NoSuchBucket),
        };
        self.note(call, machine, || format!("{} → {}", text_of(op), answer_text(&answer)));
        answer
    }

    fn apply_to_store(&mut self, call: CallId, op: &Op) -> PortAnswer {
        let forgets = self.weather.store.forgets;
        match op {
            Op::ReadBack(key) => PortAnswer::Value(Ok(bytes(self.store.get(key)))),
            Op::Get(_, key) => {
                let masked = forgets.then(|| self.calls[call].overlay.get(key)).flatten();
                PortAnswer::Value(Ok(bytes(masked.or_else(|| self.store.get(key)))))
            }
            Op::Set(_, key, value) => {
                self.put(call, key, Some(StoredValue::Bytes(value.clone())));
                PortAnswer::Written(Ok(()))
            }
            Op::Delete(_, key) => {
                self.put(call, key, None);
                PortAnswer::Written(Ok(()))
            }
            Op::Increment(key, delta) => {
                let masked = forgets.then(|| self.calls[call].overlay.get(key)).flatten();
                let before = match masked.or_else(|| self.store.get(key)) {
                    Some(StoredValue::Number(number)) => *number,
                    Some(StoredValue::Bytes(_)) => return PortAnswer::Number(Err(StoreError::Failed)),
                    None => 0,
                };
                if *delta > 0 {
                    self.put(call, key, Some(StoredValue::Number(before + delta)));
                }
                PortAnswer::Number(Ok(before + delta))
            }
            Op::List(_, cursor) => PortAnswer::Page(Ok(self.page(cursor.unwrap_or(0)))),
            other => unreachable!("{other:?} is no key-value operation"),
        }
    }

    /// Answers a page of keys. Keys that are created and deleted move no other key across the
    /// cursor.
    fn page(&self, cursor: u64) -> KeyPage {
        let mut rest = self.born.range(cursor + 1..);
        let keys: Vec<(&u64, &String)> = rest.by_ref().take(self.page_size).collect();
        let last = keys.last().map(|(number, _)| **number).filter(|_| rest.next().is_some());
        KeyPage { keys: keys.into_iter().map(|(_, key)| key.clone()).collect(), cursor: last }
    }

    fn put(&mut self, call: CallId, key: &str, value: Option<StoredValue>) {
        if self.weather.store.forgets {
            if let Some(value) = value {
                self.calls[call].overlay.insert(key.to_owned(), value);
            } else {
                self.calls[call].overlay.remove(key);
            }
            return;
        }
        let old = match value.clone() {
            Some(value) => self.store.insert(key.to_owned(), value),
            None => self.store.remove(key),
        };
        match (&old, &value) {
            (None, Some(_)) => {
                self.last_birth += 1;
                self.births.insert(key.to_owned(), self.last_birth);
                self.born.insert(self.last_birth, key.to_owned());
            }
            (Some(_), None) => {
                let number = self.births.remove(key).expect("a key that was made");
                self.born.remove(&number);
            }
            _ => {}
        }
        self.witness_store(call, key, old, value);
    }

    fn apply_to_rescue(&mut self, machine: MachineId, op: &Op) -> PortAnswer {
        let Some(rescue) = &mut self.machines[machine].rescue else { return op.failure(StoreError::NoSuchBucket) };
        match op {
            Op::Get(_, key) => PortAnswer::Value(Ok(rescue.get(key).cloned())),
            Op::Set(_, key, value) => {
                rescue.insert(key.clone(), value.clone());
                self.witness_rescue(None, Some(value));
                PortAnswer::Written(Ok(()))
            }
            Op::Delete(_, key) => {
                let old = rescue.remove(key);
                self.witness_rescue(old.as_deref(), None);
                PortAnswer::Written(Ok(()))
            }
            Op::List(..) => PortAnswer::Page(Ok(KeyPage { keys: rescue.keys().cloned().collect(), cursor: None })),
            other => unreachable!("{other:?} on the rescue bucket"),
        }
    }

    fn apply_to_env(&mut self, machine: MachineId, op: &Op) -> PortAnswer {
        let Some(file) = self.machines[machine].env else { return op.failure(StoreError::NoSuchBucket) };
        match op {
            Op::Get(..) => PortAnswer::Value(Ok(self.envs[file].clone())),
            Op::Set(_, _, value) => {
                self.envs[file] = Some(value.clone());
                PortAnswer::Written(Ok(()))
            }
            Op::Delete(..) => {
                self.envs[file] = None;
                PortAnswer::Written(Ok(()))
            }
            other => unreachable!("{other:?} on the .env file"),
        }
    }
}

fn bytes(value: Option<&StoredValue>) -> Option<Vec<u8>> {
    match value {
        Some(StoredValue::Bytes(bytes)) => Some(bytes.clone()),
        Some(StoredValue::Number(number)) => Some(number.to_string().into_bytes()),
        None => None,
    }
}

fn bucket_of(op: &Op) -> Bucket {
    match op {
        Op::Get(bucket, _) | Op::Set(bucket, ..) | Op::Delete(bucket, _) | Op::List(bucket, _) => *bucket,
        _ => Bucket::Store,
    }
}

fn writes(op: &Op) -> bool {
    match op {
        Op::Set(..) | Op::Delete(..) => true,
        Op::Increment(_, delta) => *delta > 0,
        _ => false,
    }
}

fn saves(op: &Op) -> bool {
    matches!(op, Op::Set(_, key, _) if key.starts_with("grant."))
}

fn text_of(op: &Op) -> String {
    let value = |value: &[u8]| crate::report::shortened(&String::from_utf8_lossy(value));
    match op {
        Op::Get(bucket, key) => format!("get {bucket:?} {key}"),
        Op::ReadBack(key) => format!("read back {key}"),
        Op::Set(bucket, key, bytes) => format!("set {bucket:?} {key} = {}", value(bytes)),
        Op::Delete(bucket, key) => format!("delete {bucket:?} {key}"),
        Op::Increment(key, 0) => format!("count {key}"),
        Op::Increment(key, delta) => format!("increment {key} by {delta}"),
        Op::List(bucket, cursor) => format!("list {bucket:?} from {}", cursor.unwrap_or(0)),
        other => format!("{other:?}"),
    }
}

fn answer_text(answer: &PortAnswer) -> String {
    match answer {
        PortAnswer::Value(Ok(Some(value))) => crate::report::shortened(&String::from_utf8_lossy(value)),
        PortAnswer::Value(Ok(None)) => "absent".to_owned(),
        PortAnswer::Written(Ok(())) => "ok".to_owned(),
        PortAnswer::Number(Ok(number)) => number.to_string(),
        PortAnswer::Page(Ok(page)) => format!("{} keys", page.keys.len()),
        other => format!("{other:?}"),
    }
}
