//! Does an operator's work: signs in and out from a terminal, backs the store up and
//! restores it, and asks `doctor` what is wrong.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kroger_core::user::UserId;
use rusqlite::Connection;
use serde_json::{Value, json};
use url::Url;

use crate::support::{Client, Ended, Kroger, Sandbox, Server, UPC, folder, mirror_in};

/// An unused port, for a redirect URI that must be known beforehand.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn redirect_uri(port: u16) -> String {
    format!("http://localhost:{port}/auth/callback")
}

fn kroger(folder: &Path, sandbox: &Sandbox, arguments: &[&str]) -> Kroger {
    Kroger::new(folder, arguments).at(sandbox).env("KROGER_LOG", "error")
}

fn run(folder: &Path, sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    kroger(folder, sandbox, arguments).run()
}

/// Opens `link` as `customer`. Returns the address that Kroger sends the browser to.
fn agree(link: &str, customer: &str, decision: &str) -> String {
    let link = format!("{link}&sandbox_user={customer}&sandbox_decision={decision}");
    Client::new().get(&link).expect(302).header("location").to_owned()
}

/// The `state` of a sign-in link.
fn state_of(link: &str) -> String {
    let link = Url::parse(link).unwrap();
    let (_, state) = link.query_pairs().find(|(name, _)| name == "state").unwrap();
    state.into_owned()
}

fn user<'a>(status: &'a Value, name: &str) -> &'a Value {
    &status["user_tokens"][name]
}

fn status(folder: &Path, sandbox: &Sandbox) -> Value {
    let ended = run(folder, sandbox, &["status", "--json"]);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}{}", ended.stdout, ended.stderr))
}

fn store(folder: &Path) -> Connection {
    Connection::open(folder.join(".tokens/store.sqlite3")).unwrap()
}

#[test]
fn login_takes_the_redirect_if_no_server_listens() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let uri = redirect_uri(free_port());
    let mut login =
        kroger(folder.path(), &sandbox, &["login", "--user", "ann"]).env("KROGER_REDIRECT_URI", &uri).converse();

    let back = agree(&login.line_with("http"), "alice", "allow");
    let asked = Client::new().call("GET", &back, &[("accept", "text/html")], None).expect(200);
    let finish = back.replace("/auth/callback?", "/auth/finish?");
    let page = Client::new().call("POST", &finish, &[("accept", "text/html")], None).expect(200);
    let ended = login.end();

    assert!(back.starts_with(&uri), "{back}");
    assert!(asked.text.contains("<strong>ann</strong>"), "{}", asked.text);
    assert!(page.text.contains("You are signed in"), "{}", page.text);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("Signed in: ann (scope: "), "{}", ended.stdout);
    assert_eq!(user(&status(folder.path(), &sandbox), "ann")["status"], "valid");
}

#[test]
fn login_notices_a_sign_in_that_a_running_server_completes() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let port = free_port();
    let uri = redirect_uri(port);
    let listen = format!("127.0.0.1:{port}");
    let _server = Kroger::new(folder.path(), &["serve", "--listen", &listen])
        .at(&sandbox)
        .env("KROGER_REDIRECT_URI", &uri)
        .serve();
    let mut login = kroger(folder.path(), &sandbox, &["login"]).env("KROGER_REDIRECT_URI", &uri).converse();

    let link = login.line_with("http");
    login.line_with("the server at the redirect URI");
    Client::new().get(&agree(&link, "alice", "allow")).expect(200);
    let ended = login.end();

    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("Signed in: user_default"), "{}", ended.stdout);
}

#[test]
fn login_without_a_browser_takes_the_pasted_address() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let elsewhere = "https://kroger.example/auth/callback";
    let login = || {
        let uri = redirect_uri(free_port());
        kroger(folder.path(), &sandbox, &["login", "--paste"]).env("KROGER_REDIRECT_URI", &uri).converse()
    };

    let mut agreed = login();
    let back = agree(&agreed.line_with("http"), "alice", "allow");
    agreed.answer(elsewhere);
    agreed.line_with("not the address");
    agreed.answer(&back);
    let agreed = agreed.end();
    let mut declined = login();
    let back = agree(&declined.line_with("http"), "alice", "deny");
    declined.answer(&back);
    let declined = declined.end();
    let mut silent = login();
    silent.line_with("http");
    let silent = silent.end();

    assert_eq!(agreed.status.code(), Some(0), "{}", agreed.stderr);
    assert_eq!(declined.status.code(), Some(1));
    assert!(declined.stderr.contains("declined"), "{}", declined.stderr);
    assert_eq!(silent.status.code(), Some(2), "{}", silent.stderr);
}

#[test]
fn a_sign_in_declined_in_the_browser_ends_the_wait() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    let uri = redirect_uri(server.address.port());
    let mut login = kroger(folder.path(), &sandbox, &["login"]).env("KROGER_REDIRECT_URI", &uri).converse();

    let back = agree(&login.line_with("http"), "alice", "deny");
    Client::new().get(&back).expect(400);
    let ended = login.end();

    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("did not succeed"), "{}", ended.stderr);
}

#[test]
fn commands_print_their_result_and_no_log() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let command = |arguments: &[&str]| {
        Kroger::new(folder.path(), arguments).at(&sandbox).env("KROGER_REDIRECT_URI", &redirect_uri(free_port()))
    };
    // Compiles the component, so that no command below logs that it compiles.
    Server::start(folder.path(), &sandbox).stop();

    let mut login = command(&["login", "--paste"]).converse();
    let back = agree(&login.line_with("http"), "alice", "allow");
    login.answer(&back);
    let login = login.end();
    let mut late = command(&["login", "--paste"]).converse();
    let state = state_of(&late.line_with("http"));
    late.answer(&back);
    late.line_with("belongs to another sign-in");
    late.answer(&format!("{}?code=wrong&state={state}", redirect_uri(free_port())));
    let late = late.end();
    let logout = command(&["logout"]).run();

    assert_eq!((login.status.code(), login.stderr.as_str()), (Some(0), ""));
    assert_eq!((logout.status.code(), logout.stderr.as_str()), (Some(0), ""));
    assert_eq!(late.status.code(), Some(1), "{}", late.stderr);
    assert!(late.stderr.contains("start again with kroger-mcp login"), "{}", late.stderr);
    assert!(!late.stderr.contains("/auth/authorize"), "{}", late.stderr);
}

#[test]
fn logout_forgets_and_says_so() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in_as("a%2Fb%20%3F", "alice").expect(200);

    let first = run(folder.path(), &sandbox, &["logout", "--user", "a/b ?"]);
    let second = run(folder.path(), &sandbox, &["logout", "--user", "a/b ?"]);

    assert_eq!((first.status.code(), second.status.code()), (Some(0), Some(0)), "{}", first.stderr);
    assert!(first.stdout.starts_with("a/b ? is signed out"), "{}", first.stdout);
    assert!(second.stdout.contains("not signed in"), "{}", second.stdout);
    assert_eq!(server.token("a/b ?"), Value::Null);
}

#[test]
fn a_backup_is_made_beside_a_running_server_and_restored_after_it_stops() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in_as("ann", "alice").expect(200);
    server.sign_in_as("bob", "bob").expect(200);

    let backup = run(folder.path(), &sandbox, &["backup", "copy"]);
    let again = run(folder.path(), &sandbox, &["backup", "copy"]);
    server.call("POST", "/admin/tokens/refresh?user_id=bob", None).expect(200);
    let in_use = run(folder.path(), &sandbox, &["restore", "copy", "--yes"]);
    server.kill();
    let unasked = run(folder.path(), &sandbox, &["restore", "copy"]);
    let restored = run(folder.path(), &sandbox, &["restore", "copy", "--yes"]);

    let codes = [&backup, &again, &in_use, &unasked, &restored].map(|ended| ended.status.code().unwrap());
    assert_eq!(codes, [0, 1, 1, 2, 0], "{}{}", backup.stderr, restored.stderr);
    let mode = fs::metadata(folder.path().join("copy")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    assert!(in_use.stderr.contains("in use"), "{}", in_use.stderr);
    assert!(restored.stdout.contains("refresh tokens in it are spent"), "{}", restored.stdout);
    assert!(restored.stdout.contains("store.sqlite3.replaced-"), "{}", restored.stdout);
    let server = Server::start(folder.path(), &sandbox);
    server.call("POST", "/admin/tokens/refresh?user_id=ann", None).expect(200);
    assert_eq!(server.call("POST", "/admin/tokens/refresh?user_id=bob", None).expect(401).code(), "reauthorize");
}

#[test]
fn every_command_refuses_a_store_of_a_newer_version_and_loses_nothing() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    server.stop();
    store(folder.path()).pragma_update(None, "user_version", 99).unwrap();

    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["status"], &["refresh"], &["login"], &["backup", "x"]]
    {
        let ended = run(folder.path(), &sandbox, command);

        assert_eq!(ended.status.code(), Some(1), "{command:?}");
        assert!(ended.stderr.contains("newer version") && ended.stderr.contains("upgrade"), "{}", ended.stderr);
        assert_eq!(ended.stderr.trim().lines().count(), 1, "{}", ended.stderr);
    }
    store(folder.path()).pragma_update(None, "user_version", 1).unwrap();
    assert_eq!(user(&status(folder.path(), &sandbox), "user_default")["status"], "valid");
}

/// Restores `tests/stores/store-of-schema-1.sqlite3`, a backup that version 0.1.0 made, with `ann`
/// signed in at a sandbox. Each later schema needs such a file too.
#[test]
fn a_store_of_the_first_version_is_opened() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let written = include_bytes!("stores/store-of-schema-1.sqlite3");
    fs::write(folder.path().join("old.backup"), written).unwrap();

    let restored = run(folder.path(), &sandbox, &["restore", "old.backup"]);
    let status = status(folder.path(), &sandbox);

    assert_eq!(restored.status.code(), Some(0), "{}", restored.stderr);
    let ann = user(&status, "ann");
    assert_eq!((&ann["source"], &ann["has_refresh_token"]), (&json!("oauth"), &json!(true)), "{status}");
}

/// Changes the version of each grant's record. Returns how many there are.
fn raise_grants(folder: &Path, from: &str, to: &str) -> usize {
    let (from, to) = (format!("\"schema_version\":{from}"), format!("\"schema_version\":{to}"));
    let statement =
        "UPDATE entry SET value = CAST(replace(CAST(value AS TEXT), ?1, ?2) AS BLOB) WHERE key LIKE 'grant.%'";
    store(folder).execute(statement, [from, to]).unwrap()
}

#[test]
fn logout_of_a_user_whose_record_cannot_be_read_fails() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    server.stop();

    assert_eq!(raise_grants(folder.path(), "1", "2"), 1);
    let refused = run(folder.path(), &sandbox, &["logout"]);
    raise_grants(folder.path(), "2", "1");

    assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("user_default was not signed out: "), "{}", refused.stderr);
    assert_eq!(user(&status(folder.path(), &sandbox), "user_default")["status"], "valid");
}

#[test]
fn commands_for_a_user_who_is_not_signed_in_leave_no_sign_in_record() {
    let (sandbox, folder) = (Sandbox::start(), folder());

    for _ in 0..3 {
        for command in
            [&["refresh"][..], &["refresh", "--user", "nobody"], &["status"], &["logout", "--user", "nobody"]]
        {
            let ended = run(folder.path(), &sandbox, command);
            assert!(ended.stderr.is_empty(), "{command:?}: {}", ended.stderr);
        }
    }

    let store = store(folder.path());
    let mut statement = store.prepare("SELECT key FROM entry").unwrap();
    let keys: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let users = ["nobody", "user_default"].map(|user| UserId::parse(user).unwrap().key().to_string());
    let of_users = |key: &&String| key.starts_with("signin.") || users.iter().any(|user| key.contains(user));
    assert_eq!(keys.iter().filter(of_users).collect::<Vec<_>>(), [""; 0], "{keys:?}");
    assert!(!keys.is_empty() && keys.len() < 10, "{keys:?}");
}

#[test]
fn a_record_of_a_newer_version_is_not_taken_for_absent() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();

    assert_eq!(raise_grants(folder.path(), "1", "2"), 1);
    let refused = server.add(UPC).expect(503);
    let forced = server.call("POST", "/admin/tokens/refresh", None).expect(503);
    raise_grants(folder.path(), "2", "1");

    assert_eq!((refused.code(), forced.code()), ("store_unavailable".to_owned(), "store_unavailable".to_owned()));
    assert_eq!(sandbox.refreshes(), 0);
    server.add(UPC).expect(200);
}

#[test]
fn doctor_reports_that_all_is_well_or_names_each_fault() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let env_file = mirror_in(folder.path());
    let port = free_port();
    let uri = redirect_uri(port);
    let listen = format!("127.0.0.1:{port}");
    let server = Kroger::new(folder.path(), &["serve", "--listen", &listen])
        .at(&sandbox)
        .env("KROGER_REDIRECT_URI", &uri)
        .serve();
    server.sign_in();
    let doctor = |sandbox: &Sandbox, secret: &str| {
        let doctor = kroger(folder.path(), sandbox, &["doctor", "--json"]).env("KROGER_REDIRECT_URI", &uri);
        let ended = doctor.env("KROGER_CLIENT_SECRET", secret).run();
        let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
        (ended.status.code(), report)
    };
    let bad = |report: &Value| -> Vec<String> {
        let points = report["points"].as_array().unwrap().iter().filter(|point| point["verdict"] == "bad");
        points.map(|point| point["name"].as_str().unwrap().to_owned()).collect()
    };

    let (code, well) = doctor(&sandbox, "sandbox-secret");
    assert_eq!(bad(&well), [""; 0], "{well}");
    assert_eq!((code, &well["healthy"]), (Some(0), &json!(true)));
    let names = well["points"].as_array().unwrap().iter().map(|point| point["name"].as_str().unwrap());
    let names: Vec<&str> = names.collect();
    for point in [
        "settings",
        "permissions",
        "disk space",
        ".env",
        "redirect URI",
        "network",
        "clock",
        "credentials",
        "store",
        "timer",
        "app's token",
        "token of user_default",
        "log",
    ] {
        assert!(names.contains(&point), "{point}: {names:?}");
    }

    fs::set_permissions(&env_file, fs::Permissions::from_mode(0o644)).unwrap();
    server.kill();
    let _other = TcpListener::bind(listen).unwrap();
    let (code, ill) = doctor(&sandbox, "wrong");
    assert_eq!(code, Some(1));
    for point in [".env", "redirect URI", "credentials"] {
        assert!(bad(&ill).contains(&point.to_owned()), "{point}: {ill}");
    }
    assert_eq!(ill.to_string().matches("chmod 600 .env").count(), 1, "{ill}");
    assert!(!ill.to_string().contains("wrong\""), "{ill}");
}

#[test]
fn doctor_checks_the_credentials_beside_a_store_that_cannot_be_opened() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    fs::create_dir(folder.path().join(".tokens")).unwrap();
    fs::write(folder.path().join(".tokens/store.sqlite3"), "nonsense ".repeat(1_000)).unwrap();

    let ended = run(folder.path(), &sandbox, &["doctor", "--json"]);

    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
    let verdict = |name: &str| {
        let point = report["points"].as_array().unwrap().iter().find(|point| point["name"] == name);
        point.map(|point| point["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(verdict("store").as_deref(), Some("bad"), "{report}");
    assert_eq!(verdict("credentials").as_deref(), Some("good"), "{report}");
}

#[test]
fn doctor_says_what_to_do_if_kroger_cannot_be_reached() {
    let folder = folder();
    let nowhere = format!("http://127.0.0.1:{}", free_port());

    let ended = Kroger::new(folder.path(), &["doctor"])
        .env("KROGER_CLIENT_ID", "app")
        .env("KROGER_CLIENT_SECRET", "hush")
        .env("KROGER_API_BASE_URL", &nowhere)
        .run();

    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains("refuses the connection"), "{}", ended.stdout);
    assert!(ended.stdout.contains("kroger-mcp login"), "{}", ended.stdout);
    assert!(!ended.stdout.contains('\u{1b}'), "no colour where there is no terminal");
    assert!(!folder.path().join(".tokens").exists());
}

#[test]
fn completions_and_the_manual_need_neither_settings_nor_a_store() {
    let folder = folder();
    fs::create_dir(folder.path().join(".env")).unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = Kroger::new(folder.path(), &["completions", shell]).run();

        assert_eq!(script.status.code(), Some(0), "{}", script.stderr);
        assert!(script.stdout.contains("restore"), "{shell}");
    }
    let manual = Kroger::new(folder.path(), &["man"]).run();
    assert!(
        manual.stdout.contains(".SS EXAMPLES\n.nf\n") && manual.stdout.contains("KROGER-MCP DOCTOR"),
        "{}",
        manual.stdout
    );
}
