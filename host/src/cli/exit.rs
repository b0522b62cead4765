//! How a command ends: 0 done, 1 failed, 2 the call or a setting is wrong.
//!
//! Errors are only printed here, so they are `anyhow` errors. The two types below are the exceptions
//! that the exit code depends on.

use std::fmt;
use std::process::ExitCode;

use kroger_core::text::cleaned_lines;

use crate::{Refused, log};

/// The call is wrong: the message says what is allowed.
#[derive(Debug)]
pub(super) struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The command did what was asked, and its report on stdout says that not all is well.
#[derive(Debug)]
pub(super) struct Unwell;

impl fmt::Display for Unwell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not all is well")
    }
}

impl std::error::Error for Unwell {}

/// An error that ends the command with code 2.
pub(super) fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// Prints why the command failed, if it did, and answers the exit code.
pub(super) fn code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    if error.is::<Unwell>() {
        return ExitCode::FAILURE;
    }
    log::complain(told(&error));
    if error.is::<Usage>() || error.is::<Refused>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// The words of an error. They may quote a file of somebody else.
pub(super) fn told(error: &anyhow::Error) -> String {
    const LONGEST: usize = 10_000;

    cleaned_lines(&format!("{error:#}"), LONGEST)
}
