//! Counts calls against Kroger's daily quotas. The count of all processes equals Kroger's.

use serde_json::{Value, json};

use crate::support::{Kroger, Sandbox, Server, UPC, folder};

fn cart_limits(server: &Server) -> Value {
    server.get("/admin/rate-limits").expect(200).json()["endpoints"]["cart"].clone()
}

#[test]
fn two_processes_and_a_restart_share_one_count_that_equals_krogers() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let [one, two] = [(); 2].map(|()| Server::start(folder.path(), &sandbox));
    one.sign_in();

    std::thread::scope(|scope| {
        for server in [&one, &two, &one, &two] {
            scope.spawn(|| (0..10).for_each(|_| drop(server.add(UPC).expect(200))));
        }
    });
    one.kill();
    let again = Server::start(folder.path(), &sandbox);
    again.add(UPC).expect(200);

    assert_eq!(sandbox.state()["quotas"]["cart"], 41);
    for server in [&two, &again] {
        assert_eq!((&cart_limits(server)["used"], &cart_limits(server)["remaining"]), (&json!(41), &json!(4_959)));
    }
}

#[test]
fn a_call_over_the_quota_is_not_sent_and_says_when_it_resets() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Kroger::new(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .at(&sandbox)
        .env("KROGER_QUOTA_CART", "3")
        .serve();
    server.sign_in();
    for _ in 0..3 {
        server.add(UPC).expect(200);
    }

    let refused = server.add(UPC).expect(429);

    let limits = cart_limits(&server);
    assert_eq!(refused.code(), "quota_exhausted");
    let day = 24 * 3_600 - 60..=24 * 3_600;
    assert!(day.contains(&refused.header("retry-after").parse().unwrap()), "{}", refused.header("retry-after"));
    assert!(refused.json()["detail"].as_str().unwrap().contains(limits["resets_at_readable"].as_str().unwrap()));
    assert_eq!((&limits["used"], &limits["remaining"]), (&json!(3), &json!(0)));
    assert_eq!(sandbox.cart("alice")[0]["quantity"], 3);
    assert_eq!(sandbox.state()["quotas"]["cart"], 3);
}

#[test]
fn a_lower_limit_of_kroger_is_reported_and_survives_a_restart() {
    let (sandbox, folder) = (Sandbox::start(), folder());
    let server = Server::start(folder.path(), &sandbox);
    server.sign_in();
    sandbox.settings(&json!({ "daily_limits": { "cart": 1 } }));
    server.add(UPC).expect(200);

    let told = server.add(UPC).expect(429);
    server.kill();
    let again = Server::start(folder.path(), &sandbox);
    let remembered = again.add(UPC).expect(429);

    assert_eq!((told.code(), remembered.code()), ("quota_exhausted".to_owned(), "quota_exhausted".to_owned()));
    assert_eq!(sandbox.state()["calls"]["PUT /v1/cart/add"], json!({ "204": 1, "429": 1 }));
    assert!(cart_limits(&again)["blocked_until"].is_u64());
}
