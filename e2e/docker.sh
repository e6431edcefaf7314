#!/usr/bin/env bash
# Tries the image for real, on a Docker engine that this script starts and stops:
#   1. `docker build` makes the image, and a changed source leaves the dependencies' layer alone;
#   2. `docker compose up` with the writer shows growing counts over HTTP, across a rotation, each line once;
#   3. the binary from the image collects a container's logs from the engine's own data directory;
#   4. it knows containers by their names, through renames, `compose up` anew and removal, and keeps none of their secrets;
#   5. deploy/compose shows them to whoever has a password.
#
# Nothing is pulled: the base images are stand-ins made of this machine's own files, so it works without a registry of
# images. Needs root and the Debian packages named below. The engine runs in namespaces of its own: another engine on the
# machine is left alone, and when the script ends, however it ends, so does all that it started.
set -euo pipefail
cd "$(dirname "$0")/.."
source e2e/library.sh

if [ "${1:-}" != --inside ]; then
    require root
    require dockerd docker.io
    require docker docker.io
    docker compose version >/dev/null 2>&1 || require docker-compose docker-compose
    require iptables iptables
    require ip iproute2
    require busybox busybox-static
    require curl curl
    require jq jq
    # The crates, while there is a network: inside there is none.
    cargo fetch --locked --quiet
    state="$(mktemp -d)"
    trap 'rm -rf "$state"' EXIT
    unshare --net --mount --pid --mount-proc --fork --kill-child "$0" --inside "$state"
    exit
fi

state="$2"
export DOCKER_HOST="unix://$state/docker.sock"
# The builder that every engine has.
export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
export COMPOSE_PROJECT_NAME=monitoring-e2e
compose=(docker compose)
docker compose version >/dev/null 2>&1 || compose=(docker-compose)

start_engine() {
    ip link set lo up
    dockerd --data-root "$state/engine" --exec-root "$state/exec" --pidfile "$state/pid" --host "$DOCKER_HOST" \
        >"$state/dockerd.log" 2>&1 &
    engine_pid=$!
    wait_for 30 "the Docker engine starts" docker info || fail "dockerd does not start: $(tail -n 3 "$state/dockerd.log")"
}

stop_engine() {
    kill "$engine_pid"
    wait "$engine_pid" || true
}

# --- The stand-ins for base images ---

# A static busybox under the names that docker-compose.yaml calls.
make_tool_image() {
    mkdir -p "$state/tools/bin" "$state/tools/logs"
    cp "$(command -v busybox)" "$state/tools/bin/busybox"
    busybox --list | grep -vx busybox | while read -r name; do ln -s busybox "$state/tools/bin/$name"; done
    tar -C "$state/tools" -c . | docker import - standin-tools >/dev/null
}

# This machine's Rust, gcc and the downloaded crates, without anything else of it. It compiles soon rather than well: what is
# tried here is the image, and an optimized binary takes longer to build than all that is done with it.
make_build_image() {
    local extra="$state/build" sysroot
    sysroot="$(rustc --print sysroot)"
    mkdir -p "$extra/cargo/registry" "$extra/tmp"
    cp -r "${CARGO_HOME:-$HOME/.cargo}/registry/"{index,cache} "$extra/cargo/registry/"
    {
        # Files of the packages and what they depend on. Debian keeps /lib and /bin in /usr.
        dpkg -L $(installed_closure gcc libc6-dev dash coreutils sed) | sed -E 's#^/(bin|lib|lib64|sbin)/#/usr/\1/#'
        printf '%s\n' /bin /lib /lib64 /sbin /usr/bin/cc /usr/bin/sh
        find /etc/alternatives
    } | sort -u | while read -r path; do
        if [ -L "$path" ] || [ -f "$path" ]; then echo "${path#/}"; fi
    done >"$state/files"
    tar -c -C / --files-from "$state/files" --exclude "${sysroot#/}/share" "${sysroot#/}" -C "$extra" cargo tmp |
        docker import --change "ENV PATH=$sysroot/bin:/usr/bin CARGO_HOME=/cargo CARGO_NET_OFFLINE=true \
            CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16" \
            - standin-build >/dev/null
}

# The installed packages that some packages need, themselves included.
installed_closure() {
    apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$@" | sed -n 's/^\([a-z0-9][^ ]*\)$/\1/p' | while read -r package; do
        if dpkg-query --show "$package" >/dev/null 2>&1; then echo "$package"; fi
    done
}

# --- The checks ---

check_build() {
    heading "docker build"
    # The commit as Compose passes it: another would be another layer, built once more.
    build() {
        docker build --quiet --build-arg BUILD_IMAGE=standin-build --build-arg FINAL_IMAGE=scratch --build-arg COMMIT "$@"
    }
    build --tag monitoring-rs .

    mkdir "$state/changed"
    cp -r Dockerfile .dockerignore Cargo.toml Cargo.lock src "$state/changed"
    echo '// A change.' >>"$state/changed/src/lib.rs"
    equal "a change of the source leaves the dependencies' layer alone" \
        "$(build --target dependencies "$state/changed")" "$(build --target dependencies .)"
}

check_compose() {
    heading "docker compose up"
    export BUILD_IMAGE=standin-build FINAL_IMAGE=scratch TOOL_IMAGE=standin-tools PORT=18000
    local url="http://127.0.0.1:$PORT"
    count() { lines "$url" /logs/writer.log 2>/dev/null | wc -l; }
    has_more_than() { [ "$(count)" -gt "$1" ]; }

    "${compose[@]}" build --quiet monitoring
    "${compose[@]}" up --detach monitoring writer
    wait_for 60 "the writer's lines arrive" has_more_than 0 || fail "$("${compose[@]}" logs --tail 20)"
    local before
    before="$(count)"
    echo "$before lines, then:"
    wait_for 20 "the count grows" has_more_than $((before + 3)) || fail "the count does not grow"
    count
    make --no-print-directory rotate inspect
    before="$(count)"
    wait_for 20 "the count grows after a rotation" has_more_than $((before + 3)) || fail "lost after a rotation"
    "${compose[@]}" stop writer
    local written
    written="$("${compose[@]}" run --rm inspect cat /logs/writer.log.1 /logs/writer.log | tr -d '\r')"
    has_all() { [ "$(lines "$url" /logs/writer.log)" = "$written" ]; }
    wait_for 10 "the last line arrives" has_all || true
    equal "each of the $(count) lines is there once, across the rotation" "$(lines "$url" /logs/writer.log)" "$written"
    local probe
    probe="$(docker inspect --format '{{join .Config.Healthcheck.Test " "}}' monitoring-rs:latest)"
    equal "the image has a probe" "$probe" "CMD /monitoring-rs healthcheck"
    "${compose[@]}" exec -T monitoring ${probe#CMD } || fail "the probe fails though the agent is well"
    make --no-print-directory down
}

check_engine_directory() {
    heading "the engine's data directory"
    docker create --name extract monitoring-rs >/dev/null
    docker cp extract:/monitoring-rs "$state/monitoring-rs"
    docker rm extract >/dev/null
    if file "$state/monitoring-rs" | grep -q 'dynamically linked'; then fail "the binary is not static"; fi

    start_agent "$state/monitoring-rs" "$state/agent.log" \
        --root-path "$state/engine/containers" --data-directory "$state/data"
    local id log
    id="$(docker run --detach standin-tools sh -c 'for i in $(seq 2000); do echo "line $i: \"quoted\" <&> ü"; done')"
    log="$state/engine/containers/$id/$id-json.log"
    docker wait "$id" >/dev/null
    has_all() { [ "$(lines "$agent_url" "$log" | wc -l)" -eq 2000 ]; }
    wait_for 10 "2000 lines arrive" has_all || cat "$state/agent.log"
    equal "a container's 2000 lines, as docker logs shows them" "$(lines "$agent_url" "$log")" "$(docker logs "$id")"
    stop_agent || fail "the agent ended with status $? on SIGTERM"
    echo "ok: the agent ends with status 0 on SIGTERM"
    # Of its image there is to be one container only in what follows.
    docker rm "$id" >/dev/null
}

# The lines of all streams with a label.
lines_of() { curl --silent --fail "$agent_url/logs/$1/$2" | jq --raw-output '.[]'; }

# Waits until the streams with a label have these lines.
has_lines() {
    local what="$1" label="$2" value="$3" expected="$4"
    are_there() { [ "$(lines_of "$label" "$value")" = "$expected" ]; }
    wait_for 10 "$what" are_there || true
    equal "$what" "$(lines_of "$label" "$value")" "$expected"
}

check_names() {
    heading "containers by their names"
    collector=Docker start_agent "$1" "$state/names.log" --root-path "$state/engine/containers" --data-directory "$state/names"
    local secret=hunter2-in-the-environment
    docker create --name web --env "PASSWORD=$secret" --label team=blue standin-tools \
        sh -c "echo one; trap 'echo two; exit' TERM; while true; do sleep 0.1; done" >/dev/null
    docker start web >/dev/null
    has_lines "a container is known by its name" container web one
    has_lines "and by its image" image standin-tools one
    docker rename web front
    has_lines "its history by its new one" container front one
    docker stop front >/dev/null
    has_lines "its last line, too" container front $'one\ntwo'
    docker rm front >/dev/null
    has_lines "what is removed keeps its name" container front $'one\ntwo'

    docker run --name loud --rm standin-tools sh -c 'seq 100000' >/dev/null
    equal "removed while it is read: all lines" \
        "$(wait_for 20 "all lines of the one that was removed" eval '[ "$(lines_of container loud | wc -l)" -eq 100000 ]' || true
            lines_of container loud | md5sum)" "$(seq 100000 | md5sum)"

    docker run --name local --log-driver local --log-opt max-size=1m standin-tools sh -c 'seq 100000; seq 3 >&2' >/dev/null 2>&1
    has_all() { [ "$(lines_of container local | wc -l)" -eq 100003 ]; }
    wait_for 20 "all lines of the driver local" has_all || true
    # The engine reads the two channels side by side.
    equal "the driver local, whose files are rotated and compressed" \
        "$(lines_of container local | sort -n | md5sum)" "$( (seq 100000; seq 3) | sort -n | md5sum)"
    docker run --name long --log-driver local standin-tools sh -c 'seq -s, 20000' >/dev/null
    has_lines "a line of 100 kB in parts" container long "$(seq -s, 20000)"
    docker run --name away --log-driver syslog --log-opt syslog-address=udp://127.0.0.1:9 standin-tools echo cached
    has_lines "what the engine caches of lines that are sent away" container away cached
    docker run --name tagged --log-opt tag='{{.Name}}' --log-opt labels=team --label team=blue standin-tools echo tagged
    has_lines "a container with attributes" container tagged tagged
    equal "its attributes are metadata" "$(curl --silent --fail --get "$agent_url/loki/api/v1/query_range" \
        --data-urlencode 'query={container="tagged"} | team="blue" | tag="tagged"' | jq '.data.result | length')" 1

    docker run --name silent --log-driver none standin-tools echo lost
    wait_for 10 "the driver is named" grep -q 'driver "none"' "$state/names.log" || fail "no word of the driver none"
    docker restart silent >/dev/null
    docker wait silent >/dev/null
    has_once() { [ "$(grep -c "driver \"$1\"" "$state/names.log")" -eq 1 ]; }
    has_once none && has_once syslog || fail "a driver is not named once: $(grep driver "$state/names.log")"
    echo "ok: containers whose lines are elsewhere are named, once each"

    mkdir "$state/project"
    up() {
        printf 'services:\n  talker:\n    image: standin-tools\n    command: ["echo", "%s"]\n' "$1" >"$state/project/compose.yaml"
        COMPOSE_PROJECT_NAME=shop "${compose[@]}" --project-directory "$state/project" -f "$state/project/compose.yaml" \
            up --detach 2>/dev/null
    }
    up hello
    has_lines "a project's service" compose_project shop hello
    up again
    has_lines "the same as a new container" compose_service talker $'hello\nagain'

    stop_agent || fail "the agent ended with status $? on SIGTERM"
    collector=Docker start_agent "$1" "$state/names.log" --root-path "$state/engine/containers" --data-directory "$state/names"
    has_lines "names outlast a restart" container front $'one\ntwo'
    if grep --recursive --quiet "$secret" "$state/names"; then fail "a secret was stored"; fi
    echo "ok: no secret is stored"
    stop_agent
}

# deploy/compose as it stands, over this engine's containers.
check_example() {
    heading "the example for Docker hosts"
    local example="$state/example" url="http://127.0.0.1:18001" address="127.0.0.1:18001"
    mkdir "$example"
    cp deploy/compose/docker-compose.yaml "$example"
    # The password is "correct horse".
    # shellcheck disable=SC2016
    echo 'alice:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e' >"$example/users"
    chmod 0600 "$example/users"
    printf 'services:\n  monitoring-rs:\n    volumes: ["%s:/var/lib/docker/containers:ro"]\n' \
        "$state/engine/containers" >"$example/here.yaml"
    example() {
        PORT="$address" COMPOSE_PROJECT_NAME=example "${compose[@]}" --project-directory "$example" \
            -f "$example/docker-compose.yaml" -f "$example/here.yaml" "$@"
    }
    docker run --name neighbour standin-tools echo hello
    example up --detach
    of_neighbour() { curl --silent --fail --user "alice:correct horse" "$url/logs/container/neighbour" | jq --raw-output '.[]'; }
    is_there() { [ "$(of_neighbour)" = hello ]; }
    wait_for 20 "a container's line" is_there || fail "$(example logs --tail 20)"
    equal "who has a password sees a container by its name" "$(of_neighbour)" hello
    equal "nobody else does" "$(curl --silent --output "$state/refused" --write-out '%{http_code}' "$url/logs/container/neighbour")" 401
    example down --volumes
    docker rm neighbour >/dev/null
}

start_engine
make_tool_image
make_build_image
check_build
check_compose
check_example
check_engine_directory
check_names "$state/monitoring-rs"
stop_engine
