//! Checks `docs/promises.md` against the sources: each test that it names exists.

use std::path::Path;

const PAGE: &str = include_str!("../docs/promises.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies two folders below the workspace")
}

/// The proofs that a line of the page names in backticks.
fn proofs(line: &str) -> impl Iterator<Item = &str> {
    let is_path =
        |text: &&str| ["tests/", "component/", "host/", "sandbox/"].iter().any(|folder| text.starts_with(folder));
    line.split('`').skip(1).step_by(2).filter(is_path)
}

/// Whether `proof` exists: the `path::name` of a test, or the path of a command.
fn is_there(proof: &str) -> bool {
    let Some((path, name)) = proof.split_once("::") else { return root().join(proof).is_file() };
    let Ok(source) = std::fs::read_to_string(root().join(path)) else { return false };
    let Some(at) = source.find(&format!("fn {name}()")) else { return false };
    // The test's attributes, back to the end of the item before.
    let attributes = source[..at].rsplit("\n\n").next().unwrap_or_default();
    attributes.contains("#[test]") || attributes.contains("#[tokio::test")
}

#[test]
fn each_test_that_the_page_names_is_in_the_sources() {
    let missing: Vec<&str> = PAGE.lines().flat_map(proofs).filter(|proof| !is_there(proof)).collect();

    assert!(missing.is_empty(), "docs/promises.md names what is not there: {missing:#?}");
    assert!(!is_there("tests/promises.rs::is_there"), "a function that is no test must not count as one");
}

#[test]
fn each_promise_has_a_proof() {
    let is_row = |line: &&str| line.starts_with("| ") && !line.contains("shown by |");
    let rows: Vec<&str> = PAGE.lines().filter(is_row).collect();

    let unproven: Vec<&&str> = rows.iter().filter(|row| proofs(row).next().is_none()).collect();

    assert!(unproven.is_empty(), "{unproven:#?}");
    assert!(rows.len() > 80, "{}", rows.len());
}
