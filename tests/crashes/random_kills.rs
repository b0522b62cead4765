//! Kills processes at random moments, under load. Several processes share one store, and tokens live
//! for a second.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::Form;
use super::lane::{MishapOutcome, add, outcome_of};
use crate::support::{Answer, Kroger, Sandbox, Server, UPC, eventually, folder};

const PROCESSES: usize = 3;
const CALLERS: usize = 6;

/// The present addresses of the processes. Callers use them.
struct Addresses(Mutex<Vec<String>>);

impl Addresses {
    fn all(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds until `stop`, even while servers are killed.
    fn keep_adding(&self, caller: usize, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let url = self.all()[caller % PROCESSES].clone();
            // A killed server refuses the connection.
            if add(&url).is_none() {
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
    }
}

/// Dropping this ends the load, even after a panic.
struct Load<'a>(&'a AtomicBool);

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The processes on one store.
struct Herd<'a> {
    sandbox: Sandbox,
    folder: TempDir,
    servers: Vec<Server>,
    addresses: &'a Addresses,
    random: u64,
}

/// The counts of one herd.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    rounds: u32,
    killed: u32,
    windows: u32,
    refreshes: u64,
}

impl<'a> Herd<'a> {
    fn start(seed: u64, addresses: &'a Addresses) -> Self {
        let (sandbox, folder) = (Sandbox::start(), folder());
        sandbox.settings(&json!({
            "access_token_lifetime_seconds": 1, "latency_ms": 40, "daily_limits": { "cart": 1_000_000 },
        }));
        let servers: Vec<Server> = (0..PROCESSES).map(|_| start(folder.path(), &sandbox)).collect();
        servers[0].sign_in();
        *addresses.all() = servers.iter().map(url).collect();
        Self { sandbox, folder, servers, addresses, random: seed }
    }

    /// Lets the processes work for a random time. Then kills one of them, or sometimes all, and starts
    /// as many new ones. Returns how many.
    fn kill_some(&mut self) -> u32 {
        let until = Instant::now() + Duration::from_millis(300 + self.below(1_000));
        while let Some(rest) = until.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(rest);
        }
        let one = usize::try_from(self.below(PROCESSES as u64)).unwrap();
        let doomed = if self.below(4) == 0 { 0..PROCESSES } else { one..one + 1 };
        self.servers[doomed.clone()].iter().for_each(kill);
        for index in doomed.clone() {
            self.servers[index] = start(self.folder.path(), &self.sandbox);
            self.addresses.all()[index] = url(&self.servers[index]);
        }
        u32::try_from(doomed.len()).unwrap()
    }

    /// The outcome of the last refresh: the first answer that is not "try again".
    fn outcome(&mut self) -> MishapOutcome {
        let index = usize::try_from(self.below(PROCESSES as u64)).unwrap();
        let answer = first_final_answer(&self.servers[index]);
        let outcome = outcome_of(&answer, &"killed at random");
        if outcome == MishapOutcome::Window {
            self.servers[index].sign_in();
        }
        outcome
    }

    /// A pseudorandom number below `limit`, repeatable from the seed (xorshift).
    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }
}

fn first_final_answer(server: &Server) -> Answer {
    eventually("the outcome of the last refresh is known", || {
        let answer = server.add(UPC);
        assert!([200, 401, 503].contains(&answer.status), "{} {}", answer.status, answer.text);
        if answer.status == 503 {
            println!("not yet: {}", answer.text);
            return None;
        }
        Some(answer)
    })
}

fn url(server: &Server) -> String {
    server.url("/cart/add/simple")
}

fn kill(server: &Server) {
    let killed = std::process::Command::new("kill").args(["-KILL", &server.id().to_string()]).status().unwrap();
    assert!(killed.success());
}

/// Starts a server with a quota for more adds than Kroger allows an app each day.
fn start(folder: &Path, sandbox: &Sandbox) -> Server {
    Kroger::new(folder, &["serve", "--listen", "127.0.0.1:0"]).at(sandbox).env("KROGER_QUOTA_CART", "1000000").serve()
}

/// Kills processes and checks the outcome, `rounds` times, and checks once more without load.
fn endure(seed: u64, rounds: u32) -> Tally {
    let (addresses, stop) = (Addresses(Mutex::default()), AtomicBool::new(false));
    let mut herd = Herd::start(seed, &addresses);
    let mut tally = Tally { rounds, ..Tally::default() };
    std::thread::scope(|scope| {
        let _load = Load(&stop);
        for caller in 0..CALLERS {
            let (addresses, stop) = (&addresses, &stop);
            scope.spawn(move || addresses.keep_adding(caller, stop));
        }
        for _ in 0..rounds {
            tally.killed += herd.kill_some();
            tally.windows += u32::from(herd.outcome() == MishapOutcome::Window);
        }
    });
    herd.servers[0].wait_until_expired("user_default");
    tally.windows += u32::from(herd.outcome() == MishapOutcome::Window);

    let state = herd.sandbox.state();
    // Only a kill loses a sign-in, and then the spent token is presented exactly once more.
    assert_eq!(state["spent_refresh_tokens_presented"], tally.windows, "{tally:?} {state}");
    tally.refreshes = herd.sandbox.refreshes();
    tally
}

#[test]
fn processes_killed_at_random_stay_signed_in_or_report_the_loss() {
    let form = Form::chosen();
    let (herds, rounds) = (form.pick(1, 4), form.pick(8, 75));

    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let herds: Vec<_> = (1..=herds).map(|seed| scope.spawn(move || endure(seed * 0x9e37_79b9, rounds))).collect();
        herds.into_iter().map(|herd| herd.join().unwrap()).collect()
    });

    let sum = |part: fn(&Tally) -> u64| tallies.iter().map(part).sum::<u64>();
    let (rounds, windows) = (sum(|tally| tally.rounds.into()), sum(|tally| tally.windows.into()));
    println!(
        "{rounds} rounds, {} processes killed under load, {} refreshes: {} rounds kept the sign-in, {windows} hit the \
         window and said so",
        sum(|tally| tally.killed.into()),
        sum(|tally| tally.refreshes),
        rounds - windows.min(rounds),
    );
    assert!(sum(|tally| tally.refreshes) >= rounds / 2, "{tallies:?}");
}
