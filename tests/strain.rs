//! Strains the server: a log that nobody reads, bodies that are all structure, little address space, a
//! clock that is wrong. The others are answered, and a stop ends it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _, pipe};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, Kroger, Sandbox, Server, UPC, eventually, folder};

const LISTEN: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

#[test]
fn server_whose_log_nobody_reads_answers_and_stops() {
    for level in ["info", "debug"] {
        let folder = folder();
        let (_unread, mut full) = pipe().unwrap();
        full.write_all(&vec![b'x'; 64 << 10]).unwrap();
        let arguments = ["serve", "--sandbox", "--listen", "127.0.0.1:0", "--log", level];
        let mut server = Kroger::new(folder.path(), &arguments).spawn_logging_to(full);
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let base = line.split_whitespace().last().unwrap().trim_end_matches("/auth/authorize").to_owned();

        let client = Client::new();
        for _ in 0..300 {
            assert_eq!(client.get(&format!("{base}/readyz")).status, 200, "{level}");
        }
        let told = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap().success());
        let ended = eventually("the server ends", || server.try_wait().unwrap());

        println!(
            "calls while nobody reads the log, at {level} | 300 | all answered; it ended {:?} later",
            told.elapsed()
        );
        assert!(ended.success() && told.elapsed() < Duration::from_secs(20), "{ended} after {:?}", told.elapsed());
    }
}

/// Sends `body` to `/mcp`, as much of it as the server reads. Returns the status, and the whole answer.
fn post(server: &Server, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let length = body.len();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let method = if path == "/mcp" { head.replacen("PUT", "POST", 1) } else { head };
    let _ = stream.write_all(method.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {answer}")), answer)
}

/// Each took 40 MiB to 64 MiB of its instance, and ended it.
#[test]
fn bodies_that_are_all_structure_trap_no_instance_and_take_little_memory() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    let before = memory(&server, "VmHWM");
    let bodies: Vec<(&str, String)> = [r#"{"":0}"#, "{}", r#"{"a":[{"":0}]}"#]
        .into_iter()
        .flat_map(|piece| {
            let filled = |bytes: usize| format!("[{}]", vec![piece; bytes / (piece.len() + 1)].join(","));
            [
                ("/cart/add", filled(1 << 20)),
                ("/cart/add", filled(60_000)),
                ("/mcp", filled(1 << 20)),
                ("/mcp", filled(250_000)),
            ]
        })
        .collect();

    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for (path, body) in &bodies {
                    let (status, answer) = post(&server, path, body);
                    assert!([400, 413, 503].contains(&status), "{path}: {answer}");
                    assert!(!answer.contains("may have been sent"), "{answer}");
                }
            });
        }
    });

    server.add(UPC).expect(200);
    let grown = memory(&server, "VmHWM").saturating_sub(before);
    println!("bodies that are all structure | {} | refused; {grown} KiB more memory", 16 * bodies.len());
    assert!(grown < 200 << 10, "{grown} KiB more");
    assert!(!server.stop().contains("the component failed"));
}

/// KiB, as the kernel counts them.
fn memory(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn server_with_little_address_space_serves_or_does_not_start() {
    let sandbox = Sandbox::start();
    let mut started = 0;
    for mib in [256, 768, 1 << 10, 2 << 10, 6 << 10] {
        let folder = folder();
        let limited = ["-c".to_owned(), format!("ulimit -v {}; exec \"$@\"", mib << 10), "sh".to_owned()];
        match Kroger::new(folder.path(), &LISTEN).at(&sandbox).under("sh", &limited).try_serve() {
            Ok(server) => {
                started += 1;
                std::thread::scope(|scope| {
                    for _ in 0..32 {
                        scope.spawn(|| server.get("/readyz").expect(200));
                    }
                });
                server.sign_in();
                server.add(UPC).expect(200);
            }
            Err((status, log)) => {
                assert!(mib < 1 << 10 && !status.success() && log.contains("ulimit -v"), "{mib} MiB: {log}");
            }
        }
    }
    println!("limits of the address space | 5 | {started} serve, the others do not start");
    assert!(started >= 3, "{started}");
}

/// Needs libfaketime, as Debian and Ubuntu have it.
#[test]
fn clock_before_1970_is_told_and_nothing_panics() {
    let Some(library) = faketime() else {
        eprintln!("no libfaketime: nothing to see");
        return;
    };
    let (sandbox, folder) = (Sandbox::start(), folder());
    let at = |time: &str| {
        let kroger = Kroger::new(folder.path(), &LISTEN).at(&sandbox);
        kroger.env("LD_PRELOAD", &library).env("FAKETIME", time).env("FAKETIME_DONT_FAKE_MONOTONIC", "1").try_serve()
    };

    let Err((status, log)) = at("@1960-01-01 00:00:00") else { panic!("it started") };
    assert!(!status.success() && log.contains("1970") && !log.contains("panicked"), "{log}");
    let Ok(server) = at("@1971-01-01 00:00:00") else { panic!("it did not start") };
    server.get("/livez").expect(200);
    server.get("/readyz").expect(200);

    // The clock leaps while the server runs.
    let time = folder.path().join("time");
    std::fs::write(&time, "@2026-01-01 00:00:00\n").unwrap();
    let kroger = Kroger::new(folder.path(), &LISTEN).at(&sandbox).env("LD_PRELOAD", &library);
    let kroger = kroger.env("FAKETIME_TIMESTAMP_FILE", time.to_str().unwrap()).env("FAKETIME_NO_CACHE", "1");
    let server = kroger.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").serve();
    server.get("/readyz").expect(200);
    std::fs::write(&time, "@1960-01-01 00:00:00\n").unwrap();
    for _ in 0..8 {
        let refused = Client::new().try_call("GET", &server.url("/readyz"), &[], &json!(null));
        assert!(refused.is_none());
    }
    std::fs::write(&time, "@2026-01-01 00:00:00\n").unwrap();
    eventually("the server answers again", || {
        let answer = Client::new().try_call("GET", &server.url("/readyz"), &[], &json!(null));
        answer.filter(|answer| answer.status == 200)
    });
    assert!(!server.stop().contains("panicked"));
}

fn faketime() -> Option<String> {
    let folders = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|name| format!("/usr/lib/{name}/faketime"));
    let files = folders.iter().map(|folder| format!("{folder}/libfaketimeMT.so.1"));
    files.into_iter().find(|file| Path::new(file).exists())
}
