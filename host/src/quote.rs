//! Quotes words of commands that are printed to be pasted into a shell.
//!
//! User ids and paths are anyone's choice. Unquoted, `x; touch y` would be two commands.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns `word` such that a shell reads it as one word, with nothing substituted. A word that no
/// shell changes stays as it is.
pub(crate) fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.into();
    }
    if word.chars().any(is_invisible) {
        return escaped(word).into();
    }
    // `!` would be replaced by a line of the history, except in single quotes.
    format!("'{}'", word.replace('\'', r"'\''")).into()
}

/// Returns `option` with its value. A value that begins with `-` would be taken for an option, if it
/// were a word of its own.
pub(crate) fn option(option: &str, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("{option}{between}{}", quoted(value))
}

/// Whether a terminal shows `c` as nothing, or obeys it: control characters, marks of direction,
/// characters without width.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns `word` in the quotes `$'…'`, with escapes in place of all that is not printable ASCII.
fn escaped(word: &str) -> String {
    let mut text = "$'".to_owned();
    for byte in word.bytes() {
        match byte {
            b'\'' | b'\\' => {
                text.push('\\');
                text.push(byte.into());
            }
            b' '..=b'~' => text.push(byte.into()),
            // Three digits, so that no digit of the word is taken for part of the escape.
            _ => drop(write!(text, "\\{byte:03o}")),
        }
    }
    text + "'"
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Words that a shell would not read as one word, or would change.
    const WORDS: [&str; 24] = [
        "x; touch y",
        "$(touch y)",
        "`touch y`",
        "a b",
        "it's",
        "''",
        "\"",
        "\\",
        "a\\'b",
        "$HOME",
        "~",
        "*",
        "a=b&c?d#e",
        "!!",
        "",
        "-x",
        "--user",
        "{a,b}",
        "<a>|b",
        "é ü",
        "=ls",
        "a\u{1b}[2J'1\\",
        "a\nb",
        "a\u{202e}1'b",
    ];

    #[test]
    fn a_shell_reads_each_word_as_it_was() {
        let shells = ["bash", "zsh"].into_iter().filter(|shell| Command::new(shell).arg("--version").output().is_ok());
        let mut shells = shells.peekable();
        if shells.peek().is_none() {
            println!("skipped: there is neither bash nor zsh");
        }
        for shell in shells {
            for word in WORDS {
                let script = format!("printf '<%s>' {}", quoted(word));
                let printed = Command::new(shell).args(["-c", &script]).output().unwrap();

                assert_eq!(String::from_utf8(printed.stdout).unwrap(), format!("<{word}>"), "{shell}: {script}");
            }
        }
    }

    #[test]
    fn a_word_that_no_shell_changes_stays_as_it_is() {
        for word in ["alice", "/srv/kroger/.tokens", "user_default", "http://localhost:9004/auth/callback", "a@b.c"] {
            assert_eq!(quoted(word), word);
        }
    }

    #[test]
    fn what_is_printed_shows_every_character() {
        for word in WORDS {
            assert!(!quoted(word).chars().any(is_invisible), "{word:?}");
        }
    }

    #[test]
    fn a_value_is_never_taken_for_an_option() {
        assert_eq!(option("--user", "alice"), "--user alice");
        assert_eq!(option("--user", "-x"), "--user=-x");
        assert_eq!(option("--user", "-x y"), "--user='-x y'");
    }
}
