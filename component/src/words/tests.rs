//! The words for an embedder, who calls the typed exports.

use kroger_core::testing::facts;

use super::commands::{command_lines, failures, routes, tools};
use super::typed::WAYS;
use super::{finding, next_step, what};

#[test]
fn words_for_an_embedder_name_no_command_of_another_face() {
    let failures = failures().into_iter().map(|failure| {
        let text = format!("{} {}", what(&failure.cause, &WAYS), next_step(&failure.next, &WAYS));
        (format!("{failure:?}"), text)
    });
    let findings = facts::findings().into_iter().map(|found| (format!("{found:?}"), finding(&found, &WAYS)));

    for (fact, text) in failures.chain(findings) {
        let foreign = [routes(&text), tools(&text), command_lines(&text)].concat();
        assert!(foreign.is_empty(), "{fact} names {foreign:?}: {text}");
    }
}
