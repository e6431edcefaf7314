#!/usr/bin/env bash
# Lets real file systems fail under the real agent: full, broken, shut down by the kernel, read-only, in use; and the clock.
# Reading has to stop and queries to go on while it lasts, and afterwards every line has to be there once, in order. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
source e2e/library.sh

# How soon everything is to be as if nothing had happened, in seconds.
readonly RECOVERY=5

require root
require curl curl
require jq jq
require strace strace
require faketime faketime
require mkfs.ext4 e2fsprogs
cargo build --locked --release --quiet
state="$(mktemp -d)"
agent_pid=
loop=
clean_up() {
    stop_agent || true
    umount --quiet "$state/data" || true
    [ -z "$loop" ] || losetup --detach "$loop" || true
    rm -rf "$state"
}
trap clean_up EXIT
mkdir "$state/logs" "$state/data"
log="$state/logs/app.log"

# write COUNT: appends so many numbered lines.
written=0
write() {
    seq -f "line %.0f of a log that has to be stored whole, whatever the disk does $RANDOM" "$((written + 1))" "$((written + $1))" >>"$log"
    written=$((written + $1))
}

# Everything is kept: what is dropped for its size would look lost.
start() { start_agent target/release/monitoring-rs "$state/agent.log" --root-path "$state/logs" --data-directory "$state/data/db" --retention-size 1GiB; }
held() { lines "$agent_url" "$log"; }
answers() { (set +o pipefail; held 2>/dev/null | head -n 100 | cmp --quiet - <(head -n 100 "$log")); }
is_complete() { held | cmp --quiet - "$log"; }
is_in_trouble() { [ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$agent_url/readyz")" = 503 ]; }
is_calm() { ! is_in_trouble; }

# check_after_kill IS_COMPLETE: kill -9 loses nothing and doubles nothing.
check_after_kill() {
    kill -KILL "$agent_pid"
    wait "$agent_pid" 2>/dev/null || true
    agent_pid=
    start
    wait_for 20 "everything is there after a start" "$1" || fail "lines are missing or doubled after a start"
}

# begin WHAT: an empty log and an empty database.
begin() {
    heading "$1"
    stop_agent || fail "the agent ended with status $? on SIGTERM"
    umount --quiet "$state/data" || true
    [ -z "$loop" ] || losetup --detach "$loop"
    loop=
    rm -rf "${state:?}/data/"* "$log"
    written=0
    touch "$log"
}

# suffer WHAT BREAK MEND: everything works, breaks, queries go on, is mended, and works again by itself.
suffer() {
    write 1000
    wait_for 20 "the first lines are stored" is_complete || fail "$(cat "$state/agent.log")"
    "$2"
    for _ in $(seq 600); do
        write 500
        if is_in_trouble; then break; fi
        sleep 0.05
    done
    is_in_trouble || fail "$1 goes unnoticed: $(curl --silent "$agent_url/status")"
    answers || fail "queries do not go on while $1"
    "$3"
    wait_for "$RECOVERY" "the agent works again" is_calm || fail "it does not recover from: $1; $(tail -3 "$state/agent.log")"
    wait_for "$RECOVERY" "everything is stored" is_complete || fail "lines are missing or doubled after: $1: $(held | wc -l) of $written"
    echo "ok: $1, mended, and all $written lines are there once"
    check_after_kill is_complete
    echo "ok: and they are after kill -9"
}

for size in 1m 16m; do
    begin "a tmpfs of $size that is full"
    mount -t tmpfs -o "size=$size" none "$state/data"
    start
    fill() { dd if=/dev/zero of="$state/data/ballast" bs=64k status=none 2>/dev/null || true; }
    free() { rm "$state/data/ballast"; mount -o remount,size=256m "$state/data"; }
    suffer "the disk is full" fill free
done

# The file system in a file, so that the kernel's own errors can be had.
mount_loop() {
    truncate --size 64M "$state/image"
    mkfs.ext4 -q -F "$state/image"
    loop="$(losetup --find --show "$state/image")"
    mount -o errors=remount-ro "$loop" "$state/data"
}

begin "a disk whose syncs and writes fail with EIO"
start
inject() {
    strace --quiet=all -f -p "$agent_pid" -o /dev/null -e trace=fdatasync,fsync,pwritev,pwrite64 \
        -e inject=fdatasync,fsync,pwritev,pwrite64:error=EIO &
    strace_pid=$!
}
withdraw() { kill "$strace_pid"; wait "$strace_pid" 2>/dev/null || true; }
suffer "writing and syncing fail" inject withdraw

begin "a file system that the kernel makes read-only"
mount_loop
start
write 1000
wait_for 20 "the first lines are stored" is_complete || fail "$(cat "$state/agent.log")"
echo 1 >"/sys/fs/ext4/$(basename "$loop")/trigger_fs_error"
for _ in $(seq 200); do
    write 500
    if is_in_trouble; then break; fi
    sleep 0.05
done
is_in_trouble || fail "a file system that is read-only goes unnoticed"
answers || fail "queries do not go on"
echo "ok: queries go on"
kill -KILL "$agent_pid"
wait "$agent_pid" 2>/dev/null || true
agent_pid=
umount "$state/data"
fsck.ext4 -p "$loop" >/dev/null || [ $? -le 2 ]
mount -o ro "$loop" "$state/data"
if output="$(target/release/monitoring-rs --log-collector Directory --listen 127.0.0.1:0 --root-path "$state/logs" --data-directory "$state/data/db" 2>&1)"; then
    fail "it starts on a read-only file system"
fi
grep -q 'data-directory.*Read-only file system' <<<"$output" || fail "unclear: $output"
echo "ok: at a start it is named: $(tail -1 <<<"$output")"
mount -o remount,rw "$state/data"
start
wait_for 20 "everything is stored" is_complete || fail "lines are missing or doubled: $(held | wc -l) of $written"
echo "ok: all $written lines are there once"

begin "a log that cannot be read for a while"
start
other="$state/logs/other.log"
write 1000
wait_for 20 "the first lines are stored" is_complete || fail "$(cat "$state/agent.log")"
strace --quiet=all -f -p "$agent_pid" -o /dev/null -P "$log" -e trace=read,pread64,readv,preadv \
    -e inject=read,pread64,readv,preadv:error=EIO &
strace_pid=$!
is_unreadable() {
    write 10
    curl --silent "$agent_url/status" | jq --exit-status --arg path "$log" '.sources[] | select(.path == $path and .state == "unreadable")'
}
wait_for 20 "it is named" is_unreadable || fail "a log that cannot be read goes unnoticed"
seq 1000 >"$other"
other_is_complete() { lines "$agent_url" "$other" | cmp --quiet - "$other"; }
wait_for "$RECOVERY" "another log is read" other_is_complete || fail "another log waits for it"
is_complete && fail "the fault did not take effect"
withdraw
# It is tried again after a second at first, and after at most a minute.
wait_for 65 "everything is stored" is_complete || fail "lines are missing or doubled: $(held | wc -l) of $written"
equal "losses reported" "$(curl --silent "$agent_url/status" | jq --compact-output .gaps)" "[]"
echo "ok: all $written lines are there once, and another log did not wait"
rm "$other"

begin "a clock that jumps by hours"
faketime_library="$(dpkg --listfiles libfaketime | grep '/libfaketimeMT.so.1$')"
echo +0 >"$state/offset"
cat >"$state/agent" <<EOF
#!/bin/sh
exec env LD_PRELOAD="$faketime_library" FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 \\
    FAKETIME_TIMESTAMP_FILE="$state/offset" target/release/monitoring-rs "\$@"
EOF
chmod +x "$state/agent"
start_agent "$state/agent" "$state/agent.log" --root-path "$state/logs" --data-directory "$state/data/db" --retention-age 1000d
# Lines without times have that of their reading, by which they are sorted.
has_all_once() { held | sort | cmp --quiet - <(sort "$log"); }
for offset in +0 +5h -7h +300d -300d +0; do
    echo "$offset" >"$state/offset"
    write 200
    wait_for "$RECOVERY" "lines of a clock at $offset" has_all_once || fail "lines are missing or doubled at $offset"
    is_calm || fail "it is in trouble at $offset: $(curl --silent "$agent_url/status")"
    newest="$(curl --silent --get "$agent_url/loki/api/v1/query_range" --data-urlencode 'query={path=~".+"}' --data-urlencode limit=1 |
        jq --raw-output '.data.result[0].values[0][1]')"
    equal "the newest line of the last hour at $offset" "$newest" "$(tail -n 1 "$log")"
done
check_after_kill has_all_once
echo "ok: all $written lines are there once"

begin "two agents on one directory"
start
for _ in $(seq 20); do
    if output="$(timeout 1 target/release/monitoring-rs --log-collector Directory --listen 127.0.0.1:0 --root-path "$state/logs" --data-directory "$state/data/db" 2>&1)"; then
        fail "the second starts"
    fi
    grep -q "in use by another instance (process $agent_pid)" <<<"$output" || fail "unclear: $output"
done
write 1000
wait_for 20 "the first goes on" is_complete || fail "the first is harmed"
echo "ok: the second says who is there, and the first goes on"
stop_agent || fail "the agent ended with status $? on SIGTERM"
