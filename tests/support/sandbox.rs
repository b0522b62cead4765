//! The sandbox in place of Kroger, and its switches.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::client::Client;

/// The sandbox. It runs in the test's own process.
pub struct Sandbox {
    pub address: SocketAddr,
    client: Client,
    _runtime: tokio::runtime::Runtime,
}

impl Sandbox {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(kroger_sandbox::serve(listener, kroger_sandbox::Sandbox::default(), std::future::pending()));
        Self { address, client: Client::new(), _runtime: runtime }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn state(&self) -> Value {
        self.client.get(&format!("{}/_sandbox/state", self.url())).expect(200).json()
    }

    pub fn settings(&self, settings: &Value) {
        self.client.post(&format!("{}/_sandbox/settings", self.url()), settings).expect(200);
    }

    pub fn faults(&self, faults: &Value) {
        self.client.post(&format!("{}/_sandbox/faults", self.url()), faults).expect(200);
    }

    pub fn token_faults(&self, times: u32, action: &Value) {
        self.faults(&json!([{ "match": { "path": "/v1/connect/oauth2/token" }, "times": times, "action": action }]));
    }

    /// How often all faults together fired.
    pub fn fired(&self) -> u64 {
        let faults = self.client.get(&format!("{}/_sandbox/faults", self.url())).expect(200).json();
        faults.as_array().unwrap().iter().filter_map(|fault| fault["fired"].as_u64()).sum()
    }

    pub fn clear_faults(&self) {
        let answer = self.client.call("DELETE", &format!("{}/_sandbox/faults", self.url()), &[], None);
        assert!(answer.status < 300, "{}", answer.text);
    }

    pub fn expire(&self, user: &str) {
        self.client.post(&format!("{}/_sandbox/expire", self.url()), &json!({ "user": user }));
    }

    pub fn revoke(&self, user: &str) {
        self.client.post(&format!("{}/_sandbox/revoke", self.url()), &json!({ "user": user }));
    }

    /// Opens `link` as `customer` and allows the sign-in. Returns the address that Kroger redirects to.
    pub fn agree(&self, link: &str, customer: &str) -> String {
        let link = format!("{link}&sandbox_user={customer}&sandbox_decision=allow");
        self.client.get(&link).expect(302).header("location").to_owned()
    }

    /// How many refreshes the sandbox granted.
    pub fn refreshes(&self) -> u64 {
        self.state()["token_requests"]["refresh_token"]["ok"].as_u64().unwrap_or(0)
    }

    pub fn cart(&self, user: &str) -> Value {
        self.state()["carts"][user].clone()
    }
}
