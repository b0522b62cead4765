//! Finds files, and rooms, that import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Imports, imports};
use crate::source_files::{Source, without_test_files};

/// A path through more aliases than this is not followed.
const MOST_ALIASES: usize = 8;

/// From each file to the files that it imports, and the items that it takes from there.
type Edges = BTreeMap<usize, BTreeMap<usize, BTreeSet<String>>>;

/// One crate's files, with what each imports.
struct Files<'a> {
    sources: &'a [Source],
    by_module: BTreeMap<&'a [String], usize>,
    imports: Vec<Imports>,
}

impl<'a> Files<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let libraries = sources.iter().enumerate().filter(|(_, source)| source.path != "main.rs");
        let by_module = libraries.map(|(index, source)| (source.module.as_slice(), index)).collect();
        Self { sources, by_module, imports: sources.iter().map(imports).collect() }
    }

    /// The file that has the item at the end of `path`. Follows what other files re-export.
    fn owner(&self, path: &[String], aliases: usize) -> Option<usize> {
        let (first, path) = path.split_first()?;
        if first != "crate" || aliases > MOST_ALIASES {
            return None;
        }
        let longest = (0..=path.len()).rev().find(|length| self.by_module.contains_key(&path[..*length]))?;
        let file = self.by_module[&path[..longest]];
        let Some(name) = path.get(longest) else { return Some(file) };
        let rest = &path[longest + 1..];
        let target = self.imports[file].names.get(name).map(|target| self.resolved(file, target));
        target.and_then(|target| self.owner(&[target.as_slice(), rest].concat(), aliases + 1)).or(Some(file))
    }

    /// What `path` means in `file`: an imported name or a child module may begin it.
    fn resolved(&self, file: usize, path: &[String]) -> Vec<String> {
        let (first, rest) = path.split_first().expect("a path has a part");
        if first == "crate" {
            return path.to_vec();
        }
        if let Some(target) = self.imports[file].names.get(first).filter(|target| target.first() != Some(first)) {
            return [target.as_slice(), rest].concat();
        }
        let module = self.sources[file].module.as_slice();
        let child = [module, std::slice::from_ref(first)].concat();
        if self.by_module.contains_key(child.as_slice()) {
            return [&["crate".to_owned()], module, path].concat();
        }
        path.to_vec()
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (file, imports) in self.imports.iter().enumerate() {
            for path in &imports.paths {
                let path = self.resolved(file, path);
                let Some(owner) = self.owner(&path, 0).filter(|owner| *owner != file) else { continue };
                edges.entry(file).or_default().entry(owner).or_default().insert(path.join("::"));
            }
        }
        edges
    }
}

/// Files or rooms, and what each imports of the others.
struct Graph {
    names: Vec<String>,
    edges: Edges,
}

impl Graph {
    fn of_files(sources: &[Source]) -> Self {
        let names = sources.iter().map(|source| source.path.clone()).collect();
        Self { names, edges: Files::new(sources).edges() }
    }

    /// A room is a top-level module with all files below it.
    fn of_rooms(sources: &[Source]) -> Self {
        let room = |source: &Source| source.module.first().map_or("the crate's root", String::as_str).to_owned();
        let names: Vec<String> = sources.iter().map(room).collect::<BTreeSet<_>>().into_iter().collect();
        let index = |file: usize| names.binary_search(&room(&sources[file])).expect("each file has a room");
        let mut edges = Edges::new();
        for (from, targets) in Files::new(sources).edges() {
            for (to, items) in targets.into_iter().filter(|(to, _)| index(*to) != index(from)) {
                let here = items.iter().map(|item| format!("{item} in {}", sources[from].path));
                edges.entry(index(from)).or_default().entry(index(to)).or_default().extend(here);
            }
        }
        Self { names, edges }
    }

    /// All that `from` imports, directly or through others.
    fn reachable(&self, from: usize) -> BTreeSet<usize> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(each) = open.pop() {
            let next = self.edges.get(&each).into_iter().flat_map(BTreeMap::keys);
            open.extend(next.copied().filter(|each| seen.insert(*each)));
        }
        seen
    }

    /// Each circle as a text: what is in it, and what ties each to the others.
    fn circles(&self, folder: &str) -> Vec<String> {
        let reach: Vec<BTreeSet<usize>> = (0..self.names.len()).map(|each| self.reachable(each)).collect();
        let circle = |each: usize| -> BTreeSet<usize> {
            reach[each].iter().copied().filter(|other| reach[*other].contains(&each)).collect()
        };
        let circles: BTreeSet<BTreeSet<usize>> =
            (0..self.names.len()).map(circle).filter(|circle| circle.len() > 1).collect();
        circles.iter().map(|circle| self.described(folder, circle)).collect()
    }

    fn described(&self, folder: &str, circle: &BTreeSet<usize>) -> String {
        let mut lines = vec![format!("{folder}: {} import each other in a circle", circle.len())];
        for (from, targets) in circle.iter().filter_map(|each| Some((each, self.edges.get(each)?))) {
            for (to, items) in targets.iter().filter(|(to, _)| circle.contains(to)) {
                let items = items.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                lines.push(format!("  {} → {}: {items}", self.names[*from], self.names[*to]));
            }
        }
        lines.join("\n")
    }
}

/// The circles among the files of the crate in `folder`.
pub(crate) fn among_files(folder: &str, sources: &[Source]) -> Vec<String> {
    Graph::of_files(sources).circles(folder)
}

/// The circles among its rooms.
pub(crate) fn among_rooms(folder: &str, sources: &[Source]) -> Vec<String> {
    Graph::of_rooms(sources).circles(folder)
}

fn parsed(files: &[(&str, &str)]) -> Vec<Source> {
    without_test_files(files.iter().map(|(path, text)| Source::parse((*path).to_owned(), text)).collect())
}

#[test]
fn circle_through_a_re_export_is_found_and_names_its_items() {
    let sources = parsed(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod inner; pub use inner::Thing; use crate::b;"),
        ("a/inner.rs", "pub(crate) struct Thing; fn f() { super::super::b::g() }"),
        ("b.rs", "use crate::a::{self, Thing};"),
    ]);

    let found = among_files("src", &sources).join("");

    assert!(found.contains("a/inner.rs → b.rs: crate::b::g"), "{found}");
    assert!(found.contains("b.rs → a/inner.rs: crate::a::Thing"), "{found}");
}

#[test]
fn imports_of_tests_tie_no_circle() {
    let sources = parsed(&[
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod fixtures;"),
        ("fixtures.rs", "mod inner; use crate::fixtures::inner::X;"),
        ("fixtures/inner.rs", "use super::Y;"),
        ("a.rs", "use crate::b::B; #[cfg(test)] mod tests { use crate::b; }"),
        ("b.rs", "pub(crate) struct B; #[cfg(test)] use crate::a::{A}; #[cfg(test)] mod tests { use crate::a::A; }"),
    ]);

    assert_eq!(among_files("src", &sources), Vec::<String>::new());
}

#[test]
fn circle_of_rooms_is_found_where_no_files_are_in_one() {
    let sources = parsed(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod one; mod two;"),
        ("a/one.rs", "use crate::b::B;"),
        ("a/two.rs", "pub struct Two;"),
        ("b.rs", "use crate::a::two::Two; pub struct B;"),
    ]);

    assert_eq!(among_files("src", &sources), Vec::<String>::new());
    assert_eq!(among_rooms("src", &sources).len(), 1);
}
