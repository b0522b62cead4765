//! What a file names of its own crate: the paths of its `use` items and of its code.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenTree};

use crate::source_files::Source;

/// The names of one file, as paths from the crate's root.
#[derive(Default)]
pub(crate) struct Imports {
    /// What each name that a `use` brings in stands for.
    pub(crate) names: BTreeMap<String, Vec<String>>,
    /// Every path that the file writes, its imports among them.
    pub(crate) paths: Vec<Vec<String>>,
}

pub(crate) fn imports(source: &Source) -> Imports {
    let mut imports = Imports::default();
    read_uses(&source.tokens, &source.module, &mut imports);
    read_paths(&source.tokens, &source.module, &mut imports);
    imports
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    if let Some(TokenTree::Ident(ident)) = token { Some(ident.to_string()) } else { None }
}

fn tokens_of(group: &proc_macro2::Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// `path` from the crate's root, or as it is if another crate or a local name begins it.
fn from_root(path: &[String], module: &[String]) -> Vec<String> {
    let mut base = match path[0].as_str() {
        "crate" => Vec::new(),
        "self" | "super" => module.to_vec(),
        _ => return path.to_vec(),
    };
    base.insert(0, "crate".to_owned());
    for part in path.iter().skip_while(|part| *part == "crate" || *part == "self") {
        if part == "super" {
            base.pop();
        } else {
            base.push(part.clone());
        }
    }
    base
}

fn read_uses(tokens: &[TokenTree], module: &[String], into: &mut Imports) {
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "use" => {
                let tree: Vec<TokenTree> =
                    tokens[at + 1..].iter().take_while(|it| !is_punct(Some(it), ';')).cloned().collect();
                read_tree(&tree, &[], module, into);
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                read_uses(&tokens_of(group), module, into);
            }
            _ => {}
        }
    }
}

/// Reads one tree of a `use`: `a::b`, `a as b`, `a::*` or `a::{…}`.
fn read_tree(tree: &[TokenTree], prefix: &[String], module: &[String], into: &mut Imports) {
    for branch in tree.split(|token| is_punct(Some(token), ',')).filter(|branch| !branch.is_empty()) {
        let mut path = prefix.to_vec();
        let mut alias = None;
        for (at, token) in branch.iter().enumerate() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    alias = ident(branch.get(at + 1));
                    break;
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => {
                    read_tree(&tokens_of(group), &path, module, into);
                    path.clear();
                }
                TokenTree::Punct(punct) if punct.as_char() == '*' => {
                    into.paths.push(from_root(&path, module));
                    path.clear();
                }
                _ => {}
            }
        }
        if path.len() > 1 && path.last().is_some_and(|name| name == "self") {
            path.pop();
        }
        let Some(name) = path.last().cloned() else { continue };
        let whole = from_root(&path, module);
        into.names.insert(alias.unwrap_or(name), whole.clone());
        into.paths.push(whole);
    }
}

/// Reads the paths of two parts and more, and skips `use` items.
fn read_paths(tokens: &[TokenTree], module: &[String], into: &mut Imports) {
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(word) if word == "use" => {
                at += tokens[at..].iter().position(|it| is_punct(Some(it), ';')).unwrap_or(tokens.len() - at);
            }
            TokenTree::Ident(word) => {
                let mut path = vec![word.to_string()];
                while is_punct(tokens.get(at + 1), ':') && is_punct(tokens.get(at + 2), ':') {
                    let Some(name) = ident(tokens.get(at + 3)) else { break };
                    path.push(name);
                    at += 3;
                }
                if path.len() > 1 {
                    into.paths.push(from_root(&path, module));
                }
            }
            TokenTree::Group(group) => read_paths(&tokens_of(group), module, into),
            _ => {}
        }
        at += 1;
    }
}
