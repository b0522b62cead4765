//! Stops a process with SIGSTOP during a refresh, while another process on the same store runs on.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::is_full;
use crate::support::{Answer, Sandbox, Server, UPC, eventually, folder};

/// The moment at which a process is stopped.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Kroger has its request, and answers while the process is stopped.
    InFlight,
    /// This long after the call began: before it sends, or while it saves.
    After(Duration),
}

/// The answers of the other process meanwhile.
#[derive(Debug, Default)]
struct Meanwhile {
    good: u32,
    /// Answers that say "try again".
    later: u32,
    /// Answers that say that a refresh whose reply was lost probably spent the token.
    spent: u32,
}

impl Meanwhile {
    fn count(&mut self, answer: &Answer) {
        match answer.status {
            200 => self.good += 1,
            503 => self.later += 1,
            401 if answer.text.contains("probably spent") => self.spent += 1,
            _ => panic!("{} {}", answer.status, answer.text),
        }
    }
}

fn signal(server: &Server, name: &str) {
    let sent = Command::new("kill").args([name, &server.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Sends an add. The connection may break, because the process may be stopped before it reads the
/// request.
fn call(server: &Server) {
    let request = ureq::put(server.url("/cart/add/simple")).content_type("application/json");
    if let Err(error) = request.send(format!(r#"{{"upc":"{UPC}"}}"#)) {
        println!("the caller of the stopped process was told: {error}");
    }
}

/// Stops the one of two servers that refreshes, lets the other work, then continues the first.
fn stop_in_mid_refresh(moment: Moment, length: Duration) -> Meanwhile {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let [stopped, other] = [(); 2].map(|()| Server::start(folder.path(), &sandbox));
    sandbox.settings(&json!({ "access_token_lifetime_seconds": 1 }));
    stopped.sign_in();
    sandbox.settings(&json!({ "access_token_lifetime_seconds": 1_800 }));
    stopped.wait_until_expired("user_default");
    if let Moment::InFlight = moment {
        sandbox.token_faults(1, &json!({ "delay_ms": 300 }));
    }
    let mut meanwhile = Meanwhile::default();
    std::thread::scope(|scope| {
        let refreshing = scope.spawn(|| call(&stopped));
        match moment {
            Moment::InFlight => eventually("the refresh is under way", || (sandbox.fired() == 1).then_some(())),
            Moment::After(pause) => std::thread::park_timeout(pause),
        }
        signal(&stopped, "-STOP");
        let until = Instant::now() + length;
        while let Some(rest) = until.checked_duration_since(Instant::now()) {
            meanwhile.count(&other.add(UPC));
            std::thread::park_timeout(rest.min(Duration::from_secs(1)));
        }
        signal(&stopped, "-CONT");
        refreshing.join().unwrap();
    });

    // Both add without a new sign-in, because one of them saved Kroger's new pair.
    for server in [&stopped, &other] {
        eventually("a good add with no sign-in", || (server.add(UPC).status == 200).then_some(()));
    }
    let state = sandbox.state();
    assert_eq!(state["token_requests"]["authorization_code"]["ok"], 1, "{state}");
    assert!(state["spent_refresh_tokens_presented"].as_u64() <= Some(1), "{state}");
    meanwhile
}

#[test]
fn a_process_stopped_during_a_refresh_loses_no_sign_in() {
    // Longer than the component and the host wait for an answer. The full form: longer than the lease.
    let length = Duration::from_secs(if is_full() { 40 } else { 17 });
    let pauses: &[u64] = if is_full() { &[0, 2, 4, 6, 8, 10, 15, 20, 30] } else { &[4] };
    let at_pauses = pauses.iter().map(|pause| Moment::After(Duration::from_millis(*pause)));
    let moments = std::iter::once(Moment::InFlight).chain(at_pauses);
    // Compiles the component once, so that the servers below find it compiled.
    drop(Server::start(folder().path(), &Sandbox::start()));

    let results: Vec<(Moment, Meanwhile)> = std::thread::scope(|scope| {
        let lanes: Vec<_> =
            moments.map(|moment| scope.spawn(move || (moment, stop_in_mid_refresh(moment, length)))).collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
    });

    for (moment, Meanwhile { good, later, spent }) in results {
        println!(
            "stopped for {} s, {moment:?}: signed in afterwards; meanwhile the other process answered {good} times \
             200, {later} times 503, {spent} times that the token was probably spent",
            length.as_secs()
        );
    }
}
