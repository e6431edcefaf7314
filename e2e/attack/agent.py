"""Drives one agent for the attacks and the soak: starts it on a port of its own, asks it, measures it, ends it."""
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_SECONDS = 30
# The user that attacks.
NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']


class Agent:
    """The binary over one directory of logs."""

    def __init__(self, binary, directory, *arguments):
        self.directory = directory
        self.logs, self.data = f'{directory}/logs', f'{directory}/data'
        os.makedirs(self.logs, exist_ok=True)
        self.command = [binary, '--log-collector', 'Directory', '--root-path', self.logs, '--data-directory', self.data,
                        '--listen', '127.0.0.1:0', *arguments]
        self.log = tempfile.NamedTemporaryFile('w+', suffix='.log')
        self.process = None

    def start(self):
        at = os.path.getsize(self.log.name)
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r'serving http://127\.0\.0\.1:(\d+)/', self.own_log()[at:])
            if found:
                self.port = int(found[1])
                return self
            time.sleep(0.01)
        raise RuntimeError('the agent did not start: ' + self.own_log()[-500:])

    def own_log(self):
        with open(self.log.name, encoding='utf-8', errors='replace', newline='') as log:
            return log.read()

    def get(self, path, timeout=PATIENCE_SECONDS, **parameters):
        query = f'?{urllib.parse.urlencode(parameters)}' if parameters else ''
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{self.port}{path}{query}', timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def status(self):
        return json.loads(self.get('/status')[1])

    def lines(self, path):
        return self.lines_of('path', path)

    def lines_of(self, label, value):
        status, body = self.get(f'/logs/{label}/{urllib.parse.quote(value)}')
        return json.loads(body) if status == 200 else []

    def find(self, query, **parameters):
        return self.get('/loki/api/v1/query_range', **{'query': query, 'start': 0, 'end': int(4e18)} | parameters)

    def push(self, body, encoding=None, timeout=60):
        """The status of a push of JSON."""
        headers = {'Content-Type': 'application/json'} | ({'Content-Encoding': encoding} if encoding else {})
        request = urllib.request.Request(f'http://127.0.0.1:{self.port}/loki/api/v1/push', body, headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def connect(self, receive_bytes=None):
        client = socket.socket()
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.connect(('127.0.0.1', self.port))
        return client

    def metric(self, name):
        return int(re.search(rf'\n{name} (\d+)', self.get('/metrics')[1].decode())[1])

    def memory_mib(self, field='VmHWM'):
        with open(f'/proc/{self.process.pid}/status') as status:
            return int(re.search(field + r':\s+(\d+)', status.read())[1]) / 1024

    def cpu_seconds(self):
        with open(f'/proc/{self.process.pid}/stat') as stat:
            return sum(map(int, stat.read().rsplit(')', 1)[1].split()[11:13])) / os.sysconf('SC_CLK_TCK')

    def stop(self):
        """How many seconds a stop took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_SECONDS)
        return time.monotonic() - started

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def wait_for(what, condition, seconds=PATIENCE_SECONDS):
    """How many seconds it took until the condition held."""
    started = time.monotonic()
    while not condition():
        if seconds < time.monotonic() - started:
            raise AssertionError(f'not within {seconds} s: {what}')
        time.sleep(0.02)
    return time.monotonic() - started


def as_nobody(command, directory):
    """Runs a command as the user who attacks."""
    subprocess.run(NOBODY + command, cwd=directory, check=True, stdout=subprocess.DEVNULL)
