# What the end-to-end scripts share; sourced, not run.
# shellcheck shell=bash

heading() {
    printf '\n--- %s ---\n' "$1"
}

fail() {
    printf 'FAILED: %s\n' "$1" >&2
    exit 1
}

# require COMMAND PACKAGE: the command is there; require root: the user is root.
require() {
    if [ "$1" = root ]; then
        [ "$(id -u)" -eq 0 ] || fail "this needs root"
    else
        command -v "$1" >/dev/null || fail "$1 is missing; on Debian: apt-get install --no-install-recommends $2"
    fi
}

# equal WHAT ACTUAL EXPECTED
equal() {
    [ "$2" = "$3" ] || fail "$1: $(printf '%q instead of %q' "$2" "$3" | cut -c -400)"
    echo "ok: $1"
}

# wait_for SECONDS WHAT COMMAND...: repeats the command until it succeeds.
wait_for() {
    local deadline=$((SECONDS + $1)) what="$2"
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "not in time: $what" >&2
            return 1
        fi
        sleep 0.1
    done
}

# start_agent BINARY LOG ARGUMENTS...: starts the agent on a free port and sets agent_pid and agent_url. It collects files, or
# what the variable collector says.
start_agent() {
    local binary="$1" log="$2"
    shift 2
    # What the agent before it said is not to be found: the redirection below may take effect only later.
    : >"$log"
    "$binary" --log-collector "${collector:-Directory}" --listen 127.0.0.1:0 "$@" 2>"$log" &
    agent_pid=$!
    has_url() { grep -q 'http://127' "$log"; }
    wait_for 30 "the agent says where it listens" has_url || fail "the agent does not start: $(cat "$log")"
    agent_url="$(grep -o 'http://127[0-9.:]*' "$log" | head -n 1)"
}

# stop_agent: asks the agent to stop and returns how it ended.
stop_agent() {
    local status=0
    if [ -n "${agent_pid:-}" ]; then
        kill -TERM "$agent_pid"
        wait "$agent_pid" || status=$?
        agent_pid=
    fi
    return "$status"
}

# lines URL PATH: the lines that the agent has of a file.
lines() {
    local encoded
    encoded="$(jq --null-input --raw-output --arg path "$2" '$path | split("/") | map(@uri) | join("/")')"
    curl --silent --show-error --fail "$1/logs/path/$encoded" | jq --raw-output '.[]'
}
