//! Estimates what JSON takes as a tree, before a tree is built.
//!
//! A short text can be a large tree: `[{"":0},{"":0}]` takes about a hundred bytes for each of its own.
//! So a limit on the text alone bounds no memory. Reads nothing of what the text means.

use serde::de::DeserializeOwned;

/// The largest tree of an answer of Kroger's. Its largest answers take about 3 MiB.
pub(crate) const LARGEST_ANSWER: usize = 16 << 20;

/// What an object takes with its first field: `serde_json` keeps fields in nodes of 11 places.
const OBJECT: usize = 640;
/// What a list takes with its first element: it has room for four.
const LIST: usize = 128;
/// What each further value takes.
const VALUE: usize = 64;

/// The bytes that `text` takes as a tree, estimated from its structure. One pass, and no memory.
pub fn tree_size(text: &[u8]) -> usize {
    let (mut size, mut in_text, mut is_escaped) = (text.len(), false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' => size += OBJECT,
            b'[' => size += LIST,
            b',' => size += VALUE,
            _ => {}
        }
    }
    size
}

/// Reads an answer of Kroger's. None: it is not valid, or its tree is too large for any real answer.
pub(crate) fn answer<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    if tree_size(body) > LARGEST_ANSWER {
        return None;
    }
    serde_json::from_slice(body).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn structure_counts_and_text_does_not() {
        assert_eq!(tree_size(br#"{"a":"{[,\"{[,\\"}"#), 18 + OBJECT);
        assert_eq!(tree_size(b"[1,2,{}]"), 8 + LIST + 2 * VALUE + OBJECT);
        assert_eq!(tree_size(br#""\\","#), 5 + VALUE);
        assert_eq!(tree_size(b""), 0);
    }

    #[test]
    fn an_answer_that_is_all_structure_is_not_read_in_any_form() {
        for piece in [r#"{"":0}"#, "{}", r#"{"a":{"b":{}}}"#, r#"[{"":[]}]"#] {
            let body = format!("[{}]", vec![piece; (1 << 20) / piece.len()].join(","));
            assert_eq!(answer::<Value>(body.as_bytes()), None, "{piece}");
        }
        let products = format!("[{}]", vec![r#"{"upc":"0001111041700","sizes":[1,2,3]}"#; 5_000].join(","));
        assert!(answer::<Value>(products.as_bytes()).is_some());
    }
}
