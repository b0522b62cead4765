//! Chooses the mutants that one run of `mutants` tries: all, the named ones, or a part.
//!
//! It reads the command line and the table of mutants. It never breaks anything.

use crate::mutation::Mutation;

/// The choice that the command line makes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Print the names only.
    pub(crate) is_list: bool,
    names: Vec<String>,
    part: Option<Part>,
}

/// One of several parts that a long run is split into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// From 1.
    number: usize,
    parts: usize,
}

impl Selection {
    /// Reads the command line; `None` if it cannot be read.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut selection = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => selection.is_list = true,
                "--part" => selection.part = Some(Part::parse(&arguments.next()?)?),
                option if option.starts_with('-') => return None,
                _ => selection.names.push(argument),
            }
        }
        Some(selection)
    }

    /// Answers the chosen mutants in the table's order.
    ///
    /// A name chooses the mutant that has it, or else each mutant whose name
    /// contains it. A name that chooses none is an error.
    pub(crate) fn choose<'a>(&self, all: &'a [Mutation]) -> Result<Vec<&'a Mutation>, String> {
        let is_chosen_by = |name: &String, mutation: &Mutation| {
            mutation.name == name || (mutation.name.contains(name.as_str()) && all.iter().all(|each| each.name != name))
        };
        if let Some(name) = self.names.iter().find(|name| !all.iter().any(|mutation| is_chosen_by(name, mutation))) {
            return Err(format!("no mutant has `{name}` in its name"));
        }
        let is_chosen =
            |mutation: &&Mutation| self.names.is_empty() || self.names.iter().any(|name| is_chosen_by(name, mutation));
        let chosen: Vec<&Mutation> = all.iter().filter(is_chosen).collect();
        let range = self.part.map_or(0..chosen.len(), |part| part.range(chosen.len()));
        Ok(chosen[range].to_vec())
    }
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        let (number, parts) = text.split_once('/')?;
        let part = Self { number: number.parse().ok()?, parts: parts.parse().ok()? };
        (1..=part.parts).contains(&part.number).then_some(part)
    }

    /// The places of this part among `length` mutants. The parts follow each other
    /// without a gap, so that their tables, one after the other, are the whole table.
    fn range(self, length: usize) -> std::ops::Range<usize> {
        length * (self.number - 1) / self.parts..length * self.number / self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::Selection;
    use crate::mutations::MUTATIONS;

    fn chosen(arguments: &[&str]) -> Result<Vec<&'static str>, String> {
        let selection =
            Selection::parse(arguments.iter().map(|&argument| argument.to_owned())).expect("a command line");
        let chosen = selection.choose(MUTATIONS)?;
        Ok(chosen.into_iter().map(|mutation| mutation.name).collect())
    }

    #[test]
    fn parts_contain_each_mutant_once() {
        let parts = ["1/4", "2/4", "3/4", "4/4"].map(|part| chosen(&["--part", part]).unwrap());

        assert!(parts.iter().all(|part| part.len() * 4 + 4 > MUTATIONS.len()));
        assert_eq!(parts.concat(), chosen(&[]).unwrap());
    }

    #[test]
    fn name_chooses_the_mutant_that_has_it() {
        assert_eq!(chosen(&["the intent is not stored"]).unwrap(), ["the intent is not stored"]);
        assert!(chosen(&["the intent"]).unwrap().len() > 1);
        assert!(chosen(&["no such name"]).is_err());
    }

    #[test]
    fn unreadable_command_line_is_refused() {
        for arguments in [&["--part"][..], &["--part", "0/3"], &["--part", "4/3"], &["--part", "1"], &["--parts"]] {
            let arguments = arguments.iter().map(|&argument| argument.to_owned());
            assert_eq!(Selection::parse(arguments), None);
        }
    }
}
