#!/usr/bin/env bash
# Drives the agent with the LogQL cases that lie beside the repository, where they do: pushed as Loki takes entries, then
# through files. They state what Loki's own tests expect and are not part of this repository.
set -euo pipefail
cd "$(dirname "$0")/.."
source e2e/library.sh

cases=../shared/logql-cases
if [ ! -e "$cases/run.py" ]; then
    echo "there are no LogQL cases in $cases: nothing is checked"
    exit 0
fi
require python3 python3
require curl curl
cargo build --locked --release --quiet
state="$(mktemp -d)"
agent_pid=
trap 'stop_agent; rm -rf "$state"' EXIT
mkdir "$state/logs"

# run_cases <tier 1 at least> <tier 2 at least> <arguments of the runner>: in percent of the cases that ran.
run_cases() {
    local tier_1_min="$1" tier_2_min="$2" output="$state/output"
    shift 2
    # Its status says whether any case failed at all.
    python3 "$cases/run.py" --base "$agent_url" --only parse,pipeline,metric "$@" >"$output" || true
    cut -c 1-300 "$output"
    for tier in 1 2; do
        local min="tier_${tier}_min"
        awk -v tier="$tier" -v min="${!min}" '
            $1 == "TOTAL" && $3 == tier { found = 1; passed = $4; ran = $6 }
            END { exit !(found && 0 < ran && min * ran <= 100 * passed) }
        ' "$output" || fail "fewer than ${!min} % of the cases of tier $tier pass"
    done
}

start_agent target/release/monitoring-rs "$state/agent.log" --root-path "$state/logs" --data-directory "$state/data"

heading "LogQL over what is pushed"
# One case of tier 1 is a query that ends in the middle of a stage.
run_cases 99.9 97 --mode push

heading "LogQL over files"
# Cases that make a label `path` meet the label that every file's lines have here; and of lines with one time each is a nanosecond
# after the one before, past the end of a window that ends at that time.
run_cases 97 97 --mode tail --dir "$state/logs" --file '%NAME%.log' --line '%TS% stdout F %LINE%' \
    --selector '{path="%PATH%"}'
stop_agent || fail "the agent ended with status $? on SIGTERM"
