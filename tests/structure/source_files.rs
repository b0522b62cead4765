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
    lines: usize,
    test_lines: usize,
}

impl Source {
    pub(crate) fn parse(path: String, text: &str) -> Self {
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let (tokens, test_lines) = without_tests(tokens);
        let module = module_of(&path);
        Self { path, module, tokens, lines: text.lines().count(), test_lines }
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
    let is_test = |name: &str| name.split('/').any(|part| part == "tests" || part == "tests.rs");
    named
        .filter(|(name, _)| !is_test(name))
        .map(|(name, file)| Source::parse(name, &std::fs::read_to_string(file).unwrap()))
        .collect()
}

/// The tokens without items below `#[cfg(test)]`, and how many lines those items have.
fn without_tests(tokens: TokenStream) -> (Vec<TokenTree>, usize) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let (mut kept, mut lines, mut at) = (Vec::new(), 0, 0);
    while at < tokens.len() {
        if is_test_attribute(&tokens, at) {
            let end = end_of_item(&tokens, at + 2);
            lines += 1 + tokens[end - 1].span().end().line - tokens[at].span().start().line;
            at = end;
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    (kept, lines)
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
