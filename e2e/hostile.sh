#!/usr/bin/env bash
# Meets the real agent with what tests without root cannot: few descriptors, few inotify watches and none, a queue that
# overflows, files that become readable, a line of 1 GB, and 100 files written at full speed beside a slow one.
# BINARY says which agent; without it one is built.
set -euo pipefail
cd "$(dirname "$0")/.."
source e2e/library.sh

require root
require curl curl
require jq jq
require unshare util-linux
require setpriv util-linux
if [ -z "${BINARY:-}" ]; then
    cargo build --locked --release --quiet
    BINARY=target/release/monitoring-rs
fi
state="$(mktemp -d)"
# The agent that is not root writes there, too.
chmod 755 "$state"
agent_pid=
writers=()
end_writers() {
    for writer in "${writers[@]}"; do kill "$writer" 2>/dev/null || true; done
    writers=()
}
trap 'end_writers; stop_agent || true; rm -rf "$state"' EXIT

logs= log= number=0
# fresh NAME: an empty directory of logs.
fresh() {
    heading "$1"
    number=$((number + 1))
    logs="$state/$number/logs"
    mkdir -p "$logs"
}
# start COMMAND...: starts the agent by COMMAND, which takes its arguments.
start() {
    printf '#!/bin/bash\nexec %s "$@"\n' "$*" >"$state/start"
    chmod 755 "$state/start"
    # A log of its own: in the one before stands another address.
    log="$state/$number.log"
    start_agent "$state/start" "$log" --root-path "$logs" --data-directory "$state/$number/data"
}
status() { curl --silent --show-error --fail "$agent_url/status"; }
has_lines() { [ "$(status | jq .lines)" -eq "$1" ]; }
memory_kib() { awk '/^VmHWM/ { print $2 }' "/proc/$agent_pid/status"; }

fresh "300 files and 128 descriptors"
for file in $(seq 300); do echo one >"$logs/$file.log"; done
start prlimit --nofile=128 "$BINARY"
wait_for 20 "all files are read" has_lines 300 || fail "$(status | jq .lines) lines"
for file in $(seq 300); do echo two >>"$logs/$file.log"; done
wait_for 20 "all files are read on" has_lines 600 || fail "$(status | jq .lines) lines"
open="$(find "/proc/$agent_pid/fd" -lname "$logs/*.log" | wc -l)"
[ "$open" -le 64 ] || fail "$open log files are open"
echo "ok: $open log files are open"
stop_agent

fresh "40 inotify watches for 100 files"
for file in $(seq 100); do echo one >"$logs/$file.log"; done
start unshare --user --map-root-user sh -c "'echo 40 >/proc/sys/user/max_inotify_watches; exec $BINARY \"\$@\"'" agent
wait_for 20 "all files are read" has_lines 100 || fail "$(status | jq .lines) lines"
for file in $(seq 100); do echo two >>"$logs/$file.log"; done
wait_for 20 "all files are read on" has_lines 200 || fail "$(status | jq .lines) lines"
equal "it is said once, with the remedy" "$(grep -c 'sysctl fs.inotify.max_user_watches' "$log")" 1
stop_agent

fresh "no inotify instance"
echo one >"$logs/a.log"
start unshare --user --map-root-user sh -c "'echo 0 >/proc/sys/user/max_inotify_instances; exec $BINARY \"\$@\"'" agent
echo two >>"$logs/a.log"
echo three >"$logs/b.log"
wait_for 20 "files are followed and found" has_lines 3 || fail "$(status | jq .lines) lines"
equal "it is said once, with the remedy" "$(grep -c 'sysctl fs.inotify.max_user_instances' "$log")" 1
stop_agent

fresh "a queue that overflows"
echo one >"$logs/a.log"
start "$BINARY"
kill -STOP "$agent_pid"
for file in $(seq 9000); do
    : >"$logs/$file.tmp"
    rm "$logs/$file.tmp"
done
mv "$logs/a.log" "$logs/a.log.1"
echo two >>"$logs/a.log.1"
echo three >"$logs/a.log"
echo four >"$logs/b.log"
kill -CONT "$agent_pid"
wait_for 20 "nothing is lost" has_lines 4 || fail "$(status | jq .lines) lines"
overflows="$(curl --silent --show-error --fail "$agent_url/metrics" | awk '/^monitoring_inotify_overflows_total / { print $2 }')"
[ "$overflows" -gt 0 ] || fail "no overflow"
echo "ok: the queue has overflowed and nothing is lost"
stop_agent

fresh "what is no log, and files that become readable"
mkfifo "$logs/fifo.log"
mkdir "$logs/directory.log"
mknod "$logs/device.log" c 1 5
ln -s loop.log "$logs/loop.log"
ln -s gone.log "$logs/dangling.log"
ln -s /dev/zero "$logs/zero.log"
ln -s "$logs/fifo.log" "$logs/link.log"
echo secret >"$state/secret"
chmod 600 "$state/secret"
ln -s "$state/secret" "$logs/planted.log"
chown --no-dereference 65534:65534 "$logs/planted.log"
echo one >"$logs/a.log"
truncate --size 1T "$logs/sparse.log"
head -c 4096 /dev/urandom | tr '\n' '\0' >"$logs/binary.log"
start "$BINARY"
wait_for 20 "the log is read" has_lines 1 || fail "$(status | jq .lines) lines"
equal "nothing else is" "$(status | jq --compact-output '.sources | map(.path | split("/") | last) - ["binary.log"] | sort')" '["a.log","sparse.log"]'
stop_agent
number=$((number + 1)) logs="$state/$number/logs"
mkdir -p "$logs" "$state/$number/data"
chown 65534:65534 "$state/$number/data"
echo one >"$logs/a.log"
chmod 600 "$logs/a.log"
chmod 755 "$state/$number"
cp "$BINARY" "$state/agent"
start setpriv --reuid 65534 --regid 65534 --clear-groups "$state/agent"
equal "it is said that it cannot be read" "$(status | jq --raw-output '.sources[].state')" unreadable
chmod 644 "$logs/a.log"
wait_for 5 "it is read once it can be" has_lines 1 || fail "$(status | jq .sources)"
echo "ok: a file that became readable is read"
stop_agent

fresh "a line of 1 GB"
{
    echo before
    head -c 1000000000 /dev/zero | tr '\0' x
    printf '\nafter\n'
} >"$logs/a.log"
start "$BINARY"
wait_for 60 "it is read" has_lines 3 || fail "$(status | jq .lines) lines"
equal "what is too long is counted" "$(status | jq .skipped_bytes.line_too_long)" "$((1000000000 - 1048576))"
[ "$(memory_kib)" -lt 102400 ] || fail "it took $(memory_kib) KiB"
echo "ok: peak memory $(memory_kib) KiB"
stop_agent

fresh "100 files at full speed beside a slow one"
: >"$logs/slow.log"
start "$BINARY"
text="$(head -c 8000 /dev/zero | tr '\0' x | fold -w 99)"
# One process: a hundred would leave the agent a hundredth of the processor.
(while :; do for file in $(seq 100); do printf '%s\n' "$text" >>"$logs/fast-$file.log"; done; done) &
writers+=($!)
slowest=0
for line in $(seq 20); do
    sleep 0.2
    start_ns="$(date +%s%N)"
    echo "line $line" >>"$logs/slow.log"
    is_there() { lines "$agent_url" "$logs/slow.log" | grep -qx "line $line"; }
    wait_for 10 "line $line of the slow file" is_there || fail "the slow file waits"
    took=$((($(date +%s%N) - start_ns) / 1000000))
    [ "$took" -le "$slowest" ] || slowest=$took
done
end_writers
echo "ok: no line of the slow file took longer than $slowest ms"
[ "$slowest" -lt 1000 ] || fail "the slow file waits"
stop_agent || true
