//! ripgrep over the raw files.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::table::best_of_runs;

/// As many threads as the database uses for one query.
const THREADS: &str = "2";

/// How many lines of all files ripgrep counts with `arguments`, and how long that takes.
pub(crate) fn count(arguments: &[&str], files: &[PathBuf]) -> (Duration, u64) {
    best_of_runs(|| {
        let output = run(&[&["--count", "--no-filename"], arguments].concat(), files);
        output.lines().map(|count| count.parse::<u64>().expect("a count is a number")).sum()
    })
}

/// How long ripgrep takes to print lines with `arguments`, and how many it prints.
pub(crate) fn print(arguments: &[&str], files: &[PathBuf]) -> (Duration, u64) {
    best_of_runs(|| run(&[&["--no-filename"], arguments].concat(), files).lines().count() as u64)
}

fn run(arguments: &[&str], files: &[PathBuf]) -> String {
    let mut command = Command::new("rg");
    command.args(["--no-config", "--threads", THREADS, "--color", "never"]).args(arguments).args(files);
    let output = command.output().unwrap_or_else(|error| panic!("rg (Debian: ripgrep) cannot be run: {error}"));
    // 1 says that nothing was found.
    assert!(output.status.code() < Some(2), "rg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the corpus is text")
}
