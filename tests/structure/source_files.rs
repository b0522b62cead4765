//! The source files of a crate, without their tests.

use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The folders of the crates whose shape is checked.
pub(crate) const CRATES: [&str; 4] = ["component/core/src", "component/src", "host/src", "sandbox/src"];

/// One file of a crate.
pub(crate) struct Source {
    /// Relative to the crate's `src`, with `/`.
    pub(crate) path: String,
    /// The names of the modules from the crate's root to this file.
    pub(crate) module: Vec<String>,
    /// Without the items that exist only in tests.
    pub(crate) tokens: Vec<TokenTree>,
    /// The child modules that exist only in tests.
    test_modules: Vec<String>,
    lines: usize,
    test_lines: usize,
}

impl Source {
    pub(crate) fn parse(path: String, text: &str) -> Self {
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let module = module_of(&path);
        let mut source =
            Self { path, module, tokens: vec![], test_modules: vec![], lines: text.lines().count(), test_lines: 0 };
        source.take_without_tests(&tokens.into_iter().collect::<Vec<_>>());
        source
    }

    /// Takes the tokens without the items below `#[cfg(test)]`.
    fn take_without_tests(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while at < tokens.len() {
            if is_test_attribute(tokens, at) {
                let end = end_of_item(tokens, at + 2);
                self.test_lines += 1 + tokens[end - 1].span().end().line - tokens[at].span().start().line;
                self.test_modules.extend(module_name(&tokens[at..end]));
                at = end;
            } else {
                self.tokens.push(tokens[at].clone());
                at += 1;
            }
        }
    }

    /// Whether `other` lies in a module that exists only in this one's tests.
    fn has_as_test(&self, other: &Self) -> bool {
        let below = other.module.strip_prefix(self.module.as_slice());
        below.and_then(<[String]>::first).is_some_and(|child| self.test_modules.contains(child))
    }

    pub(crate) fn lines_without_tests(&self) -> usize {
        self.lines - self.test_lines
    }
}

fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    if path == "lib" || path == "main" {
        return Vec::new();
    }
    path.trim_end_matches("/mod").split('/').map(str::to_owned).collect()
}

/// All files below `folder`, except what a build makes.
pub(crate) fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.retain(|path| path.file_name().is_some_and(|name| name != "target"));
    entries.into_iter().flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}

/// The source files of the crate whose `src` is `folder`.
pub(crate) fn sources(folder: &Path) -> Vec<Source> {
    let files = files_under(folder).into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs"));
    let named = files.map(|file| (file.strip_prefix(folder).unwrap().to_string_lossy().replace('\\', "/"), file));
    let read = named.map(|(name, file)| Source::parse(name, &std::fs::read_to_string(file).unwrap()));
    without_test_files(read.collect())
}

pub(crate) fn without_test_files(sources: Vec<Source>) -> Vec<Source> {
    let is_test = |source: &Source| sources.iter().any(|parent| parent.has_as_test(source));
    let tests: Vec<bool> = sources.iter().map(is_test).collect();
    sources.into_iter().zip(tests).filter(|(_, is_test)| !is_test).map(|(source, _)| source).collect()
}

/// The name of the module that `item` declares, if it is one.
fn module_name(item: &[TokenTree]) -> Option<String> {
    let at = item.iter().position(|token| token.to_string() == "mod")?;
    item.get(at + 1).map(ToString::to_string)
}

/// Whether an attribute at `at` limits its item to tests.
fn is_test_attribute(tokens: &[TokenTree], at: usize) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(group), ..] = &tokens[at..] else { return false };
    let text = group.stream().to_string().replace(' ', "");
    hash.as_char() == '#'
        && group.delimiter() == Delimiter::Bracket
        && (text == "cfg(test)" || text.starts_with("cfg(any(test,") || text.starts_with("cfg(all(test,"))
}

/// The place after the item that begins at `at`: after its first block or semicolon.
fn end_of_item(tokens: &[TokenTree], at: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    // `use a::{b};` has a block before its end.
    let is_use = tokens[at..].iter().take(4).any(|token| token.to_string() == "use");
    let ends = |token: &TokenTree| if is_use { token.to_string() == ";" } else { ends(token) };
    tokens[at..].iter().position(ends).map_or(tokens.len(), |offset| at + offset + 1)
}
