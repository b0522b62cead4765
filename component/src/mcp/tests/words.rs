//! The words of the tools name no command of another face.

use kroger_core::testing::facts;

use super::*;
use crate::mcp::told::{Told, WAYS};
use crate::mcp::tool::failed;
use crate::words::commands::{command_lines, exports, failures, routes};
use crate::words::finding;

#[track_caller]
fn assert_own(fact: &str, text: &str) {
    let foreign = [routes(text), command_lines(text), exports(text)].concat();
    assert!(foreign.is_empty(), "{fact} names {foreign:?}: {text}");
}

#[test]
fn no_failure_of_a_tool_names_a_command_of_another_face() {
    for failure in failures() {
        let text = ToolOutcome(json!(failed(&Told::from(&failure)))).text().to_owned();
        assert_own(&format!("{failure:?}"), &text);
    }
    for found in facts::findings() {
        assert_own(&format!("{found:?}"), &finding(&found, &WAYS));
    }
}

#[test]
fn request_to_sign_in_names_no_command_of_another_face() {
    let answer = server().call("add_to_cart", &json!({ "items": [{ "upc": UPC }] }));

    assert_eq!(answer.error(), "reauthorize");
    assert_own("a call without a sign-in", answer.text());
}
