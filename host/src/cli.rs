//! The command line: what can be asked for, and how it ends.
//!
//! Exit codes: 0 done, 1 failed, 2 the call or the settings are wrong, 130 a
//! second Ctrl-C. stdout has results only; the log and complaints go to stderr.

mod ask;
mod backup;
mod doctor;
mod import;
mod legacy;
mod login;
mod print;
mod refresh;
mod serve;
mod shell;
mod signals;
mod status;
mod stdio;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kroger_core::scope::Scope;
use kroger_core::user::UserId;

use crate::{Given, Host, Purpose, Refused, Settings, StartError, StoreLocation, cache_directory, log};

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
  kroger-mcp refresh                    refresh who is due, from cron
  kroger-mcp backup tokens.backup       copy the store

Settings are environment variables, KROGER_*; a .env file in the working
directory fills in what the environment lacks.

Exit codes: 0 done, 1 failed, 2 the call or the settings are wrong.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve HTTP and keep tokens fresh.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeOptions),
    /// Serve the Model Context Protocol on stdin and stdout, for an agent's app.
    #[command(after_help = STDIO_EXAMPLES)]
    Stdio(ServeOptions),
    /// Run the stand-in for Kroger alone, to develop and test against.
    #[command(after_help = SANDBOX_EXAMPLES)]
    Sandbox {
        /// Where to listen; port 0 takes a free one.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9005")]
        listen: String,
    },
    /// Sign a person in, and wait until that is done.
    #[command(after_help = login::LOGIN_EXAMPLES)]
    Login(login::LoginOptions),
    /// Forget a person, and delete the tokens.
    #[command(after_help = login::LOGOUT_EXAMPLES)]
    Logout(login::LogoutOptions),
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

const SERVE_EXAMPLES: &str = "\
Examples:
  kroger-mcp serve --sandbox
  KROGER_CLIENT_ID=… KROGER_CLIENT_SECRET=… kroger-mcp serve --store ~/.kroger
  PORT=8080 kroger-mcp serve --log-format json";

const STDIO_EXAMPLES: &str = "\
Examples:
  kroger-mcp stdio --sandbox
  {\"mcpServers\": {\"kroger\": {\"command\": \"kroger-mcp\", \"args\": [\"stdio\"]}}}   (in an app's settings)

Sign-ins return to the address of --listen; where that is taken, most likely by
another kroger-mcp on the same store, they return there.";

const SANDBOX_EXAMPLES: &str = "\
Examples:
  kroger-mcp sandbox
  kroger-mcp sandbox --listen 127.0.0.1:0";

#[derive(Debug, Args)]
struct ServeOptions {
    /// Where to listen [default: 127.0.0.1:9004, or the port that PORT names]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Run a stand-in for Kroger in this process, and use it: no account needed.
    #[arg(long)]
    sandbox: bool,
    #[command(flatten)]
    store: StoreOptions,
}

#[derive(Debug, Args)]
struct StoreOptions {
    /// The directory of the token store [default: `KROGER_STORE`, else .tokens here, else the user's data directory]
    #[arg(long, value_name = "DIR")]
    store: Option<String>,
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

/// Why a command ends without having done what was asked.
#[derive(Debug)]
enum Ending {
    /// The call or the settings are wrong.
    Usage(String),
    Failed(String),
    /// What was asked is done, and its report says that not all is well.
    Unwell,
}

impl Ending {
    fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Refused> for Ending {
    fn from(refused: Refused) -> Self {
        Self::Usage(refused.to_string())
    }
}

impl From<StartError> for Ending {
    fn from(error: StartError) -> Self {
        Self::failed(error)
    }
}

/// Reads the command line, does what it asks, and says how it ended.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match obey(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ending::Usage(message)) => {
            log::complain(message);
            ExitCode::from(2)
        }
        Err(Ending::Failed(message)) => {
            log::complain(message);
            ExitCode::FAILURE
        }
        Err(Ending::Unwell) => ExitCode::FAILURE,
    }
}

fn obey(cli: Cli) -> Result<(), Ending> {
    match &cli.command {
        Command::Completions(options) => return shell::completions(options),
        Command::Man => return shell::man(),
        _ => {}
    }
    let given = Given::here()?;
    start_log(&cli.log, &given, cli.command.usual_level())?;
    warn(&given.warnings);
    let runtime = tokio::runtime::Runtime::new().map_err(Ending::failed)?;
    let done = runtime.block_on(run_command(cli.command, &given));
    // Blocking work that outlasts its caller, such as a name being resolved,
    // must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn run_command(command: Command, given: &Given) -> Result<(), Ending> {
    match command {
        Command::Serve(options) => serve::serve(&options, given).await,
        Command::Stdio(options) => stdio::stdio(&options, given).await,
        Command::Sandbox { listen } => serve::sandbox_alone(&listen).await,
        Command::Login(options) => login::login(&options, given).await,
        Command::Logout(options) => login::logout(&options, given).await,
        Command::Doctor(options) => doctor::doctor(&options, given).await,
        Command::Status(options) => status::status(&options, given).await,
        Command::Refresh(options) => refresh::refresh(&options, given).await,
        Command::Import(options) => import::import(&options, given).await,
        Command::Backup(options) => backup::backup(&options, given),
        Command::Restore(options) => backup::restore(&options, given),
        Command::Completions(options) => shell::completions(&options),
        Command::Man => shell::man(),
    }
}

impl Command {
    /// What is logged where nobody says: what a command that ends prints is its
    /// result.
    fn usual_level(&self) -> &'static str {
        match self {
            Self::Serve(_) | Self::Stdio(_) | Self::Sandbox { .. } => "info",
            _ => "warn",
        }
    }
}

fn start_log(options: &LogOptions, given: &Given, usual: &str) -> Result<(), Ending> {
    let format = match options.log_format {
        Some(LogFormat::Json) => log::Format::Json,
        Some(LogFormat::Human) | None => log::Format::Human,
    };
    let filter = options.log.as_deref().or_else(|| given.variable("KROGER_LOG")).or_else(|| given.variable("RUST_LOG"));
    log::start(format, Some(filter.unwrap_or(usual))).map_err(|error| Ending::Usage(error.to_string()))
}

/// A host for one who only looks.
struct Looked {
    host: Host,
    /// The store's path, or where it would be.
    store: String,
    /// False where there is no store: the answers are those of an empty one.
    is_there: bool,
    /// What stands in for it.
    _stand_in: Option<tempfile::TempDir>,
}

/// Starts a host on the store that is there, and makes none.
async fn look(store: &StoreOptions, given: &Given) -> Result<Looked, Ending> {
    let mut store = StoreLocation::find(store.store.as_deref(), given, Purpose::Kroger)?;
    let waiting = legacy::waiting(&store).map_err(Ending::Failed)?;
    let (path, is_there) = (store.path(), store.is_there() && waiting.is_none());
    waiting.iter().for_each(log::complain);
    let stand_in = if is_there { None } else { Some(tempfile::tempdir().map_err(Ending::failed)?) };
    if let Some(stand_in) = &stand_in {
        store.directory = stand_in.path().into();
    }
    let host = open(Settings::to_look(given, store)?)?;
    Ok(Looked { host, store: path, is_there, _stand_in: stand_in })
}

fn settings(store: &StoreOptions, given: &Given) -> Result<Settings, Ending> {
    let store = StoreLocation::choose(store.store.as_deref(), given, Purpose::Kroger)?;
    Ok(Settings::new(given, store)?)
}

/// What `--user` may be.
fn user_id(text: &str) -> Result<String, &'static str> {
    UserId::parse(text).map(|user| user.as_str().to_owned())
}

/// What `--scope` may be.
fn scope(text: &str) -> Result<String, &'static str> {
    Scope::parse(text).map(|scope| scope.as_str().to_owned())
}

fn require_credentials(given: &Given, port: u16) -> Result<(), Ending> {
    if given.has_credentials() {
        return Ok(());
    }
    let is_set = given.variable("KROGER_REDIRECT_URI").is_some();
    Err(Ending::Usage(no_credentials(if is_set { None } else { Some(port) })))
}

/// `port` is where this server would listen, if sign-ins are to return there.
fn no_credentials(port: Option<u16>) -> String {
    let redirect_uri = port.map(|port| format!("http://localhost:{port}/auth/callback"));
    let to_register = redirect_uri.as_deref().unwrap_or("that KROGER_REDIRECT_URI says");
    let to_set = match &redirect_uri {
        Some(uri) if port != Some(serve::DEFAULT_PORT) => format!("\nSet KROGER_REDIRECT_URI={uri} too."),
        _ => String::new(),
    };
    format!(
        "\
KROGER_CLIENT_ID is not set, so Kroger does not know who is calling.

To get it, register an app at https://developer.kroger.com (free) with the
redirect URI {to_register} and the cart and profile APIs.
Then set KROGER_CLIENT_ID and KROGER_CLIENT_SECRET in the environment, or in a
file .env in this directory.{to_set}

To try it without an account:  kroger-mcp serve --sandbox"
    )
}

fn warn(sentences: &[String]) {
    for sentence in sentences {
        tracing::warn!("{sentence}");
    }
}

/// Starts a host; what the first system left in the store's place is taken in.
async fn start(settings: Settings) -> Result<Host, Ending> {
    let kept = legacy::set_aside(&settings.store)?;
    let host = open(settings)?;
    legacy::take_in(&host, &kept).await;
    Ok(host)
}

fn open(settings: Settings) -> Result<Host, Ending> {
    warn(&settings.warnings());
    Ok(Host::start(settings, cache_directory().as_deref())?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_credentials_it_is_said_what_is_missing_and_what_goes_without() {
        for named in ["KROGER_CLIENT_ID", "KROGER_CLIENT_SECRET", "developer.kroger.com", "--sandbox"] {
            assert!(no_credentials(None).contains(named), "{named}");
        }
    }
}
