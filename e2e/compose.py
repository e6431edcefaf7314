#!/usr/bin/env python3
"""Tries deploy/compose as far as that goes without an engine: e2e/compose.py BINARY. Needs root, docker-compose and PyYAML.

Compose itself says what the file means. The agent then runs with the environment, the volumes and the secret of it, in a tree of its
own in place of the image, beside an engine's directory: whoever has no password sees nothing, whoever has one the container's name.
"""
import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import yaml

EXAMPLE = pathlib.Path(__file__).parent.parent / "deploy/compose/docker-compose.yaml"
# "correct horse", as `htpasswd -B` writes it.
USERS = "alice:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n"
CONTAINER = "0123456789ab" * 5 + "cdef"
PATIENCE_S = 20


def fail(message):
    sys.exit(f"FAIL: {message}")


def resolved(directory):
    """The one service, as Compose reads the example with a file of users beside it."""
    shutil.copy(EXAMPLE, directory)
    (directory / "users").write_text(USERS)
    (directory / "users").chmod(0o600)
    is_plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    compose = ["docker", "compose"] if is_plugin else ["docker-compose"]
    environment = {name: value for name, value in os.environ.items() if name not in ("PORT", "IMAGE")}
    run = subprocess.run(compose + ["config"], cwd=directory, capture_output=True, text=True, env=environment, check=False)
    if run.returncode != 0:
        fail(f"{' '.join(compose)} config: {run.stderr}")
    services = yaml.safe_load(run.stdout)["services"]
    if list(services) != ["monitoring-rs"]:
        fail(f"the services are {list(services)}")
    return services["monitoring-rs"]


def volumes(service):
    """Each path in the container with whether it is read-only; both generations of Compose."""
    for volume in service["volumes"]:
        if isinstance(volume, dict):
            yield volume["target"], volume.get("read_only", False)
        else:
            yield volume.split(":")[1], volume.endswith(":ro")


def check_lockdown(service):
    mounts = dict(volumes(service))
    expected = {"/var/lib/docker/containers": True, "/etc/localtime": True, "/data": False}
    if mounts != expected:
        fail(f"the volumes are {mounts}")
    ports = [port if isinstance(port, str) else f"{port['host_ip']}:{port['published']}" for port in service["ports"]]
    if len(ports) != 1 or not ports[0].startswith("127.0.0.1:8000"):
        fail(f"the ports are {ports}: without being asked to, it serves this machine alone")
    for name, value in {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}.items():
        if service.get(name) != value:
            fail(f"{name} is {service.get(name)}")
    if "docker.sock" in json.dumps(service) or service.get("privileged"):
        fail("it has the engine")
    print("ok: it reads the containers' logs, writes its own data, and may do nothing else")


def make_tree(tree, binary):
    """What the image has in it, and what is mounted there."""
    libraries = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout.split()
    for path in [binary] + [word for word in libraries if word.startswith("/")]:
        copy = tree / ("monitoring-rs" if path == binary else path[1:])
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for directory in ["data", "etc", "run/secrets", f"var/lib/docker/containers/{CONTAINER}"]:
        (tree / directory).mkdir(parents=True, exist_ok=True)
    shutil.copy("/etc/localtime", tree / "etc/localtime")
    (tree / "run/secrets/users").write_text(USERS)
    (tree / "run/secrets/users").chmod(0o600)
    container = tree / f"var/lib/docker/containers/{CONTAINER}"
    description = {"ID": CONTAINER, "Name": "/shop-web-1", "Config": {"Image": "nginx:1.27", "Labels": {}}}
    (container / "config.v2.json").write_text(json.dumps(description))
    (container / "hostconfig.json").write_text('{"LogConfig":{"Type":"json-file"}}')
    line = {"log": "hello from the shop\n", "stream": "stdout", "time": "2026-11-22T13:04:05.5Z"}
    (container / f"{CONTAINER}-json.log").write_text(json.dumps(line) + "\n")


def start(tree, service, **changes):
    """The agent in the tree, with the image's variables and the example's, on any free port."""
    image = {"DATA_DIRECTORY": "/data", "ALLOW_ANONYMOUS": "true"}
    environment = image | service["environment"] | {"LISTEN": "0.0.0.0:0"} | changes
    command = ["chroot", str(tree), "/monitoring-rs"]
    return subprocess.Popen(command, env={"PATH": os.environ["PATH"]} | environment, stderr=subprocess.PIPE, text=True)


def port_of(agent):
    for line in agent.stderr:
        if "serving http://" in line:
            return int(line.strip().rstrip("/").rsplit(":", 1)[1])
    fail(f"the agent ends with {agent.wait()} and does not serve")


def get(port, path, password=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if password:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"alice:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def check_access(tree, service):
    agent = start(tree, service)
    try:
        port = port_of(agent)
        query = "/logs/container/shop-web-1"
        for password in [None, "wrong"]:
            status, body = get(port, query, password)
            if status != 401 or "hello" in body:
                fail(f"with the password {password} the answer is {status}: {body}")
        deadline = time.monotonic() + PATIENCE_S
        while (answer := get(port, query, "correct horse")) != (200, '["hello from the shop"]\n'):
            if deadline < time.monotonic():
                fail(f"with the right password the answer is {answer}")
            time.sleep(0.05)
        if get(port, "/readyz")[0] != 200:
            fail("the image's health check is not let in")
    finally:
        agent.send_signal(signal.SIGTERM)
        if agent.wait(timeout=PATIENCE_S) != 0:
            fail(f"the agent ends with {agent.returncode}")
    print("ok: with a password the container's lines are there by its name, without one nothing is")


def check_refusal(tree, service):
    agent = start(tree, service, AUTH_USER_FILE="")
    said = agent.communicate(timeout=PATIENCE_S)[1]
    if agent.returncode == 0 or "--allow-anonymous" not in said:
        fail(f"without the file of users it ends with {agent.returncode}: {said}")
    print("ok: without the file of users it does not start")


def main():
    with tempfile.TemporaryDirectory() as state:
        state = pathlib.Path(state)
        (state / "example").mkdir()
        (state / "tree").mkdir()
        service = resolved(state / "example")
        check_lockdown(service)
        make_tree(state / "tree", os.path.realpath(sys.argv[1]))
        check_access(state / "tree", service)
        check_refusal(state / "tree", service)


main()
