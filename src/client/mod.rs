//! The subcommands: this binary as a client of an agent's HTTP API, on this machine or another one.
//!
//! Knows the API's JSON and nothing of the database. Data goes to standard output and everything else to standard error; a
//! reader that goes away ends it quietly. It never pages by time: a line's id says where to go on, also after the agent was
//! killed.

mod arguments;
mod check;
mod follow;
mod format;
mod http;
mod lines;
mod lists;
mod logs;
mod numbers;
mod query;
mod records;
mod shell;
mod status;
mod target;
mod terminal;
mod top;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use structopt::StructOpt;
use structopt::clap;

use arguments::{Arguments, Command};

/// Why a subcommand ends before it is done.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The command line asks for what there is not.
    #[error("{0}")]
    Usage(String),
    /// The agent cannot be reached, or refuses.
    #[error("{0}")]
    Agent(String),
    /// It failed, which is said already, or wanted to be silent: nothing was found.
    #[error("nothing was found")]
    Failed,
    /// What was found cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

type Result<T> = std::result::Result<T, Error>;

/// Whether `arguments`, the program's name first, are those of a subcommand: the first of them is no flag.
pub fn is_asked(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.nth(1).is_some_and(|first| !first.to_string_lossy().starts_with('-'))
}

/// What of the agent itself `check` asks: how many rules there are in files, or what is wrong with them.
pub type CheckRules = fn(&[PathBuf]) -> std::result::Result<usize, String>;

/// Runs a subcommand. Its exit status is 0, 1 where it fails and where nothing was found that had to be, 2 for usage.
///
/// # Errors
///
/// clap's, whose message is ready to be printed: a usage error, or the text of `--help`.
pub fn run(
    arguments: impl Iterator<Item = OsString>,
    check_rules: CheckRules,
) -> std::result::Result<ExitCode, clap::Error> {
    let arguments = Arguments::from_iter_safe(arguments)?;
    let done = match arguments.command {
        Command::Logs(options) => logs::run(&options),
        Command::Query(options) => query::run(&options),
        Command::Labels(options) => lists::labels(&options),
        Command::Series(options) => lists::series(&options),
        Command::Fields(options) => lists::fields(&options.search),
        Command::Patterns(options) => lists::patterns(&options.search),
        Command::Status(options) => status::run(&options),
        Command::Top(options) => top::run(&options),
        Command::Check(options) => check::run(&options, check_rules),
        Command::Healthcheck(options) => status::healthcheck(&options),
        Command::Completions(options) => shell::completions(&options),
        Command::Man => shell::manual(),
    };
    Ok(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Error::Failed) => ExitCode::FAILURE,
        Err(error) => {
            terminal::say(&error.to_string());
            ExitCode::from(if matches!(error, Error::Usage(_)) { 2 } else { 1 })
        }
    })
}
