//! Runs the same component, unchanged, under a foreign host: the stock
//! `wasmtime serve`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::support::{Answer, Client, Sandbox, Server, UPC, eventually, folder, mirror_in};

struct Stock {
    child: Child,
    url: String,
    client: Client,
}

impl Stock {
    fn serve(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let component = folder.join("connector.wasm");
        std::fs::write(&component, kroger_mcp::COMPONENT).unwrap();
        let log = folder.join("stock.log");
        let mut command = Command::new(stock_wasmtime());
        command.args(["serve", "-Scli", "-Skeyvalue", "-Shttp", "--addr", "127.0.0.1:0"]);
        for (name, value) in variables {
            command.args(["--env", &format!("{name}={value}")]);
        }
        let stderr = std::fs::File::create(&log).unwrap();
        let mut child = command.arg(&component).stdin(Stdio::null()).stderr(stderr).spawn().unwrap();
        let url = eventually("wasmtime serves", || {
            let text = std::fs::read_to_string(&log).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "wasmtime ended: {text}");
            let from = text.find("http://127.0.0.1:")?;
            Some(text[from..].split_whitespace().next()?.trim_end_matches('/').to_owned())
        });
        Self { child, url, client: Client::new() }
    }

    fn get(&self, path: &str) -> Answer {
        self.client.get(&format!("{}{path}", self.url))
    }

    fn add(&self) -> Answer {
        self.client.call("PUT", &format!("{}/cart/add/simple", self.url), &[], Some(&json!({ "upc": UPC })))
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The example of this package that only runs wasmtime's own command.
fn stock_wasmtime() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_kroger-mcp"));
    binary.with_file_name("examples").join("stock_wasmtime")
}

/// A pair of tokens from the sandbox, as the `.env` mirror shows it.
fn pair(sandbox: &Sandbox) -> Vec<(String, String)> {
    let folder = folder();
    mirror_in(folder.path());
    let server = Server::start(folder.path(), sandbox);
    server.sign_in();
    let mirror = std::fs::read_to_string(folder.path().join(".env")).unwrap();
    mirror
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn variables<'a>(sandbox_url: &'a str, pair: &'a [(String, String)]) -> Vec<(&'a str, &'a str)> {
    let mut variables = vec![
        ("KROGER_CLIENT_ID", "sandbox-client"),
        ("KROGER_CLIENT_SECRET", "sandbox-secret"),
        ("KROGER_API_BASE_URL", sandbox_url),
    ];
    variables.extend(pair.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    variables
}

#[test]
fn it_adds_to_the_cart_with_a_token_from_the_environment() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let pair = pair(&sandbox);
    let url = sandbox.url();
    let stock = Stock::serve(folder.path(), &variables(&url, &pair));

    stock.get("/livez").expect(200);
    let config = stock.get("/config").expect(200).json();
    stock.add().expect(200);

    assert!(
        config["token_management"]["user_token"].as_str().unwrap().starts_with("valid in .env (expires in "),
        "{config}"
    );
    assert_eq!(sandbox.cart("alice")[0]["quantity"], 1);
}

#[test]
fn it_refuses_to_spend_a_refresh_token_in_a_store_that_forgets() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let mut pair = pair(&sandbox);
    let past = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 60;
    for (name, value) in &mut pair {
        if name == "KROGER_USER_TOKEN_EXPIRES_AT" {
            *value = past.to_string();
        }
    }
    let url = sandbox.url();
    let stock = Stock::serve(folder.path(), &variables(&url, &pair));

    let refused = stock.add().expect(503);

    assert_eq!(refused.code(), "store_unavailable");
    assert!(refused.json()["detail"].as_str().unwrap().contains("forgets"), "{}", refused.text);
    assert_eq!(sandbox.refreshes(), 0);
}
