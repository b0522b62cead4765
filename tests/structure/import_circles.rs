//! Finds files that import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Imports, imports};
use crate::source_files::Source;

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

/// All files that `from` imports, directly or through others.
fn reachable(edges: &Edges, from: usize) -> BTreeSet<usize> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        let next = edges.get(&file).into_iter().flat_map(BTreeMap::keys);
        open.extend(next.copied().filter(|file| seen.insert(*file)));
    }
    seen
}

/// Each circle as a text: its files, and what ties each to the others.
pub(crate) fn circles(folder: &str, sources: &[Source]) -> Vec<String> {
    let edges = Files::new(sources).edges();
    let reach: Vec<BTreeSet<usize>> = (0..sources.len()).map(|file| reachable(&edges, file)).collect();
    let circle = |file: usize| -> BTreeSet<usize> {
        reach[file].iter().copied().filter(|other| reach[*other].contains(&file)).collect()
    };
    let circles: BTreeSet<BTreeSet<usize>> = (0..sources.len()).map(circle).filter(|files| files.len() > 1).collect();
    circles.iter().map(|files| described(folder, sources, &edges, files)).collect()
}

/// The top-level modules of a crate that import each other, as pairs.
pub(crate) fn rooms_in_pairs(folder: &str, sources: &[Source]) -> Vec<String> {
    let room = |file: usize| sources[file].module.first().map_or("the root", String::as_str);
    let mut ties: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for (from, targets) in Files::new(sources).edges() {
        for (to, items) in targets.iter().filter(|(to, _)| room(**to) != room(from)) {
            let items = items.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let tie = format!("  {} → {}: {items}\n", sources[from].path, sources[*to].path);
            ties.entry((room(from), room(*to))).or_default().push_str(&tie);
        }
    }
    let pairs = ties.iter().filter(|((from, to), _)| from < to);
    let back = pairs.filter_map(|((from, to), there)| Some((from, to, there, ties.get(&(*to, *from))?)));
    back.map(|(from, to, there, back)| format!("{folder}: {from} and {to} import each other\n{there}{back}")).collect()
}

fn described(folder: &str, sources: &[Source], edges: &Edges, files: &BTreeSet<usize>) -> String {
    let mut text = format!("{folder}: {} files import each other in a circle\n", files.len());
    for (from, targets) in files.iter().filter_map(|file| Some((file, edges.get(file)?))) {
        for (to, items) in targets.iter().filter(|(to, _)| files.contains(to)) {
            let items = items.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            text += &format!("  {} → {}: {items}\n", sources[*from].path, sources[*to].path);
        }
    }
    text
}

fn parsed(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|(path, text)| Source::parse((*path).to_owned(), text)).collect()
}

#[test]
fn circle_through_a_re_export_is_found_and_names_its_items() {
    let sources = parsed(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod inner; pub use inner::Thing; use crate::b;"),
        ("a/inner.rs", "pub(crate) struct Thing; fn f() { super::super::b::g() }"),
        ("b.rs", "use crate::a::{self, Thing};"),
    ]);

    let found = circles("src", &sources).join("");

    assert!(found.contains("a/inner.rs → b.rs: crate::b::g"), "{found}");
    assert!(found.contains("b.rs → a/inner.rs: crate::a::Thing"), "{found}");
}

#[test]
fn imports_of_tests_tie_no_circle() {
    let sources = parsed(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; #[cfg(test)] mod tests { use crate::b; }"),
        ("b.rs", "pub(crate) struct B; #[cfg(test)] use crate::a::{A}; #[cfg(test)] mod tests { use crate::a::A; }"),
    ]);

    assert_eq!(circles("src", &sources), Vec::<String>::new());
}
