//! Characters that nobody sees, or that change how a text is shown: one table for the tests of all faces.

use serde_json::{Value, json};

/// Each kind of hidden character, with characters of it: the first, the last and the notorious ones.
///
/// Sources: UAX #9 (direction), UTS #39 and UTS #55 (default ignorable code points), CVE-2021-42574 ("Trojan
/// Source"), ECMA-48 (control sequences).
pub const HIDDEN: &[(&str, &[char])] = &[
    ("control characters of ASCII", &['\0', '\u{1}', '\u{7}', '\u{8}', '\u{e}', '\u{1b}', '\u{1f}', '\u{7f}']),
    ("control characters of Latin-1, which begin sequences in one byte", &['\u{80}', '\u{90}', '\u{9b}', '\u{9d}']),
    ("embeddings and overrides of direction", &['\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}']),
    ("isolates of direction", &['\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}']),
    ("marks of direction", &['\u{200e}', '\u{200f}', '\u{61c}']),
    ("zero-width spaces and joiners", &['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}']),
    ("invisible operators", &['\u{2061}', '\u{2062}', '\u{2063}', '\u{2064}', '\u{2065}']),
    ("deprecated controls of formats", &['\u{206a}', '\u{206f}']),
    ("soft hyphen and grapheme joiner", &['\u{ad}', '\u{34f}']),
    ("fillers", &['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}']),
    ("invisible vowels and separators", &['\u{17b4}', '\u{17b5}', '\u{180b}', '\u{180d}', '\u{180e}', '\u{180f}']),
    ("variation selectors", &['\u{fe00}', '\u{fe0f}', '\u{e0100}', '\u{e01ef}']),
    ("tags, in which a text can hide", &['\u{e0000}', '\u{e0001}', '\u{e0020}', '\u{e0041}', '\u{e007f}']),
    ("annotations between lines", &['\u{fff9}', '\u{fffa}', '\u{fffb}']),
    ("controls of shorthand and music", &['\u{1bca0}', '\u{1bca3}', '\u{1d173}', '\u{1d17a}']),
    ("private use", &['\u{e000}', '\u{f8ff}', '\u{f0000}', '\u{10fffd}']),
];

/// Characters that show as a blank or end a line.
pub const BLANK: &[char] = &[
    '\t', '\n', '\u{b}', '\u{c}', '\r', '\u{85}', '\u{a0}', '\u{1680}', '\u{2000}', '\u{200a}', '\u{2028}', '\u{2029}',
    '\u{202f}', '\u{205f}', '\u{2800}', '\u{3000}',
];

/// Each hidden character.
pub fn each() -> impl Iterator<Item = char> {
    HIDDEN.iter().flat_map(|(_, characters)| characters.iter().copied())
}

/// Whether `text` has a hidden character, or a blank that is no space.
pub fn is_in(text: &str) -> bool {
    has_hidden(text) || text.chars().any(|c| BLANK.contains(&c))
}

/// Whether `text` has a hidden character. It may have lines.
pub fn has_hidden(text: &str) -> bool {
    text.chars().any(|c| each().any(|hidden| hidden == c))
}

/// `value` with `c` inside each of its texts, except below the names in `spared`.
pub fn laced(value: &Value, c: char, spared: &[&str]) -> Value {
    match value {
        Value::String(text) => {
            let (first, rest) = text.split_at(1);
            json!(format!("{first}{c}{rest}"))
        }
        Value::Array(list) => list.iter().map(|value| laced(value, c, spared)).collect(),
        Value::Object(fields) => {
            let lace = |(name, value): (&String, &Value)| {
                let is_spared = spared.contains(&name.as_str());
                (name.clone(), if is_spared { value.clone() } else { laced(value, c, spared) })
            };
            Value::Object(fields.iter().map(lace).collect())
        }
        other => other.clone(),
    }
}

/// Each text of `value`, names of fields too.
pub fn texts_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().flat_map(texts_of).collect(),
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| std::iter::once(name.clone()).chain(texts_of(value))).collect()
        }
        _ => Vec::new(),
    }
}
