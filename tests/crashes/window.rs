//! Measures the window in which a crash loses a sign-in: from the moment that Kroger's answer is read
//! until the new pair is committed.

use std::time::Duration;

use super::Form;
use super::lane::wait_until_the_app_has_its_token;
use super::strace::{Trace, is_usable};
use crate::support::{Kroger, Sandbox, folder};

/// The time at which the traced call of `line` returned, in Unix seconds.
fn returned_at(line: &str) -> Option<f64> {
    let entered_or_resumed: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    if line.contains("resumed>") {
        return Some(entered_or_resumed);
    }
    let took: f64 = line.rsplit_once('<')?.1.strip_suffix('>')?.parse().ok()?;
    Some(entered_or_resumed + took)
}

fn is_commit(line: &str) -> bool {
    (line.contains("fsync") || line.contains("fdatasync")) && line.contains("= 0")
}

/// The time from each answer to the first commit that returned after it.
fn windows(trace: &str) -> Vec<Duration> {
    let mut windows = Vec::new();
    let mut answered = None;
    for line in trace.lines() {
        if line.contains("\"HTTP/1.1 200") {
            answered = returned_at(line);
        } else if let (Some(since), true) = (answered, is_commit(line)) {
            windows.extend(returned_at(line).map(|now| Duration::from_secs_f64((now - since).max(0.0))));
            answered = None;
        }
    }
    windows
}

#[test]
fn the_window_is_one_commit_long() {
    if !is_usable() {
        return;
    }
    let refreshes = Form::chosen().pick(20, 200);
    let (sandbox, folder) = (Sandbox::start(), folder());
    let trace = Trace::in_folder(folder.path());
    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .at(&sandbox)
        .env("KROGER_TOKEN_CHECK_INTERVAL", "3600")
        .env("KROGER_REFRESH_PAUSE", "0")
        .under("strace", &trace.arguments("recvfrom,fsync,fdatasync"))
        .serve();
    server.sign_in();
    wait_until_the_app_has_its_token(&server);
    let before = windows(&trace.text()).len();

    for _ in 0..refreshes {
        server.call("POST", "/admin/tokens/refresh", None).expect(200);
    }

    let mut windows = windows(&trace.text()).split_off(before);
    windows.sort();
    let (median, longest) = (windows[windows.len() / 2], windows[windows.len() - 1]);
    println!("answer read to committed, {} refreshes: median {median:.1?}, longest {longest:.1?}", windows.len());
    assert_eq!(windows.len(), refreshes);
    // A pause of the machine may lengthen some windows. If half of them are long, this program is at fault.
    assert!(median < Duration::from_millis(100), "{windows:?}");
}
