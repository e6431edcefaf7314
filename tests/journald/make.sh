#!/usr/bin/env bash
# Makes the journal files that the tests of the reader read, with systemd's own writer, and what journalctl says is in them:
#   tests/journald/make.sh    (needs systemd-journal-remote, zstd and python3)
# The files that are kept were made by systemd 252.
set -euo pipefail
cd "$(dirname "$0")"
remote=/usr/lib/systemd/systemd-journal-remote
state="$(mktemp -d)"
trap 'rm -rf "$state"' EXIT

make() { # name, entries, seed, compact, keyed, compress
    ./export.py "$2" "$3" >"$state/$1.export"
    SYSTEMD_JOURNAL_COMPACT=$4 SYSTEMD_JOURNAL_KEYED_HASH=$5 "$remote" --compress="$6" -o "$state/$1.journal" "$state/$1.export"
    zstd --quiet --force -19 "$state/$1.journal" -o "$1.journal.zst"
    journalctl --file "$state/$1.journal" --output export --all | zstd --quiet --force -19 -o "$1.export.zst"
}

make compact 80 1 1 1 yes
make classic 80 2 0 1 yes
make unkeyed 80 3 0 0 no
ls -l -- *.zst
