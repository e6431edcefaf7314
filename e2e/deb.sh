#!/usr/bin/env bash
# Installs, upgrades, removes and purges the package in a fresh Debian tree: e2e/deb.sh PACKAGE. Needs root, and debootstrap.
set -euo pipefail
package=$1
tree=$(mktemp -d)
agent=
trap 'if [ -n "$agent" ]; then kill "$agent"; wait "$agent"; fi 2>/dev/null; rm -rf "$tree"' EXIT
debootstrap --variant=minbase bookworm "$tree" >/dev/null
cp "$package" "$tree/monitoring-rs.deb"

in_tree() { DEBIAN_FRONTEND=noninteractive chroot "$tree" "$@"; }
there() { [ -e "$tree$1" ] || [ -L "$tree$1" ] || { echo "FAIL: after $step there is no $1" >&2; exit 1; }; }
gone() { [ ! -e "$tree$1" ] && [ ! -L "$tree$1" ] || { echo "FAIL: after $step $1 is still there" >&2; exit 1; }; }
ok() { echo "ok: $step"; }

unit=/etc/systemd/system/multi-user.target.wants/monitoring-rs.service
settings=/etc/monitoring-rs/environment

# In microseconds.
now() { echo "${EPOCHREALTIME/[.,]/}"; }

step=install
start=$(now)
in_tree apt-get install -y -qq /monitoring-rs.deb >/dev/null 2>&1
in_tree monitoring-rs --version | grep -q '^monitoring-rs [0-9]'
there $unit
there $settings
ok

# There is no systemd in the tree to start it, so it is started here as the service says.
step="the first line"
installed=$(now)
mkdir "$tree/var/lib/monitoring-rs"
read -r command < <(sed -n 's/^ExecStart=//p' "$tree/usr/lib/systemd/system/monitoring-rs.service")
env DATA_DIRECTORY=/var/lib/monitoring-rs LISTEN=127.0.0.1:18643 chroot "$tree" "$command" 2>"$tree/log" &
agent=$!
until curl -fs 'http://127.0.0.1:18643/logs/path//var/log/dpkg.log?limit=1' | grep -q monitoring-rs; do
    [ $(($(now) - installed)) -lt 20000000 ] || { cat "$tree/log"; echo "FAIL: no line within 20 s" >&2; exit 1; }
    sleep 0.01
done
echo "$(((installed - start) / 1000)) ms to install, $((($(now) - installed) / 1000)) ms from the start to a line of that over HTTP"
kill "$agent"
wait "$agent"
agent=
rm -r "$tree/var/lib/monitoring-rs"
ok

step=upgrade
echo RETENTION_AGE=30d >>"$tree$settings"
in_tree apt-get install -y -qq --reinstall /monitoring-rs.deb >/dev/null 2>&1
grep -q '^RETENTION_AGE=30d$' "$tree$settings"
there $unit
ok

step=remove
mkdir -p "$tree/var/lib/private/monitoring-rs/db"
in_tree apt-get remove -y -qq monitoring-rs >/dev/null 2>&1
gone /usr/bin/monitoring-rs
there $settings
there /var/lib/private/monitoring-rs/db
ok

step=purge
in_tree apt-get purge -y -qq monitoring-rs >/dev/null 2>&1
gone /etc/monitoring-rs
gone /var/lib/private/monitoring-rs
gone $unit
ok
