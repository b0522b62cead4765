//! Measures start-up time, idle memory, and calls per second of the real binary.
//!
//! Run it with `just bench`, or `cargo bench --bench service`. The sandbox runs in its
//! own process. Each run also measures a native peer: the same clients call the sandbox
//! directly. All processes share this machine's cores, so the ratios say more than the
//! figures.

mod driver;

use std::path::Path;
use std::time::{Duration, Instant};

use driver::{Client, Listening, Rate, UPC, get, rate, request, sign_in};

const STARTS: usize = 11;
const TIME: Duration = Duration::from_secs(4);

fn start_up(folder: &Path, variables: &[(&str, String)]) {
    // The first start compiles. Later starts use the cache.
    let mut times: Vec<f64> = (0..=STARTS)
        .map(|_| {
            let started = Instant::now();
            let server = Listening::start(folder, &["serve"], variables);
            assert_eq!(get(server.address, "/livez").status, 200);
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let first = times.remove(0);
    times.sort_by(f64::total_cmp);
    println!("start to first answer, nothing cached    {first:>8.0} ms");
    println!("start to first answer, code cached       {:>8.0} ms   (median of {STARTS})", times[STARTS / 2]);
}

/// The access token in the `.env` mirror, for the calls to the native peer.
fn mirrored_token(folder: &Path) -> String {
    let mirror = std::fs::read_to_string(folder.join(".env")).expect("the mirror");
    let token = mirror.lines().find_map(|line| line.strip_prefix("KROGER_USER_ACCESS_TOKEN="));
    token.expect("a token").to_owned()
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join(".env"), "").expect("a file");
    let sandbox = Listening::start(folder.path(), &["sandbox"], &[]);
    driver::lift_limits(sandbox.address);
    let variables = [
        ("KROGER_CLIENT_ID", "sandbox-client".to_owned()),
        ("KROGER_CLIENT_SECRET", "sandbox-secret".to_owned()),
        ("KROGER_API_BASE_URL", format!("http://{}", sandbox.address)),
        ("KROGER_QUOTA_CART", driver::CALLS_A_DAY.to_string()),
        ("XDG_CACHE_HOME", folder.path().join("cache").display().to_string()),
    ];
    start_up(folder.path(), &variables);

    let server = Listening::start(folder.path(), &["serve"], &variables);
    sign_in(server.address, sandbox.address, "alice");
    let token = mirrored_token(folder.path());
    println!("memory at rest, after a sign-in          {:>8.1} MiB", server.resident());

    let config = request(server.address, "GET", "/config", "", "");
    let add = request(server.address, "PUT", "/cart/add/simple", "", &format!(r#"{{"upc":"{UPC}"}}"#));
    let index = request(sandbox.address, "GET", "/_sandbox/settings", "", "");
    let direct = request(
        sandbox.address,
        "PUT",
        "/v1/cart/add",
        &format!("Authorization: Bearer {token}\r\n"),
        &format!(r#"{{"items":[{{"upc":"{UPC}","quantity":1}}]}}"#),
    );
    println!("\n{:<28} {:>8} {:>9} {:>12} {:>10} {:>10}", "", "clients", "calls", "calls/s", "p50 ms", "p99 ms");
    for clients in [1, 8, 64] {
        for (name, address, request) in [
            ("GET /config", server.address, &config),
            ("  peer: native hyper", sandbox.address, &index),
            ("PUT /cart/add/simple", server.address, &add),
            ("  peer: Kroger directly", sandbox.address, &direct),
        ] {
            let callers = (0..clients).map(|_| Client::new(address)).collect();
            let rate = rate(callers, TIME, |client: &mut Client| {
                let answer = client.call(request);
                assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.body);
            });
            let Rate { calls, per_second, p50, p99 } = rate;
            println!("{name:<28} {clients:>8} {calls:>9} {per_second:>12.0} {p50:>10.2} {p99:>10.2}");
        }
    }
    println!("\nmemory after the load                    {:>8.1} MiB", server.resident());
}
