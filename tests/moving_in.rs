//! Imports the files of other programs. Imported tokens are refreshed from then on,
//! and nothing in a file ever runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::support::{Ended, Kroger, Sandbox, Server, UPC, folder, mirror_in};

/// A pair of tokens that the sandbox gave to another program.
struct Pair {
    access_token: String,
    refresh_token: String,
}

impl Pair {
    fn of(sandbox: &Sandbox, customer: &str) -> Self {
        let elsewhere = folder();
        let mirror = mirror_in(elsewhere.path());
        let server = Server::start(elsewhere.path(), sandbox);
        server.sign_in_as("user_default", customer).expect(200);
        let text = fs::read_to_string(mirror).unwrap();
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        Self { access_token: value("KROGER_USER_ACCESS_TOKEN="), refresh_token: value("KROGER_USER_REFRESH_TOKEN=") }
    }

    /// The first system's state, as Python 3.11's `pickle.dumps(state, 0)` writes it.
    /// That protocol is lines of text, so the tokens and times are simply put in.
    fn pickle(&self, user: &str, obtained_at: u64) -> String {
        let expires_at = obtained_at + 1_800;
        format!(
            "(dp0\nVuser_tokens\np1\n(dp2\nV{user}\np3\n(dp4\nVaccess_token\np5\nV{}\np6\nsVrefresh_token\np7\nV{}\np8\n\
             sVexpires_at\np9\nF{expires_at}.682251\nsVscope\np10\nVprofile.compact cart.basic:write\np11\nsVsource\np12\n\
             Voauth\np13\nsVrefreshed_at\np14\nF{obtained_at}.123456\nsssVclient_token\np15\n(dp16\nVaccess_token\np17\n\
             Vof-the-app\np18\nsVexpires_at\np19\nF{expires_at}.682251\nsVrefreshed_at\np20\nF{obtained_at}.123456\n\
             ssVsaved_at\np21\nF{obtained_at}.123456\ns.",
            self.access_token, self.refresh_token
        )
    }

    fn json(&self, user: &str, obtained_at: u64) -> String {
        let tokens = json!({
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "expires_at": obtained_at + 1_800,
            "refreshed_at": obtained_at,
        });
        json!({ "user_tokens": { user: tokens }, "client_credentials": {}, "last_updated": obtained_at }).to_string()
    }

    fn is_told(&self, ended: &Ended) -> bool {
        let told = format!("{}{}", ended.stdout, ended.stderr);
        told.contains(&self.access_token) || told.contains(&self.refresh_token)
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn import(folder: &Path, sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    Kroger::new(folder, &[&["import"], arguments].concat()).at(sandbox).run()
}

#[test]
fn a_pickle_in_place_of_the_store_is_imported_at_start_and_its_token_refreshed() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let pickle = Pair::of(&sandbox, "alice").pickle("user_default", now() - 86_400);
    fs::write(folder.path().join(".tokens"), &pickle).unwrap();

    let server = Server::start(folder.path(), &sandbox);
    server.add(UPC).expect(200);
    let token = server.token("user_default");
    server.kill();
    let again = Server::start(folder.path(), &sandbox);
    again.add(UPC).expect(200);

    assert_eq!(token["source"], "import");
    assert_eq!(sandbox.cart("alice")[0]["quantity"], 2);
    assert_eq!(sandbox.refreshes(), 1);
    assert_eq!(sandbox.state()["spent_refresh_tokens_presented"], 0);
    let kept = folder.path().join(".tokens.pickle");
    assert_eq!(fs::read_to_string(&kept).unwrap(), pickle);
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(folder.path().join(".tokens/store.sqlite3").exists());
}

/// Two unusable entries for the first system's state.
const BAD_ENTRIES: &str = "Vweird\\u000aid\np50\n(dp51\nVrefresh_token\np52\nVr\np53\nss\
    Vbob\np60\n(dp61\nVaccess_token\np62\nVbad canary\np63\nss";

#[test]
fn an_unusable_entry_of_the_old_file_is_reported_and_the_others_are_imported() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let pickle = Pair::of(&sandbox, "alice").pickle("user_default", now() - 60);
    fs::write(folder.path().join(".tokens"), pickle.replacen("(dp2\n", &format!("(dp2\n{BAD_ENTRIES}"), 1)).unwrap();

    let server = Server::start(folder.path(), &sandbox);
    server.add(UPC).expect(200);
    let log = server.stop();
    let again = Server::start(folder.path(), &sandbox);
    again.add(UPC).expect(200);
    let doctor = Kroger::new(folder.path(), &["doctor", "--offline"]).at(&sandbox).run();

    for told in [&log, &again.log(), &doctor.stdout] {
        assert!(told.contains(".tokens.pickle: the entry of weird id is left out: its user id"), "{told}");
        assert!(told.contains(".tokens.pickle: the entry of bob is left out: its access token"), "{told}");
        assert!(told.contains("kroger-mcp login --user ID, then remove .tokens.pickle"), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}

#[test]
fn commands_that_only_look_leave_the_old_file_and_name_the_command_that_imports_it() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let pickle = Pair::of(&sandbox, "alice").pickle("user_default", now() - 60);
    fs::write(folder.path().join(".tokens"), &pickle).unwrap();

    for (command, code) in [
        (&["status"][..], 0),
        (&["status", "--json"], 0),
        (&["doctor", "--offline"], 1),
        (&["logout"], 1),
        (&["backup", "copy"], 1),
    ] {
        let ended = Kroger::new(folder.path(), command).at(&sandbox).run();

        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{command:?}: {told}");
        assert!(told.contains(".tokens is") && told.contains("`kroger-mcp serve`"), "{command:?}: {told}");
        assert_eq!(fs::read_to_string(folder.path().join(".tokens")).unwrap(), pickle, "{command:?}");
    }
    let refreshed = Kroger::new(folder.path(), &["refresh"]).at(&sandbox).run();
    assert_eq!(refreshed.status.code(), Some(0), "{}", refreshed.stderr);
    assert!(refreshed.stderr.contains(".tokens.pickle"), "{}", refreshed.stderr);
    assert!(folder.path().join(".tokens/store.sqlite3").exists());
}

#[test]
fn the_kept_pickle_does_not_bring_back_a_forgotten_user() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let pickle = Pair::of(&sandbox, "alice").pickle("user_default", now() - 60);
    fs::write(folder.path().join(".tokens"), pickle).unwrap();
    let server = Server::start(folder.path(), &sandbox);
    server.call("DELETE", "/admin/tokens/user_default", None).expect(200);
    server.kill();

    let server = Server::start(folder.path(), &sandbox);

    assert_eq!(server.add(UPC).expect(401).code(), "reauthorize");
}

#[test]
fn a_hostile_pickle_runs_nothing_and_stays_in_place() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let canary = folder.path().join("canary");
    let hostile = format!("(dp0\nVuser_tokens\np1\ncposix\nsystem\np2\n(Vtouch {}\np3\ntp4\nRp5\ns.", canary.display());
    let path = folder.path().join(".tokens");
    fs::write(&path, &hostile).unwrap();

    let served = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"]).at(&sandbox).run();
    let imported = import(folder.path(), &sandbox, &[".tokens", "--store", "elsewhere", "--yes"]);

    assert_eq!((served.status.code(), imported.status.code()), (Some(1), Some(2)));
    for told in [served.stderr, imported.stderr] {
        assert!(told.contains(".tokens") && told.contains("GLOBAL"), "{told}");
    }
    assert_eq!(fs::read_to_string(path).unwrap(), hostile);
    assert!(!canary.exists());
}

#[test]
fn each_kind_of_file_is_imported_and_no_token_is_shown() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let customers = ["alice", "bob", "alice", "bob"];
    let pairs = customers.map(|customer| Pair::of(&sandbox, customer));
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("old.tokens", pairs[0].pickle("of-pickle", now() - 9_000));
    write(".kroger_tokens.json", pairs[1].json("of-json", now() - 9_000));
    let bare = json!({"access_token": pairs[2].access_token, "refresh_token": pairs[2].refresh_token, "expires_in": 1});
    write(".kroger_token_user.json", bare.to_string());
    let (access, refresh) = (&pairs[3].access_token, &pairs[3].refresh_token);
    write(
        "old.env",
        format!(
            "KROGER_USER_ACCESS_TOKEN={access}\nKROGER_USER_REFRESH_TOKEN={refresh}\nKROGER_HARDCODED_USER_ID=of-env\n"
        ),
    );

    let files = ["old.tokens", ".kroger_tokens.json", ".kroger_token_user.json", "old.env"];
    let ended = import(folder.path(), &sandbox, &[&files[..], &["--user", "of-kroger-api"]].concat());
    let server = Server::start(folder.path(), &sandbox);

    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("Imported 4 sign-ins."), "{}", ended.stdout);
    assert!(pairs.iter().all(|pair| !pair.is_told(&ended)), "{}{}", ended.stdout, ended.stderr);
    for user in ["of-pickle", "of-json", "of-kroger-api", "of-env"] {
        let added = server.client.call(
            "PUT",
            &server.url("/cart/add/simple"),
            &[("x-kroger-user", user)],
            Some(&json!({ "upc": UPC })),
        );
        added.expect(200);
        assert_eq!(server.token(user)["source"], "import", "{user}");
    }
    assert_eq!(sandbox.state()["spent_refresh_tokens_presented"], 0);
}

#[test]
fn a_working_sign_in_is_replaced_only_on_request() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let write = |name: &str, pair: &Pair, at| fs::write(folder.path().join(name), pair.json("u", at)).unwrap();
    write("first.json", &Pair::of(&sandbox, "alice"), now() - 600);
    write("older.json", &Pair::of(&sandbox, "alice"), now() - 1_200);
    write("newer.json", &Pair::of(&sandbox, "bob"), now() - 60);

    let first = import(folder.path(), &sandbox, &["first.json"]);
    let again = import(folder.path(), &sandbox, &["first.json", "--yes"]);
    let older = import(folder.path(), &sandbox, &["older.json", "--yes"]);
    let unasked = import(folder.path(), &sandbox, &["newer.json"]);
    let agreed = import(folder.path(), &sandbox, &["newer.json", "older.json", "--yes"]);
    let forced = import(folder.path(), &sandbox, &["older.json", "--yes", "--force"]);

    let codes = [&first, &again, &older, &unasked, &agreed, &forced].map(|ended| ended.status.code().unwrap());
    assert_eq!(codes, [0, 0, 1, 2, 0, 0]);
    assert!(again.stdout.contains("the store has it"), "{}", again.stdout);
    assert!(older.stdout.contains("--force"), "{}", older.stdout);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    assert!(agreed.stdout.contains("another file has a newer one"), "{}", agreed.stdout);
    assert!(forced.stdout.contains("replaces a newer sign-in"), "{}", forced.stdout);
}

#[test]
fn one_unusable_file_stops_the_whole_import() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    fs::write(folder.path().join("good.json"), Pair::of(&sandbox, "alice").json("u", now())).unwrap();
    fs::write(folder.path().join("bad.json"), "{").unwrap();

    let ended = import(folder.path(), &sandbox, &["good.json", "bad.json"]);
    let status = Kroger::new(folder.path(), &["status"]).run();

    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.starts_with("bad.json: it is JSON that is cut off"), "{}", ended.stderr);
    assert!(status.stdout.starts_with("Nobody is signed in."), "{}", status.stdout);
}

#[test]
fn an_unusable_entry_is_left_out_and_the_others_are_imported() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let good = Pair::of(&sandbox, "alice").json("ann", now() - 60);
    let bad = r#""user_tokens":{"bob":{"access_token":"bad canary"},"#;
    // Some editors begin a file with a byte order mark.
    let mixed = format!("\u{feff}{}", good.replacen(r#""user_tokens":{"#, bad, 1));
    fs::write(folder.path().join("mixed.json"), mixed).unwrap();

    let ended = import(folder.path(), &sandbox, &["mixed.json"]);
    let status = Kroger::new(folder.path(), &["status"]).run();

    assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.starts_with("mixed.json: the entry of bob is left out: its access token"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stdout.contains("Imported 1 sign-in.") && !ended.stderr.contains("canary"), "{}", ended.stdout);
    assert!(status.stdout.contains("ann"), "{}", status.stdout);
}
