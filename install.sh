#!/bin/sh
# Installs monitoring-rs on Linux: downloads the archive of a release for this machine, compares its SHA-256 with the release's
# list, and puts the binary into a directory of programs.
#
#   curl -fsSL https://github.com/OWNER/monitoring-rs/releases/latest/download/install.sh | sh
#
# Each release publishes this script with its own address in it. These variables change what it does:
#   BASE_URL  where the archive and SHA256SUMS are; http://, https:// or, with curl, file://
#   PREFIX    where `bin/monitoring-rs` goes: /usr/local, or ~/.local for those who may not write there
#   TARGET    the build: x86_64-unknown-linux-musl or aarch64-unknown-linux-musl instead of what this machine is
set -eu
umask 022

# The release's workflow fills this in.
RELEASE_URL=

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

target() {
    [ "$(uname -s)" = Linux ] || fail "there are builds for Linux alone, this is $(uname -s); elsewhere: cargo build --release"
    case $(uname -m) in
    x86_64 | amd64) echo x86_64-unknown-linux-musl ;;
    aarch64 | arm64) echo aarch64-unknown-linux-musl ;;
    *) fail "there is no build for $(uname -m); build it from source with: cargo build --release" ;;
    esac
}

prefix() {
    if [ "$(id -u)" = 0 ] || [ -w /usr/local/bin ]; then
        echo /usr/local
    else
        [ -n "${HOME:-}" ] || fail "/usr/local/bin cannot be written and HOME is not set; say where to with PREFIX=/some/directory"
        echo "$HOME/.local"
    fi
}

# Downloads $1 to the file $2. What was asked for over HTTPS is not taken from a redirect to anything else.
download() {
    case $1 in
    https://*) protocol='=https' ;;
    *) protocol='=http,https,file' ;;
    esac
    if has curl; then
        curl --fail --silent --show-error --location --proto "$protocol" --retry 3 --max-time 600 --output "$2" "$1"
    elif has wget; then
        wget -q -T 60 -O "$2" "$1"
    else
        fail "neither curl nor wget is there to download with; install one of them"
    fi || fail "downloading $1 failed; is that release there?"
}

sha256() {
    if has sha256sum; then
        sha256sum "$1"
    elif has shasum; then
        shasum -a 256 "$1"
    else
        fail "neither sha256sum nor shasum is there to check the download with; install coreutils"
    fi | cut -d ' ' -f 1
}

# All of it in a function, so that a script whose download broke off runs nothing.
main() {
    base_url=${BASE_URL:-$RELEASE_URL}
    [ -n "$base_url" ] || fail "this copy belongs to no release; say where the archive is with BASE_URL=https://..."
    for tool in tar gzip cut mktemp; do
        has "$tool" || fail "$tool is missing; install it"
    done
    target=${TARGET:-$(target)}
    prefix=${PREFIX:-$(prefix)}
    name=monitoring-rs-$target
    archive=$name.tar.gz

    directory=$(mktemp -d)
    trap 'rm -rf "$directory"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    download "$base_url/SHA256SUMS" "$directory/SHA256SUMS"
    # Each line is a sum, a blank, a blank or a star, and a name.
    wanted=
    while read -r sum file; do
        [ "${file#\*}" != "$archive" ] || wanted=$sum
    done <"$directory/SHA256SUMS"
    [ -n "$wanted" ] || fail "$base_url/SHA256SUMS has no line for $archive; there is no such build in this release"
    download "$base_url/$archive" "$directory/$archive"
    found=$(sha256 "$directory/$archive")
    [ "$found" = "$wanted" ] || fail "$base_url/$archive is not what was released: its SHA-256 is $found, SHA256SUMS says $wanted; \
nothing was installed"

    tar -xzf "$directory/$archive" -C "$directory" "$name/monitoring-rs" || fail "$archive holds no $name/monitoring-rs"
    # A build for another machine says so now, while the one that is there is still in place.
    version=$("$directory/$name/monitoring-rs" --version) || fail "the binary of $archive does not run on this machine"
    mkdir -p "$prefix/bin" || fail "$prefix/bin cannot be made; run this as root, or say where to with PREFIX=/some/directory"
    # Renamed into place, so that a running agent goes on and a full disk leaves what was there.
    if cp "$directory/$name/monitoring-rs" "$prefix/bin/.monitoring-rs.new" &&
        chmod 755 "$prefix/bin/.monitoring-rs.new" &&
        mv -f "$prefix/bin/.monitoring-rs.new" "$prefix/bin/monitoring-rs"; then
        echo "$version is in $prefix/bin/monitoring-rs"
    else
        rm -f "$prefix/bin/.monitoring-rs.new"
        fail "$prefix/bin cannot be written; run this as root, or say where to with PREFIX=/some/directory"
    fi
    case ":${PATH:-}:" in
    *":$prefix/bin:"*) ;;
    *) echo "$prefix/bin is not in PATH" ;;
    esac
}

main
