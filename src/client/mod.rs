//! The subcommands: this binary as a client of an agent's HTTP API, on this machine or another one.
//!
//! Knows the API's JSON and nothing of the database. Data goes to standard output and everything else to standard error; a
//! reader that goes away ends it quietly. It never pages by time: a line's id says where to go on, also after the agent was
//! killed.

mod arguments;
mod follow;
mod format;
mod http;
mod lines;
mod logs;
mod records;
mod target;
mod terminal;

use std::ffi::OsString;
use std::io;
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
    /// Nothing was found, and `--fail-empty` was given.
    #[error("nothing was found")]
    Empty,
    /// What was found cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

type Result<T> = std::result::Result<T, Error>;

/// Whether `arguments`, the program's name first, are those of a subcommand: the first of them is no flag.
pub fn is_asked(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.nth(1).is_some_and(|first| !first.to_string_lossy().starts_with('-'))
}

/// Runs a subcommand. Its exit status is 0, 1 where it fails and where nothing was found that had to be, 2 for usage.
///
/// # Errors
///
/// clap's, whose message is ready to be printed: a usage error, or the text of `--help`.
pub fn run(arguments: impl Iterator<Item = OsString>) -> std::result::Result<ExitCode, clap::Error> {
    let arguments = Arguments::from_iter_safe(arguments)?;
    let done = match arguments.command {
        Command::Logs(options) => logs::run(options),
    };
    Ok(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Error::Empty) => ExitCode::FAILURE,
        Err(error) => {
            terminal::say(&error.to_string());
            ExitCode::from(if matches!(error, Error::Usage(_)) { 2 } else { 1 })
        }
    })
}
