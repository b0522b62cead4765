//! `docs/http.md` lists each route and each code of an error, and no other.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::words::commands::failures;

const PAGE: &str = include_str!("../../../../docs/http.md");
const PROBLEMS: &str = include_str!("../problem.rs");

/// The codes of problems that only the host answers.
const OF_THE_HOST: [&str; 2] = ["busy", "internal"];

/// The rows of the table below `heading`, each as its cells.
fn rows(heading: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split(" | ").map(|cell| cell.trim_end_matches('`')).collect())
}

/// The documented codes, each with its statuses.
fn documented_codes() -> BTreeMap<&'static str, BTreeSet<u16>> {
    let statuses = |cell: &str| cell.split(", ").map(|status| status.parse().unwrap()).collect();
    rows("Errors").map(|cells| (cells[0], statuses(cells[1]))).collect()
}

#[test]
fn page_lists_exactly_the_routes_and_methods() {
    let documented: BTreeSet<String> = rows("Routes").map(|cells| cells[0].to_owned()).collect();

    let served: BTreeSet<String> = openapi::routes()
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(move |method| format!("{method} {path}")))
        .collect();

    assert_eq!(documented, served);
}

#[test]
fn page_lists_exactly_the_codes_of_problems() {
    let documented: BTreeSet<&str> = documented_codes().into_keys().collect();

    let without_failure =
        PROBLEMS.split("Self::new(StatusCode::").skip(1).map(|call| call.split('"').nth(1).expect("a code"));
    let of_failures = failures().into_iter().map(|failure| failure.code.as_str());
    let answered: BTreeSet<&str> = without_failure.chain(of_failures).chain(OF_THE_HOST).collect();

    assert_eq!(documented, answered);
}

#[test]
fn page_lists_the_status_of_each_failure() {
    let documented = documented_codes();

    for failure in failures() {
        let (code, status) = (failure.code.as_str(), Problem::from(failure).status().as_u16());
        assert!(documented[code].contains(&status), "{code} {status}");
    }
}
