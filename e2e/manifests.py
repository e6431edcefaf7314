#!/usr/bin/env python3
"""Checks what Kubernetes is given: e2e/manifests.py, with kubectl and Helm in PATH, and kubernetes-validate (e2e/manifests.sh).

deploy/kubernetes.yaml is what `kubectl kustomize deploy/kubernetes` gives; the chart gives what the base and its components do, each
value what it is for; all of it is valid by Kubernetes' own schemas, field by field; no value that the chart does not know is taken.
"""
import difflib
import os
import pathlib
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
BASE = ROOT / "deploy/kubernetes"
CHART = ROOT / "deploy/helm/monitoring-rs"
VALUES_MAX = 30
# From the oldest that managed clusters still run to the newest whose schemas there are.
VERSIONS = ["1.29", "1.33", "1.37"]
# Values of the chart, and the directory or the components that stand for them.
SAME = [
    ([], "kubernetes", []),
    (["podLabels=false"], "file-names-only", []),
    (["credentials.allowAnonymous=true"], "kubernetes", ["anonymous"]),
    (["docker=true"], "kubernetes", ["docker"]),
    (["selinux=true"], "kubernetes", ["selinux"]),
    (["docker=true", "credentials.allowAnonymous=true"], "minikube", []),
    (["docker=true", "selinux=true", "podLabels=false"], "file-names-only", ["docker", "selinux"]),
]
REFUSED = ["credentials.token=x", "credentials.allowAnonymous=yes", "image.repository=", "dataDirectory=data", "tag=latest"]
# Values that no component stands for, and what has to be in what comes of them.
SETTINGS = [
    (["retention.age=30d", "retention.size=10GiB"], ["name: RETENTION_AGE\n              value: \"30d\"", "value: \"10GiB\""]),
    (["env[0].name=MULTILINE", "env[0].value=auto"], ["- name: MULTILINE"]),
    (["credentials.secret=other"], ["secretName: other"]),
    (["priorityClassName=system-node-critical"], ["priorityClassName: system-node-critical"]),
    (["podAnnotations.a=b", "imagePullSecrets[0].name=registry"], ["annotations:\n        a: b", "imagePullSecrets:\n        - name: registry"]),
    (["image.repository=registry.example.com/agent", "image.tag=1.2.3"], ["image: \"registry.example.com/agent:1.2.3\""]),
    (["dataDirectory=/mnt/logs", "maxUnavailable=1"], ["path: /mnt/logs", "maxUnavailable: 1"]),
]


def fail(message):
    sys.exit(f"FAIL: {message}")


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


def kustomized(directory, components=()):
    if not components:
        return run("kubectl", "kustomize", ROOT / "deploy" / directory)
    with tempfile.TemporaryDirectory() as state:
        state = os.path.realpath(state)
        overlay = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(ROOT / "deploy" / directory, state)],
            "components": [os.path.relpath(ROOT / "deploy/components" / name, state) for name in components],
        }
        pathlib.Path(state, "kustomization.yaml").write_text(yaml.safe_dump(overlay))
        return run("kubectl", "kustomize", state)


def templated(values, *more):
    sets = [word for value in values for word in ("--set", value)]
    return run("helm", "template", "monitoring-rs", CHART, "--namespace", "monitoring", *sets, *more)


def ordered(value):
    """With lists of named things in the order of their names, which means nothing for these."""
    if isinstance(value, dict):
        return {key: ordered(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        values = [ordered(inner) for inner in value]
        if all(isinstance(inner, dict) and "name" in inner for inner in values):
            return sorted(values, key=lambda inner: (inner["name"], str(inner)))
        return values
    return value


def objects(text):
    """All objects but the namespace, which is not a chart's to make."""
    found = [document for document in yaml.safe_load_all(text) if document and document["kind"] != "Namespace"]
    return {(document["kind"], document["metadata"]["name"]): ordered(document) for document in found}


def check_same(values, directory, components):
    what = f"{', '.join(values) or 'no values'} and {directory} {' '.join(components)}".strip()
    chart, base = objects(templated(["image.tag=latest", *values])), objects(kustomized(directory, components))
    if chart != base:
        texts = [yaml.safe_dump([found[key] for key in sorted(found)]).splitlines() for found in (base, chart)]
        fail(f"{what} differ:\n" + "\n".join(difflib.unified_diff(*texts, "kustomize", "helm", lineterm="", n=3)))
    print(f"ok: the same: {what}")


def check_schemas():
    texts = [templated(values) for values in [[]] + [values for values, _ in SETTINGS]]
    texts += [kustomized(directory, components) for _, directory, components in SAME]
    count = 0
    for document in (document for text in texts for document in yaml.safe_load_all(text) if document):
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                fail(f"{document['kind']} is not valid in Kubernetes {version}: {error.message} at {list(error.path)}")
            count += 1
    if count < len(VERSIONS) * len(texts):
        fail("there is next to nothing that was validated")
    print(f"ok: {count} objects are valid, in Kubernetes {', '.join(VERSIONS)}")


def leaves(values):
    """How many values there are to set."""
    return sum(leaves(inner) if isinstance(inner, dict) and inner else 1 for inner in values.values())


def check_values():
    count = leaves(yaml.safe_load((CHART / "values.yaml").read_text()))
    if VALUES_MAX <= count:
        fail(f"the chart has {count} values")
    for value in REFUSED:
        command = ["helm", "template", "monitoring-rs", str(CHART), "--set", value]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            fail(f"the chart takes {value}")
    for values, expected in SETTINGS:
        text = templated(values)
        for part in expected:
            if part not in text:
                fail(f"with {values} there is no {part!r}")
    run("helm", "lint", "--strict", CHART)
    version = [line for line in (ROOT / "Cargo.toml").read_text().splitlines() if line.startswith("version = ")][0].split('"')[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    if [chart["version"], chart["appVersion"]] != [version, version]:
        fail(f"the chart is not of version {version}")
    print(f"ok: the chart has {count} values, and takes no others")


def check_one_file():
    kept = (ROOT / "deploy/kubernetes.yaml").read_text()
    without_comments = "".join(line for line in kept.splitlines(keepends=True) if not line.startswith("#"))
    if without_comments != kustomized("kubernetes"):
        fail("deploy/kubernetes.yaml is not what the base gives; run `make manifests`")
    print("ok: deploy/kubernetes.yaml is what the base gives")


check_one_file()
for same in SAME:
    check_same(*same)
check_values()
check_schemas()
