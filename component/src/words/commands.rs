//! Finds each face's commands in a text, for the tests that no face names another
//! one's.

use std::fs;
use std::path::Path;

use kroger_core::failure::Failure;
use kroger_core::testing::facts;

use crate::mcp;

/// Every cause with its usual next step, and every next step.
pub(crate) fn failures() -> Vec<Failure> {
    let causes = facts::causes().into_iter().map(Failure::from);
    let steps = facts::next_steps().into_iter().map(|next| Failure { next, ..Failure::store_unavailable() });
    causes.chain(steps).collect()
}

/// The HTTP routes in `text`. Kroger's own endpoints are no routes.
pub(crate) fn routes(text: &str) -> Vec<&str> {
    let words: Vec<&str> =
        text.split_whitespace().map(|word| word.trim_matches(['`', '(', ')', ',', ';', '.'])).collect();
    let is_route = |word: &str| word.starts_with('/') && !word.starts_with("/v1/");
    let is_call = |pair: &[&str]| ["GET", "PUT", "POST", "DELETE"].contains(&pair[0]) && !pair[1].starts_with("/v1/");
    let called = words.windows(2).filter(|pair| is_call(pair)).map(|pair| pair[0]);
    words.iter().copied().filter(|word| is_route(word)).chain(called).collect()
}

/// The flags and commands of the command line in `text`.
pub(crate) fn command_lines(text: &str) -> Vec<&str> {
    let flags = text.split_whitespace().filter(|word| word.trim_start_matches(['`', '(']).starts_with("--"));
    flags.chain(text.matches("kroger-mcp")).collect()
}

/// The MCP tools in `text`.
pub(crate) fn tools(text: &str) -> Vec<&str> {
    let names = mcp::tool_names();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| names.contains(word)).collect()
}

/// The functions of the typed exports in `text`, as `interface.function`.
pub(crate) fn exports(text: &str) -> Vec<&str> {
    let names = export_names();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !['-', '.'].contains(&c));
    words.map(|word| word.trim_matches('.')).filter(|word| names.iter().any(|name| name == word)).collect()
}

fn export_names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.flat_map(|file| functions_of(&fs::read_to_string(file).unwrap())).collect()
}

fn functions_of(wit: &str) -> Vec<String> {
    let lines: Vec<&str> = wit.lines().map(str::trim).collect();
    let interface = lines.iter().find_map(|line| line.strip_prefix("interface ")?.strip_suffix(" {"));
    let functions = lines.iter().filter_map(|line| line.split_once(": func(")).map(|(name, _)| name.trim_matches('%'));
    functions.filter_map(|function| Some(format!("{}.{function}", interface?))).collect()
}

#[test]
fn commands_of_each_face_are_found() {
    assert_eq!(
        routes("Start again at /auth/authorize. (PUT /v1/cart/add) `GET /admin`"),
        ["/auth/authorize", "/admin", "GET"]
    );
    assert_eq!(command_lines("run `kroger-mcp login --user ann`"), ["--user", "kroger-mcp"]);
    assert_eq!(tools("Call `sign_in` for a link; sign in"), ["sign_in"]);
    assert_eq!(exports("Start again with `authorization.authorize`."), ["authorization.authorize"]);
}
