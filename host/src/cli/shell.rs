//! `completions` and `man`: the completion script of a shell, and the manual page.

use std::io::{self, Write as _};

use anyhow::Result;
use clap::{Arg, Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use roff::{Roff, roman};

use super::print::print;

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  kroger-mcp completions bash > ~/.local/share/bash-completion/completions/kroger-mcp
  kroger-mcp completions zsh > ~/.zfunc/_kroger-mcp
  kroger-mcp completions fish > ~/.config/fish/completions/kroger-mcp.fish";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  kroger-mcp man | man -l -
  kroger-mcp man > ~/.local/share/man/man1/kroger-mcp.1";

#[derive(Debug, Args)]
pub(super) struct CompletionsOptions {
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the completion script of `cli` for a shell.
pub(super) fn completions(options: &CompletionsOptions, mut cli: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut cli, "kroger-mcp", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// The whole command line as one page of roff, a section for each command.
pub(super) fn man(cli: Command) -> Result<()> {
    let page = man_page(cli)?;
    print(&String::from_utf8_lossy(&page))
}

fn man_page(cli: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let command = cli.subcommand_value_name("command");
    let manual = Man::new(command.clone());
    manual.render_title(&mut page)?;
    manual.render_name_section(&mut page)?;
    manual.render_synopsis_section(&mut page)?;
    manual.render_description_section(&mut page)?;
    manual.render_options_section(&mut page)?;
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        section(subcommand, &mut page)?;
    }
    examples(&command, &mut page)?;
    manual.render_version_section(&mut page)?;
    Ok(page)
}

fn section(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let name = format!("kroger-mcp {}", command.get_name());
    let mut heading = Roff::new();
    heading.control("SH", [name.to_uppercase().as_str()]);
    heading.to_writer(page)?;
    let command = command.clone().bin_name(name).disable_help_flag(true).mut_args(apart_from_options);
    let manual = Man::new(command.clone());
    let mut body = Vec::new();
    manual.render_synopsis_section(&mut body)?;
    manual.render_description_section(&mut body)?;
    manual.render_options_section(&mut body)?;
    examples(&command, &mut body)?;
    // Sections of sections: only the command's own name is a heading.
    let body = String::from_utf8_lossy(&body).replace(".SH ", ".SS ");
    page.write_all(body.as_bytes())
}

fn apart_from_options(arg: Arg) -> Arg {
    if arg.is_positional() { arg.help_heading("Arguments") } else { arg }
}

/// What help ends with: examples, line by line as they are, then paragraphs.
fn examples(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut blocks = text.split("\n\n");
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in blocks.next().unwrap_or_default().lines().skip(1) {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("fi", []);
    for (number, paragraph) in blocks.enumerate() {
        let (control, heading): (_, &[&str]) = if number == 0 { ("SH", &["NOTES"]) } else { ("PP", &[]) };
        roff.control(control, heading.iter().copied()).text([roman(paragraph.replace('\n', " "))]);
    }
    roff.to_writer(page)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_manual_has_a_section_for_each_command_with_its_examples() {
        let page = String::from_utf8(man_page(Cli::command()).unwrap()).unwrap();

        assert!(page.contains(".TH"), "{page}");
        for command in Cli::command().get_subcommands() {
            let heading = format!(".SH \"KROGER-MCP {}\"", command.get_name().to_uppercase());
            assert!(page.contains(&heading), "{heading}");
        }
        // Line by line, as they are typed.
        assert!(page.contains(".nf\nkroger\\-mcp serve \\-\\-sandbox"), "{page}");
        assert!(page.contains(".SS ARGUMENTS") && !page.contains("EXTRA"), "{page}");
        let synopses = page.matches(".SS SYNOPSIS").count();
        assert_eq!(synopses, Cli::command().get_subcommands().count(), "{page}");
    }
}
