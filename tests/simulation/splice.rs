//! Replaces a piece of Rust source that is found by its tokens.
//!
//! Whitespace, line breaks, comments and a comma before a closing bracket do not
//! count, because a formatter changes them. Every other token counts, and a literal
//! is compared exactly as it is written. This module never parses Rust, and never
//! replaces a text that it finds more or less often than once.

use std::fmt;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// The reason why nothing is replaced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SpliceError {
    /// This text is no sequence of Rust tokens with balanced brackets.
    NotRust(&'static str),
    /// The text to find has no tokens.
    NothingToFind,
    /// The text to find is in the source this many times.
    Matches(usize),
}

impl fmt::Display for SpliceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRust(text) => write!(f, "{text} is not Rust"),
            Self::NothingToFind => write!(f, "the text to find is empty"),
            Self::Matches(number) => write!(f, "found {number} times"),
        }
    }
}

/// Replaces the only place in `source` that has the tokens of `find`.
///
/// The bytes from the first of these tokens to the last give way to `replacement`;
/// all other bytes stay as they are.
pub(crate) fn replace_once(source: &str, find: &str, replacement: &str) -> Result<String, SpliceError> {
    let wanted = tokens(find).ok_or(SpliceError::NotRust("the text to find"))?;
    tokens(replacement).ok_or(SpliceError::NotRust("the replacement"))?;
    let tokens = tokens(source).ok_or(SpliceError::NotRust("the source"))?;
    if wanted.is_empty() {
        return Err(SpliceError::NothingToFind);
    }
    let matches: Vec<&[Token]> = tokens.windows(wanted.len()).filter(|window| *window == wanted).collect();
    let [found] = matches[..] else { return Err(SpliceError::Matches(matches.len())) };
    let start = found[0].span.byte_range().start;
    let end = found[found.len() - 1].span.byte_range().end;
    Ok([&source[..start], replacement, &source[end..]].concat())
}

/// One token and its place. Two tokens are equal if their texts are.
struct Token {
    text: String,
    span: Span,
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The tokens of `text`, brackets among them; `None` if it is not Rust.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    flatten(text.parse().ok()?, &mut tokens);
    Some(tokens)
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                let bang = trees.next_if(|next| matches!(next, TokenTree::Punct(punct) if punct.as_char() == '!'));
                if trees.next_if(is_doc).is_none() {
                    tokens.push(Token { text: "#".to_owned(), span: hash.span() });
                    tokens.extend(bang.map(|bang| Token { text: "!".to_owned(), span: bang.span() }));
                }
            }
            TokenTree::Group(group) => flatten_group(&group, tokens),
            leaf => tokens.push(Token { text: leaf.to_string(), span: leaf.span() }),
        }
    }
}

/// Whether this is the bracket of `#[doc = "…"]`, which is how a doc comment comes.
fn is_doc(tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else { return false };
    let first = group.stream().into_iter().next();
    group.delimiter() == Delimiter::Bracket && matches!(first, Some(TokenTree::Ident(name)) if name == "doc")
}

/// Adds a group's tokens, without a comma before the closing bracket.
fn flatten_group(group: &Group, tokens: &mut Vec<Token>) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    };
    tokens.push(Token { text: open.to_owned(), span: group.span_open() });
    flatten(group.stream(), tokens);
    if tokens.last().is_some_and(|last| last.text == ",") {
        tokens.pop();
    }
    tokens.push(Token { text: close.to_owned(), span: group.span_close() });
}

#[cfg(test)]
mod tests {
    use super::{SpliceError, replace_once};

    #[test]
    fn text_is_found_across_line_breaks() {
        let source = "fn f() {\n    keep(\n        user,\n        ticket,\n    )?;\n}\n";

        let changed = replace_once(source, "keep(user, ticket)?;", "drop(user);");

        assert_eq!(changed.unwrap(), "fn f() {\n    drop(user);\n}\n");
    }

    #[test]
    fn text_is_found_despite_comments() {
        let source = "/* before */ a(); // why\n/// one\nb(); // after\n";

        assert_eq!(replace_once(source, "a(); b();", "c();").unwrap(), "/* before */ c(); // after\n");
    }

    #[test]
    fn comma_before_closing_bracket_does_not_count() {
        for (source, find) in [("f(a, b,)", "f(a, b)"), ("f(a, b)", "f(a, b,)"), ("S { a, b, }", "S { a, b }")] {
            assert_eq!(replace_once(source, find, "g()").unwrap(), "g()");
        }
    }

    #[test]
    fn comma_between_items_counts() {
        assert_eq!(replace_once("f(a, b)", "a b", "c"), Err(SpliceError::Matches(0)));
    }

    #[test]
    fn text_that_is_found_twice_is_an_error() {
        assert_eq!(replace_once("f(); g(); f();", "f();", ""), Err(SpliceError::Matches(2)));
    }

    #[test]
    fn text_that_is_not_found_is_an_error() {
        assert_eq!(replace_once("f(); g();", "h();", ""), Err(SpliceError::Matches(0)));
    }

    #[test]
    fn part_of_a_name_is_not_found() {
        assert_eq!(replace_once("refresh_token()", "refresh", ""), Err(SpliceError::Matches(0)));
    }

    #[test]
    fn string_literal_is_compared_exactly() {
        let source = r#"log("a  b"); log("a /* c */ b");"#;

        assert_eq!(replace_once(source, r#""a b""#, "x"), Err(SpliceError::Matches(0)));
        assert_eq!(replace_once(source, r#""a  b""#, "x").unwrap(), r#"log(x); log("a /* c */ b");"#);
    }

    #[test]
    fn bytes_around_the_match_stay_as_they_are() {
        let source = "// grün\nlet a  =  \"ü\"; let b = 1 ;\n";

        assert_eq!(replace_once(source, "b = 1", "b = 2").unwrap(), "// grün\nlet a  =  \"ü\"; let b = 2 ;\n");
    }

    #[test]
    fn attribute_that_is_no_doc_comment_counts() {
        assert_eq!(replace_once("#[inline] fn f() {}", "#[cold] fn f()", ""), Err(SpliceError::Matches(0)));
    }

    #[test]
    fn unbalanced_or_empty_text_is_an_error() {
        assert_eq!(replace_once("f();", "f(", ""), Err(SpliceError::NotRust("the text to find")));
        assert_eq!(replace_once("f();", "f", "g("), Err(SpliceError::NotRust("the replacement")));
        assert_eq!(replace_once("f();", "// f", ""), Err(SpliceError::NothingToFind));
    }
}
