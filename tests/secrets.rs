//! Searches every log, error and answer for tokens, codes, verifiers and secrets.

use std::fs;

use serde_json::json;

use crate::support::{Kroger, Sandbox, UPC, bytes_below, folder};

/// The tokens of the `.env` file, and the app's secret in plain form and in Basic form.
fn canaries(env_file: &str) -> Vec<String> {
    env_file
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| name.ends_with("_TOKEN"))
        .map(|(_, value)| value.to_owned())
        .chain(["sandbox-secret".to_owned(), "c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ".to_owned()])
        .collect()
}

#[test]
fn no_log_error_or_answer_shows_a_secret_even_at_trace_level() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let env_path = folder.path().join(".env");
    fs::write(&env_path, "").unwrap();
    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--log", "trace"])
        .env("RUST_LOG", "trace")
        .env("KROGER_REFRESH_PAUSE", "0")
        .at(&sandbox)
        .serve();
    let mut seen = String::new();
    let mut secrets = Vec::new();
    let mut note = |text: &str| seen.push_str(text);

    // A sign-in has a code, a state and a verifier.
    let authorize = server.get("/auth/authorize").expect(200).json();
    let link = authorize["authorization_url"].as_str().unwrap();
    let redirect = server.client.get(&format!("{link}&sandbox_user=alice&sandbox_decision=allow")).expect(302);
    let location = redirect.header("location").to_owned();
    let query = &location[location.find('?').unwrap()..];
    let code = query.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).unwrap().to_owned();
    note(&server.get(&format!("/auth/callback{query}")).expect(200).text);
    note(&server.get(&format!("/auth/callback{query}")).expect(400).text);
    secrets.push(code);
    secrets.extend(canaries(&fs::read_to_string(&env_path).unwrap()));

    // Refreshes, adds, and failures of each kind.
    note(&server.call("POST", "/admin/tokens/refresh", None).expect(200).text);
    secrets.extend(canaries(&fs::read_to_string(&env_path).unwrap()));
    note(&server.add(UPC).expect(200).text);
    for action in [
        json!("garbage"),
        json!("drop_after"),
        json!({ "status": 400, "body": { "error": "invalid_request", "error_description": "invalid refresh_token" } }),
    ] {
        sandbox.token_faults(1, &action);
        note(&server.call("POST", "/admin/tokens/refresh", None).text);
        sandbox.clear_faults();
        secrets.extend(canaries(&fs::read_to_string(&env_path).unwrap()));
    }
    for path in
        ["/health", "/livez", "/readyz", "/config", "/admin/tokens", "/nowhere", "/auth/callback?code=x&state=y"]
    {
        note(&server.get(path).text);
    }
    note(&server.add("nonsense").text);
    let log = server.stop();
    note(&log);

    assert!(log.lines().count() > 20, "the log is at trace level: {log}");
    let seal_keys = seal_keys_in_store(folder.path());
    assert!(secrets.len() > 6);
    for secret in secrets.iter().chain(&seal_keys) {
        assert!(secret.len() >= 10, "{secret}");
        assert!(
            !seen.contains(secret.as_str()),
            "a secret was shown: {}",
            seen.lines().find(|line| line.contains(secret.as_str())).unwrap()
        );
    }
}

/// The keys that seal links and PKCE verifiers, as the store's files hold them.
fn seal_keys_in_store(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for (_, bytes) in bytes_below(&folder.join(".tokens")) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for (at, mark) in text.match_indices(r#""schema_version":1,"key":""#) {
            found.extend(text[at + mark.len()..].split('"').next().map(str::to_owned));
        }
    }
    assert!(!found.is_empty(), "the store has a key");
    found
}
