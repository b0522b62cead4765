//! The pages for people, and what they name of the repository.

use std::path::{Path, PathBuf};

use crate::source_files::files_under;

/// Where the paths of a page may begin: at the root, or at the core's sources.
const BASES: [&str; 2] = ["", "component/core/src"];

/// The endings of names that are files.
const ENDINGS: [&str; 5] = [".rs", ".wit", ".md", ".toml", ".json"];

/// Files of other programs that pages name.
const FOREIGN: [&str; 2] = [".kroger_tokens.json", ".kroger_token_user.json"];

pub(crate) struct Page {
    /// From the root.
    path: PathBuf,
    /// Without its blocks of code.
    text: String,
}

/// `README.md`, `ARCHITECTURE.md` and all of `docs/`.
pub(crate) fn all(root: &Path) -> Vec<Page> {
    let top = ["README.md", "ARCHITECTURE.md"].map(|name| root.join(name));
    let docs = files_under(&root.join("docs")).into_iter().filter(|path| path.extension().is_some_and(|it| it == "md"));
    top.into_iter().chain(docs).map(|file| Page::read(root, &file)).collect()
}

impl Page {
    fn read(root: &Path, file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let prose = text.split("```").step_by(2).collect::<Vec<_>>().join("\n");
        Self { path: file.strip_prefix(root).unwrap().to_owned(), text: prose }
    }

    /// The paths in backticks that are not in the repository.
    pub(crate) fn missing_files(&self, root: &Path) -> Vec<String> {
        let top: Vec<String> = top_level(root);
        let named = self.text.split('`').skip(1).step_by(2).filter_map(|name| repository_path(name, &top));
        let is_there = |path: &&str| BASES.iter().any(|base| root.join(base).join(path).exists());
        named.filter(|path| !is_there(path)).map(|path| format!("{}: `{path}`", self.path.display())).collect()
    }

    /// The relative links whose files or headings are not there.
    pub(crate) fn broken_links(&self, root: &Path) -> Vec<String> {
        let targets = self.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        targets
            .filter(|target| !target.contains("://") && !self.leads_somewhere(root, target))
            .map(|target| format!("{}: ({target})", self.path.display()))
            .collect()
    }

    /// Whether the file of a link is there, and has the heading that the link names.
    fn leads_somewhere(&self, root: &Path, target: &str) -> bool {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let page = root.join(&self.path);
        let file = if file.is_empty() { page } else { page.with_file_name("").join(file) };
        match std::fs::read_to_string(&file) {
            Ok(text) => heading.is_empty() || text.lines().filter_map(anchor).any(|anchor| anchor == heading),
            Err(_) => heading.is_empty() && file.is_dir(),
        }
    }
}

/// The name by which a link finds the heading in `line`.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}

/// The names in the root's folder, and in the core's: a path begins with one of them.
fn top_level(root: &Path) -> Vec<String> {
    let folders = BASES.iter().map(|base| root.join(base));
    let entries = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()));
    entries.map(|name| name.to_string_lossy().into_owned()).filter(|name| name != "target").collect()
}

/// The path of the repository that `name` is, without the test that it may name after `::`.
fn repository_path<'a>(name: &'a str, top: &[String]) -> Option<&'a str> {
    let path = name.split("::").next()?;
    let is_one_word = !path.contains(|c: char| c.is_whitespace() || "<>{}*…=?".contains(c));
    let begins_here = |path: &str| top.iter().any(|name| path.split('/').next() == Some(name));
    let is_file = ENDINGS.iter().any(|ending| path.ends_with(ending)) && !path.starts_with(['/', '~']);
    let is_ours = is_one_word && !path.contains("://") && !FOREIGN.contains(&path);
    (is_ours && (is_file || path.contains('/') && begins_here(path))).then_some(path)
}

#[test]
fn routes_and_patterns_are_no_paths() {
    let top = ["component".to_owned(), "tests".to_owned()];
    let path = |name: &'static str| repository_path(name, &top);

    assert_eq!(path("component/gone"), Some("component/gone"));
    assert_eq!(path("tests/cart.rs::adds"), Some("tests/cart.rs"));
    assert_eq!(path("gone.rs"), Some("gone.rs"));
    for other in ["/auth/callback", "GET /openapi.json", "/openapi.json", ".tokens/", "target/debug", "*.rs"] {
        assert_eq!(path(other), None, "{other}");
    }
}
