#!/usr/bin/env bash
# Builds the archive of a release for one target: deploy/release/build.sh TARGET DIRECTORY
# Whoever has the same sources, Rust and C compiler gets the same bytes, wherever they build and whenever.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$1
mkdir -p "$2"
directory=$(realpath "$2")
name=monitoring-rs-$target

# What `--version` says, and the time of whatever has one: the commit's.
export COMMIT=${COMMIT:-$(git rev-parse --short=12 HEAD)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

# Paths go into messages of panics: they are to be the same for everybody. Those of the standard library are, unless its sources are
# installed.
cargo=$(realpath "${CARGO_HOME:-$HOME/.cargo}")
library=$(rustc --print sysroot)/lib/rustlib/src/rust
library_commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
# The binary is static, from glibc as from musl; names of functions are an eighth of it, and a panic says its file and line.
export RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$PWD=/source --remap-path-prefix=$cargo=/cargo \
--remap-path-prefix=$library=/rustc/$library_commit"
export CFLAGS="-ffile-prefix-map=$PWD=/source -ffile-prefix-map=$cargo=/cargo"
export CARGO_PROFILE_RELEASE_STRIP=symbols
export CARGO_TARGET_DIR=$PWD/target
cargo build --locked --release --bin monitoring-rs --target "$target"

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
mkdir "$staging/$name"
cp "target/$target/release/monitoring-rs" README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT deploy/systemd/monitoring-rs.service \
    deploy/systemd/environment "$staging/$name"
chmod 755 "$staging/$name" "$staging/$name/monitoring-rs"
(cd "$staging/$name" && chmod 644 README.md CHANGELOG.md LICENSE-* monitoring-rs.service environment)
# No names, times or orders of files of this machine.
tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=ustar --directory "$staging" \
    "$name" | gzip --no-name --best >"$directory/$name.tar.gz"
ls -l "target/$target/release/monitoring-rs" "$directory/$name.tar.gz"
