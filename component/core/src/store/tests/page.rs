//! `docs/keys.md`, printed from the table of kinds and held against it.

use std::fmt::Write as _;
use std::path::Path;

use super::forms;
use crate::store::keys::Kind;
use crate::store::keys::table::{Form, Row};

const HEAD: &str = "\
# The keys of the store

This page lists every key. `KEYS=write cargo test -p kroger-core --lib keys_page` writes it from `component/core/src/store/keys.rs`
and the table beside it, and a test holds it to them; do not edit it.

- `<user>` is the lower-case base32 of the SHA-256 of the user id. `<hash>` is the same of another text.
- `<entry>` is the same of a user and an idempotency key.
- `<root>` is `number.adoption`, `<ticket>` is `<root>.<step>`; `docs/protocol.md` explains both.
- `<n>`, `<i>` and `<k>` count from 1. A `<place>` counts from 0 and is taken again after all the others.
- A form that names a type of `kroger-core` is JSON, with the version in its field `schema_version`.
- The sweep looks at the whole bucket `store`, one page at each pass of the timer.

| key | value | form | version | bucket | per user | written by | deleted |
|---|---|---|---|---|---|---|---|
";

fn line(kind: Kind) -> String {
    let row @ Row { pattern, holds, deleted, .. } = kind.row();
    let form = match row.form {
        Form::Counter => "counter".to_owned(),
        Form::Text => "text".to_owned(),
        Form::Record(name) => format!("`{name}`"),
    };
    let version = forms::version(kind).map(|version| version.to_string()).unwrap_or_default();
    let (bucket, per_user, writer) =
        (code(row.bucket), if row.is_per_user() { "yes" } else { "no" }, code(row.written_by));
    format!("| `{pattern}` | {holds} | {form} | {version} | {bucket} | {per_user} | {writer} | {deleted} |")
}

/// A list of names, each in back quotes.
fn code(names: &str) -> String {
    format!("`{}`", names.replace(", ", "`, `"))
}

fn page() -> String {
    Kind::ALL.iter().fold(HEAD.to_owned(), |mut page, kind| {
        writeln!(page, "{}", line(*kind)).expect("a string takes all");
        page
    })
}

#[test]
fn keys_page_says_what_the_table_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/keys.md");
    if std::env::var("KEYS").is_ok_and(|what| what == "write") {
        std::fs::write(file, page()).unwrap();
        return;
    }

    let written = std::fs::read_to_string(file).unwrap();

    assert!(
        written == page(),
        "docs/keys.md is stale; `just keys` writes it: KEYS=write cargo test -p kroger-core --lib keys_page"
    );
}

/// The pattern of a kind has the fixed parts and the number of parts of its keys.
#[test]
fn each_pattern_fits_its_keys() {
    for kind in Kind::ALL {
        let pattern = kind.row().pattern.replace("<ticket>", "<root>.<step>").replace("<root>", "<number>.<adoption>");
        let key = kind.example(7).to_string();
        let pairs: Vec<_> = pattern.split('.').zip(key.split('.')).collect();

        assert_eq!(pattern.split('.').count(), key.split('.').count(), "{pattern} {key}");
        assert!(pairs.iter().all(|(part, text)| part.starts_with('<') || part == text), "{pattern} {key}");
    }
}

#[test]
fn each_record_is_of_the_type_that_its_row_names() {
    for kind in Kind::ALL {
        let named = match kind.row().form {
            Form::Record(name) => Some(name.to_owned()),
            Form::Counter | Form::Text => None,
        };
        assert_eq!(named, forms::type_name(*kind), "{kind:?}");
    }
}

/// True if `path` is the path of a module or of a function of this crate. Tests do not count.
fn is_in_the_sources(path: &str) -> bool {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = |path: &str| sources.join(path.replace("::", "/")).with_extension("rs");
    if file(path).is_file() {
        return true;
    }
    let Some((module, name)) = path.rsplit_once("::") else { return false };
    let source = std::fs::read_to_string(file(module)).unwrap_or_default();
    let untested = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    untested.contains(&format!("fn {name}(")) || untested.contains(&format!("fn {name}<"))
}

#[test]
fn each_writer_is_in_the_sources() {
    let writers =
        |kind: &Kind| kind.row().written_by.split(", ").map(move |writer| (*kind, writer)).collect::<Vec<_>>();
    let lost: Vec<_> = Kind::ALL.iter().flat_map(writers).filter(|(_, writer)| !is_in_the_sources(writer)).collect();

    assert_eq!(lost, []);
    assert!(!is_in_the_sources("grant::records::writer") && !is_in_the_sources("grant::record"));
}
