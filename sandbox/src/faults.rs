//! Decides which call meets a fault, and which fault.
//!
//! Carries out nothing: `layers::disturb` does.

pub(crate) mod action;
mod random;

#[cfg(test)]
mod tests;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use action::FaultAction;
use random::SplitMix64;

/// The faults in force, in the order in which callers added them.
#[derive(Default)]
pub(crate) struct CallFaults(Vec<CallFault>);

struct CallFault {
    /// The JSON with which the caller asked for it.
    asked: Map<String, Value>,
    pattern: CallPattern,
    when: FiringRule,
    action: FaultAction,
    random: SplitMix64,
    matched: u64,
    fired: u64,
}

/// Which calls a fault matches. An absent field matches every call.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallPattern {
    method: Option<String>,
    path: Option<String>,
}

/// For which of the matching calls a fault fires.
enum FiringRule {
    Always,
    Probability(f64),
    /// The first matching calls, up to this number.
    Times(u64),
    /// Only the matching call of this number, counted from 1.
    Nth(u64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultRequest {
    #[serde(rename = "match", default)]
    pattern: CallPattern,
    probability: Option<f64>,
    times: Option<u64>,
    nth: Option<u64>,
    action: Value,
    #[serde(default)]
    seed: u64,
}

impl CallFaults {
    /// Adds all faults of a JSON list, or none of them and returns why.
    pub(crate) fn add(&mut self, list: &[u8]) -> Result<(), String> {
        let list: Vec<Map<String, Value>> =
            serde_json::from_slice(list).map_err(|error| format!("the body must be a JSON list of faults: {error}"))?;
        let parsed: Result<Vec<CallFault>, String> = list
            .into_iter()
            .enumerate()
            .map(|(at, asked)| CallFault::parse(asked).map_err(|error| format!("fault {at}: {error}")))
            .collect();
        self.0.extend(parsed?);
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Decides what happens to this call.
    ///
    /// The first fault that matches and fires decides. The faults after it do not see the call.
    pub(crate) fn meet(&mut self, method: &Method, path: &str) -> Option<FaultAction> {
        self.0.iter_mut().filter(|fault| fault.pattern.matches(method, path)).find_map(CallFault::fire)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Lists each fault as the caller asked for it, with how many calls it `matched` and how often
    /// it `fired`.
    pub(crate) fn listing(&self) -> Value {
        self.0.iter().map(CallFault::listing).collect()
    }
}

impl CallFault {
    fn parse(asked: Map<String, Value>) -> Result<Self, String> {
        let request = FaultRequest::deserialize(Value::Object(asked.clone())).map_err(|error| error.to_string())?;
        Ok(Self {
            when: FiringRule::parse(&request)?,
            action: FaultAction::parse(request.action)?,
            pattern: request.pattern,
            random: SplitMix64(request.seed),
            asked,
            matched: 0,
            fired: 0,
        })
    }

    fn fire(&mut self) -> Option<FaultAction> {
        self.matched += 1;
        let fires = match self.when {
            FiringRule::Always => true,
            FiringRule::Probability(probability) => self.random.fraction() < probability,
            FiringRule::Times(times) => self.fired < times,
            FiringRule::Nth(nth) => self.matched == nth,
        };
        if !fires {
            return None;
        }
        self.fired += 1;
        Some(self.action.clone())
    }

    fn listing(&self) -> Value {
        let mut listed = self.asked.clone();
        listed.insert("matched".into(), self.matched.into());
        listed.insert("fired".into(), self.fired.into());
        listed.into()
    }
}

impl CallPattern {
    fn matches(&self, method: &Method, path: &str) -> bool {
        let method_fits = |wanted: &String| wanted.eq_ignore_ascii_case(method.as_str());
        self.method.as_ref().is_none_or(method_fits) && self.path.as_ref().is_none_or(|wanted| wanted == path)
    }
}

impl FiringRule {
    fn parse(request: &FaultRequest) -> Result<Self, String> {
        match (request.probability, request.times, request.nth) {
            (None, None, None) => Ok(Self::Always),
            (Some(chance), None, None) if (0.0..=1.0).contains(&chance) => Ok(Self::Probability(chance)),
            (Some(_), None, None) => Err("`probability` must be between 0 and 1".into()),
            (None, Some(times), None) => Ok(Self::Times(times)),
            (None, None, Some(nth)) if nth > 0 => Ok(Self::Nth(nth)),
            (None, None, Some(_)) => Err("`nth` counts from 1".into()),
            _ => Err("give only one of `probability`, `times`, `nth`".into()),
        }
    }
}
