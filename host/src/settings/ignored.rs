//! The words for a setting that sets nothing.

use kroger_core::settings::{Ignored, IgnoredReason};

/// Tells the operator that the setting is ignored, and why or what to use instead.
pub(crate) fn sentence(ignored: &Ignored) -> String {
    let why = match ignored.reason {
        IgnoredReason::EachItemSaysIt => "the modality of each item says it",
        IgnoredReason::DefaultModalitySaysIt => "set KROGER_DEFAULT_MODALITY=DELIVERY",
        IgnoredReason::SandboxReplacesIt => "start with --sandbox",
        IgnoredReason::Unknown => "there is no such setting",
    };
    format!("{} is ignored: {why}", ignored.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_setting_is_told_with_what_to_use_instead() {
        let told = |name: &str, reason| sentence(&Ignored { name: name.to_owned(), reason });

        assert_eq!(
            told("KROGER_DEV_MODE", IgnoredReason::SandboxReplacesIt),
            "KROGER_DEV_MODE is ignored: start with --sandbox"
        );
        assert_eq!(
            told("KROGER_LOG_LEVEL", IgnoredReason::Unknown),
            "KROGER_LOG_LEVEL is ignored: there is no such setting"
        );
    }
}
