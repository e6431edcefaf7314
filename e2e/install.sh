#!/usr/bin/env bash
# Installs a release from a server on this machine with install.sh, as it is and tampered with: e2e/install.sh BINARY
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "$0")/.."
state=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server"; fi 2>/dev/null; rm -rf "$state"' EXIT

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

case $(uname -m) in
x86_64) target=x86_64-unknown-linux-musl ;;
*) target=aarch64-unknown-linux-musl ;;
esac
name=monitoring-rs-$target
mkdir -p "$state/release" "$state/$name"
cp "$binary" "$state/$name/monitoring-rs"
# Unstripped binaries are large, and how small the archive is does not matter here.
tar -cf - -C "$state" "$name" | gzip -1 >"$state/release/$name.tar.gz"
(cd "$state/release" && sha256sum ./* | sed 's|\./||' >SHA256SUMS)

# As releases publish it.
sed "s|^RELEASE_URL=.*|RELEASE_URL='http://127.0.0.1:PORT/good'|" install.sh >"$state/install.sh"
for kind in good tampered other-sum no-sum no-archive not-gzip other-machine; do cp -r "$state/release" "$state/$kind"; done
printf 'x' | dd of="$state/tampered/$name.tar.gz" bs=1 seek=1000 conv=notrunc status=none
sed -i 's/^[0-9a-f]*/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/' "$state/other-sum/SHA256SUMS"
sed -i "s/$name/monitoring-rs-of-another-kind/" "$state/no-sum/SHA256SUMS"
rm "$state/no-archive/$name.tar.gz"
echo 'no archive' >"$state/not-gzip/$name.tar.gz"
printf '\177ELF' >"$state/$name/monitoring-rs"
tar -czf "$state/other-machine/$name.tar.gz" -C "$state" "$name"
for kind in not-gzip other-machine; do (cd "$state/$kind" && sha256sum "$name.tar.gz" >SHA256SUMS); done

: >"$state/server"
python3 -u -m http.server --bind 127.0.0.1 --directory "$state" 0 >"$state/server" 2>&1 &
server=$!
for ((try = 0; try < 100; try++)); do
    port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$state/server")
    [ -z "$port" ] || break
    sleep 0.1
done
[ -n "$port" ] || fail "the server does not start"
sed -i "s/PORT/$port/" "$state/install.sh"

run() { # directory of the release, shell and variables...
    local kind=$1
    shift
    env -i HOME="$state/home" PATH="$PATH" BASE_URL="http://127.0.0.1:$port/$kind" PREFIX="$state/prefix" "$@" 2>&1
}
refuses() { # what it says, run's arguments...
    local message=$1 output
    shift
    if output=$(run "$@"); then fail "$* installs: $output"; fi
    [[ $output == *"$message"* ]] || fail "$* does not say '$message': $output"
    [ "$(cat "$state/prefix/bin/monitoring-rs")" = before ] || fail "$* has replaced what was there"
    [ "$(ls -A "$state/prefix/bin")" = monitoring-rs ] || fail "$* has left something behind"
    echo "ok: refuses: $message"
}

mkdir -p "$state/prefix/bin" "$state/home" "$state/temporary"
echo before >"$state/prefix/bin/monitoring-rs"
script=(sh "$state/install.sh")
refuses 'is not what was released' tampered "${script[@]}"
refuses 'is not what was released' other-sum "${script[@]}"
refuses 'there is no such build' no-sum "${script[@]}"
refuses 'is that release there?' no-archive "${script[@]}"
refuses 'is that release there?' nothing "${script[@]}"
refuses 'holds no' not-gzip "${script[@]}"
refuses 'does not run on this machine' other-machine "${script[@]}"
refuses 'there is no such build' good TARGET=riscv64gc-unknown-linux-musl "${script[@]}"
refuses 'belongs to no release' good BASE_URL= sh install.sh

# Machines that lack something: a PATH of what is there.
tools() { # directory, tools...
    mkdir "$state/$1"
    for tool in "${@:2}"; do ln -s "$(command -v "$tool")" "$state/$1/$tool"; done
}
all=(sh uname id cut mktemp tar gzip rm cp mv chmod mkdir)
tools bare "${all[@]}" sha256sum
refuses 'neither curl nor wget' good PATH="$state/bare" "${script[@]}"
tools unchecked "${all[@]}" curl
refuses 'neither sha256sum nor shasum' good PATH="$state/unchecked" "${script[@]}"
tools without-tar curl sha256sum sh uname id cut mktemp gzip rm cp mv chmod mkdir
refuses 'tar is missing' good PATH="$state/without-tar" "${script[@]}"
machine() { # directory, system, machine
    tools "$1" "${all[@]}" curl sha256sum
    rm "$state/$1/uname"
    printf '#!/bin/sh\ncase $1 in -s) echo %s ;; *) echo %s ;; esac\n' "$2" "$3" >"$state/$1/uname"
    chmod +x "$state/$1/uname"
}
machine riscv Linux riscv64
refuses 'no build for riscv64' good PATH="$state/riscv" "${script[@]}"
machine darwin Darwin arm64
refuses 'builds for Linux alone' good PATH="$state/darwin" "${script[@]}"
# A download of the script that broke off runs nothing.
head -c 3000 "$state/install.sh" >"$state/torn.sh"
if run good sh "$state/torn.sh" >/dev/null; then fail "a torn script does not say so"; fi
[ "$(cat "$state/prefix/bin/monitoring-rs")" = before ] || fail "a torn script has installed something"
echo "ok: a torn script installs nothing"

installs() { # run's arguments...
    local output
    output=$(run "$@" TMPDIR="$state/temporary" "${script[@]}") || fail "$*: $output"
    [[ $output == "monitoring-rs "*" is in $state/prefix/bin/monitoring-rs"* ]] || fail "$*: $output"
    cmp "$binary" "$state/prefix/bin/monitoring-rs"
    [ "$(stat -c %a "$state/prefix/bin/monitoring-rs")" = 755 ] || fail "others cannot run it"
    [ -z "$(ls -A "$state/temporary")" ] || fail "something is left of the download"
    rm "$state/prefix/bin/monitoring-rs"
    echo "ok: installs: $*"
}
installs good
installs none BASE_URL=
installs none BASE_URL="file://$state/good"
tools with-wget "${all[@]}" sha256sum wget
installs good PATH="$state/with-wget"
