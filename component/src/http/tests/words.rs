//! The words of the routes name no command of another face.

use kroger_core::failure::Failure;
use kroger_core::testing::facts;

use super::*;
use crate::words::commands::{command_lines, exports, failures, tools};
use crate::words::finding;

/// The texts of the problem document, and of the pages that a person sees.
fn texts(failure: &Failure) -> String {
    let problem = Problem::from(failure.clone());
    let action = told::action(failure);
    let pages = [page::failed(&problem, None), page::uninvited(&problem), page::pasted(&problem, None)];
    let pages = pages.map(|page| block_on(whole(page)));
    let shown: Vec<_> = pages.iter().map(|page| String::from_utf8_lossy(page.body())).collect();
    let text = shown.iter().filter_map(|page| page.split_once("<body>")).map(|(_, body)| body).collect::<String>();
    format!("{} {action} {text}", problem.detail())
}

#[test]
fn no_failure_on_a_route_names_a_command_of_another_face() {
    let failures = failures().into_iter().map(|failure| (format!("{failure:?}"), texts(&failure)));
    let findings = facts::findings().into_iter().map(|found| (format!("{found:?}"), finding(&found, &told::WAYS)));

    for (fact, text) in failures.chain(findings) {
        let foreign = [tools(&text), command_lines(&text), exports(&text)].concat();
        assert!(foreign.is_empty(), "{fact} names {foreign:?}: {text}");
    }
}
