//! Texts of strangers on the operator's terminal.
//!
//! Run with `--nocapture` to see how many were tried.

use super::legacy::left_out;
use super::print::{Cell, Palette, json, printable, table};
use super::{exit, words};
use crate::Credentials;
use crate::files::token_files::Unusable;

/// What drives, reorders or hides a line of a terminal: one form of each kind.
const FORMS: &[(&str, &str)] = &[
    ("clears the screen", "\u{1b}[2J\u{1b}[H"),
    ("sets the title", "\u{1b}]0;owned\u{7}"),
    ("links elsewhere", "\u{1b}]8;;http://x/\u{1b}\\"),
    ("writes the clipboard", "\u{1b}]52;c;eA==\u{7}"),
    ("a sequence in one byte", "\u{9b}31m"),
    ("a device control string", "\u{90}q\u{9c}"),
    ("overwrites the line", "\rok"),
    ("erases a character", "\u{8}\u{8}\u{7f}"),
    ("ends the line", "\nok    store  fine"),
    ("ends the line, by Unicode", "\u{2028}\u{2029}\u{85}\u{b}\u{c}"),
    ("turns the line round", "\u{202e}\u{2066}\u{200f}\u{61c}"),
    ("is not seen", "\u{200b}\u{2060}\u{feff}\u{ad}\u{3164}"),
    ("hides a text", "\u{e0061}\u{e0062}\u{fe01}\u{e0101}"),
];

fn drives(text: &str) -> bool {
    let hidden = |c: char| c.is_control() || FORMS.iter().any(|(_, form)| !c.is_ascii() && form.contains(c));
    text.chars().any(hidden)
}

#[test]
fn text_of_a_stranger_does_not_drive_the_terminal() {
    let mut tried = 0;
    for (name, form) in FORMS {
        let laced = format!("al{form}ice");
        let unusable = Unusable { user_id: Some(laced.clone()), why: "its user id is not an id".to_owned() };
        let row = table(Palette::Plain, ["USER"], &[[Cell::from(laced.as_str())]]);
        let rows: Vec<&str> = row.lines().collect();
        assert_eq!(rows.len(), 2, "{name}: {row:?}");
        for told in [
            rows[1].to_owned(),
            printable(&laced),
            left_out(&format!("{laced}.json"), &unusable),
            words::credentials(&Credentials::ScopeRefused(laced.clone())).into_owned(),
        ] {
            assert!(!drives(&told), "{name}: {told:?}");
            assert!(told.contains("al") && told.contains("ice"), "{name}: {told:?}");
            tried += 1;
        }
    }
    println!("texts that drive a terminal | {tried} texts | none reaches it");
}

#[test]
fn error_that_names_a_strangers_file_does_not_drive_the_terminal() {
    for (name, form) in FORMS.iter().filter(|(_, form)| !form.contains('\n')) {
        let told = exit::told(&anyhow::anyhow!("al{form}ice.json: it cannot be read\n  Next: take another file"));

        assert!(!drives(&told.replace('\n', "")), "{name}: {told:?}");
        assert!(told.ends_with("\n  Next: take another file"), "{name}: {told:?}");
    }
    println!("texts that drive a terminal, in an error | {} errors | none reaches it", FORMS.len() - 1);
}

#[test]
fn json_for_a_program_keeps_a_hidden_character_and_shows_it() {
    for (name, form) in FORMS {
        let value = serde_json::json!({ "user": format!("al{form}ice") });

        let told = json(&value).unwrap();

        assert!(!drives(&told.replace('\n', "")), "{name}: {told:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap(), value, "{name}");
    }
    println!("texts that drive a terminal, in JSON | {} texts | each escaped", FORMS.len());
}
