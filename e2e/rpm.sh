#!/usr/bin/env bash
# Installs, upgrades and removes the package in a tree of its own, with Debian's rpm: e2e/rpm.sh PACKAGE NEWER. Needs root, rpm and
# busybox-static. systemctl is a stand-in that writes down what it is told.
set -euo pipefail
package=$1 newer=$2
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{bin,usr/bin,etc,tmp}
cp "$(command -v busybox)" "$tree/bin/sh"
printf '#!/bin/sh\necho "$*" >>/told\n' >"$tree/usr/bin/systemctl"
chmod +x "$tree/usr/bin/systemctl"

fail() {
    echo "FAIL: after $step: $*" >&2
    exit 1
}
# The tree has no packages, so no systemd that one is required of.
in_tree() { rpm --root "$tree" --force-debian --nodeps "$@"; }
there() { [ -e "$tree$1" ] || fail "there is no $1"; }
gone() { if [ -e "$tree$1" ]; then fail "$1 is still there"; fi; }
told() { # what systemctl is to have been told since the last time
    local found
    found=$(cat "$tree/told" 2>/dev/null || true)
    [ "$found" = "$1" ] || fail "systemctl was told '$found'"
    rm -f "$tree/told"
}
ok() { echo "ok: $step"; }
settings=/etc/monitoring-rs/environment

step=reading
rpm -qp --queryformat '%{NAME} %{LICENSE}\n' "$package" 2>/dev/null | grep -qx 'monitoring-rs MIT OR Apache-2.0' || fail "its name or licence"
if rpm -qp --requires "$package" 2>/dev/null | grep -v -e '^rpmlib(' -e '^config(monitoring-rs)' -e '^systemd' -e '^/bin/sh'; then fail "it requires these"; fi
ok

step=install
in_tree --install "$package"
there $settings
there /usr/share/licenses/monitoring-rs/LICENSE-MIT
there /usr/share/doc/monitoring-rs/access.md
cmp "$tree/usr/lib/systemd/system/monitoring-rs.service" deploy/systemd/monitoring-rs.service
[ "$(stat -c '%a %u' "$tree$settings")" = '640 0' ] || fail "others can read the settings"
chroot "$tree" /usr/bin/monitoring-rs --version | grep -q '^monitoring-rs [0-9]' || fail "the binary does not run without libraries"
in_tree --verify monitoring-rs || fail "what is there is not what was packed"
told '--no-reload preset monitoring-rs.service'
ok

step=upgrade
echo RETENTION_AGE=30d >>"$tree$settings"
in_tree --upgrade "$newer"
grep -q '^RETENTION_AGE=30d$' "$tree$settings" || fail "the settings are the package's again"
there /usr/bin/monitoring-rs
told "$(printf 'daemon-reload\ntry-restart monitoring-rs.service')"
ok

step=remove
mkdir -p "$tree/var/lib/private/monitoring-rs/journal"
in_tree --erase monitoring-rs
gone /usr/bin/monitoring-rs
gone /usr/lib/systemd/system/monitoring-rs.service
there $settings.rpmsave
there /var/lib/private/monitoring-rs/journal
told "$(printf -- '--no-reload disable --now monitoring-rs.service\ndaemon-reload')"
ok
