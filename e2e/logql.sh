#!/usr/bin/env bash
# Drives the agent with the LogQL cases of this repository, and with those that lie beside it, where they do: pushed as Loki
# takes entries, then through files. The latter state what Loki's own tests expect and are not part of this repository.
set -euo pipefail
cd "$(dirname "$0")/.."
source e2e/library.sh

cases=../shared/logql-cases
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

heading "LogQL as this repository's cases have it"
python3 e2e/logql_cases.py "$agent_url" tests/logql/cases.jsonl || fail "the repository's own LogQL cases do not pass"
if [ ! -e ../shared ]; then
    echo "there are no cases of Loki's beside the repository"
    exit 0
fi
[ -e "$cases/run.py" ] || fail "$cases has no cases, which ought to be there"

heading "LogQL over what is pushed"
# Two texts of tier 1 are of Loki's lexer's tests and no queries: one ends in the middle of a stage, one unwraps without a range.
# The formatter's cases are of lines of 20 characters, where Loki's own are of 100.
run_cases 99.8 97 --mode push --no-format-query

heading "LogQL over files"
# Cases that make a label `path` meet the label that every file's lines have here; and of lines with one time each is a nanosecond
# after the one before, past the end of a window that ends at that time.
run_cases 97 97 --mode tail --dir "$state/logs" --file '%NAME%.log' --line '%TS% stdout F %LINE%' \
    --selector '{path="%PATH%"}' --no-format-query
stop_agent || fail "the agent ended with status $? on SIGTERM"
