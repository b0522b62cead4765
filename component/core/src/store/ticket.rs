//! A record's place in its user's history, which is also a part of its key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a lineage starts: a sign-in or a deletion, numbered by the user's
/// counter `roots`, or a pair that was adopted from outside.
///
/// An adoption takes no number of its own, it is the next one over the root that
/// it follows. So callers that adopt the same pair at the same time write the same
/// record, and no adoption outranks a sign-in or deletion that it did not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Root {
    /// 0: there was neither sign-in nor deletion yet.
    pub(crate) number: u64,
    /// 0: the sign-in or deletion itself.
    pub(crate) adoption: u64,
}

impl Root {
    pub(crate) const fn numbered(number: u64) -> Self {
        Self { number, adoption: 0 }
    }

    /// The root of a pair adopted over this one.
    #[must_use]
    pub(crate) const fn adopting(self) -> Self {
        Self { adoption: self.adoption + 1, ..self }
    }

    /// The ticket of the root's own record.
    pub(crate) const fn ticket(self) -> Ticket {
        Ticket { root: self, step: 0 }
    }
}

/// A record's place in its user's history, and the end of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ticket {
    pub root: Root,
    /// A number of the root's counter `seq`, given out once; 0: the root itself.
    pub(crate) step: u64,
}

impl Ticket {
    /// Of a grant that the store did not keep.
    pub(crate) const UNSTORED: Self = Root::numbered(0).ticket();
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.number, self.adoption)
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.root, self.step)
    }
}

/// A text that is no root or ticket.
#[derive(Debug)]
pub struct NotATicket;

impl fmt::Display for NotATicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a ticket")
    }
}

impl FromStr for Root {
    type Err = NotATicket;

    fn from_str(text: &str) -> Result<Self, NotATicket> {
        let (number, adoption) = text.split_once('.').ok_or(NotATicket)?;
        let parse = |part: &str| part.parse().map_err(|_| NotATicket);
        Ok(Self { number: parse(number)?, adoption: parse(adoption)? })
    }
}

impl FromStr for Ticket {
    type Err = NotATicket;

    fn from_str(text: &str) -> Result<Self, NotATicket> {
        let (root, step) = text.rsplit_once('.').ok_or(NotATicket)?;
        Ok(Self { root: root.parse()?, step: step.parse().map_err(|_| NotATicket)? })
    }
}

impl TryFrom<String> for Root {
    type Error = NotATicket;

    fn try_from(text: String) -> Result<Self, NotATicket> {
        text.parse()
    }
}

impl TryFrom<String> for Ticket {
    type Error = NotATicket;

    fn try_from(text: String) -> Result<Self, NotATicket> {
        text.parse()
    }
}

impl From<Root> for String {
    fn from(root: Root) -> Self {
        root.to_string()
    }
}

impl From<Ticket> for String {
    fn from(ticket: Ticket) -> Self {
        ticket.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_back_as_it_was_written_and_its_order_is_that_of_its_parts() {
        let step = |number, step| Ticket { root: Root::numbered(number), step };
        let ticket = Ticket { root: Root { number: 3, adoption: 1 }, step: 17 };

        assert_eq!(ticket.to_string(), "3.1.17");
        assert_eq!("3.1.17".parse::<Ticket>().unwrap(), ticket);
        assert!(step(10, 0) > step(9, 99));
        assert!("3.1".parse::<Ticket>().is_err());
    }
}
