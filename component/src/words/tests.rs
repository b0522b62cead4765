//! The words for an embedder, who calls the typed exports, and the core's own texts.

use std::fs;
use std::path::{Path, PathBuf};

use kroger_core::testing::facts;

use super::commands::{command_lines, exports, failures, routes, tools};
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

/// The terminal shows these, with steps of its own.
#[test]
fn messages_and_findings_for_an_embedder_name_no_export() {
    let messages = failures().into_iter().map(|failure| what(&failure.cause, &WAYS));
    let findings = facts::findings().into_iter().map(|found| finding(&found, &WAYS));

    for text in messages.chain(findings) {
        assert!(exports(&text).is_empty(), "{text}");
    }
}

#[test]
fn texts_of_the_core_name_no_tool_and_no_export() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("core/src");
    let sources = files_under(&core).into_iter().filter(|path| !path.to_string_lossy().contains("tests"));

    for path in sources {
        let source = fs::read_to_string(&path).unwrap();
        let (untested, _) = source.split_once("#[cfg(test)]\nmod tests").unwrap_or((&source, ""));
        let lines = untested.lines().filter(|line| !line.trim_start().starts_with("//"));
        let literals = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
        for text in literals.filter(|text| text.contains(' ')) {
            let foreign = [tools(text), exports(text)].concat();
            assert!(foreign.is_empty(), "{} names {foreign:?}: {text}", path.display());
        }
    }
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}
