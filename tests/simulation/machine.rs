//! One machine: its clocks, its rescue bucket, its `.env` file.
//!
//! This is state only; `mishaps` changes it.

use std::collections::BTreeMap;
use std::rc::Rc;

use kroger_core::settings::Settings;

use crate::time::Time;

/// The number of a machine.
pub(crate) type MachineId = usize;

pub(crate) struct SimulatedMachine {
    /// The microseconds by which the wall clock is ahead of true time.
    pub(crate) offset: i64,
    /// The time that the monotonic clock missed in suspension.
    pub(crate) missed: Time,
    /// Whether the monotonic clock goes on in suspension.
    pub(crate) counts_suspension: bool,
    pub(crate) frozen_until: Time,
    pub(crate) down_until: Time,
    /// The bucket in the host's memory; `None` if the host has none.
    pub(crate) rescue: Option<BTreeMap<String, Vec<u8>>>,
    /// The `.env` file into which the machine mirrors.
    pub(crate) env: Option<usize>,
    pub(crate) settings: Rc<Settings>,
    /// When the wall clock was last set, or the last suspension ended.
    pub(crate) disturbed: Time,
}
