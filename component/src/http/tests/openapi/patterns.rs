//! The patterns of texts that callers choose, computed from what the core refuses.

use std::sync::LazyLock;

use kroger_core::text::is_clean;

/// The pattern of a user id.
pub(super) fn user_id() -> String {
    let hidden = &*HIDDEN;
    format!("^( *[^{hidden} ][^{hidden}]*)?$")
}

/// A visible character at both ends, and no hidden character.
pub(super) fn plain() -> String {
    let seen = format!(r"[^\s{}]", *HIDDEN);
    format!("^{seen}({seen}| (?! ))*{seen}$|^{seen}$")
}

/// The characters that no text of a caller may have, for a class of a regular expression.
static HIDDEN: LazyLock<String> = LazyLock::new(|| {
    let is_hidden = |code: &u32| char::from_u32(*code).is_some_and(|c| c == '\u{fffd}' || !is_clean(&format!("a{c}")));
    let mut class = String::new();
    let mut codes = (0..=0x0010_ffff).filter(is_hidden).peekable();
    while let Some(first) = codes.next() {
        let mut last = first;
        while codes.next_if_eq(&(last + 1)).is_some() {
            last += 1;
        }
        class.push_str(&escaped(first));
        if last > first {
            class.push('-');
            class.push_str(&escaped(last));
        }
    }
    class
});

/// As regular expressions of JSON Schema spell it. They have no escape for characters beyond U+FFFF.
fn escaped(code: u32) -> String {
    match char::from_u32(code) {
        Some(c) if code > 0xffff => c.to_string(),
        _ => format!("\\u{code:04x}"),
    }
}
