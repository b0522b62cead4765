//! Texts of strangers in the answers and pages of HTTP.
//!
//! Run with `--nocapture` to see how many were tried.

use super::catalog::shop;
use super::*;
use kroger_core::testing::hidden::{BLANK, each, has_hidden, is_in, laced, texts_of};

#[test]
fn hidden_character_of_kroger_reaches_no_caller() {
    let milk = json!({ "upc": UPC, "description": "Kroger Milk", "items": [{ "size": "1 gal" }], "new": "remark" });
    let landen = json!({ "locationId": "01400376", "name": "Landen", "address": { "city": "Maineville" } });
    let mut tried = 0;
    for c in each().chain(BLANK.iter().copied()) {
        let milk = laced(&milk, c, &["upc"]);
        let landen = laced(&landen, c, &["locationId"]);
        for (path, answer) in [
            ("/products/search?term=milk", json!({ "data": [milk], "meta": { "warnings": [format!("a{c}b")] } })),
            ("/products/0001111041700", json!({ "data": milk })),
            ("/locations/search?zipCode=45039", json!({ "data": [landen], "meta": { "new": format!("a{c}b") } })),
            ("/locations/01400376", json!({ "data": landen })),
        ] {
            let server = shop();
            server.world.answer(200, answer.to_string());

            let told = server.get(path);

            assert_eq!(told.status, 200, "{}", told.text);
            for text in texts_of(&told.json()) {
                assert!(!is_in(&text), "{path}, U+{:04X}: {text:?}", u32::from(c));
            }
            tried += 1;
        }
    }
    println!("hidden characters in Kroger's form | {tried} answers over HTTP | none passed on");
}

#[test]
fn user_id_with_a_hidden_character_is_refused_on_each_route() {
    let mut tried = 0;
    for c in each() {
        let id: String = url::form_urlencoded::byte_serialize(format!("al{c}ice").as_bytes()).collect();
        for (method, path) in [
            ("GET", format!("/auth/authorize?user_id={id}")),
            ("GET", format!("/products/search?term=milk&user_id={id}")),
            ("PUT", format!("/cart/add/simple?upc={UPC}&user_id={id}")),
            ("POST", format!("/admin/tokens/refresh?user_id={id}")),
            ("DELETE", format!("/admin/tokens/{id}")),
        ] {
            let server = server();

            let told = server.call_with(method, &path, &[], "");

            assert_eq!(told.problem(), (422, "invalid_argument".to_owned()), "{method} {path}: {}", told.text);
            assert!(!has_hidden(&told.detail()), "{}", told.text);
            assert!(server.world.sent().is_empty());
            tried += 1;
        }
    }
    println!("hidden characters in the user id of a call | {tried} calls | all refused, nothing sent");
}

#[test]
fn markup_in_a_user_id_does_nothing_on_a_page() {
    let forms = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'><svg/onload=alert(1)>",
        "</strong><a href=x>",
        "&lt;b&gt;",
        "{text}",
        "{title}",
        "javascript:alert(1)",
        "<!--",
        "]]>",
    ];
    for form in forms {
        let server = server();
        let id: String = url::form_urlencoded::byte_serialize(form.as_bytes()).collect();
        let state = server.state(&format!("/auth/authorize?user_id={id}"));
        server.world.answer_with_tokens("canary-access-1", "canary-refresh-1");

        let query = format!("code=canary-code&state={state}");
        let accept = [("accept", BROWSER)];
        let asked = server.call_with("GET", &format!("/auth/callback?{query}"), &accept, "");
        let done = server.call_with("POST", &format!("/auth/finish?{query}"), &accept, "");

        assert!(asked.text.contains("is about to be connected"), "{form}: {}", asked.text);
        assert!(done.text.contains("You are signed in"), "{form}: {}", done.text);
        for (page, emphasized) in [(&asked, 2), (&done, 1)] {
            for tag in ["<script", "<img", "<svg", "<a ", "<!--"] {
                assert!(!page.text.contains(tag), "{form}: {}", page.text);
            }
            assert_eq!(page.text.matches("</strong>").count(), emphasized, "{form}: {}", page.text);
            assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        }
    }
    println!("markup in the user id of a page | {} ids | all shown as text", forms.len());
}
