//! The output of a run: counts of injected faults and reached states, and the history of a
//! seed.
//!
//! Nothing here changes what happens.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use crate::machine::MachineId;
use crate::process::CallId;
use crate::time::Time;

/// The names of all faults that can be injected.
pub(crate) const FAULTS: [&str; 29] = [
    "store operation fails",
    "store operation done, error answered",
    "increment done, answer lost",
    "store operation late",
    "store read-only",
    "save of a grant refused",
    "store forgets",
    "rescue bucket fails",
    ".env file fails",
    "pair from outside already spent",
    "request not sent",
    "request lost",
    "reply lost",
    "reply later than the caller waits",
    "request processed after the caller gave up",
    "reply slow",
    "reply garbled",
    "503 before processing",
    "502 after processing",
    "429",
    "captive portal",
    "client credentials refused",
    "Kroger down for hours",
    "process killed",
    "host killed and restarted",
    "process held up",
    "machine suspended",
    "wall clock set",
    "clocks differ",
];

/// The names of all states that are worth reaching.
pub(crate) const STATES: [&str; 39] = [
    "refreshed",
    "refreshed by one, used by others",
    "forced refresh shared",
    "rejected access token replaced",
    "signed in",
    "sign-in stopped by a deletion",
    "deleted",
    "deleted while a refresh was in flight",
    "signed in while a refresh was in flight",
    "late child of an older sign-in ignored",
    "two children of one grant",
    "child refreshed while a sibling was in flight",
    "dead claim taken over",
    "tries folded",
    "claim won and nothing sent",
    "lease of a vanished owner ran out",
    "tried again after a failed try",
    "timer held back by a 429",
    "token sent after its owner was held up past the lease",
    "refused while another try was in flight",
    "host restarted with a request in flight",
    "pair adopted from outside",
    "pair adopted after the store had grants",
    "two pairs adopted at one moment",
    "pair rescued",
    "rescued pair saved",
    "rescued pair lost with its host",
    "record swept while being read",
    "hint moved back",
    "sign-in lost: reply",
    "sign-in lost: process",
    "sign-in lost: store",
    "sign-in lost: rescue",
    "sign-in lost: family revoked",
    "told: probably spent",
    "told: refused",
    "told: unavailable",
    "told: could not be saved",
    "told: store forgets",
];

/// The counts of one run, or of many.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) states: BTreeMap<&'static str, u64>,
    pub(crate) calls: u64,
    pub(crate) operations: u64,
    pub(crate) virtual_time: Time,
    pub(crate) most_keys: usize,
}

impl Counts {
    pub(crate) fn fault(&mut self, name: &'static str) {
        debug_assert!(FAULTS.contains(&name), "{name}");
        *self.faults.entry(name).or_default() += 1;
    }

    pub(crate) fn state(&mut self, name: &'static str) {
        debug_assert!(STATES.contains(&name), "{name}");
        *self.states.entry(name).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (name, count) in &other.faults {
            *self.faults.entry(name).or_default() += count;
        }
        for (name, count) in &other.states {
            *self.states.entry(name).or_default() += count;
        }
        self.calls += other.calls;
        self.operations += other.operations;
        self.virtual_time += other.virtual_time;
        self.most_keys = self.most_keys.max(other.most_keys);
    }

    /// Answers the states that no run reached.
    pub(crate) fn unreached(&self) -> Vec<&'static str> {
        STATES.into_iter().filter(|name| !self.states.contains_key(name)).collect()
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        section(&mut text, "fault injected", &FAULTS, &self.faults);
        section(&mut text, "state reached", &STATES, &self.states);
        text
    }
}

fn section(text: &mut String, title: &str, names: &[&'static str], counts: &BTreeMap<&'static str, u64>) {
    let _ = writeln!(text, "{title:<56}{:>12}", "count");
    for name in names {
        let _ = writeln!(text, "  {name:<54}{:>12}", counts.get(name).copied().unwrap_or(0));
    }
}

/// How much of a run's history is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Nothing,
    /// The lines that a reader needs to follow a failure.
    Story,
    Everything,
}

struct HistoryLine {
    at: Time,
    machine: MachineId,
    call: Option<CallId>,
    text: String,
}

/// The lines of a run, for people to read.
pub(crate) struct History {
    detail: Detail,
    lines: VecDeque<HistoryLine>,
}

/// The number of lines that a story keeps, from its end.
const SHOWN: usize = 120;

impl History {
    pub(crate) fn new(detail: Detail) -> Self {
        Self { detail, lines: VecDeque::new() }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.detail != Detail::Nothing
    }

    pub(crate) fn push(&mut self, at: Time, machine: MachineId, call: Option<CallId>, text: String) {
        if self.detail == Detail::Story && !tells(&text) {
            return;
        }
        self.lines.push_back(HistoryLine { at, machine, call, text });
        if self.detail == Detail::Story && self.lines.len() > SHOWN {
            self.lines.pop_front();
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let call = line.call.map(|call| format!("#{call}")).unwrap_or_default();
            let what = without_hash(&line.text);
            let _ = writeln!(text, "{:>12.3} s  m{} {call:<6} {what}", line.at as f64 / 1e6, line.machine);
        }
        text
    }
}

/// Whether a line belongs to the story. Reads do not, nor does bookkeeping on which no
/// promise rests.
fn tells(text: &str) -> bool {
    const DULL: [&str; 14] = [
        "get ",
        "count ",
        "list ",
        "set Store due.",
        "set Store tick",
        "set Store refreshes_not_before",
        "set Store client",
        "increment due.",
        "increment lifetimes.",
        "delete Store due.",
        "delete Store lifetimes.",
        "delete Store used.",
        "sends client",
        "Kroger answers client",
    ];
    text.contains('✗') || !DULL.iter().any(|dull| text.starts_with(dull))
}

/// Shortens a value for a line: leaves out the parts of a record that say little.
pub(crate) fn shortened(text: &str) -> String {
    let mut text = text.replace("\"schema_version\":1,", "");
    if let Some(start) = text.find("\"known\":[")
        && let Some(length) = text[start..].find("],")
    {
        text.replace_range(start..start + length + 2, "");
    }
    let text = text.replace('"', "").replace('\n', " ");
    text.chars().take(200).collect()
}

/// Shortens the users' hashes in a line to what tells them apart.
fn without_hash(text: &str) -> String {
    let is_hash =
        |part: &str| part.len() == 52 && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let parts = text.split_inclusive(['.', ' ']);
    parts
        .map(|part| {
            if is_hash(part.trim_end_matches(['.', ' '])) {
                format!("{}…{}", &part[..4], &part[52..])
            } else {
                part.to_owned()
            }
        })
        .collect()
}
