//! One machine: its clocks, its rescue bucket, its `.env` file.

use std::collections::BTreeMap;
use std::rc::Rc;

use kroger_connector::core::settings::Settings;

use crate::time::Time;

/// The number of a machine.
pub(crate) type MachineId = usize;

pub(crate) struct SimulatedMachine {
    /// What its wall clock is ahead of true time, in microseconds.
    pub(crate) offset: i64,
    /// What its monotonic clock missed while it was suspended.
    pub(crate) missed: Time,
    pub(crate) counts_suspension: bool,
    pub(crate) frozen_until: Time,
    pub(crate) down_until: Time,
    /// The volatile bucket, where its host has one.
    pub(crate) rescue: Option<BTreeMap<String, Vec<u8>>>,
    /// Which `.env` file it mirrors into.
    pub(crate) env: Option<usize>,
    pub(crate) settings: Rc<Settings>,
    /// When its wall clock was last set, or it was suspended.
    pub(crate) disturbed: Time,
}
