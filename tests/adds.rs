//! Lets a retrying agent add to the cart while answers get lost and the server is
//! killed. Nothing is doubled, and every answer is true.
//!
//! `just adds` runs the long form and prints the table of `docs/cart.md`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, Sandbox, Server, folder};

const AGENTS: usize = 8;

fn how_many() -> usize {
    std::env::var("KROGER_ADDS").map_or(200, |adds| adds.parse().expect("a number"))
}

/// The final answer that an agent gets for an add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Added,
    Replayed,
    Unknown,
}

/// The answers to all adds, and counts of what happened meanwhile.
#[derive(Default)]
struct Tally {
    told: Mutex<BTreeMap<usize, Told>>,
    repeats: AtomicU64,
    kills: AtomicU64,
    in_flight: AtomicU64,
}

/// The UPC of an add. Each add has its own product, so that the cart tells them apart.
///
/// Its last digit is not the check digit of the others, so it is no barcode and is sent
/// without a look-up.
fn upc(add: usize) -> String {
    let digits = format!("{:012}", 1_000 + add);
    let weighted = digits.bytes().rev().zip([3, 1].iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{digits}{}", (11 - sum % 10) % 10)
}

/// Repeats with the same key until the answer is final.
fn add(number: usize, client: &crate::support::Client, url: impl Fn() -> String, tally: &Tally) -> Told {
    let key = format!("add-{number}");
    let body = json!({ "upc": upc(number) });
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let answer = client.try_call("PUT", &url(), &[("idempotency-key", &key)], &body);
        if let Some(told) = answer.as_ref().and_then(told) {
            return told;
        }
        assert!(Instant::now() < deadline, "add {number} has no final answer: {answer:?}");
        tally.repeats.fetch_add(1, Ordering::Relaxed);
        if answer.as_ref().is_some_and(|answer| answer.status == 409) {
            tally.in_flight.fetch_add(1, Ordering::Relaxed);
        }
        let seconds = answer.and_then(|answer| answer.header("retry-after").parse().ok()).unwrap_or(0.05);
        std::thread::park_timeout(Duration::from_secs_f64(seconds));
    }
}

/// The final answer in `answer`. None: the agent repeats the call.
fn told(answer: &Answer) -> Option<Told> {
    match (answer.status, answer.header("idempotent-replayed")) {
        (200, "") => Some(Told::Added),
        (200, _) => Some(Told::Replayed),
        (504, _) if answer.code() == "outcome_unknown" => Some(Told::Unknown),
        // The host gave the call up. A repeat returns its outcome.
        (409 | 500 | 503 | 504, _) => None,
        other => panic!("{other:?}: {}", answer.text),
    }
}

/// The quantity of each add in the cart.
fn quantities(sandbox: &Sandbox) -> BTreeMap<String, u64> {
    let lines = sandbox.cart("alice").as_array().cloned().unwrap_or_default();
    let line = |line: Value| (line["upc"].as_str().unwrap().to_owned(), line["quantity"].as_u64().unwrap());
    lines.into_iter().map(line).collect()
}

fn disturb(sandbox: &Sandbox) {
    let cart = json!({ "path": "/v1/cart/add" });
    sandbox.faults(&json!([
        { "match": cart, "probability": 0.1, "seed": 1, "action": "drop_after" },
        { "match": cart, "probability": 0.1, "seed": 2, "action": { "status_after": 500 } },
    ]));
}

/// Checks each add and prints the row of the table.
fn judge(name: &str, adds: usize, sandbox: &Sandbox, tally: &Tally) {
    let quantities = quantities(sandbox);
    let told = tally.told.lock().unwrap();
    let doubled = quantities.values().filter(|quantity| **quantity > 1).count();
    let mut untrue = Vec::new();
    let mut counts = BTreeMap::<Told, usize>::new();
    for (number, told) in told.iter() {
        *counts.entry(*told).or_default() += 1;
        let is_there = quantities.contains_key(&upc(*number));
        if *told != Told::Unknown && !is_there {
            untrue.push((*number, *told));
        }
    }
    let unknown_and_there =
        told.iter().filter(|(number, told)| **told == Told::Unknown && quantities.contains_key(&upc(**number))).count();
    let count = |told| counts.get(&told).copied().unwrap_or(0);
    println!(
        "| {name} | adds | told added | of these replayed | told unknown | of these in the cart | repeats | 409 | kills | doubled | untrue |"
    );
    println!(
        "| | {adds} | {} | {} | {} | {unknown_and_there} | {} | {} | {} | {doubled} | {} |",
        count(Told::Added) + count(Told::Replayed),
        count(Told::Replayed),
        count(Told::Unknown),
        tally.repeats.load(Ordering::Relaxed),
        tally.in_flight.load(Ordering::Relaxed),
        tally.kills.load(Ordering::Relaxed),
        untrue.len(),
    );
    assert_eq!(told.len(), adds);
    assert_eq!(doubled, 0, "{quantities:?}");
    assert!(untrue.is_empty(), "{untrue:?}");
}

/// Runs the agents. Each takes the next add until none is left.
fn work(adds: usize, tally: &Tally, one: impl Fn(usize) -> Told + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AGENTS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= adds {
                        return;
                    }
                    let told = one(number);
                    tally.told.lock().unwrap().insert(number, told);
                }
            });
        }
    });
}

#[test]
fn a_retrying_agent_doubles_nothing_while_answers_get_lost() {
    let (sandbox, folder, tally, adds) = (Sandbox::start(), folder(), Tally::default(), how_many());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    disturb(&sandbox);

    work(adds, &tally, |number| {
        let told = add(number, &server.client, || server.url("/cart/add/simple"), &tally);
        // An agent that lost the server's answer repeats the call too.
        let again = add(number, &server.client, || server.url("/cart/add/simple"), &tally);
        assert!(matches!((told, again), (Told::Unknown, Told::Unknown) | (Told::Added, Told::Replayed)), "{again:?}");
        told
    });

    judge("lost answers", adds, &sandbox, &tally);
}

#[test]
fn a_retrying_agent_doubles_nothing_while_the_server_is_killed_at_random() {
    let (sandbox, folder, tally, adds) = (Sandbox::start(), folder(), Tally::default(), how_many());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    disturb(&sandbox);
    let client = server.client.clone();
    let url = RwLock::new(server.url("/cart/add/simple"));
    let is_done = AtomicBool::new(false);

    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut server = server;
            while !is_done.load(Ordering::Relaxed) {
                let jitter = tally.told.lock().unwrap().len() as u64 * 37 % 400;
                std::thread::park_timeout(Duration::from_millis(300 + jitter));
                server.kill();
                tally.kills.fetch_add(1, Ordering::Relaxed);
                server = Server::start(folder.path(), &sandbox);
                *url.write().unwrap() = server.url("/cart/add/simple");
            }
            // Agents may still call, so the last server runs until they are done.
            drop(server);
        });
        work(adds, &tally, |number| add(number, &client, || url.read().unwrap().clone(), &tally));
        is_done.store(true, Ordering::Relaxed);
    });

    judge("lost answers and kills", adds, &sandbox, &tally);
}
