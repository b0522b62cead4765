//! The words for an argument that is not valid.

pub(super) fn argument(field: &str, allowed: &str) -> String {
    // A list ends without a full stop.
    let end = if allowed.ends_with(['.', '?']) || allowed.contains('\n') { "" } else { "." };
    format!("`{field}` is not valid: {allowed}{end}")
}
