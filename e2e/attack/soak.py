#!/usr/bin/env python3
"""Runs one agent under load for as long as SOAK_SECONDS says (default 120): each line has to be stored once.

`e2e/attack/soak.py BINARY`, as root. SOAK_RATE lines a second (default 5,000) go to 50 files that are rotated in turn, while there
are 10 tails, a query a second and pushes; in each quarter of the time the agent is killed, stopped and started, and its disk
is full once. Prints memory, descriptors and latency as they go, and how far the second half drifted from the first.
"""
import base64
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from agent import Agent, wait_for

SECONDS = float(os.environ.get('SOAK_SECONDS', 120))
RATE = int(os.environ.get('SOAK_RATE', 5000))
SEED = int(os.environ.get('SOAK_SEED', time.time_ns() % 1_000_000))
FILES, TAILS, ROTATED = 50, 10, 5
# What the disk holds: lines of an hour and room for a journal.
DISK_MIB = 256 + int(RATE * SECONDS * 200 / 8 / 2**20)
DRIFT_MAX = 0.05


class Writer(threading.Thread):
    """Writes numbered lines to files that are rotated in turn, as logrotate has it."""

    def __init__(self, logs):
        super().__init__(daemon=True)
        self.logs, self.counts, self.ended = logs, [0] * FILES, threading.Event()
        self.random = random.Random(SEED)

    def run(self):
        started, written, rotated = time.monotonic(), 0, 0
        while not self.ended.wait(0.05):
            elapsed = time.monotonic() - started
            due = int(elapsed * RATE) - written
            for number in range(FILES):
                count = due // FILES
                if count:
                    self.write(number, count)
                    written += count
            # Each file about once a minute.
            if rotated < elapsed * FILES / 60:
                self.rotate(rotated % FILES)
                rotated += 1

    def write(self, number, count):
        first = self.counts[number]
        with open(f'{self.logs}/{number}.log', 'a') as log:
            log.writelines(f'file {number} line {first + line} took {self.random.randrange(9999)} ms\n' for line in range(count))
        self.counts[number] += count

    def rotate(self, number):
        path = f'{self.logs}/{number}.log'
        for age in range(ROTATED - 1, 0, -1):
            if os.path.exists(f'{path}.{age}'):
                os.rename(f'{path}.{age}', f'{path}.{age + 1}')
        os.rename(path, f'{path}.1')


def tail(agent, ended):
    """Follows all lines on a WebSocket for as long as the agent lives, again and again."""
    while not ended.is_set():
        try:
            client = agent.connect()
            client.settimeout(1)
            key = base64.b64encode(os.urandom(16)).decode()
            client.sendall(f'GET /loki/api/v1/tail?query=%7Bpath%3D~%22.%2B%22%7D HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n'
                           f'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n'.encode())
            while not ended.is_set():
                try:
                    if not client.recv(1 << 16):
                        break
                except TimeoutError:
                    pass
        except OSError:
            ended.wait(0.5)


def keep_asking(agent, ended, latencies, pushed):
    """Asks once a second, pushes a line, and notes how long the answer took."""
    while not ended.wait(1):
        started = time.monotonic()
        try:
            if agent.find('{path=~".+"} |= "line 77"', limit=100)[0] == 200:
                latencies.append((started, time.monotonic() - started))
            body = {'streams': [{'stream': {'app': 'pushed'}, 'values': [[str(time.time_ns()), f'push {pushed[1]}']]}]}
            pushed[1] += 1
            pushed[0] += agent.push(json.dumps(body).encode(), timeout=5) == 204
        except (OSError, ValueError):
            pass


def fill_disk(agent):
    """The agent's disk is full for a moment."""
    ballast = f'{agent.data}/../ballast'
    try:
        with open(ballast, 'wb') as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError:
        pass
    time.sleep(min(5, SECONDS / 20))
    os.unlink(ballast)


def main():
    binary = os.path.abspath(sys.argv[1])
    root = tempfile.mkdtemp(prefix='soak-')
    disk = f'{root}/disk'
    os.makedirs(disk)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={DISK_MIB}m', 'tmpfs', disk], check=True)
    print(f'{SECONDS:.0f} s at {RATE} lines/s, seed {SEED}', flush=True)
    ended, latencies, pushed, samples = threading.Event(), [], [0, 0], []
    agent = Agent(binary, root, '--retention-size', '100GiB')
    agent.data = f'{disk}/data'
    agent.command[agent.command.index('--data-directory') + 1] = agent.data
    try:
        agent.start()
        writer = Writer(agent.logs)
        writer.start()
        for _ in range(TAILS):
            threading.Thread(target=tail, args=(agent, ended), daemon=True).start()
        threading.Thread(target=keep_asking, args=(agent, ended, latencies, pushed), daemon=True).start()
        started = time.monotonic()
        upsets = [(SECONDS * part, upset) for part, upset in [(0.2, 'kill'), (0.35, 'full'), (0.5, 'stop'), (0.7, 'kill')]]
        while (elapsed := time.monotonic() - started) < SECONDS:
            if upsets and upsets[0][0] <= elapsed:
                upset = upsets.pop(0)[1]
                if upset == 'full':
                    fill_disk(agent)
                else:
                    agent.kill() if upset == 'kill' else agent.stop()
                    agent.start()
                print(f'{elapsed:6.0f} s  {upset}', flush=True)
            samples.append((elapsed, agent.memory_mib('VmRSS'), len(os.listdir(f'/proc/{agent.process.pid}/fd'))))
            time.sleep(min(5, SECONDS / 60))
        writer.ended.set()
        writer.join()
        ended.set()
        written = sum(writer.counts)
        wait_for('all lines are stored', lambda: agent.status()['lines'] >= written + pushed[0], 120)
        check(agent, writer, pushed, samples, latencies)
    finally:
        ended.set()
        agent.kill()
        subprocess.run(['umount', disk], check=False)
        shutil.rmtree(root, ignore_errors=True)


def check(agent, writer, pushed, samples, latencies):
    """Each line is there once, and nothing grew."""
    for number, count in enumerate(writer.counts):
        query = f'sum(count_over_time({{path="{agent.logs}/{number}.log"}}[10d]))'
        answer = json.loads(agent.get('/loki/api/v1/query', query=query)[1])
        found = int(answer['data']['result'][0]['value'][1])
        assert found == count, f'{found} of {count} lines of file {number}'
    found = len(agent.lines_of('app', 'pushed'))
    # What was answered is there; of what was not, some may be.
    assert pushed[0] <= found <= pushed[1], f'{found} lines of {pushed[0]} acknowledged pushes of {pushed[1]}'
    half = len(samples) // 2
    memory = [statistics.median(memory for _, memory, _ in part) for part in (samples[:half], samples[half:])]
    took = sorted(seconds for _, seconds in latencies)
    print(f'{sum(writer.counts)} lines of files and {found} pushed ones, each once; memory at most '
          f'{max(memory for _, memory, _ in samples):.0f} MiB, median {memory[0]:.0f}, then {memory[1]:.0f} MiB; at most '
          f'{max(files for *_, files in samples)} descriptors; a query took {took[len(took) // 2] * 1000:.0f} ms, '
          f'{took[int(len(took) * 0.99)] * 1000:.0f} ms at p99')
    # Of a short run the first half is the warming up.
    if 1800 <= SECONDS:
        assert memory[1] <= memory[0] * (1 + DRIFT_MAX), 'memory grows'


if __name__ == '__main__':
    main()
