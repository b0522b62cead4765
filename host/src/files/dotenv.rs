//! Reads `.env` files: `KEY=value` lines, comments, `export`, single and double quotes.
//!
//! It never substitutes anything: a `$` in a secret is a `$`. It never sets the environment. Quotes and
//! escapes are those of Python's `dotenv`, which wrote the first system's files.
//!
//! (The known library for this, `dotenvy`, always expands `$NAME`, and does not tell where in the file a
//! variable stood, which [`crate::keep::env_file`] must know.)

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use kroger_core::settings::known::showable;

/// The variables of a `.env` file. `Debug` shows only their names.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Dotenv {
    /// Each name and its value, in the file's order. If a name occurs twice, the last one counts.
    pub variables: Vec<(String, String)>,
    /// The line of each of `variables`.
    pub lines: Vec<usize>,
    /// The lines that are no variable, no comment and not blank.
    pub malformed: Vec<Malformed>,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The line's number. The first line has number 1.
    pub line: usize,
    /// The variable at the beginning of the line, if there seems to be one.
    pub name: Option<String>,
}

impl fmt::Debug for Dotenv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.iter().map(|(name, _)| showable(name)).collect();
        f.debug_struct("Dotenv").field("names", &names).field("malformed", &self.malformed).finish_non_exhaustive()
    }
}

/// Reads the file at `path`. An absent file has no variables.
pub(crate) fn read_dotenv(path: &Path) -> io::Result<Dotenv> {
    match fs::read(path) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Dotenv::default()),
        Err(error) => Err(error),
    }
}

/// Reads `text` as a `.env` file.
pub(crate) fn parse(text: &[u8]) -> Dotenv {
    let mut dotenv = Dotenv::default();
    let mut line = 1;
    for entry in entries(text) {
        match entry.content {
            Content::Nothing => {}
            Content::Variable { name, value, .. } => {
                dotenv.variables.push((name, value));
                dotenv.lines.push(line);
            }
            Content::Malformed => dotenv.malformed.push(Malformed { line, name: first_word(entry.bytes) }),
        }
        line += entry.bytes.split_inclusive(|byte| *byte == b'\n').count();
    }
    dotenv
}

/// A piece of a file: one line, or several lines if a value in quotes spans them. All pieces together
/// are the file.
pub(crate) struct Entry<'a> {
    /// The bytes as in the file, with the end of the line.
    pub(crate) bytes: &'a [u8],
    pub(crate) content: Content<'a>,
}

pub(crate) enum Content<'a> {
    /// A blank line or a comment.
    Nothing,
    Variable {
        /// The text before the name: blanks, `export`.
        before: &'a [u8],
        name: String,
        value: String,
    },
    Malformed,
}

pub(crate) fn entries(text: &[u8]) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let entry = first_entry(rest);
        rest = &rest[entry.bytes.len()..];
        entries.push(entry);
    }
    entries
}

fn first_entry(text: &[u8]) -> Entry<'_> {
    let line = &text[..line_length(text)];
    let start = start_of_name(line);
    if line.len() == start || matches!(line[start], b'#' | b'\r' | b'\n') {
        return Entry { bytes: line, content: Content::Nothing };
    }
    variable(text, start).unwrap_or(Entry { bytes: line, content: Content::Malformed })
}

fn variable(text: &[u8], start: usize) -> Option<Entry<'_>> {
    let line = &text[..line_length(text)];
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let name = name(line.get(start..equals)?)?;
    let (value, length) = value(&text[equals + 1..])?;
    let before = &text[..start];
    Some(Entry { bytes: &text[..equals + 1 + length], content: Content::Variable { before, name, value } })
}

fn start_of_name(line: &[u8]) -> usize {
    let mark = if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let start = mark + blanks(&line[mark..]);
    let Some(exported) = line[start..].strip_prefix(b"export") else {
        return start;
    };
    match blanks(exported) {
        0 => start,
        gap => start + b"export".len() + gap,
    }
}

fn name(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?.trim_end_matches([' ', '\t']);
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-');
    let well_formed = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    (well_formed && name.chars().all(allowed)).then(|| name.to_owned())
}

/// The name at the beginning of a malformed line, if there seems to be one.
fn first_word(line: &[u8]) -> Option<String> {
    let rest = &line[start_of_name(line)..];
    let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(rest.len());
    name(&rest[..end]).map(|name| showable(&name).to_owned())
}

/// The value at the start of `text`, and its length in bytes up to the end of its line.
fn value(text: &[u8]) -> Option<(String, usize)> {
    let start = blanks(text);
    match text.get(start) {
        Some(quote @ (b'\'' | b'"')) => quoted(text, start + 1, *quote),
        _ => plain(text),
    }
}

/// Reads a value without quotes: up to the end of the line, or up to a `#` after a blank.
fn plain(text: &[u8]) -> Option<(String, usize)> {
    let length = line_length(text);
    let line = std::str::from_utf8(&text[..length]).ok()?;
    let comment = line.match_indices('#').map(|(at, _)| at).find(|at| line[..*at].ends_with([' ', '\t']));
    Some((line[..comment.unwrap_or(length)].trim().to_owned(), length))
}

fn quoted(text: &[u8], start: usize, quote: u8) -> Option<(String, usize)> {
    let mut value = Vec::new();
    let mut at = start;
    while *text.get(at)? != quote {
        let (byte, length) = unescaped(&text[at..], quote);
        value.push(byte);
        at += length;
    }
    let after = &text[at + 1..];
    let length = line_length(after);
    let blank_or_comment = matches!(after[..length].trim_ascii_start().first(), None | Some(b'#'));
    let value = String::from_utf8(value).ok().filter(|_| blank_or_comment)?;
    Some((value, at + 1 + length))
}

/// The first byte of `text` without its escape, and how many bytes the escape takes.
fn unescaped(text: &[u8], quote: u8) -> (u8, usize) {
    match (text, quote) {
        ([b'\\', escaped @ (b'\\' | b'\''), ..], _) | ([b'\\', escaped @ b'"', ..], b'"') => (*escaped, 2),
        ([b'\\', b'n', ..], b'"') => (b'\n', 2),
        ([b'\\', b'r', ..], b'"') => (b'\r', 2),
        ([b'\\', b't', ..], b'"') => (b'\t', 2),
        _ => (text[0], 1),
    }
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The length of the first line, with its end.
fn line_length(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(text: &str) -> Vec<(String, String)> {
        parse(text.as_bytes()).variables
    }

    #[test]
    fn every_usual_form_of_a_line_is_read() {
        for (line, value) in [
            ("A=b", "b"),
            ("A=b\r\n", "b"),
            ("  A = b \n", "b"),
            ("export A=b\n", "b"),
            ("\u{feff}A=b\n", "b"),
            ("A=\n", ""),
            ("A= # nothing\n", ""),
            ("A=b # a comment\n", "b"),
            ("A=b#c\n", "b#c"),
            ("A=b=c==\n", "b=c=="),
            ("A='b # c' # a comment\n", "b # c"),
            ("A=\"b\"\r\n", "b"),
            (r"A='it\'s \\ \n'", r"it's \ \n"),
            (r#"A="say \"b\"\tc""#, "say \"b\"\tc"),
            ("A='b\nc'\n", "b\nc"),
            ("A=it's\n", "it's"),
        ] {
            assert_eq!(variables(line), [("A".to_owned(), value.to_owned())], "{line:?}");
        }
    }

    #[test]
    fn a_dollar_in_a_secret_is_left_alone() {
        for line in ["A=$HOME${HOME}", "A='$HOME${HOME}'", "A=\"$HOME${HOME}\""] {
            assert_eq!(variables(line), [("A".to_owned(), "$HOME${HOME}".to_owned())]);
        }
    }

    #[test]
    fn malformed_lines_are_reported_by_number_and_hide_no_other_line() {
        let dotenv = parse(b"# settings\nA='1\n2'\nno equals sign\n9=x\nB='open\nC=3\nD='x' y\nE=\xff\nexport F\n");
        let names: Vec<_> = dotenv.variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["A", "C"]);
        let malformed: Vec<_> = dotenv.malformed.iter().map(|line| (line.line, line.name.as_deref())).collect();
        assert_eq!(
            malformed,
            [(4, Some("no")), (5, None), (6, Some("B")), (8, Some("D")), (9, Some("E")), (10, Some("F"))]
        );
    }

    #[test]
    fn all_entries_together_are_the_file() {
        let text = b"\xef\xbb\xbf# x\r\n\r\nA='1\n2' # y\nbad\n\xff\nB=\"open\nC=3";
        let joined: Vec<u8> = entries(text).iter().flat_map(|entry| entry.bytes).copied().collect();
        assert_eq!(joined, text);
    }

    #[test]
    fn an_absent_file_has_no_variables() {
        let dotenv = read_dotenv(Path::new("/nonexistent/.env")).expect("absent is not an error");
        assert_eq!(dotenv, Dotenv::default());
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", parse(b"KROGER_CLIENT_SECRET=hush\n"));
        assert!(shown.contains("KROGER_CLIENT_SECRET") && !shown.contains("hush"), "{shown}");
    }
}
