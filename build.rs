//! Hands the commit and the target to `--version`.
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script everything through the environment")]

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=COMMIT");
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    let commit = env::var("COMMIT").ok().filter(|commit| !commit.is_empty()).or_else(commit_from_git);
    println!("cargo:rustc-env=MONITORING_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo:rustc-env=MONITORING_TARGET={}", env::var("TARGET").expect("cargo sets TARGET"));
}

/// The short hash of the commit being built, where this is a checkout.
fn commit_from_git() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| commit.trim().to_owned())
}
