#!/usr/bin/env python3
"""Writes what a release is made of as CycloneDX 1.6: deploy/release/sbom.py TARGET >FILE

From what Cargo itself says of the crates that this target is built of, with the checksums of Cargo.lock. Not by cargo-cyclonedx: it
would be one more program to compile and to trust, and it does not tell what is in the binary from what only builds it. Here the
latter (build scripts, macros and what these need) has the scope `excluded`.
"""
import datetime
import json
import os
import subprocess
import sys
import tomllib
import uuid


def main(target):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    built_in, with_tools = reached(nodes, packages, root, [None]), reached(nodes, packages, root, [None, "build"], True)
    with open("Cargo.lock", "rb") as file:
        lock = tomllib.load(file)["package"]
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock}

    components = []
    for package in sorted((packages[id] for id in with_tools if id != root), key=lambda package: (package["name"], package["version"])):
        component = described(package, "library") | {"scope": "required" if package["id"] in built_in else "excluded"}
        if checksum := checksums.get((package["name"], package["version"])):
            component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        components.append(component)
    dependencies = [
        {"ref": purl(packages[id]), "dependsOn": sorted(purl(packages[other]) for other in needed(nodes[id], [None, "build"]))}
        for id in with_tools
    ]
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", 0))
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": described(packages[root], "application"),
            "properties": [{"name": "cargo:target", "value": target}],
        },
        "components": components,
        "dependencies": sorted(dependencies, key=lambda dependency: dependency["ref"]),
    }
    # The same for the same content, so that a release can be made again.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True))
    json.dump(bom | {"serialNumber": f"urn:uuid:{serial}"}, sys.stdout, indent=2, sort_keys=True)
    print()


def needed(node, kinds):
    return {dependency["pkg"] for dependency in node["deps"] if any(kind["kind"] in kinds for kind in dependency["dep_kinds"])}


def reached(nodes, packages, root, kinds, with_macros=False):
    """The packages that the root needs, directly or not."""
    found, open_ids = set(), [root]
    while open_ids:
        id = open_ids.pop()
        is_macro = any("proc-macro" in target["kind"] for target in packages[id]["targets"])
        if id not in found and (with_macros or not is_macro):
            found.add(id)
            open_ids.extend(needed(nodes[id], kinds))
    return found


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def described(package, kind):
    component = {
        "type": kind,
        "bom-ref": purl(package),
        "purl": purl(package),
        "name": package["name"],
        "version": package["version"],
    }
    # Older crates write `MIT/Apache-2.0` for `MIT OR Apache-2.0`.
    if package["license"]:
        component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    return component


main(sys.argv[1])
