//! Runs one seed: a storm of calls and faults, then calm, then the last checks.
//!
//! Everything follows from the seed. Nothing here knows what happens to a call.

use std::rc::Rc;

use kroger_core::settings::Settings;

use crate::kroger::{Origin, SimulatedKroger};
use crate::process::BrokenPort;
use crate::random::Random;
use crate::report::{Counts, Detail, History};
use crate::simulation::Simulation;
use crate::time::{EPOCH, HOUR, MINUTE, SECOND, Time};
use crate::weather::{Weather, is_within};
use crate::witness::Violation;
use crate::workload::{Task, USERS};

/// The length of the calm, after which every grant must be at rest: longer than an access
/// token lives.
fn calm(simulation: &Simulation) -> Time {
    simulation.kroger.access_life + 12 * MINUTE
}

/// The result of a run.
pub(crate) struct SeedRun {
    pub(crate) violation: Option<Violation>,
    pub(crate) counts: Counts,
    pub(crate) history: String,
}

/// Runs `seed`, on ports that are broken on purpose if `broken` says so.
pub(crate) fn run(seed: u64, broken: Option<BrokenPort>, detail: Detail) -> SeedRun {
    let mut simulation = build(seed, broken, detail);
    let storm = simulation.weather.until;
    stir(&mut simulation, storm);
    if simulation.random.chance(10) {
        endure(&mut simulation);
    }
    calm_down(&mut simulation);
    let mut counts = std::mem::take(&mut simulation.counts);
    counts.virtual_time = simulation.now;
    SeedRun { violation: simulation.witness.violation.take(), counts, history: simulation.history.text() }
}

fn build(seed: u64, broken: Option<BrokenPort>, detail: Detail) -> Simulation {
    let mut random = Random::new(seed);
    let kroger = SimulatedKroger::any(&mut random);
    let lives = random.range(2, 6);
    let storm = (kroger.access_life * lives).max(10 * MINUTE);
    let weather = Weather::any(&mut random, storm);
    let (forgets, differ) = (weather.store.forgets, weather.machines.skew > 0);
    let mut simulation = Simulation::new(random, weather, kroger, History::new(detail));
    simulation.broken = broken;
    simulation.page_size = simulation.random.pick(&[20, 50, 200]);
    if forgets {
        simulation.counts.fault("store forgets");
    }
    if differ {
        simulation.counts.fault("clocks differ");
    }
    furnish(&mut simulation);
    simulation
}

/// Adds the machines, and sometimes a pair that lies outside the store.
fn furnish(simulation: &mut Simulation) {
    let has_env = simulation.random.chance(300);
    let starts_with_pair = simulation.random.chance(if has_env { 600 } else { 100 });
    let pair = starts_with_pair.then(|| outside_pair(simulation));
    if has_env {
        simulation.envs.push(pair.as_ref().map(|pair| pair.block().into_bytes()));
    }
    let machines = simulation.random.range(1, 4);
    let shares_env = simulation.random.chance(300);
    let in_settings = simulation.random.chance(700);
    let differ = simulation.random.chance(300);
    for machine in 0..machines {
        let has_rescue = simulation.random.chance(700);
        let env = (has_env && (machine == 0 || shares_env)).then_some(0);
        let another = (differ && machine > 0 && pair.is_some()).then(|| outside_pair(simulation));
        let known = another.as_ref().or(pair.as_ref()).filter(|_| in_settings && (env.is_some() || !has_env));
        simulation.add_machine(Rc::new(settings(known)), has_rescue, env);
    }
}

/// A pair of tokens in a `.env` file or the environment.
struct OutsidePair {
    access: String,
    refresh: String,
    expires_at: u64,
}

impl OutsidePair {
    fn block(&self) -> String {
        format!(
            "KROGER_USER_ACCESS_TOKEN={}\nKROGER_USER_REFRESH_TOKEN={}\nKROGER_USER_TOKEN_EXPIRES_AT={}\n",
            self.access, self.refresh, self.expires_at
        )
    }
}

/// Makes a pair for the default user that another program got. Often that program has
/// spent it since.
fn outside_pair(simulation: &mut Simulation) -> OutsidePair {
    let now = simulation.now;
    let origin = Origin { user: 0, began: now, is_from_outside: true };
    let (access, refresh) = simulation.kroger.sign_in(origin, now);
    if simulation.random.chance(300) {
        simulation.kroger.revoke(simulation.kroger.families.len() - 1);
        simulation.counts.fault("pair from outside already spent");
    }
    let expires_at = (EPOCH + (now + simulation.kroger.access_life) / 1_000) / 1_000;
    OutsidePair { access, refresh, expires_at }
}

fn settings(pair: Option<&OutsidePair>) -> Settings {
    let mut variables = vec![
        ("KROGER_CLIENT_ID".to_owned(), "app".to_owned()),
        ("KROGER_CLIENT_SECRET".to_owned(), "secret".to_owned()),
    ];
    let lines = pair.map(OutsidePair::block).unwrap_or_default();
    variables.extend(
        lines.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    Settings::from_variables(variables).expect("settings that parse")
}

/// Starts bursts of calls of people, agents and timers until the storm ends.
fn stir(simulation: &mut Simulation, storm: Time) {
    let users = simulation.random.range(1, 1 + USERS.len() as u64) as usize;
    let has_timer = simulation.random.chance(700);
    for user in 0..users {
        if user > 0 || simulation.random.chance(800) {
            let machine = simulation.random.index(simulation.machines.len());
            let soon = simulation.random.range(0, 5 * SECOND);
            simulation.start_at(soon, machine, Task::Authorize(user));
        }
    }
    let mut at = 0;
    while at < storm && !simulation.witness.is_violated() {
        at += gap(simulation);
        simulation.run_until(at.min(storm));
        burst(simulation, users, has_timer);
    }
    simulation.run_until(storm);
}

/// Makes Kroger unreachable for up to a day, on top of all other faults. The timers go on.
fn endure(simulation: &mut Simulation) {
    let begins = simulation.now;
    let ends = begins + simulation.random.pick(&[6, 12, 24]) * HOUR;
    simulation.counts.fault("Kroger down for hours");
    simulation.weather.network.outage = Some((begins, ends));
    simulation.weather.until = ends;
    while simulation.now < ends && !simulation.witness.is_violated() {
        let machine = simulation.random.index(simulation.machines.len());
        let task = if simulation.random.chance(900) { Task::Pass } else { Task::Use(0) };
        simulation.start_at(simulation.now + SECOND, machine, task);
        let pause = simulation.random.range(MINUTE, 10 * MINUTE);
        simulation.run_until((simulation.now + pause).min(ends));
    }
    simulation.check_tries();
}

/// Draws the time to the next burst, which is often about when a token expires.
fn gap(simulation: &mut Simulation) -> Time {
    let life = simulation.kroger.access_life;
    match simulation.random.range(0, 10) {
        0..=3 => simulation.random.range(SECOND / 10, 30 * SECOND),
        4..=6 => simulation.random.range(life / 2, life + life / 4),
        7 | 8 => simulation.random.range(10 * SECOND, 5 * MINUTE),
        _ => simulation.random.pick(&[life * 2, HOUR, 3 * HOUR]).min(simulation.kroger.access_life * 3),
    }
}

fn burst(simulation: &mut Simulation, users: usize, has_timer: bool) {
    let user = simulation.random.index(users);
    let callers = simulation.random.range(1, 6);
    for _ in 0..callers {
        let task = any_task(simulation, user, has_timer);
        let machine = simulation.random.index(simulation.machines.len());
        let at = simulation.now
            + simulation.random.pick(&[0, 0, 1, 5, 50, 400, 3_000]) * SECOND / 1_000
            + simulation.random.range(1, 2_000);
        simulation.start_at(at, machine, task);
    }
    if simulation.random.chance(20) && !simulation.envs.is_empty() {
        let pair = outside_pair(simulation);
        simulation.envs[0] = Some(pair.block().into_bytes());
    }
    if simulation.random.chance(20) {
        let life = simulation.kroger.access_life;
        let at = simulation.now + simulation.random.range(0, life);
        let machine = simulation.random.index(simulation.machines.len());
        simulation.start_at(at, machine, Task::Authorize(user));
    }
}

fn any_task(simulation: &mut Simulation, user: usize, has_timer: bool) -> Task {
    match simulation.random.range(0, 100) {
        0..=44 => Task::Use(user),
        45..=59 => Task::Add(user),
        60..=66 => Task::Refresh(user),
        67..=75 if has_timer => Task::Keep(user),
        76..=85 if has_timer => Task::Pass,
        86..=88 if has_timer => Task::Tidy,
        89..=91 => Task::Status(user),
        92..=94 => Task::Authorize(user),
        95 => Task::Forget(user),
        _ => Task::Use(user),
    }
}

/// Stops the faults and lets the timers go on until every grant must be at rest.
fn calm_down(simulation: &mut Simulation) {
    while !simulation.is_idle() && !simulation.witness.is_violated() {
        // Machines that are down or suspended come back.
        simulation.run_until(simulation.now + MINUTE);
    }
    simulation.calm_since = simulation.now;
    let end = simulation.now + calm(simulation) - 2 * MINUTE;
    let mut machine = 0;
    while simulation.now < end && !simulation.witness.is_violated() {
        let at = simulation.now + simulation.random.range(0, 10 * SECOND);
        simulation.start_at(at, machine, Task::Pass);
        simulation.run_until(simulation.now + MINUTE);
        machine = (machine + 1) % simulation.machines.len();
    }
    simulation.run_until(end + 2 * MINUTE);
    finish(simulation);
}

fn finish(simulation: &mut Simulation) {
    if simulation.witness.is_violated() || simulation.weather.store.forgets {
        return;
    }
    simulation.check_rescued();
    if is_within(simulation.weather.network.client_refused, simulation.now) {
        // Kroger refuses the app's credentials. Nothing is fresh before the operator mends it.
        return;
    }
    for user in 0..USERS.len() {
        if simulation.kroger.access_life >= 1_800 * SECOND && simulation.weather.machines.has_true_clocks() {
            simulation.check_kept(user);
        }
    }
    for user in 0..USERS.len() {
        use_once_more(simulation, user);
    }
    sweep_up(simulation);
    simulation.check_keys();
}

/// Makes enough passes to sweep each page of the store.
///
/// The calls before it may have adopted a pair, so that older records have served.
fn sweep_up(simulation: &mut Simulation) {
    let passes = 2 + simulation.store.len() / simulation.page_size;
    for _ in 0..passes {
        simulation.start_at(simulation.now + SECOND, 0, Task::Pass);
        simulation.run_until(simulation.now + MINUTE);
    }
}

/// Makes the calls of a person who comes back. One of the first three must leave the grant
/// at rest.
fn use_once_more(simulation: &mut Simulation, user: usize) {
    for _ in 0..3 {
        let machine = simulation.random.index(simulation.machines.len());
        simulation.last = None;
        simulation.start_at(simulation.now + SECOND, machine, Task::Add(user));
        simulation.run_until(simulation.now + MINUTE);
        match &simulation.last {
            Some((true, _)) => return,
            // A quota is used up, for an hour at most. That says nothing about the grant.
            Some((false, told)) if told.starts_with("QuotaExhausted") => simulation.run_until(simulation.now + HOUR),
            _ => {}
        }
    }
    let told = simulation.last.take().map_or_else(|| "nothing".to_owned(), |(_, told)| told);
    simulation.restless(user, &told);
}
