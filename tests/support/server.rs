//! A running server, and what its callers do.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::sandbox::Sandbox;
use super::{Kroger, eventually};

/// A running server. Dropping this kills it.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: PathBuf,
    pub client: Client,
}

impl Server {
    /// The server that `child` is. It listens at `address` and logs to the file `log`.
    pub(super) fn new(child: Child, address: SocketAddr, log: PathBuf) -> Self {
        Self { child, address, log, client: Client::new() }
    }

    /// Starts a server in `folder` with the app's credentials at `sandbox`.
    pub fn start(folder: &Path, sandbox: &Sandbox) -> Self {
        Kroger::new(folder, &["serve", "--listen", "127.0.0.1:0"]).at(sandbox).serve()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.client.get(&self.url(path))
    }

    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.client.call(method, &self.url(path), &[], body)
    }

    pub fn add(&self, upc: &str) -> Answer {
        self.call("PUT", "/cart/add/simple", Some(&json!({ "upc": upc })))
    }

    /// Signs `user` in as the sandbox's customer `customer`.
    pub fn sign_in_as(&self, user: &str, customer: &str) -> Answer {
        let authorize = self.get(&format!("/auth/authorize?user_id={user}")).expect(200).json();
        let link = authorize["authorization_url"].as_str().expect("a link");
        self.agree(link, customer)
    }

    pub fn sign_in(&self) {
        self.sign_in_as("user_default", "alice").expect(200);
    }

    /// Opens `link` as `customer`, allows the sign-in, and follows the redirect to this server.
    pub fn agree(&self, link: &str, customer: &str) -> Answer {
        let link = format!("{link}&sandbox_user={customer}&sandbox_decision=allow");
        let redirect = self.client.get(&link).expect(302);
        let location = redirect.header("location");
        let query = &location[location.find('?').expect("a redirect with a query")..];
        self.get(&format!("/auth/callback{query}"))
    }

    /// One user's entry in `/admin/tokens`.
    pub fn token(&self, user: &str) -> Value {
        // Few lists are made at a time.
        let listed = eventually("the list of users", || {
            Some(self.get("/admin/tokens?limit=1000")).filter(|answer| answer.status != 429)
        });
        listed.expect(200).json()["user_tokens"][user].clone()
    }

    /// Waits until the store says that the user's access token has expired.
    pub fn wait_until_expired(&self, user: &str) {
        eventually("the token expires", || (self.token(user)["status"] == "expired").then_some(()));
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Interrupts it as Ctrl-C does.
    pub fn interrupt(&self) {
        let status = Command::new("kill").args(["-INT", &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Interrupts it and waits for its end. Returns the whole log.
    pub fn stop(self) -> String {
        let log = self.log.clone();
        self.interrupt();
        assert!(self.wait().success());
        std::fs::read_to_string(log).unwrap()
    }

    pub fn wait(mut self) -> ExitStatus {
        eventually("the server ends", || self.child.try_wait().unwrap())
    }

    /// The first `lines` of its stdout, or all of them if it ends earlier.
    pub fn stdout_lines(&mut self, lines: usize) -> Vec<String> {
        let stdout = self.child.stdout.take().expect("stdout is read once");
        BufReader::new(stdout).lines().take(lines).map(Result::unwrap).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
