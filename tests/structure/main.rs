//! The shape of the sources: no import circles, no long files, no sentence that begins
//! with a riddle, and no page that names a file that is not there.

mod import_circles;
mod imports;
mod pages;
mod source_files;

use std::path::Path;

use crate::source_files::{CRATES, Source, files_under, sources};

/// The most lines of a file, without its tests.
const LONGEST: usize = 450;

/// Words that begin a relative clause in a subject's place.
const RIDDLES: [&str; 4] = ["Who ", "Whoever ", "Whose ", "Of such"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies two folders below the workspace")
}

/// What `find` finds in each crate.
fn in_each_crate<T>(find: impl Fn(&str, &[Source]) -> Vec<T>) -> Vec<T> {
    CRATES.iter().flat_map(|folder| find(folder, &sources(&root().join(folder)))).collect()
}

#[test]
fn no_source_files_import_each_other_in_a_circle() {
    let circles = in_each_crate(import_circles::among_files);

    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

#[test]
fn no_rooms_import_each_other_in_a_circle() {
    let circles = in_each_crate(import_circles::among_rooms);

    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

#[test]
fn no_source_file_is_longer_than_450_lines_without_its_tests() {
    let long = in_each_crate(|folder, sources| {
        let long = sources.iter().filter(|source| source.lines_without_tests() > LONGEST);
        long.map(|source| format!("{folder}/{}: {}", source.path, source.lines_without_tests())).collect()
    });

    assert!(long.is_empty(), "{long:#?}");
}

/// The text of a comment line of Rust or WIT.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text = ["//!", "///", "//"].iter().find_map(|mark| line.strip_prefix(mark))?;
    Some(text.trim_start())
}

fn riddles(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_riddle = |line: &str| comment(line).is_some_and(|text| RIDDLES.iter().any(|word| text.starts_with(word)));
    text.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(move |(_, line)| is_riddle(line))
}

#[test]
fn no_comment_begins_with_a_riddle() {
    let is_ours = |path: &Path| !path.starts_with(root().join("wit/deps"));
    let is_source = |path: &Path| path.extension().is_some_and(|it| it == "rs" || it == "wit");
    let folders = ["component", "host", "sandbox", "tests", "wit"];
    let files = folders.iter().flat_map(|folder| files_under(&root().join(folder)));
    let found: Vec<String> = files
        .filter(|path| is_ours(path) && is_source(path))
        .flat_map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            riddles(&text).map(|(line, text)| format!("{name}:{line}: {}", text.trim())).collect::<Vec<_>>()
        })
        .collect();

    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(riddles("/// Who waits, waits.\nfn who() {}\n").count(), 1, "the search finds riddles");
}

#[test]
fn pages_name_only_files_that_are_there() {
    let missing: Vec<String> = pages::all(root()).iter().flat_map(|page| page.missing_files(root())).collect();

    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn links_of_pages_lead_to_files_and_headings_that_are_there() {
    let broken: Vec<String> = pages::all(root()).iter().flat_map(|page| page.broken_links(root())).collect();

    assert!(broken.is_empty(), "{broken:#?}");
}
