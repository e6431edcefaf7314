#!/usr/bin/env bash
# Installs, upgrades, removes and purges the package in a fresh Debian tree: e2e/deb.sh PACKAGE. Needs root, and debootstrap.
set -euo pipefail
package=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
debootstrap --variant=minbase bookworm "$tree" >/dev/null
cp "$package" "$tree/monitoring-rs.deb"

in_tree() { DEBIAN_FRONTEND=noninteractive chroot "$tree" "$@"; }
there() { [ -e "$tree$1" ] || [ -L "$tree$1" ] || { echo "FAIL: after $step there is no $1" >&2; exit 1; }; }
gone() { [ ! -e "$tree$1" ] && [ ! -L "$tree$1" ] || { echo "FAIL: after $step $1 is still there" >&2; exit 1; }; }
ok() { echo "ok: $step"; }

unit=/etc/systemd/system/multi-user.target.wants/monitoring-rs.service
settings=/etc/monitoring-rs/environment

step=install
in_tree apt-get install -y -qq /monitoring-rs.deb >/dev/null 2>&1
in_tree monitoring-rs --version | grep -q '^monitoring-rs [0-9]'
there $unit
there $settings
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
