//! Runs one server after another on one store, with one sandbox.

use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Answer, Kroger, Sandbox, Server, UPC, eventually, folder};

/// How many lanes run at once. A lane waits for a lease most of the time.
pub const LANES: usize = 8;

/// The outcome of a mishap to a server or its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MishapOutcome {
    /// An add succeeds without a new sign-in.
    Kept,
    /// A true `reauthorize`: Kroger spent the token, and its answer was not saved.
    Window,
}

pub struct Lane {
    pub sandbox: Sandbox,
    pub folder: TempDir,
    pub server: Server,
    check_interval: &'static str,
}

impl Lane {
    /// Starts a server whose timer makes a pass every `check_interval` seconds. The first pass is over.
    pub fn start(check_interval: &'static str) -> Self {
        let (sandbox, folder) = (Sandbox::start(), folder());
        let server = serve(&folder, &sandbox, check_interval);
        wait_until_the_app_has_its_token(&server);
        Self { sandbox, folder, server, check_interval }
    }

    pub fn restart(&mut self) {
        self.server = serve(&self.folder, &self.sandbox, self.check_interval);
    }

    /// Signs in, and waits until the access token has expired.
    pub fn sign_in_and_expire(&self) {
        self.sandbox.settings(&json!({ "access_token_lifetime_seconds": 1 }));
        self.server.sign_in();
        self.sandbox.settings(&json!({ "access_token_lifetime_seconds": 1_800 }));
        self.server.wait_until_expired("user_default");
    }

    /// Signs in, and makes Kroger reject the access token early. Only the next call refreshes it, and
    /// the timer does not.
    pub fn sign_in_and_reject(&self) {
        self.server.sign_in();
        self.sandbox.expire("alice");
    }

    pub fn kill_and_restart(&mut self) {
        let killed =
            std::process::Command::new("kill").args(["-KILL", &self.server.id().to_string()]).status().unwrap();
        assert!(killed.success());
        self.restart();
    }

    pub fn spent_tokens_presented(&self) -> u64 {
        self.sandbox.state()["spent_refresh_tokens_presented"].as_u64().unwrap()
    }
}

fn serve(folder: &TempDir, sandbox: &Sandbox, check_interval: &str) -> Server {
    Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .at(sandbox)
        .env("KROGER_TOKEN_CHECK_INTERVAL", check_interval)
        .env("TOKIO_WORKER_THREADS", "1")
        .serve()
}

/// A client for servers that may be killed.
fn survivor() -> ureq::Agent {
    let limit = Some(Duration::from_secs(60));
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(limit).build().into()
}

pub fn is_alive(server: &Server) -> bool {
    survivor().get(server.url("/livez")).call().is_ok()
}

/// Sends one add. None: the server did not answer.
pub fn add(url: &str) -> Option<(u16, String)> {
    let answer = survivor().put(url).content_type("application/json").send(format!(r#"{{"upc":"{UPC}"}}"#));
    let mut answer = answer.ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    Some((answer.status().as_u16(), text))
}

/// Asserts that `answer` is one of the two right ones, and returns which.
#[track_caller]
pub fn outcome_of(answer: &Answer, what: &dyn std::fmt::Display) -> MishapOutcome {
    match answer.status {
        200 => MishapOutcome::Kept,
        401 => {
            assert_eq!(answer.code(), "reauthorize", "{what}: {}", answer.text);
            assert!(answer.text.contains("probably spent"), "{what}: {}", answer.text);
            MishapOutcome::Window
        }
        _ => panic!("{what}: {} {}", answer.status, answer.text),
    }
}

/// Asserts that the server reports its store as the reason why it is not ready, without a path.
#[track_caller]
pub fn assert_not_ready(server: &Server) {
    let problem = server.get("/readyz").expect(503);
    assert_eq!(problem.code(), "store_unavailable");
    assert_names_no_path(&problem.text);
}

/// Waits for the app's own token, which the timer's first pass gets from Kroger.
pub fn wait_until_the_app_has_its_token(server: &Server) {
    eventually("the app has its token", || {
        server.get("/health").json()["token_status"]["client_token_valid"].as_bool().filter(|is_valid| *is_valid)
    });
}

pub fn wait_until_ready(server: &Server) {
    eventually("the server is ready", || (server.get("/readyz").status == 200).then_some(()));
}

#[track_caller]
pub fn assert_names_no_path(text: &str) {
    for name in ["/tmp", "sqlite3", "panicked", "SQLite"] {
        assert!(!text.contains(name), "{name} in {text}");
    }
}
