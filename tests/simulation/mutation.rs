//! One way to break the core: the text that is replaced, and what notices the break.
//!
//! It reads the core's files. It never changes one.

use std::fs;
use std::path::Path;

use crate::splice::replace_once;

/// The folder of the core's sources, below the folder of this package.
pub(crate) const CORE: &str = "src";

/// A text in one file of the core, and the text that takes its place.
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    /// Relative to the core's folder.
    pub(crate) file: &'static str,
    pub(crate) find: &'static str,
    pub(crate) replacement: &'static str,
    /// The unit test that fails; `None` if the simulation finds a violation.
    pub(crate) test: Option<UnitTest>,
}

/// A unit test of the core.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnitTest {
    /// Its module, below the core: `refresh::tests`.
    pub(crate) module: &'static str,
    pub(crate) name: &'static str,
}

pub(crate) const fn mutation(
    name: &'static str,
    file: &'static str,
    find: &'static str,
    replacement: &'static str,
) -> Mutation {
    Mutation { name, file, find, replacement, test: None }
}

impl Mutation {
    /// Names the unit test that fails, for a rule that the simulation cannot judge:
    /// another rule stands behind it, or it shows in nothing that an invariant is about.
    pub(crate) const fn noticed_by(self, module: &'static str, name: &'static str) -> Self {
        Self { test: Some(UnitTest { module, name }), ..self }
    }

    /// Makes sure that the mutation changes its file in the folder `core`.
    pub(crate) fn check(&self, core: &Path) -> Result<(), String> {
        let path = core.join(self.file);
        let source = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        if self.apply(&source)? == source {
            return Err(format!("the mutant `{}` changes nothing", self.name));
        }
        Ok(())
    }

    /// Breaks `source`, the text of this mutation's file.
    pub(crate) fn apply(&self, source: &str) -> Result<String, String> {
        replace_once(source, self.find, self.replacement)
            .map_err(|error| format!("the mutant `{}` does not apply to {}: {error}", self.name, self.file))
    }
}

impl UnitTest {
    /// The path by which the test program of this package knows the test.
    pub(crate) fn path(self) -> String {
        format!("{}::{}", self.module, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::mutation;

    #[test]
    fn error_names_mutant_file_and_number_of_matches() {
        let error = mutation("nothing is sent", "refresh.rs", "send()", "()").apply("send(); send();");

        assert_eq!(error.unwrap_err(), "the mutant `nothing is sent` does not apply to refresh.rs: found 2 times");
    }
}
