#!/usr/bin/env bash
# Fuzzes the targets that are named, or all in `src/bin`, one after the other: FUZZ_SECONDS=60 fuzz/run.sh [target]...
# What is found is kept in `artifacts`; the corpus grows from run to run. No nightly compiler is needed.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${FUZZ_SECONDS:-60}
if [ "$#" -gt 0 ]; then targets=("$@"); else targets=(); for file in src/bin/*.rs; do targets+=("$(basename "$file" .rs)"); done; fi

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is missing: cargo install cargo-fuzz --version 0.13.2"
    cargo install --quiet --locked cargo-fuzz --version 0.13.2 || { echo "cannot install cargo-fuzz" >&2; exit 1; }
fi
cd ..
# Built by cargo-fuzz, run without it, which would look whether to build again. The sanitizer is for unsafe code, of which
# there is none here, and would need a nightly compiler.
cargo fuzz build --sanitizer none --codegen-units 16
host=$(rustc --version --verbose | sed -n 's/^host: //p')

failed=0
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
    log=$(mktemp)
    # Inputs are short because formats are: what takes ten seconds or 2 GiB for so few bytes is a finding.
    if "fuzz/target/$host/release/$target" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="fuzz/artifacts/$target/" "fuzz/corpus/$target" >"$log" 2>&1; then
        printf '%-16s %s\n' "$target" "$(tail -1 "$log")"
    else
        failed=1
        printf '%-16s FAILED\n' "$target"
        grep -A 30 -m 1 -E 'panicked|ERROR: libFuzzer' "$log" || tail -30 "$log"
        tail -1 "$log"
    fi
    rm -f "$log"
done
exit "$failed"
