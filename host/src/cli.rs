//! The command line: what can be asked for, and how it ends.
//!
//! Exit codes: 0 done, 1 failed, 2 the call or the settings are wrong, 130 a
//! second Ctrl-C. stdout has results only; the log and complaints go to stderr.

#[cfg(test)]
mod attacks;
mod backup;
mod credentials;
mod doctor;
mod exit;
mod import;
mod legacy;
mod listen;
mod login;
mod logout;
mod opening;
mod port;
mod print;
mod refresh;
mod sandbox;
mod serve;
mod shell;
mod signals;
mod status;
mod stdio;
mod values;
mod words;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{Given, log};

/// Keeps Kroger customers signed in and adds to their carts.
#[derive(Debug, Parser)]
#[command(name = "kroger-mcp", version, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    log: LogOptions,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  kroger-mcp serve --sandbox            try it, with no Kroger account
  kroger-mcp serve                      serve on http://localhost:9004
  kroger-mcp serve --listen [::1]:8080  serve elsewhere
  kroger-mcp login                      sign in from a terminal
  kroger-mcp stdio                      serve an agent's app over MCP
  kroger-mcp status                     who is signed in, and until when
  kroger-mcp doctor                     what is wrong, and what to do
  kroger-mcp import ~/old/.tokens       take over sign-ins of another program
  kroger-mcp refresh                    refresh the tokens that are due, from cron
  kroger-mcp backup tokens.backup       copy the store

Settings are environment variables, KROGER_*; a .env file in the working
directory fills in what the environment lacks.

Exit codes: 0 done, 1 failed, 2 the call or the settings are wrong.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve HTTP and keep tokens fresh.
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::ServeOptions),
    /// Serve the Model Context Protocol on stdin and stdout, for an agent's app.
    #[command(after_help = stdio::EXAMPLES)]
    Stdio(stdio::StdioOptions),
    /// Run the stand-in for Kroger alone, to develop and test against.
    #[command(after_help = sandbox::EXAMPLES)]
    Sandbox(sandbox::SandboxOptions),
    /// Sign a person in, and wait until that is done.
    #[command(after_help = login::EXAMPLES)]
    Login(login::LoginOptions),
    /// Forget a person, and delete the tokens.
    #[command(after_help = logout::EXAMPLES)]
    Logout(logout::LogoutOptions),
    /// Show who is signed in, until when, and what happens next.
    #[command(after_help = status::EXAMPLES)]
    Status(status::StatusOptions),
    /// Look at everything that can go wrong, and say what to do.
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::DoctorOptions),
    /// Refresh the tokens that are due, once, and say what was done.
    #[command(after_help = refresh::EXAMPLES)]
    Refresh(refresh::RefreshOptions),
    /// Take over sign-ins from the token files of other programs.
    #[command(after_help = import::EXAMPLES)]
    Import(import::ImportOptions),
    /// Copy the store, while servers may go on.
    #[command(after_help = backup::BACKUP_EXAMPLES)]
    Backup(backup::BackupOptions),
    /// Put a copy of the store back in its place.
    #[command(after_help = backup::RESTORE_EXAMPLES)]
    Restore(backup::RestoreOptions),
    /// Print a completion script for a shell.
    #[command(after_help = shell::COMPLETIONS_EXAMPLES)]
    Completions(shell::CompletionsOptions),
    /// Print the manual page.
    #[command(after_help = shell::MAN_EXAMPLES)]
    Man,
}

#[derive(Debug, Args)]
struct LogOptions {
    /// How log lines are written [default: human]
    #[arg(long, value_enum, global = true, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// What is logged: a level, or `target=level` pairs [default: `KROGER_LOG`, else `RUST_LOG`, else info for servers, warn for commands that end]
    #[arg(long, global = true, value_name = "LEVEL")]
    log: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Human,
    Json,
}

/// Reads the command line, does what it asks, and says how it ended.
pub fn run() -> ExitCode {
    forbid_core_dumps();
    log::tell_panics();
    let code = exit::code(obey(Cli::parse()));
    log::finish();
    code
}

/// Keeps the memory of a crash off the disk: it has tokens.
fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // A process may always lower its own limit.
    _ = setrlimit(Resource::Core, none);
}

fn obey(cli: Cli) -> Result<()> {
    match &cli.command {
        Command::Completions(options) => return shell::completions(options, Cli::command()),
        Command::Man => return shell::man(Cli::command()),
        _ => {}
    }
    let given = Given::here()?;
    start_log(&cli.log, &given, cli.command.usual_level())?;
    print::warn(&given.warnings);
    let runtime = tokio::runtime::Runtime::new().context("the async runtime cannot be started")?;
    let done = runtime.block_on(run_command(cli.command, &given));
    // Blocking work that outlasts its caller, such as the resolution of a name, must not keep the
    // process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn run_command(command: Command, given: &Given) -> Result<()> {
    match command {
        Command::Serve(options) => serve::serve(&options, given).await,
        Command::Stdio(options) => stdio::stdio(&options, given).await,
        Command::Sandbox(options) => sandbox::sandbox(&options).await,
        Command::Login(options) => login::login(&options, given).await,
        Command::Logout(options) => logout::logout(&options, given).await,
        Command::Doctor(options) => doctor::doctor(&options, given).await,
        Command::Status(options) => status::status(&options, given).await,
        Command::Refresh(options) => refresh::refresh(&options, given).await,
        Command::Import(options) => import::import(&options, given).await,
        Command::Backup(options) => backup::backup(&options, given),
        Command::Restore(options) => backup::restore(&options, given),
        Command::Completions(options) => shell::completions(&options, Cli::command()),
        Command::Man => shell::man(Cli::command()),
    }
}

impl Command {
    /// The level of the log if none is configured. A command that ends prints its result, so it logs
    /// only warnings.
    fn usual_level(&self) -> &'static str {
        match self {
            Self::Serve(_) | Self::Stdio(_) | Self::Sandbox(_) => "info",
            _ => "warn",
        }
    }
}

fn start_log(options: &LogOptions, given: &Given, usual: &str) -> Result<()> {
    let format = match options.log_format {
        Some(LogFormat::Json) => log::Format::Json,
        Some(LogFormat::Human) | None => log::Format::Human,
    };
    let filter = options.log.as_deref().or_else(|| given.variable("KROGER_LOG")).or_else(|| given.variable("RUST_LOG"));
    log::start(format, Some(filter.unwrap_or(usual))).map_err(|error| exit::usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
