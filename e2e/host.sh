#!/usr/bin/env bash
# Tries the first command of the README for real: the agent on this machine's /var/log, every file of which has to come
# back under its path with as many lines as it holds. Writes to a temporary directory only.
set -euo pipefail
cd "$(dirname "$0")/.."
source e2e/library.sh

require curl curl
require jq jq
cargo build --locked --release --quiet
state="$(mktemp -d)"
agent_pid=
trap 'stop_agent; rm -rf "$state"' EXIT

heading "this machine's /var/log"
start_agent target/release/monitoring-rs "$state/agent.log" --root-path /var/log --data-directory "$state/data"
cat "$state/agent.log"

status() { curl --silent --show-error --fail "$agent_url/status"; }
is_read() { [ "$(status | jq '[.sources[].lag_bytes] | add // 0')" -eq 0 ]; }
wait_for 60 "everything is read" is_read || fail "unread: $(status)"

checked=0
while read -r path; do
    written="$(wc -l <"$path")"
    # A file without a complete line has no stream yet.
    if [ "$written" -gt 0 ]; then
        equal "$path, $written lines" "$(lines "$agent_url" "$path" | wc -l)" "$written"
        checked=$((checked + 1))
    fi
done < <(status | jq --raw-output '.sources[] | select(.state == "active") | .path')
[ "$checked" -gt 0 ] || fail "/var/log has no file that could be checked"
stop_agent || fail "the agent ended with status $? on SIGTERM"
