//! Hands the commit and the target to `--version`, and compresses the page's files, which are embedded and served as gzip.
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script everything through the environment")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The files of `ui/dist`, as `src/api/page.rs` embeds them.
const PAGE: [&str; 4] = ["index.html", "app.js", "later.js", "app.css"];

fn main() {
    println!("cargo:rerun-if-env-changed=COMMIT");
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    let commit = env::var("COMMIT").ok().filter(|commit| !commit.is_empty()).or_else(commit_from_git);
    println!("cargo:rustc-env=MONITORING_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo:rustc-env=MONITORING_TARGET={}", env::var("TARGET").expect("cargo sets TARGET"));
    println!("cargo:rerun-if-changed=ui/dist");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    for name in PAGE {
        compress(&Path::new("ui/dist").join(name), &Path::new(&out).join(format!("{name}.gz")));
    }
}

/// Compresses a file once, as small as gzip gets.
fn compress(from: &Path, to: &Path) {
    let bytes = fs::read(from).unwrap_or_else(|error| panic!("reading {}: {error}", from.display()));
    let mut compressed = Vec::new();
    zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, bytes.as_slice(), &mut compressed)
        .expect("memory takes what is compressed");
    fs::write(to, compressed).unwrap_or_else(|error| panic!("writing {}: {error}", to.display()));
}

/// The short hash of the commit being built, where this is a checkout.
fn commit_from_git() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| commit.trim().to_owned())
}
