//! Sets the wall clock of a running server: by an hour in both directions, and by a day. A laptop's
//! clock may be set like this when its lid is opened.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::is_full;
use crate::support::{Kroger, Sandbox, Server, UPC, eventually, folder};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A server whose wall clock the test can set. Its monotonic clock runs on.
struct Clockwork {
    sandbox: Sandbox,
    folder: TempDir,
    server: Server,
}

impl Clockwork {
    fn start(library: &Path) -> Self {
        let (sandbox, folder) = (Sandbox::start(), folder());
        let offset = folder.path().join("offset");
        std::fs::write(&offset, "+0").unwrap();
        let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
            .at(&sandbox)
            .env("KROGER_TOKEN_CHECK_INTERVAL", "1")
            .env("KROGER_REFRESH_PAUSE", "0")
            .env("LD_PRELOAD", library.to_str().unwrap())
            .env("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .serve();
        Self { sandbox, folder, server }
    }

    fn set(&self, seconds: i64) {
        let new = self.folder.path().join("offset.new");
        std::fs::write(&new, format!("{seconds:+}")).unwrap();
        std::fs::rename(new, self.folder.path().join("offset")).unwrap();
    }

    /// The server's time in Unix seconds, and the seconds that its token has left.
    fn time_and_left(&self) -> (i64, i64) {
        let left = |token: &Value| {
            let seconds = |name: &str| token[name].as_str()?.split(' ').next()?.parse::<i64>().ok();
            seconds("expires_in").or_else(|| Some(-seconds("expired_ago")?))
        };
        eventually("the app has a token of its own", || {
            let tokens = self.server.get("/admin/tokens").json();
            let (of_app, of_user) = (&tokens["client_credentials"], &tokens["user_tokens"]["user_default"]);
            // A user's token may have been obtained in the future, so the app's token tells the time.
            Some((of_app["expires_at"].as_i64()? - left(of_app)?, left(of_user)?))
        })
    }

    #[track_caller]
    fn assert_kept(&self) {
        let state = self.sandbox.state();
        assert_eq!(state["token_requests"]["authorization_code"]["ok"], 1, "{state}");
    }

    /// How often a spent refresh token was sent to Kroger.
    fn sent_again(&self) -> u64 {
        self.sandbox.state()["spent_refresh_tokens_presented"].as_u64().expect("a count")
    }
}

/// The library that sets the clock. None: it is not installed, and a line says so.
fn library() -> Option<PathBuf> {
    let folders =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];
    let paths = folders.iter().flat_map(|folder| {
        ["faketime/libfaketimeMT.so.1", "libfaketimeMT.so.1"].map(|name| Path::new(folder).join(name))
    });
    let found = paths.into_iter().find(|path| path.exists());
    if found.is_none() {
        assert!(!is_full(), "KROGER_TIME=full: libfaketime is not installed (apt-get install libfaketime)");
        println!("skipped: libfaketime is not installed (apt-get install libfaketime)");
    }
    found
}

#[test]
fn a_clock_set_by_an_hour_or_a_day_loses_no_sign_in() {
    let Some(library) = library() else { return };
    let clockwork = Clockwork::start(&library);
    clockwork.server.sign_in();

    let (mut began, _) = clockwork.time_and_left();
    let mut before = 0;
    for offset in [HOUR, 0, -HOUR, 0, DAY, 0, -DAY, 0] {
        clockwork.set(offset);
        let (now, _) = clockwork.time_and_left();
        let step = offset - before;
        assert!((now - began - step).abs() < 60, "the clock was not set by {step} s: {began}, {now}");
        (began, before) = (now, offset);

        clockwork.server.add(UPC).expect(200);
        // In both directions, the timer corrects the token's remaining time.
        eventually("the token is of this time", || {
            let (_, left) = clockwork.time_and_left();
            (300..=1_800).contains(&left).then_some(())
        });
        clockwork.server.add(UPC).expect(200);
    }

    clockwork.assert_kept();
    assert_eq!(clockwork.sent_again(), 0);
    println!("eight steps, {} refreshes, no sign-in", clockwork.sandbox.refreshes());
}

#[test]
fn a_clock_set_during_a_refresh_loses_no_sign_in() {
    let Some(library) = library() else { return };
    let clockwork = Clockwork::start(&library);
    clockwork.server.sign_in();

    let mut offset = 0;
    for step in [HOUR, -HOUR, DAY, -DAY] {
        clockwork.sandbox.clear_faults();
        clockwork.sandbox.token_faults(1, &json!({ "delay_ms": 500 }));
        std::thread::scope(|scope| {
            let refreshing = scope.spawn(|| clockwork.server.call("POST", "/admin/tokens/refresh", None));
            eventually("the refresh is under way", || (clockwork.sandbox.fired() == 1).then_some(()));
            offset += step;
            clockwork.set(offset);
            // Nobody knows how long the answer took, so its token may be withheld.
            let answer = refreshing.join().unwrap();
            assert!([200, 503].contains(&answer.status), "{}", answer.text);
        });
        eventually("a good add with no sign-in", || (clockwork.server.add(UPC).status == 200).then_some(()));
    }

    clockwork.assert_kept();
    // A leap beyond the lease makes the refresh under way look dead. Each of the two leaps forward may
    // cost one send that Kroger refuses, and the refusal ends no grant.
    assert!(clockwork.sent_again() <= 2, "{}", clockwork.sandbox.state());
    println!("four steps in mid-refresh, {} sends again, no sign-in", clockwork.sent_again());
}
