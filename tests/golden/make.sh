#!/usr/bin/env bash
# Makes a data directory that later builds have to open: tests/golden/make.sh BINARY NAME    (needs root, and faketime)
# One for each state of the formats on disk; `tests/it/upgrade.rs` opens them all. data_1 to data_4 were made by builds of
# 2ca56c5, 325f114, b06fad1 and f55574a, data_5 by one of d4ce143.
set -euo pipefail
binary=$(realpath "$1")
kept=$(realpath "$(dirname "$0")")/$2
library=$(echo /usr/lib/*/faketime/libfaketime.so.1)
state=$(mktemp -d)
agent=
trap 'if [ -n "$agent" ]; then kill -9 "$agent"; fi 2>/dev/null; rm -rf "$state"' EXIT

# Labels hold the paths of files, so these have to be the same wherever it is made.
[ "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec unshare --mount --propagation private -- "$0" "$binary" "$2"
mount -t tmpfs none /srv
mkdir /srv/logs

# What the test expects, in its words; 40 lines to a minute.
lines() { # file, first, last
    for ((i = $2; i <= $3; i++)); do
        local time
        time=$(printf '2026-11-22T%02d:%02d:%02dZ' $((10 + i / 2400)) $((i / 40 % 60)) $((i % 40)))
        case $1 in
        orders) printf '%s INFO order %d of customer-%02d took %d ms\n' "$time" "$i" $((i % 17)) $((i * 7919 % 1000)) ;;
        web) printf '{"time":"%s","level":"info","status":%d,"path":"/items/%d"}\n' "$time" $((i % 50 ? 200 : 500)) $((i * i)) ;;
        esac
    done >>"/srv/logs/$1.log"
}

# Its clock runs so fast that the hour after which it makes a segment of a quiet journal takes seconds.
start() { # speed
    LD_PRELOAD=$library FAKETIME="+0 x$1" FAKETIME_DONT_FAKE_MONOTONIC=1 "$binary" --log-collector Directory --root-path /srv/logs --data-directory "$state/data" \
        --listen 127.0.0.1:18642 --retention-size 1GiB 2>>"$state/log" &
    agent=$!
}
stop() {
    kill "$agent"
    wait "$agent" || true
    agent=
}
wait_for() { # command
    for ((try = 0; try < 600; try++)); do
        if eval "$1"; then return; fi
        sleep 0.1
    done
    echo "FAIL: no '$1' within a minute" >&2
    cat "$state/log" >&2
    exit 1
}
count() { curl -s "http://127.0.0.1:18642/logs/path//srv/logs/$1.log?limit=10000" | grep -c "$2" || true; }

lines orders 0 799
lines web 0 799
start 400
wait_for 'compgen -G "$state/data/segments/*/*.segment" >/dev/null'
stop
# These stay in the journal.
lines orders 800 999
lines web 800 899
start 1
wait_for '[ "$(count orders "order 999 ")" = 1 ] && [ "$(count web "\"/items/808201\\|/items/808201")" = 1 ]'
sleep 2
stop

rm -f "$state/data/lock" "$state/data/reserve"
rm -rf "$kept"
cp -r "$state/data" "$kept"
find "$kept" -type f -exec ls -l {} +
