//! `docs/keys.md`, printed from the table of kinds and held against it.

use std::fmt::Write as _;
use std::path::Path;

use super::forms;
use crate::store::keys::Kind;
use crate::store::keys::table::{Row, Value};

const HEAD: &str = "\
# The keys of the store

This page lists every key. `KEYS=write cargo test -p kroger-core keys_page` writes it from `component/core/src/store/keys.rs`
and the table beside it, and a test holds it to them; do not edit it.

- `<user>` is the lower-case base32 of the SHA-256 of the user id, `<hash>` that of another text.
- `<entry>` is that of a user and an idempotency key.
- `<root>` is `number.adoption`, `<ticket>` is `<root>.<step>`; `docs/protocol.md` explains both.
- `<n>`, `<i>` and `<k>` count from 1. A `<place>` counts from 0 and is taken again after all the others.
- A value with a version is JSON and has the version in its field `schema_version`.
- The sweep looks at the whole bucket `store`, one page at each pass of the timer.

| key | value | version | bucket | per user | written by | deleted |
|---|---|---|---|---|---|---|
";

fn line(kind: Kind) -> String {
    let row @ Row { pattern, bucket, written_by, deleted, .. } = kind.row();
    let version = forms::version(kind).map_or_else(|| "–".to_owned(), |version| version.to_string());
    let value = match row.value {
        Value::Counter => "a counter".to_owned(),
        Value::Text(text) => text.to_owned(),
        Value::Record(name) => format!("`{name}`"),
    };
    let per_user = if row.is_per_user() { "yes" } else { "no" };
    let writer = format!("`{}`", written_by.replace(", ", "`, `"));
    format!(
        "| `{pattern}` | {value} | {version} | `{}` | {per_user} | {writer} | {deleted} |",
        bucket.replace(", ", "`, `")
    )
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

    assert!(written == page(), "docs/keys.md is stale; KEYS=write cargo test -p kroger-core keys_page writes it");
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
fn records_have_a_version_and_other_values_have_none() {
    for kind in Kind::ALL {
        let is_record = matches!(kind.row().value, Value::Record(_));
        assert_eq!(is_record, forms::version(*kind).is_some(), "{kind:?}");
    }
}
