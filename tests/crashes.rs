//! `kill -9` at random moments, under load, with tokens that live for a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Sandbox, Server, UPC, eventually, folder};

/// How often a server is killed.
const ROUNDS: u32 = 12;

/// Adds until told to stop, whatever becomes of the server.
fn keep_adding(url: &str, stop: &AtomicBool) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(5)))
        .build()
        .into();
    while !stop.load(Ordering::Relaxed) {
        // A refused connection is what a killed server looks like.
        let _ = agent.put(url).content_type("application/json").send(format!(r#"{{"upc":"{UPC}"}}"#));
    }
}

/// Kills `server` after `delay`, with four callers at work.
fn kill_under_load(server: Server, delay: Duration) {
    let url = server.url("/cart/add/simple");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| keep_adding(&url, &stop));
        }
        let until = Instant::now() + delay;
        while Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        server.kill();
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_server_killed_at_random_comes_back_signed_in_or_says_honestly_that_it_is_not() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    sandbox.settings(&json!({ "access_token_lifetime_seconds": 1, "latency_ms": 5 }));
    let steady = Server::start(folder.path(), &sandbox);
    steady.sign_in();
    let (mut kept, mut lost) = (0, 0);

    for round in 0..ROUNDS {
        let doomed = Server::start(folder.path(), &sandbox);
        kill_under_load(doomed, Duration::from_millis(700 + 97 * u64::from(round) % 600));

        let answer = eventually("the outcome of the last refresh is known", || {
            let answer = steady.add(UPC);
            (answer.status == 200 || answer.status == 401).then_some(answer)
        });
        if answer.status == 200 {
            kept += 1;
            continue;
        }
        lost += 1;
        assert!(answer.text.contains("probably spent"), "{}", answer.text);
        steady.sign_in();
    }

    println!("{ROUNDS} kills under load: {kept} came back signed in, {lost} hit the window and said so");
    assert_eq!(kept + lost, ROUNDS);
}
