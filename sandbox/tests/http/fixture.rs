//! A running sandbox, and the calls that many tests make.

use std::{net::SocketAddr, thread};

use kroger_sandbox::{Sandbox, serve};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::client::{WireReply, call};

pub(crate) const BASIC: &str = "authorization: Basic c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ=";
pub(crate) const FORM: &str = "content-type: application/x-www-form-urlencoded";
pub(crate) const CALLBACK: &str = "http%3A%2F%2Flocalhost%3A9004%2Fauth%2Fcallback";
pub(crate) const MILK: &str = r#"{"items":[{"upc":"0001111041700","quantity":2}]}"#;
pub(crate) const TOKEN: &str = "/v1/connect/oauth2/token";
pub(crate) const ADD: &str = "/v1/cart/add";

/// A sandbox on its own port. It stops when the test ends.
pub(crate) struct TestSandbox {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl TestSandbox {
    pub(crate) fn start() -> Self {
        let (stop, stopped) = oneshot::channel();
        let (ready, address) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                let stop = async { drop(stopped.await) };
                serve(listener, Sandbox::default(), stop).await.unwrap();
            });
        });
        let address = address.recv().unwrap();
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn call(&self, head: &str, body: &str) -> WireReply {
        call(self.address, head, body)
    }

    pub(crate) fn get(&self, path: &str) -> WireReply {
        self.call(&format!("GET {path}"), "")
    }

    pub(crate) fn state(&self) -> Value {
        self.get("/_sandbox/state").json()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> WireReply {
        self.call(&format!("POST /_sandbox/{path}"), &body.to_string())
    }

    pub(crate) fn fault(&self, fault: &Value) {
        assert_eq!(self.post("faults", &json!([fault])).status(), Some(200));
    }

    pub(crate) fn token(&self, form: &str) -> WireReply {
        self.call(&format!("POST {TOKEN}\n{BASIC}\n{FORM}"), form)
    }

    pub(crate) fn authorize(&self, extra: &str) -> WireReply {
        self.get(&format!("{}{extra}", authorize_path("cart.basic%3Awrite%20profile.compact")))
    }

    /// Signs alice in, and returns the token response.
    pub(crate) fn sign_in(&self) -> Value {
        let reply = self.authorize("&sandbox_user=alice&sandbox_decision=allow");
        let location = reply.header("location").unwrap();
        let code = location.split_once("code=").unwrap().1.split('&').next().unwrap();
        let form = format!("grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}");
        self.token(&form).json()
    }

    pub(crate) fn refresh(&self, pair: &Value) -> WireReply {
        let refresh_token = pair["refresh_token"].as_str().unwrap();
        self.token(&format!("grant_type=refresh_token&refresh_token={refresh_token}"))
    }

    pub(crate) fn add(&self, pair: &Value, body: &str) -> WireReply {
        self.call(&add_head(pair), body)
    }
}

impl Drop for TestSandbox {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        self.thread.take().map(thread::JoinHandle::join);
    }
}

pub(crate) fn authorize_path(scope: &str) -> String {
    format!(
        "/v1/connect/oauth2/authorize?client_id=sandbox-client&redirect_uri={CALLBACK}\
         &response_type=code&state=s1&scope={scope}"
    )
}

pub(crate) fn add_head(pair: &Value) -> String {
    format!("PUT {ADD}\nauthorization: Bearer {}", pair["access_token"].as_str().unwrap())
}

pub(crate) fn error_texts(reply: &WireReply) -> (Option<u16>, String, String) {
    let body = reply.json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (reply.status(), text("error"), text("error_description"))
}
