"""Drives the binary under test: starts, kills and asks it, and reads what it takes of the machine."""
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_SECONDS = 60


class Agent:
    """The binary over one directory, or over what it finds; `log` is what it says."""

    def __init__(self, binary, root, data, *arguments, listen='127.0.0.1:0', collector='Directory'):
        self.command = [binary, '--data-directory', data, '--listen', listen]
        self.command += ['--log-collector', collector] if collector else []
        self.command += ['--root-path', root] if root else []
        self.command += arguments
        self.log = tempfile.NamedTemporaryFile('w+', suffix='.log')
        self.start()

    def start(self):
        at = os.path.getsize(self.log.name)
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r'serving http://127\.0\.0\.1:(\d+)/', self.own_log(at))
            if found:
                self.port = int(found.group(1))
                self.base = f'http://127.0.0.1:{self.port}'
                return
            time.sleep(0.01)
        raise RuntimeError('the agent did not start: ' + self.own_log()[-500:])

    def own_log(self, start=0):
        """What it said, from byte `start` on."""
        with open(self.log.name, encoding='utf-8', errors='replace', newline='') as log:
            log.seek(start)
            return log.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it as a service manager does, and returns how many seconds that took."""
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)
        return time.monotonic() - began

    def open(self, path, body=None, headers={}):
        request = urllib.request.Request(self.base + path, body, headers)
        return urllib.request.urlopen(request, timeout=PATIENCE_SECONDS)

    def get(self, path):
        with self.open(path) as answer:
            return json.load(answer)

    def lines(self, path):
        """The lines of a file, as they are stored; none where it has no stream."""
        try:
            return self.get(f'/logs/path/{urllib.parse.quote(path)}')
        except urllib.error.HTTPError:
            return []

    def streams(self):
        return [series['path'] for series in self.get('/loki/api/v1/series?start=0&end=9000000000000000000')['data']]

    def memory_kib(self, field='VmRSS'):
        """What the process holds now (VmRSS) or held at most (VmHWM)."""
        with open(f'/proc/{self.process.pid}/status') as status:
            return int(re.search(rf'{field}:\s+(\d+)', status.read()).group(1))

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def cpu_seconds(self):
        with open(f'/proc/{self.process.pid}/stat') as stat:
            fields = stat.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
