//! No file but `store/keys.rs` spells a key, and the store asks no other room.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::store::keys::Kind;

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}

/// The files of both crates, each without its tests.
fn sources() -> Vec<(String, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = files_under(&crates.join("core/src")).into_iter().chain(files_under(&crates.join("src")));
    let named = files.map(|file| (file.strip_prefix(&crates).unwrap().to_string_lossy().replace('\\', "/"), file));
    let tested =
        named.filter(|(name, _)| !name.contains("/tests") && Path::new(name).extension().is_some_and(|it| it == "rs"));
    let read = tested.map(|(name, file)| (name, std::fs::read_to_string(file).unwrap()));
    read.map(|(name, text)| (name, text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned())).collect()
}

/// How a literal begins that spells a key: `"grant.`, or `"signin.places"` as a whole.
fn spellings() -> BTreeSet<String> {
    let patterns = Kind::ALL.iter().map(|kind| kind.row().pattern);
    patterns
        .map(|pattern| match pattern.split_once('<') {
            Some((prefix, _)) => format!("\"{prefix}"),
            None => format!("\"{pattern}\""),
        })
        .collect()
}

#[test]
fn only_the_store_spells_keys() {
    let sources = sources();
    let spellings = spellings();
    let is_keys = |name: &str| name.starts_with("core/src/store/keys");
    let offences = sources.iter().filter(|(name, _)| !is_keys(name)).flat_map(|(name, text)| {
        spellings.iter().filter(|spelling| text.contains(*spelling)).map(move |spelling| format!("{name}: {spelling}"))
    });

    assert_eq!(offences.collect::<Vec<_>>(), Vec::<String>::new());
    assert!(sources.iter().any(|(name, text)| is_keys(name) && text.contains("\"grant.")), "the search finds keys");
}

#[test]
fn the_store_asks_no_room_that_keeps_records_in_it() {
    const ROOMS: [&str; 6] = ["grant", "sign_in", "cart", "catalog", "upstream", "service"];

    for (name, text) in sources().into_iter().filter(|(name, _)| name.starts_with("core/src/store")) {
        for room in ROOMS {
            assert!(!text.contains(&format!("crate::{room}::")), "{name} asks {room}");
        }
    }
}
