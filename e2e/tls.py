#!/usr/bin/env python3
"""Tries the agent's TLS as testssl does, with openssl and with clients that mean ill: e2e/tls.py BINARY. Needs openssl.

Versions and ciphers, renegotiation, compression, certificates that are replaced while it runs, plain HTTP, handshakes that take their
time, and 10,000 that are never finished: memory stays bounded and others are answered meanwhile.
"""
import os
import pathlib
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 20
HALF_OPEN = 10_000
# What 10,000 connections may take more than a few; the agent keeps 512 of them.
GROWTH_KB_MAX = 64 << 10
# As src/api/server.rs has it, and some.
HANDSHAKE_S_MAX = 10 + 5


def fail(message):
    sys.exit(f"FAIL: {message}")


def ok(message):
    print(f"ok: {message}", flush=True)


def make_certificate(directory, name):
    """A certificate for a name, in place of the one that is there."""
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", directory / "new.key"]
    subprocess.run(["openssl", "req", "-x509", "-days", "2", *key, *subject, "-out", directory / "new.pem"], check=True, capture_output=True)
    (directory / "new.key").chmod(0o600)
    (directory / "new.key").rename(directory / "key.pem")
    (directory / "new.pem").rename(directory / "certificate.pem")


def client(port, *options, text=b""):
    """What s_client says, and whether it has shaken hands."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options]
    done = subprocess.run(command, input=text, capture_output=True, timeout=PATIENCE_S, check=False)
    said = (done.stdout + done.stderr).decode(errors="replace")
    return said, "Cipher    : 0000" not in said and "Cipher is (NONE)" not in said and "\nNew, TLS" in said


def get(port, source="127.0.0.1"):
    """The status of /livez over TLS; `None` where there is no answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0)) as plain, context.wrap_socket(plain) as tls:
            tls.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return int(tls.recv(64).split(b" ")[1])
    except (OSError, IndexError):
        return None


def check_versions(port):
    weak = ["-cipher", "ALL:@SECLEVEL=0"]
    for version, is_spoken in [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)]:
        if client(port, version, *weak)[1] != is_spoken:
            fail(f"{version} is {'refused' if is_spoken else 'spoken'}")
    ok("TLS 1.2 and 1.3 are spoken, 1.0 and 1.1 are not")


def check_ciphers(port):
    listed = subprocess.run(["openssl", "ciphers", "-tls1_2", "-s", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True, text=True, check=True)
    ciphers = [cipher for cipher in listed.stdout.strip().split(":") if not cipher.startswith("TLS_")]
    taken = {cipher for cipher in ciphers if client(port, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")[1]}
    weak = {cipher for cipher in taken if not (cipher.startswith("ECDHE-") and ("GCM" in cipher or "CHACHA20" in cipher))}
    if weak or not taken:
        fail(f"of the ciphers of TLS 1.2 it takes {taken}")
    ok(f"of {len(ciphers)} ciphers of TLS 1.2 it takes {', '.join(sorted(taken))}")


def check_handshake(port):
    said, _ = client(port, "-tls1_2")
    for fact in ["Secure Renegotiation IS supported", "Compression: NONE"]:
        if fact not in said:
            fail(f"'{fact}' is not so: {said}")
    # A line that is R alone has s_client ask for another handshake.
    said, _ = client(port, "-tls1_2", text=b"R\n")
    if "RENEGOTIATING" not in said or "no renegotiation" not in said:
        fail(f"asked for another handshake it answers: {said[-400:]}")
    ok("it does not renegotiate, nor compress")


def serial(port):
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, capture_output=True, text=True, check=True).stdout


def check_reload(port, directory):
    before = serial(port)
    # A key of another pair is not taken.
    key = (directory / "key.pem").read_bytes()
    other = subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"], capture_output=True, check=True).stdout
    (directory / "key.pem").write_bytes(other)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        if serial(port) != before:
            fail("it goes on with a pair that does not belong together")
        time.sleep(0.2)
    (directory / "key.pem").write_bytes(key)
    make_certificate(directory, "renewed")
    start = time.monotonic()
    while serial(port) == before:
        if start + PATIENCE_S < time.monotonic():
            fail("a new certificate is not read")
        time.sleep(0.05)
    ok(f"a new certificate is there after {time.monotonic() - start:.1f} s, one with another's key never")


def check_plain(port):
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = plain.recv(1000)
    if b"400 Bad Request" not in answer or b"https://" not in answer:
        fail(f"who speaks HTTP is told {answer}")
    ok("who speaks HTTP is told to use https://")


def hello():
    """The first bytes of a real handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        handshake.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def check_slow(port):
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain:
        plain.settimeout(0.5)
        for byte in hello():
            try:
                plain.sendall(bytes([byte]))
                if plain.recv(100) == b"":
                    break
            except TimeoutError:
                pass
            except OSError:
                break
            if HANDSHAKE_S_MAX < time.monotonic() - start:
                fail(f"a handshake of a byte every half second still goes on after {HANDSHAKE_S_MAX} s")
    ok(f"a handshake of a byte every half second is ended after {time.monotonic() - start:.0f} s")


def memory_kb(pid, name):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def check_half_open(port, pid):
    before, begun = memory_kb(pid, "VmRSS"), hello()
    start, answered, asked, connections = time.monotonic(), 0, 0, []
    for number in range(HALF_OPEN):
        # From 100 addresses of this machine, lest the limit for each be all that is tried.
        connection = socket.socket()
        connection.settimeout(PATIENCE_S)
        connection.bind((f"127.0.1.{number % 100 + 1}", 0))
        connections.append(connection)
        try:
            connection.connect(("127.0.0.1", port))
            connection.sendall(begun[: len(begun) // 2])
        except OSError:
            # Closed to make room for others, or not taken.
            pass
        if number % 1000 == 999:
            asked += 1
            answered += get(port, "127.0.0.2") == 200
    growth = memory_kb(pid, "VmHWM") - before
    for connection in connections:
        connection.close()
    if GROWTH_KB_MAX < growth:
        fail(f"{HALF_OPEN} half-open connections take {growth} kB")
    if answered < asked:
        fail(f"beside {HALF_OPEN} half-open connections {answered} of {asked} requests are answered")
    deadline = time.monotonic() + PATIENCE_S
    while get(port) != 200:
        if deadline < time.monotonic():
            fail("it does not answer once the half-open connections are gone")
    seconds = time.monotonic() - start
    ok(f"{HALF_OPEN} half-open connections in {seconds:.0f} s take {growth} kB; {answered} of {asked} others were answered meanwhile")


def main():
    binary = os.path.realpath(sys.argv[1])
    _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files_max < HALF_OPEN + 100:
        fail(f"{files_max} files may be open, {HALF_OPEN + 100} are needed; run as root, with ulimit -n {HALF_OPEN * 2}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(files_max, HALF_OPEN * 2), files_max))
    with tempfile.TemporaryDirectory() as state:
        state = pathlib.Path(state)
        (state / "logs").mkdir()
        make_certificate(state, "first")
        flags = ["--log-collector", "Directory", "--root-path", state / "logs", "--data-directory", state / "data"]
        flags += ["--listen", "127.0.0.1:0", "--tls-certificate", state / "certificate.pem", "--tls-key", state / "key.pem"]
        with open(state / "log", "w+", encoding="utf-8") as log:
            agent = subprocess.Popen([binary, *map(str, flags)], stderr=log)
            try:
                deadline, port = time.monotonic() + PATIENCE_S, None
                while port is None:
                    serving = [line for line in (state / "log").read_text().splitlines() if "serving https://" in line]
                    port = int(serving[0].strip().rstrip("/").rsplit(":", 1)[1]) if serving else None
                    if deadline < time.monotonic() or agent.poll() is not None:
                        fail(f"the agent does not serve: {(state / 'log').read_text()}")
                    time.sleep(0.02)
                check_versions(port)
                check_ciphers(port)
                check_handshake(port)
                check_plain(port)
                check_reload(port, state)
                check_slow(port)
                check_half_open(port, agent.pid)
            finally:
                agent.send_signal(signal.SIGTERM)
                code = agent.wait(timeout=PATIENCE_S)
            if code != 0:
                fail(f"the agent ends with {code}")


main()
