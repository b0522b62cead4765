//! Each answer of Kroger's on each route that asks it, and what the route answers: compares the table in
//! `docs/answers.md` with the code.

use super::*;

const PAGE: &str = include_str!("../../../../docs/answers.md");

/// An answer of Kroger, or of something in its place.
struct Given {
    name: &'static str,
    answer: KrogersAnswer,
}

const fn given(name: &'static str, answer: KrogersAnswer) -> Given {
    Given { name, answer }
}

/// Kroger's four forms of an error, with each of its statuses, and the answers that the sandbox's faults produce.
const ANSWERS: [Given; 20] = [
    given("204, empty", Ok((204, ""))),
    given(
        "400 `{errors: {code, reason}}`",
        Ok((400, r#"{"errors":{"code":"CART-2205-400","reason":"Cannot parse"}}"#)),
    ),
    given("400 bare `{code, reason}`", Ok((400, r#"{"timestamp":1,"code":"API-4101-400","reason":"Cannot parse"}"#))),
    given("400 `invalid_request`, `invalid refresh_token`", Ok((400, REFUSED))),
    given("400 `invalid_grant`", Ok((400, r#"{"error":"invalid_grant","error_description":"expired"}"#))),
    given(
        "400 `unauthorized`, `invalid credentials`",
        Ok((400, r#"{"error":"unauthorized","error_description":"invalid credentials"}"#)),
    ),
    given("401 `invalid_token`", Ok((401, r#"{"error":"invalid_token","error_description":"expired"}"#))),
    given(
        "401 the same under `errors`",
        Ok((401, r#"{"errors":{"error":"invalid_token","error_description":"expired"}}"#)),
    ),
    given(
        "403 `missing required scopes`",
        Ok((403, r#"{"errors":{"code":"Forbidden","reason":"missing required scopes"}}"#)),
    ),
    given("403, a proxy's page", Ok((403, "<html>"))),
    given("404, empty", Ok((404, ""))),
    given("408", Ok((408, ""))),
    given("429", Ok((429, ""))),
    given("500 `Auth-4xxx`", Ok((500, r#"{"errors":{"code":"Auth-4000-500","reason":"error"}}"#))),
    given("502, a proxy's page", Ok((502, "<html>"))),
    given("503", Ok((503, ""))),
    given("504", Ok((504, ""))),
    given("200, garbage", Ok((200, "<html>"))),
    given("the connection fails", Err(SendError::NotSent)),
    given("the answer is lost", Err(SendError::Unknown)),
];
const REFUSED: &str = r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#;

/// Makes a call of a route that gets this answer from Kroger.
type Call = fn(&Given) -> Answer;

const ROUTES: [(&str, Call); 6] = [
    ("`PUT /cart/add/simple`", |given| {
        let server = cart_answering(given);
        server.put("/cart/add/simple", &json!({ "upc": UPC }))
    }),
    ("`PUT /cart/add`", |given| {
        let server = cart_answering(given);
        server.put("/cart/add", &json!({ "items": [{ "upc": UPC }] }))
    }),
    ("either, at its refresh", |given| {
        let server = signed_in();
        server.world.advance(Duration::from_secs(1_800));
        answering(given, server).put("/cart/add/simple", &json!({ "upc": UPC }))
    }),
    ("`POST /admin/tokens/refresh`", |given| {
        answering(given, signed_in()).call_with("POST", "/admin/tokens/refresh", &[], "")
    }),
    ("`GET /auth/callback`", |given| {
        let server = server();
        let state = server.state("/auth/authorize");
        answering(given, server).get(&format!("/auth/callback?code=c&state={state}"))
    }),
    ("each route that reads", read_answering),
];

/// Products, locations and the profile: the three have equal answers.
fn read_answering(given: &Given) -> Answer {
    let read = |path: &str| shop_answering(given).get(path);
    let [first, others @ ..] = [
        read("/products/search?term=milk"),
        read(&format!("/products/{UPC}")),
        read("/locations/search?zipCode=45039"),
        read("/locations/01400376"),
        cart_answering(given).get("/identity/profile"),
    ];
    for other in others {
        assert_eq!(told(&other), told(&first), "{}", given.name);
    }
    first
}

/// The catalog gives this answer to every call. The app gets a new token after a 401.
fn shop_answering(given: &Given) -> Server {
    let server = super::catalog::shop();
    for _ in 0..8 {
        answer(&server, given);
        if matches!(given.answer, Ok((401, _))) {
            server.world.answer(200, r#"{"access_token":"canary-another","expires_in":1800}"#);
        }
    }
    server
}

/// The cart gives this answer to every call. The refresh after a 401 works.
fn cart_answering(given: &Given) -> Server {
    let server = signed_in();
    if !matches!(given.answer, Ok((401, _))) {
        return answering(given, server);
    }
    for number in 2..6 {
        answer(&server, given);
        server.world.answer_with_tokens(&format!("canary-access-{number}"), &format!("canary-refresh-{number}"));
    }
    server
}

/// Kroger gives this answer to every call.
fn answering(given: &Given, server: Server) -> Server {
    for _ in 0..8 {
        answer(&server, given);
    }
    server
}

fn answer(server: &Server, given: &Given) {
    match given.answer {
        Ok((status, body)) => server.world.answer(status, body),
        Err(error) => server.world.lose_answer(error),
    }
}

fn told(answer: &Answer) -> String {
    if answer.status == 200 { "200".to_owned() } else { format!("{} `{}`", answer.status, answer.problem().1) }
}

fn table() -> String {
    let head: Vec<&str> = ROUTES.iter().map(|(route, _)| *route).collect();
    let mut table = format!("| Kroger's answer | {} |\n|---|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for given in &ANSWERS {
        let cells: Vec<String> = ROUTES.iter().map(|(_, call)| told(&call(given))).collect();
        writeln!(table, "| {} | {} |", given.name, cells.join(" | ")).unwrap();
    }
    table
}

#[test]
fn each_answer_of_kroger_has_the_code_that_answers_md_lists() {
    let table = table();

    println!("{table}");
    assert!(PAGE.contains(&table), "docs/answers.md is not what the code does, which is:\n{table}");
}
