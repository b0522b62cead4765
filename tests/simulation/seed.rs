//! One run: everything that follows from a seed.

use std::rc::Rc;

use kroger_connector::core::settings::Settings;

use crate::kroger::{Kroger, Origin, SECOND, Time};
use crate::process::Broken;
use crate::random::Random;
use crate::report::{Counts, Detail, History};
use crate::weather::{HOUR, MINUTE, Weather, is_within};
use crate::witness::Violation;
use crate::workload::{Task, USERS};
use crate::world::{EPOCH, World};

/// How long all is calm before it must have come to rest: longer than a token
/// lives.
fn calm(world: &World) -> Time {
    world.kroger.access_life + 12 * MINUTE
}

/// How a run ended.
pub(crate) struct Run {
    pub(crate) violation: Option<Violation>,
    pub(crate) counts: Counts,
    pub(crate) history: String,
}

/// Runs `seed`; with `broken`, on ports that are broken on purpose.
pub(crate) fn run(seed: u64, broken: Option<Broken>, detail: Detail) -> Run {
    let mut world = build(seed, broken, detail);
    let storm = world.weather.until;
    stir(&mut world, storm);
    if world.random.chance(10) {
        endure(&mut world);
    }
    calm_down(&mut world);
    let mut counts = std::mem::take(&mut world.counts);
    counts.virtual_time = world.now;
    Run { violation: world.witness.violation.take(), counts, history: world.history.text() }
}

fn build(seed: u64, broken: Option<Broken>, detail: Detail) -> World {
    let mut random = Random::new(seed);
    let kroger = Kroger::any(&mut random);
    let lives = random.range(2, 6);
    let storm = (kroger.access_life * lives).max(10 * MINUTE);
    let weather = Weather::any(&mut random, storm);
    let (forgets, differ) = (weather.store.forgets, weather.machines.skew > 0);
    let mut world = World::new(random, weather, kroger, History::new(detail));
    world.broken = broken;
    world.page_size = world.random.pick(&[20, 50, 200]);
    if forgets {
        world.counts.fault("store forgets");
    }
    if differ {
        world.counts.fault("clocks differ");
    }
    furnish(&mut world);
    world
}

/// The machines, and the pair that lies outside the store, if there is one.
fn furnish(world: &mut World) {
    let has_env = world.random.chance(300);
    let starts_with_pair = world.random.chance(if has_env { 600 } else { 100 });
    let pair = starts_with_pair.then(|| outside_pair(world));
    if has_env {
        world.envs.push(pair.as_ref().map(|pair| pair.block().into_bytes()));
    }
    let machines = world.random.range(1, 4);
    let shares_env = world.random.chance(300);
    let in_settings = world.random.chance(700);
    let differ = world.random.chance(300);
    for machine in 0..machines {
        let has_rescue = world.random.chance(700);
        let env = (has_env && (machine == 0 || shares_env)).then_some(0);
        let another = (differ && machine > 0 && pair.is_some()).then(|| outside_pair(world));
        let known = another.as_ref().or(pair.as_ref()).filter(|_| in_settings && (env.is_some() || !has_env));
        world.add_machine(Rc::new(settings(known)), has_rescue, env);
    }
}

struct Pair {
    access: String,
    refresh: String,
    expires_at: u64,
}

impl Pair {
    fn block(&self) -> String {
        format!(
            "KROGER_USER_ACCESS_TOKEN={}\nKROGER_USER_REFRESH_TOKEN={}\nKROGER_USER_TOKEN_EXPIRES_AT={}\n",
            self.access, self.refresh, self.expires_at
        )
    }
}

/// A pair that somebody got elsewhere, for the default user; often one that was
/// spent there since.
fn outside_pair(world: &mut World) -> Pair {
    let now = world.now;
    let origin = Origin { user: 0, began: now, is_from_outside: true };
    let (access, refresh) = world.kroger.sign_in(origin, now);
    if world.random.chance(300) {
        world.kroger.revoke(world.kroger.families.len() - 1);
        world.counts.fault("pair from outside already spent");
    }
    let expires_at = (EPOCH + (now + world.kroger.access_life) / 1_000) / 1_000;
    Pair { access, refresh, expires_at }
}

fn settings(pair: Option<&Pair>) -> Settings {
    let mut variables = vec![
        ("KROGER_CLIENT_ID".to_owned(), "app".to_owned()),
        ("KROGER_CLIENT_SECRET".to_owned(), "secret".to_owned()),
    ];
    let lines = pair.map(Pair::block).unwrap_or_default();
    variables.extend(
        lines.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    Settings::from_variables(variables).expect("settings that parse")
}

/// Bursts of calls, timer passes and people, until the storm ends.
fn stir(world: &mut World, storm: Time) {
    let users = world.random.range(1, 1 + USERS.len() as u64) as usize;
    let has_timer = world.random.chance(700);
    for user in 0..users {
        if user > 0 || world.random.chance(800) {
            let machine = world.random.index(world.machines.len());
            let soon = world.random.range(0, 5 * SECOND);
            world.start_at(soon, machine, Task::Authorize(user));
        }
    }
    let mut at = 0;
    while at < storm && !world.witness.is_violated() {
        at += gap(world);
        world.run_until(at.min(storm));
        burst(world, users, has_timer);
    }
    world.run_until(storm);
}

/// Kroger cannot be reached for a day, on top of all else; the timers go on.
fn endure(world: &mut World) {
    let begins = world.now;
    let ends = begins + world.random.pick(&[6, 12, 24]) * HOUR;
    world.counts.fault("Kroger down for hours");
    world.weather.network.outage = Some((begins, ends));
    world.weather.until = ends;
    while world.now < ends && !world.witness.is_violated() {
        let machine = world.random.index(world.machines.len());
        let task = if world.random.chance(900) { Task::Pass } else { Task::Use(0) };
        world.start_at(world.now + SECOND, machine, task);
        let pause = world.random.range(MINUTE, 10 * MINUTE);
        world.run_until((world.now + pause).min(ends));
    }
    world.check_tries();
}

/// The time to the next burst: often just about when a token ends.
fn gap(world: &mut World) -> Time {
    let life = world.kroger.access_life;
    match world.random.range(0, 10) {
        0..=3 => world.random.range(SECOND / 10, 30 * SECOND),
        4..=6 => world.random.range(life / 2, life + life / 4),
        7 | 8 => world.random.range(10 * SECOND, 5 * MINUTE),
        _ => world.random.pick(&[life * 2, HOUR, 3 * HOUR]).min(world.kroger.access_life * 3),
    }
}

fn burst(world: &mut World, users: usize, has_timer: bool) {
    let user = world.random.index(users);
    let callers = world.random.range(1, 6);
    for _ in 0..callers {
        let task = any_task(world, user, has_timer);
        let machine = world.random.index(world.machines.len());
        let at = world.now
            + world.random.pick(&[0, 0, 1, 5, 50, 400, 3_000]) * SECOND / 1_000
            + world.random.range(1, 2_000);
        world.start_at(at, machine, task);
    }
    if world.random.chance(20) && !world.envs.is_empty() {
        let pair = outside_pair(world);
        world.envs[0] = Some(pair.block().into_bytes());
    }
    if world.random.chance(20) {
        let life = world.kroger.access_life;
        let at = world.now + world.random.range(0, life);
        let machine = world.random.index(world.machines.len());
        world.start_at(at, machine, Task::Authorize(user));
    }
}

fn any_task(world: &mut World, user: usize, has_timer: bool) -> Task {
    match world.random.range(0, 100) {
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

/// Faults stop, timers go on: everything must come to rest.
fn calm_down(world: &mut World) {
    while !world.is_idle() && !world.witness.is_violated() {
        // Whoever is down or asleep comes back.
        world.run_until(world.now + MINUTE);
    }
    world.calm_since = world.now;
    let end = world.now + calm(world) - 2 * MINUTE;
    let mut machine = 0;
    while world.now < end && !world.witness.is_violated() {
        let at = world.now + world.random.range(0, 10 * SECOND);
        world.start_at(at, machine, Task::Pass);
        world.run_until(world.now + MINUTE);
        machine = (machine + 1) % world.machines.len();
    }
    world.run_until(end + 2 * MINUTE);
    finish(world);
}

fn finish(world: &mut World) {
    if world.witness.is_violated() || world.weather.store.forgets {
        return;
    }
    world.check_rescued();
    if is_within(world.weather.network.client_refused, world.now) {
        // Until the operator looks, nothing can be fresh.
        return;
    }
    for user in 0..USERS.len() {
        if world.kroger.access_life >= 1_800 * SECOND && world.weather.machines.has_true_clocks() {
            world.check_kept(user);
        }
    }
    for user in 0..USERS.len() {
        use_once_more(world, user);
    }
    sweep_up(world);
    world.check_keys();
}

/// Passes enough to look at each page of the store: those calls may have adopted
/// a pair, and then what was there before it has served.
fn sweep_up(world: &mut World) {
    let passes = 2 + world.store.len() / world.page_size;
    for _ in 0..passes {
        world.start_at(world.now + SECOND, 0, Task::Pass);
        world.run_until(world.now + MINUTE);
    }
}

/// The calls of a person who comes back: one of the first few must do.
fn use_once_more(world: &mut World, user: usize) {
    for _ in 0..3 {
        let machine = world.random.index(world.machines.len());
        world.last = None;
        world.start_at(world.now + SECOND, machine, Task::Add(user));
        world.run_until(world.now + MINUTE);
        match &world.last {
            Some((true, _)) => return,
            // Kroger asked everybody to stay away, for an hour at most; that says nothing of the grant.
            Some((false, told)) if told.starts_with("QuotaExhausted") => world.run_until(world.now + HOUR),
            _ => {}
        }
    }
    let told = world.last.take().map_or_else(|| "nothing".to_owned(), |(_, told)| told);
    world.restless(user, &told);
}
