#!/usr/bin/env python3
"""Rotates logs as real programs do, under a writer and a killed agent: each line has to be stored once, and in its place.

`e2e/rotators.py BINARY [SCENARIO...]` runs logrotate in each of its modes, rsyslog with HUP, Python's handlers and the steps of
log4j's, each ROTATIONS times (default 50), with KILLS (default 8) times `kill -9` in between. Lines have no times of their own, so that their
order in an answer is the order of collecting.
"""
import concurrent.futures
import gzip
import logging
import logging.handlers
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from agent import PATIENCE_SECONDS, Agent

ROTATIONS = int(os.environ.get('ROTATIONS', 50))
KILLS = int(os.environ.get('KILLS', 8))
SEED = int(os.environ.get('ROTATORS_SEED', time.time_ns() % 1_000_000))
# Scenarios side by side: most of their time is waiting.
AT_ONCE = 4
# Dates in names differ by the second, and so do Python's timed rotations.
DATED_SECONDS = 1.05
ROTATION_SECONDS = 0.12


class Lab:
    """A directory with a log, and whoever writes numbered lines to it."""

    def __init__(self, name):
        self.directory = tempfile.mkdtemp(prefix=f'rotators-{name}-')
        os.chmod(self.directory, 0o755)
        self.root = os.path.join(self.directory, 'root')
        self.log = os.path.join(self.root, 'app.log')
        os.mkdir(self.root)
        self.random = random.Random(f'{SEED} {name}')
        self.written = 0
        # Held while lines are written, and by rotators that lose what is written meanwhile.
        self.lock = threading.Lock()
        self.file = None
        # Asks the writer to open its log anew; it answers by removing this.
        self.reopen = os.path.join(self.directory, 'reopen')

    def line(self):
        self.written += 1
        return f'line {self.written - 1} of the log'

    def append(self):
        """Writes as a daemon does: its log stays open until it is asked to open it anew."""
        with self.lock:
            if self.file is None or os.path.exists(self.reopen):
                self.file = open(self.log, 'a')
                if os.path.exists(self.reopen):
                    os.remove(self.reopen)
            for _ in range(self.random.randrange(1, 40)):
                self.file.write(self.line() + '\n')
            self.file.flush()


class Logrotate:
    """logrotate with some directives, forced each time."""

    seconds = ROTATION_SECONDS

    def __init__(self, *directives, is_held=False):
        self.directives, self.is_held = directives, is_held
        if any('dateext' in directive for directive in directives):
            self.seconds = DATED_SECONDS

    def begin(self, lab):
        self.config = os.path.join(lab.directory, 'logrotate.conf')
        os.mkdir(os.path.join(lab.root, 'old'))
        directives = '\n'.join(('rotate 100', 'missingok', *self.directives))
        if not self.is_held:
            directives += f'\npostrotate\ntouch "{lab.reopen}"; while [ -e "{lab.reopen}" ]; do sleep 0.005; done\nendscript'
        with open(self.config, 'w') as config:
            config.write(f'"{lab.log}" {{\n{directives}\n}}\n')

    def write(self, lab):
        lab.append()

    def rotate(self, lab):
        command = ['logrotate', '--force', '--state', os.path.join(lab.directory, 'state'), self.config]
        if not self.is_held:
            subprocess.run(command, check=True)
            return
        with lab.lock:
            subprocess.run(command, check=True)

    def end(self, lab):
        pass


class Rsyslog:
    """rsyslog, whose log is renamed and which is sent HUP, as Debian's logrotate.d has it."""

    seconds = 0.25

    def begin(self, lab):
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        config = os.path.join(lab.directory, 'rsyslog.conf')
        with open(config, 'w') as out:
            out.write(
                f'global(workDirectory="{lab.directory}")\nmodule(load="imtcp")\ninput(type="imtcp" address="127.0.0.1" port="{self.port}")\n'
                f'template(name="bare" type="string" string="%msg:::drop-last-lf%\\n")\n'
                f'action(type="omfile" file="{lab.log}" template="bare")\n')
        pid = os.path.join(lab.directory, 'rsyslog.pid')
        self.process = subprocess.Popen(['rsyslogd', '-n', '-f', config, '-i', pid], stderr=subprocess.DEVNULL)
        self.socket = wait_for(lambda: socket.create_connection(('127.0.0.1', self.port)))

    def write(self, lab):
        for _ in range(lab.random.randrange(1, 40)):
            self.socket.sendall(f'<14>Nov 30 10:00:00 host app:{lab.line()}\n'.encode())

    def rotate(self, lab):
        if os.path.exists(lab.log):
            shift(lab.log, '{log}.{number}')
            self.process.send_signal(signal.SIGHUP)

    def end(self, lab):
        self.socket.close()
        last = f'line {lab.written - 1} of the log'
        wait_for(lambda: any(last in open(os.path.join(lab.root, name), errors='replace').read() for name in os.listdir(lab.root)) or None)
        self.process.terminate()
        self.process.wait()


class PythonHandler:
    """A rotating handler of Python's logging, that rotates by itself."""

    def __init__(self, make, seconds):
        self.make, self.seconds = make, seconds

    def begin(self, lab):
        self.handler = self.make(lab.log)

    def write(self, lab):
        for _ in range(lab.random.randrange(1, 40)):
            with lab.lock:
                self.handler.emit(logging.LogRecord('app', logging.INFO, '', 0, lab.line(), None, None))

    def rotate(self, lab):
        if isinstance(self.handler, logging.handlers.TimedRotatingFileHandler):
            return
        with lab.lock:
            self.handler.doRollover()

    def end(self, lab):
        self.handler.close()


class Log4j:
    """The steps of log4j's RollingFileManager with a pattern `app-%i.log.gz`: the window is shifted, the log renamed, compressed, and the
    renamed file deleted; the writer waits for the renames only."""

    seconds = ROTATION_SECONDS

    def begin(self, lab):
        pass

    def write(self, lab):
        lab.append()

    def rotate(self, lab):
        stem = lab.log.removesuffix('.log')
        with lab.lock:
            if not os.path.exists(lab.log):
                return
            for number in range(ROTATIONS, 0, -1):
                if os.path.exists(f'{stem}-{number}.log.gz'):
                    os.rename(f'{stem}-{number}.log.gz', f'{stem}-{number + 1}.log.gz')
            os.rename(lab.log, f'{stem}-1.log')
            lab.file = open(lab.log, 'a')
        with open(f'{stem}-1.log', 'rb') as log, gzip.open(f'{stem}-1.log.gz', 'wb') as out:
            shutil.copyfileobj(log, out)
        os.remove(f'{stem}-1.log')

    def end(self, lab):
        pass


def shift(log, pattern):
    """Renames a log to the first of a series of names, and each of those to the next."""
    name = lambda number: pattern.format(log=log, number=number)
    for number in range(ROTATIONS + 1, 0, -1):
        if os.path.exists(name(number)):
            os.rename(name(number), name(number + 1))
    os.rename(log, name(1))


def rotating(log):
    return logging.handlers.RotatingFileHandler(log, maxBytes=1 << 30, backupCount=100)


def timed(log):
    return logging.handlers.TimedRotatingFileHandler(log, when='S', interval=1, backupCount=100)


SCENARIOS = {
    'create': lambda: Logrotate('create'),
    'nocreate': lambda: Logrotate('nocreate'),
    'copytruncate': lambda: Logrotate('copytruncate', is_held=True),
    'copy': lambda: Logrotate('copy', 'rotate 3', is_held=True),
    'dateext': lambda: Logrotate('create', 'dateext', 'dateformat -%Y%m%d-%s'),
    'dateext-copytruncate': lambda: Logrotate('copytruncate', 'dateext', 'dateformat .%s', is_held=True),
    'compress': lambda: Logrotate('create', 'compress'),
    'copytruncate-compress': lambda: Logrotate('copytruncate', 'compress', is_held=True),
    'delaycompress': lambda: Logrotate('create', 'compress', 'delaycompress'),
    'zstd': lambda: Logrotate('create', 'compress', 'compresscmd /usr/bin/zstd', 'compressoptions --rm -q', 'compressext .zst'),
    'xz': lambda: Logrotate('create', 'compress', 'compresscmd /usr/bin/xz', 'compressext .xz'),
    'bzip2': lambda: Logrotate('create', 'compress', 'compresscmd /bin/bzip2', 'compressext .bz2'),
    'olddir': lambda: Logrotate('create', 'olddir old'),
    'olddir-copytruncate': lambda: Logrotate('copytruncate', 'olddir old', is_held=True),
    # Enough generations that none is destroyed before it is stored for good, or the agent is up again.
    'shred': lambda: Logrotate('create', 'shred', 'rotate 24'),
    'extension': lambda: Logrotate('create', 'extension .log'),
    'start-0': lambda: Logrotate('create', 'start 0'),
    'rsyslog': Rsyslog,
    'python-rotating': lambda: PythonHandler(rotating, ROTATION_SECONDS),
    'python-timed': lambda: PythonHandler(timed, DATED_SECONDS),
    'log4j': Log4j,
}


def wait_for(condition):
    """Asks until the condition gives something; what it throws counts as not yet, until patience ends."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            value = condition()
            if value is not None:
                return value
        except OSError:
            if end < time.monotonic():
                raise
        if end < time.monotonic():
            raise TimeoutError
        time.sleep(0.02)


def run(binary, name):
    """Gives what is wrong after a scenario, as text; empty where nothing is."""
    lab, rotator = Lab(name), SCENARIOS[name]()
    rotator.begin(lab)
    rotator.write(lab)
    agent = Agent(binary, lab.root, os.path.join(lab.directory, 'data'))
    stop = threading.Event()

    def write():
        while not stop.wait(0.004):
            rotator.write(lab)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        kills = set(lab.random.sample(range(ROTATIONS), KILLS))
        for rotation in range(ROTATIONS):
            time.sleep(rotator.seconds * lab.random.uniform(0.8, 1.2) if rotator.seconds < 1 else rotator.seconds)
            if rotation in kills:
                agent.kill()
                # Before the restart, after it, or both.
                for _ in range(lab.random.randrange(3)):
                    rotator.rotate(lab)
                    if 1 <= rotator.seconds:
                        time.sleep(rotator.seconds)
                agent.start()
            rotator.rotate(lab)
    finally:
        stop.set()
        writer.join()
    rotator.end(lab)
    faults = check(agent, lab)
    agent.stop()
    if faults:
        kept = os.path.join(tempfile.gettempdir(), f'rotators-{name}')
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(lab.directory, kept)
        faults.append(f'kept in {kept}')
    else:
        shutil.rmtree(lab.directory)
    return faults, lab.written


def check(agent, lab):
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        numbers = [int(line.split()[1]) for line in agent.lines(lab.log) if re.fullmatch(r'line \d+ of the log', line)]
        if lab.written <= len(numbers) or end < time.monotonic():
            break
        time.sleep(0.1)
    faults = []
    unique = set(numbers)
    if len(unique) < lab.written:
        lost = sorted(set(range(lab.written)) - unique)
        faults.append(f'{len(lost)} of {lab.written} lines lost, the first is {lost[0]}')
    if len(unique) < len(numbers):
        faults.append(f'{len(numbers) - len(unique)} lines twice')
    backwards = sum(later < earlier for earlier, later in zip(numbers, numbers[1:]))
    if backwards:
        faults.append(f'{backwards} steps backwards')
    others = sorted(path for path in agent.streams() if path != lab.log)
    if others:
        faults.append(f'{len(others)} other streams, such as {others[0]}')
    if agent.get('/status')['unaccounted_bytes'] != 0:
        faults.append('the account does not add up')
    return faults


def main():
    binary, *wanted = sys.argv[1:]
    names = wanted or list(SCENARIOS)
    print(f'{ROTATIONS} rotations and {KILLS} kills each, ROTATORS_SEED={SEED}', flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        futures = {pool.submit(run, binary, name): name for name in names}
        for future in concurrent.futures.as_completed(futures):
            name = futures[future]
            faults, written = future.result()
            failed += bool(faults)
            print(f'  {name}: ' + (f'FAILED: {"; ".join(faults)}' if faults else f'{written} lines, each once and in its place'), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
