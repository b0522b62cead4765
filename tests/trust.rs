//! Attacks by files: a folder, a store, a cache or a `.env` that a stranger may write.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::support::{Ended, Kroger, Sandbox, Server, folder, mirror_in};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn told(ended: &Ended) -> String {
    format!("{}{}", ended.stdout, ended.stderr)
}

/// Runs a command that is to be refused. Returns its exit code and what it printed. A server that
/// starts has the code 0.
fn refused(kroger: Kroger, command: &str) -> (Option<i32>, String) {
    if command != "serve" {
        let ended = kroger.run();
        return (ended.status.code(), told(&ended));
    }
    match kroger.try_serve() {
        Ok(server) => (Some(0), server.stop()),
        Err((status, log)) => (status.code(), log),
    }
}

/// The commands that use the app's secret.
const COMMANDS: [&[&str]; 6] = [
    &["serve", "--listen", "127.0.0.1:0"],
    &["stdio", "--listen", "127.0.0.1:0"],
    &["doctor"],
    &["refresh"],
    &["login", "--paste"],
    &["status"],
];

#[test]
fn a_store_or_an_env_file_that_strangers_may_write_is_refused_with_the_remedy() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let env_file = mirror_in(folder.path());
    Server::start(folder.path(), &sandbox).stop();
    let attacks = [
        ("", 0o777),
        (".tokens", 0o777),
        (".tokens", 0o1777),
        (".tokens/store.sqlite3", 0o666),
        (".env", 0o666),
        (".env", 0o602),
    ];
    for (changed, mode) in attacks {
        let path = folder.path().join(changed);
        let before = fs::metadata(&path).unwrap().permissions();
        set_mode(&path, mode);
        for arguments in COMMANDS {
            let (code, told) = refused(Kroger::new(folder.path(), arguments).at(&sandbox), arguments[0]);

            println!("{changed} with mode {mode:o} | {} | exit code {code:?}", arguments[0]);
            assert_ne!(code, Some(0), "{changed} {mode:o}, {}: {told}", arguments[0]);
            assert!(told.contains("chmod go-w "), "{changed} {mode:o}, {}: {told}", arguments[0]);
        }
        fs::set_permissions(&path, before).unwrap();
    }
    set_mode(&env_file, 0o644);
    let log = Server::start(folder.path(), &sandbox).stop();
    assert!(log.contains("chmod 600 .env"), "{log}");
}

#[test]
fn a_cache_that_strangers_may_write_is_not_used_and_the_start_goes_on() {
    let (folder, elsewhere) = (folder(), folder());
    let cache = elsewhere.path().join("kroger-mcp");
    fs::create_dir(&cache).unwrap();
    set_mode(&cache, 0o777);

    let ended = Kroger::new(folder.path(), &["status"]).env("XDG_CACHE_HOME", elsewhere.path().to_str().unwrap()).run();

    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("chmod go-w {}", cache.display())), "{}", ended.stderr);
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}

#[test]
fn the_env_file_of_a_folder_leads_the_credentials_of_the_environment_nowhere() {
    let folder = folder();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let url = format!("http://127.0.0.1:{}", stranger.local_addr().unwrap().port());
    let settings = [
        format!("KROGER_API_BASE_URL={url}"),
        "KROGER_TOKEN_PATH=/elsewhere".to_owned(),
        "KROGER_AUTHORIZE_PATH=/elsewhere".to_owned(),
        "KROGER_REDIRECT_URI=https://evil.example/auth/callback".to_owned(),
        "KROGER_ALLOWED_ORIGINS=https://evil.example".to_owned(),
        "KROGER_STORE=repository/tokens".to_owned(),
        "KROGER_BUCKET=cache".to_owned(),
    ];
    for setting in &settings {
        fs::write(folder.path().join(".env"), format!("# a project\n{setting}\n")).unwrap();
        for arguments in COMMANDS {
            let kroger = Kroger::new(folder.path(), arguments)
                .env("KROGER_CLIENT_ID", "app")
                .env("KROGER_CLIENT_SECRET", "hush");
            let (code, told) = refused(kroger, arguments[0]);

            let name = setting.split('=').next().unwrap();
            println!("{name} in a folder's .env | {} | exit code {code:?}", arguments[0]);
            assert_eq!(code, Some(2), "{name}, {}: {told}", arguments[0]);
            assert!(told.contains(&format!("{name} in .env, line 2")), "{told}");
        }
    }
    assert!(stranger.accept().is_err(), "a command asked the stranger's server");
    assert!(!folder.path().join("repository").exists());
}

#[test]
fn tokens_reach_no_env_file_that_is_shared_or_does_not_ask_for_them() {
    let sandbox = Sandbox::start();
    for kind in ["without lines", "readable by others", "a link"] {
        let folder = folder();
        let env_file = mirror_in(folder.path());
        match kind {
            "without lines" => fs::write(&env_file, "KROGER_DEFAULT_ZIP_CODE=45202\n").unwrap(),
            "readable by others" => set_mode(&env_file, 0o644),
            _ => {
                fs::rename(&env_file, folder.path().join("target")).unwrap();
                symlink("target", &env_file).unwrap();
            }
        }
        let before = fs::read(&env_file).unwrap();
        let server = Server::start(folder.path(), &sandbox);

        let signed_in = server.sign_in_as("user_default", "alice").expect(200).json();
        server.call("POST", "/admin/tokens/refresh", None).expect(200);
        let log = server.stop();

        println!("a mirror {kind} | a sign-in and a refresh | no token is written");
        assert_eq!(signed_in["token_management"]["env_file_updated"], false, "{kind}");
        assert_eq!(fs::read(&env_file).unwrap(), before, "{kind}");
        assert_eq!(log.matches("tokens are not mirrored to .env").count(), 1, "{kind}: {log}");
    }
}

#[test]
fn a_secret_in_a_malformed_env_file_is_printed_by_no_command() {
    let folder = folder();
    for text in [
        "KROGER_CLIENT_ID=app1 KROGER_CLIENT_SECRET=s3cr3t\n",
        "export KROGER_CLIENT_ID=app1 KROGER_CLIENT_SECRET=s3cr3t\r\n",
        "KROGER_CLIENT_ID=\"app1\" KROGER_CLIENT_SECRET=\"s3cr3t\"\n",
        "KROGER_CLIENT_ID=app1;KROGER_CLIENT_SECRET=s3cr3t\n",
        "KROGER_STORE=app1,KROGER_CLIENT_SECRET=s3cr3t\n",
        "KROGER_LOG=info,KROGER_CLIENT_SECRET=s3cr3t\n",
        "KROGER_CLIENT_SECRET: s3cr3t\n",
        "KROGER_CLIENT_SECRETs3cr3t\n",
        "KROGER_CLIENT_ID=app\nKROGER_TOKEN_CHECK_INTERVAL=s3cr3t\n",
        "KROGER_CLIENT_ID=app\nKROGER_API_BASE_URL=s3cr3t\n",
        "KROGER_CLIENT_ID=s3cr3t with spaces\n",
        "KROGER_CLIENT_ID=app\nPORT=s3cr3t\n",
        "KROGER_CLIENT_ID=app\nKROGER_LOG=s3cr3t\n",
    ] {
        fs::write(folder.path().join(".env"), text).unwrap();
        for arguments in [&["serve"][..], &["status"], &["doctor", "--offline"], &["refresh"]] {
            let ended = Kroger::new(folder.path(), arguments).run();

            let told = told(&ended);
            assert!(!told.contains("s3cr3t"), "{text:?}, {}: {told}", arguments[0]);
        }
    }
}
