#!/usr/bin/env python3
"""Uses the agent for hours as everybody at once does, and counts every line: nothing is lost, nothing comes twice, nothing grows.

`e2e/soak.py BINARY` writes LINES_PER_SECOND (default 5,000) to FILES (50) rotating files for SOAK_SECONDS (default 5,400), with TAILS (10)
clients that follow one file each, a query a second and pushes beside it. RESTARTS (8) times the agent is killed with `kill -9`, and twice
its disk is full for FULL_SECONDS. A row of figures is printed for each of 30 parts of the time. Needs root, for a file system of its own.
"""
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse

from agent import PATIENCE_SECONDS, Agent

SOAK_SECONDS = int(os.environ.get('SOAK_SECONDS', 5_400))
LINES_PER_SECOND = int(os.environ.get('LINES_PER_SECOND', 5_000))
FILES = int(os.environ.get('FILES', 50))
TAILS = int(os.environ.get('TAILS', 10))
RESTARTS = int(os.environ.get('RESTARTS', 8))
SEED = int(os.environ.get('SOAK_SEED', time.time_ns() % 1_000_000))
FULL_SECONDS = 10
ROWS = 30
# Files are renamed at this size; as many generations are kept as are written in two minutes, which is more than an outage lasts.
ROTATE_BYTES = 1 << 20
KEPT_SECONDS = 120
WRITES_PER_SECOND = 20
# Memory and descriptors of the last quarter beside those of the second, where it ran long enough for that to mean something.
DRIFT_RATIO = 1.05
DRIFT_SECONDS = 1_800
QUERIES = (
    '{path=~".+"} |= "card declined"',
    'sum by (path) (count_over_time({path=~".+"}[1m]))',
    'sum by (detected_level) (count_over_time({path=~".+"}[1m]))',
    'topk(5, sum by (user) (count_over_time({path=~".+"} | logfmt [1m])))',
    'quantile_over_time(0.99, {path=~".+"} | logfmt | unwrap ms [1m]) by (level)',
    '{path=~".+"} |~ "user=.*7 ms=9[0-9]$"',
)


class Log:
    """A file that is written to and rotated."""

    def __init__(self, root, number):
        self.path = os.path.join(root, f'service-{number}.log')
        self.written = 0
        self.generations = 1 + KEPT_SECONDS * LINES_PER_SECOND * 130 // FILES // ROTATE_BYTES
        self.file = open(self.path, 'w')

    def write(self, count, chance):
        stamp = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now := time.time())) + f'.{int(now * 1_000) % 1_000:03d}Z'
        for _ in range(count):
            level = chance.choices(('info', 'warn', 'error'), (90, 8, 2))[0]
            message = 'card declined' if chance.random() < 0.001 else 'order paid'
            fields = f'level={level} msg="{message}" user={chance.randrange(5_000)} ms={chance.randrange(1_000)}'
            self.file.write(f'{stamp} n={self.written} {fields}\n')
            self.written += 1
        self.file.flush()
        if ROTATE_BYTES < self.file.tell():
            self.file.close()
            for generation in range(self.generations, 0, -1):
                older = f'{self.path}.{generation}'
                if os.path.exists(older):
                    os.rename(older, f'{self.path}.{generation + 1}')
            os.rename(self.path, f'{self.path}.1')
            self.file = open(self.path, 'w')


class Tail:
    """The binary's own client, which follows a file from its first line on."""

    def __init__(self, agent, log):
        self.log, self.numbers = log, []
        command = [agent.command[0], 'logs', '--follow', '--raw', '--addr', agent.base, '--', f'path/{log.path}']
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.numbers.append(number_of(line))

    def fault(self):
        wait_until(lambda: self.log.written <= len(self.numbers))
        self.process.kill()
        return fault_of('a tail of ' + os.path.basename(self.log.path), self.numbers, self.log.written)


class Pusher:
    """Pushes numbered lines until each is acknowledged or its number is given up: what was acknowledged is there, and nothing twice."""

    def __init__(self):
        self.acknowledged, self.number = set(), 0

    def push(self, agent):
        numbers = range(self.number, self.number + 10)
        self.number += 10
        values = [[str(time.time_ns() + number % 10), f'n={number} pushed'] for number in numbers]
        body = json.dumps({'streams': [{'stream': {'job': 'soak'}, 'values': values}]}).encode()
        agent.open('/loki/api/v1/push', body, {'Content-Type': 'application/json'}).close()
        self.acknowledged.update(numbers)

    def fault(self, agent):
        numbers = list(stored(agent, '{job="soak"}'))
        lost, doubled = len(self.acknowledged - set(numbers)), len(numbers) - len(set(numbers))
        return f'pushes: {lost} acknowledged lines lost, {doubled} twice' if lost or doubled else None


def number_of(line):
    return int(line[line.index('n=') + 2:].split(' ', 1)[0])


def stored(agent, query):
    """The numbers of all lines of an answer, as they are stored."""
    parameters = urllib.parse.urlencode({'query': query, 'direction': 'forward', 'format': 'raw', 'download': 'soak.txt'})
    with agent.open(f'/api/v1/lines?{parameters}') as answer:
        yield from (number_of(line) for line in map(bytes.decode, answer))


def fault_of(what, numbers, count):
    """What is wrong with numbers that are to be all up to `count`, in their order."""
    for expected, number in enumerate(numbers):
        if number != expected:
            return f'{what}: line {number} where {expected} was due'
    return None if len(numbers) == count else f'{what}: ends after {len(numbers)} of {count} lines'


def wait_until(condition):
    end = time.monotonic() + PATIENCE_SECONDS
    while not (is_true := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return is_true


class Soak:
    """The agent, and those who use it at the same time."""

    def __init__(self, binary):
        self.directory = tempfile.mkdtemp(prefix='soak-')
        root, self.disk = (os.path.join(self.directory, name) for name in ('logs', 'disk'))
        os.mkdir(root)
        os.mkdir(self.disk)
        size_mib = 256 + SOAK_SECONDS * LINES_PER_SECOND * 40 // (1 << 20)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size_mib}m', 'none', self.disk], check=True)
        self.chance = random.Random(SEED)
        self.logs = [Log(root, number) for number in range(FILES)]
        self.probe = os.path.join(root, 'probe.log')
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            listen = f'127.0.0.1:{free.getsockname()[1]}'
        # Everything is kept, so that everything can be counted.
        self.agent = Agent(binary, root, os.path.join(self.disk, 'data'), '--retention-size', '100GiB', listen=listen)
        self.is_over = threading.Event()
        # Cleared while the agent is down or its disk full, when requests may fail.
        self.is_up = threading.Event()
        self.is_up.set()
        self.latencies_ms, self.queries, self.faults = [], 0, []
        self.pusher = Pusher()

    def write(self):
        share = LINES_PER_SECOND // FILES // WRITES_PER_SECOND or 1
        next_time = time.monotonic()
        while not self.is_over.is_set():
            for log in self.logs:
                log.write(share, self.chance)
            next_time += 1 / WRITES_PER_SECOND
            time.sleep(max(0, next_time - time.monotonic()))

    def repeat(self, work, seconds):
        """Works again and again; a failure counts where the agent ought to have been there before and after."""
        while not self.is_over.wait(seconds):
            was_up = self.is_up.is_set()
            try:
                work()
            except (OSError, ValueError) as error:
                if was_up and self.is_up.is_set():
                    said = error.read()[:200].decode(errors='replace') if isinstance(error, urllib.error.HTTPError) else ''
                    self.faults.append(f'{work.__name__}: {error} {said}')

    def ask(self):
        query, now = QUERIES[self.queries % len(QUERIES)], time.time_ns()
        parameters = {'query': query, 'start': now - 600 * 10**9, 'end': now, 'step': '10s'}
        self.agent.get('/loki/api/v1/query_range?' + urllib.parse.urlencode(parameters))
        self.queries += 1

    def push(self):
        self.pusher.push(self.agent)

    def measure_latency(self):
        """From the writing of a line until an answer holds it."""
        begin, token = time.monotonic(), f'probe {time.time_ns()}'
        with open(self.probe, 'a') as probe:
            probe.write(token + '\n')
        while self.is_up.is_set() and time.monotonic() < begin + PATIENCE_SECONDS:
            with self.agent.open(f'/logs/path/{self.probe}?limit=1') as answer:
                if token in answer.read().decode():
                    self.latencies_ms.append(1_000 * (time.monotonic() - begin))
                    return
            time.sleep(0.002)

    def restart(self):
        self.is_up.clear()
        self.agent.kill()
        time.sleep(self.chance.uniform(0, 3))
        self.agent.start()
        self.is_up.set()

    def fill_disk(self):
        self.is_up.clear()
        ballast = os.path.join(self.disk, 'ballast')
        subprocess.run(['dd', 'if=/dev/zero', f'of={ballast}', 'bs=64k', 'status=none'], stderr=subprocess.DEVNULL)
        if wait_until(self.is_in_trouble):
            time.sleep(FULL_SECONDS)
        else:
            self.faults.append('a full disk goes unnoticed')
        os.remove(ballast)
        wait_until(lambda: not self.is_in_trouble())
        self.is_up.set()

    def is_in_trouble(self):
        try:
            self.agent.open('/readyz').close()
            return False
        except urllib.error.HTTPError:
            return True

    def happen(self, events):
        for number, event in enumerate(events):
            self.wait_for_part((number + 0.5) / len(events))
            event()

    def wait_for_part(self, part):
        time.sleep(max(0, self.begin + part * SOAK_SECONDS - time.monotonic()))

    def row(self, seconds):
        latencies, self.latencies_ms = sorted(self.latencies_ms) or [float('nan')], []
        before, self.cpu_before = self.cpu_before, self.agent.cpu_seconds()
        # A process that was started meanwhile began at 0.
        cpu_seconds = self.cpu_before - (before if before <= self.cpu_before else 0)
        figures = {
            'memory_mib': self.agent.memory_kib() / 1024, 'peak_mib': self.agent.memory_kib('VmHWM') / 1024,
            'descriptors': self.agent.descriptors(), 'cpu_percent': 100 * cpu_seconds / seconds,
            'p50_ms': latencies[len(latencies) // 2], 'p99_ms': latencies[len(latencies) * 99 // 100],
            'lines': sum(log.written for log in self.logs), 'queries': self.queries,
        }
        print(f'{time.monotonic() - self.begin:8.0f} s  ' + '  '.join(f'{name} {value:.1f}' for name, value in figures.items()), flush=True)
        return figures

    def run(self):
        tails = [Tail(self.agent, log) for log in self.logs[:TAILS]]
        users = [(self.ask, 1), (self.push, 1), (self.measure_latency, 0.25)]
        threads = [threading.Thread(target=self.write), *(threading.Thread(target=self.repeat, args=user) for user in users)]
        for thread in threads:
            thread.start()
        # What happens, at even distances: restarts, and a full disk after a third and after two thirds of them.
        events = [self.restart] * RESTARTS
        for place in (2 * RESTARTS // 3, RESTARTS // 3):
            events.insert(place, self.fill_disk)
        happen = threading.Thread(target=self.happen, args=(events,))
        self.begin, self.cpu_before = time.monotonic(), self.agent.cpu_seconds()
        happen.start()
        rows = []
        for number in range(ROWS):
            self.wait_for_part((number + 1) / ROWS)
            try:
                rows.append(self.row(SOAK_SECONDS / ROWS))
            except OSError:
                print('it is being restarted', flush=True)
        happen.join()
        self.is_over.set()
        for thread in threads:
            thread.join()
        self.check(tails, rows)

    def check(self, tails, rows):
        wait_until(lambda: sum(log.written for log in self.logs) <= self.agent.get('/status?sources=0')['lines'])
        self.faults += filter(None, (tail.fault() for tail in tails))
        for log in self.logs:
            numbers = stored(self.agent, f'{{path="{log.path}"}}')
            self.faults += filter(None, [fault_of(os.path.basename(log.path), list(numbers), log.written)])
        self.faults += filter(None, [self.pusher.fault(self.agent)])
        status = self.agent.get('/status?sources=0')
        if status['unaccounted_bytes'] != 0:
            self.faults.append(f'{status["unaccounted_bytes"]} bytes are in no account')
        quarter = len(rows) // 4
        for name in ('memory_mib', 'descriptors'):
            early, late = (statistics.median(row[name] for row in part) for part in (rows[quarter:2 * quarter], rows[-quarter:]))
            print(f'{name}: {early:.1f} in the second quarter, {late:.1f} in the last: {100 * (late / early - 1):+.1f} %')
            if DRIFT_SECONDS <= SOAK_SECONDS and DRIFT_RATIO < late / early:
                self.faults.append(f'{name} grows')
        written, followed = sum(log.written for log in self.logs), sum(len(tail.numbers) for tail in tails)
        print(f'{written} lines, {len(self.pusher.acknowledged)} pushed, {followed} followed, {self.queries} queries')

    def clean_up(self):
        self.is_over.set()
        self.agent.process.kill()
        self.agent.process.wait()
        subprocess.run(['umount', self.disk], check=True)
        shutil.rmtree(self.directory)


def main():
    print(f'{LINES_PER_SECOND} lines/s to {FILES} files for {SOAK_SECONDS} s, SOAK_SEED={SEED}', flush=True)
    soak = Soak(sys.argv[1])
    try:
        soak.run()
    finally:
        soak.clean_up()
    for fault in soak.faults[:20]:
        print('FAILED:', fault)
    sys.exit(1 if soak.faults else 0)


if __name__ == '__main__':
    main()
