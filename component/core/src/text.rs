//! Texts of others: which of their characters people and models are shown. Knows no field by name.
//!
//! Kroger's answers, token files and callers are not trusted. A hidden character can drive a terminal (control
//! sequences), reorder a line (directional controls: CVE-2021-42574, "Trojan Source"), or carry a text that a model
//! reads and no person sees (tags, variation selectors). No name of a product or a user needs one. Words that join
//! their letters by such a character, as in Persian, stay readable without it; an emoji that is joined from several
//! shows as these.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde_json::{Map, Value};

/// The most marks on one letter (UTS #39 § 5.4). A pile of them covers the lines above.
const MOST_MARKS: usize = 4;

/// The most characters of a text that is passed on in Kroger's form. The longest are addresses of images.
const LONGEST_PASSED_ON: usize = 4_000;

/// How a character is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Seen,
    /// It sits on the character before it.
    Mark,
    Blank,
    /// It is not seen, has no agreed look, or changes how others are shown.
    Hidden,
}

impl Look {
    fn of(c: char) -> Self {
        if c == ' ' || c.is_ascii_graphic() {
            return Self::Seen;
        }
        // The last two have a category of things seen, and no ink.
        if c.is_whitespace() || matches!(c, '\u{2800}' | '\u{1d159}') {
            return Self::Blank;
        }
        if CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c) {
            return Self::Hidden;
        }
        match CodePointMapData::<GeneralCategory>::new().get(c) {
            GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate => Self::Hidden,
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark => Self::Mark,
            _ => Self::Seen,
        }
    }
}

/// The shown part of `text`, at most `most` characters, without blanks around it. Each blank is a space: a text of
/// others has one line.
pub fn cleaned(text: &str, most: usize) -> String {
    let cut: String = shown(text).skip_while(|c| *c == ' ').take(most).collect();
    cut.trim_end().to_owned()
}

/// The shown part of each line of `text`, at most `most` characters in all. Keeps how far
/// a line is indented.
pub fn cleaned_lines(text: &str, most: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| shown(line).collect()).collect();
    let cut: String = lines.join("\n").trim_start().chars().take(most).collect();
    cut.trim_end().to_owned()
}

/// Whether each character of `text` is shown as it is.
pub fn is_clean(text: &str) -> bool {
    shown(text).eq(text.chars())
}

fn shown(text: &str) -> impl Iterator<Item = char> {
    let mut marks = 0;
    text.chars().filter_map(move |c| {
        let look = Look::of(c);
        marks = if look == Look::Mark { marks + 1 } else { 0 };
        match look {
            Look::Seen => Some(c),
            Look::Mark => (marks <= MOST_MARKS).then_some(c),
            Look::Blank => Some(' '),
            Look::Hidden => None,
        }
    })
}

/// `value` with each of its texts cleaned, names of fields too.
pub(crate) fn cleaned_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(passed_on(text)),
        Value::Array(list) => list.into_iter().map(cleaned_json).collect(),
        Value::Object(fields) => {
            let clean = |(name, value)| (passed_on(name), cleaned_json(value));
            Value::Object(fields.into_iter().map(clean).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn passed_on(text: String) -> String {
    if text.len() <= LONGEST_PASSED_ON && is_clean(&text) { text } else { cleaned(&text, LONGEST_PASSED_ON) }
}

#[cfg(test)]
mod attacks;
