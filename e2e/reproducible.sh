#!/usr/bin/env bash
# Builds a release twice, in two places, and compares: e2e/reproducible.sh TARGET. Takes twice as long as a release's build.
# What is committed is built, as a release is.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
COMMIT=$(git rev-parse --short=12 HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export COMMIT SOURCE_DATE_EPOCH

# Paths of other names and lengths, another zone, another mask for files, and a number of jobs that orders other things first.
build() { # place, TZ, umask, jobs
    mkdir -p "$state/$1"
    git archive HEAD | tar -x -C "$state/$1"
    (umask "$3" && TZ=$2 CARGO_BUILD_JOBS=$4 "$state/$1/deploy/release/build.sh" "$target" "$state/$1/out")
}
build a UTC0 022 "$(nproc)"
build another/and/longer/place IST-5:30 077 1

binary=target/$target/release/monitoring-rs
archive=out/monitoring-rs-$target.tar.gz
(cd "$state" && sha256sum {a,another/and/longer/place}/{"$binary","$archive"})
if grep -a -o -m 1 -F -e "$state" -e "${CARGO_HOME:-$HOME/.cargo}" "$state/a/$binary"; then
    echo "FAIL: the binary names a path of this machine" >&2
    exit 1
fi
for file in "$binary" "$archive"; do
    cmp "$state/a/$file" "$state/another/and/longer/place/$file" || { echo "FAIL: $file is not the same twice" >&2; exit 1; }
done
echo "ok: two builds, one SHA-256"
