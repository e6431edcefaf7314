#!/usr/bin/env python3
"""Attacks a real agent: as a client, as a user who owns a directory below the root, and through its data directory.

`e2e/attack.py BINARY [CASE...]`, as root. Each case says what it cost: peak memory, CPU, and how long it was until all
was well again. ATTACK_SCALE (default 1, which takes a minute) makes the cases so many times larger. The agent may take
ATTACK_MEMORY MiB (default 192).
"""
import concurrent.futures
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse

from agent import PATIENCE_SECONDS, Agent

SCALE = int(os.environ.get('ATTACK_SCALE', 1))
MEMORY_MIB = int(os.environ.get('ATTACK_MEMORY', 192))
# Exchanges two names as fast as it can, for so many seconds.
EXCHANGE = '''
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
one, other, end = sys.argv[1].encode(), sys.argv[2].encode(), time.time() + float(sys.argv[3])
while time.time() < end:
    libc.renameat2(-100, one, -100, other, 2)
    time.sleep(0.00005)
'''

# The user that attacks.
NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
# How long an agent may take to end, whatever was done to it.
STOP_SECONDS = 5

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


class Target(Agent):
    """An agent that is attacked: what it answers is looked at, whatever it is."""

    def __init__(self, binary, directory, *arguments):
        self.logs, self.data = f'{directory}/logs', f'{directory}/data'
        super().__init__(binary, self.logs, self.data, *arguments)

    def answer(self, path, body=None, headers={}):
        """Status and body; 0 where there is no answer."""
        try:
            with self.open(path, body, headers) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b''

    def find(self, query, **parameters):
        parameters = {'query': query, 'start': 0, 'end': int(4e18)} | parameters
        return self.answer('/loki/api/v1/query_range?' + urllib.parse.urlencode(parameters))

    def push(self, gzipped):
        """The status of a push of JSON."""
        return self.answer('/loki/api/v1/push', gzipped, {'Content-Type': 'application/json', 'Content-Encoding': 'gzip'})[0]

    def connect(self, receive_bytes=None):
        client = socket.socket()
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.connect(('127.0.0.1', self.port))
        return client

    def metric(self, name):
        return int(re.search(rf'\n{name} (\d+)', self.answer('/metrics')[1].decode())[1])


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


class Lab:
    """Agents of one case."""

    def __init__(self, binary, root):
        self.binary, self.root, self.agents = binary, root, []

    def agent(self, *arguments, name='a', before=None):
        directory = f'{self.root}/{name}'
        os.makedirs(f'{directory}/logs', exist_ok=True)
        if before:
            before(f'{directory}/logs')
        agent = Target(self.binary, directory, '--memory', f'{MEMORY_MIB}MiB', *arguments)
        self.agents.append(agent)
        return agent

    def nobodys(self, agent, name='app'):
        """A directory below the root that the attacker owns."""
        path = f'{agent.logs}/{name}'
        os.makedirs(path)
        os.chown(path, 65534, 65534)
        return path


def pushed(streams, line_bytes=0, entries=1, label_bytes=8, mark=''):
    """A push of JSON, gzipped; its texts compress well."""
    now, line, value = time.time_ns(), 'x' * line_bytes, 'y' * label_bytes
    body = {'streams': [{'stream': {'app': f'{mark}{stream}', 'long': value},
                         'values': [[str(now + entry), line] for entry in range(entries)]} for stream in range(streams)]}
    return gzip.compress(json.dumps(body).encode(), 1)


@case
def many_streams(lab):
    """New streams with long labels, push after push, through a restart."""
    agent = lab.agent()
    answers = [agent.push(pushed(1500, label_bytes=2000, mark=f'{turn}-')) for turn in range(30 * SCALE)]
    assert set(answers) == {204, 429}, answers
    before = agent.memory_kib() / 1024
    agent.kill()
    agent.start()
    assert agent.memory_kib() / 1024 < before + 30, 'more after a restart than before'
    return agent


@case
def large_pushes(lab):
    """Pushes that become 7 or 50 times as large when they are decoded, all at a time."""
    agent = lab.agent()
    bodies = [pushed(1, line_bytes=900_000, entries=60), pushed(2000, line_bytes=100, entries=60), pushed(1, entries=400_000)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda turn: agent.push(bodies[turn % 3]), range(24 * SCALE)))
    assert set(answers) <= {204, 413, 429}, answers
    wait_for('a push is taken again', lambda: agent.push(pushed(1)) == 204)
    return agent


def slow_readers(lab, encoding):
    agent = lab.agent(before=lambda logs: write_lines(f'{logs}/a.log', 400_000))
    wait_for('all is read', lambda: agent.get('/status')['lines'] == 400_000)
    head = f'GET /logs/path/{agent.logs}/a.log HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\r\n'.encode()
    clients = []
    for _ in range(500):
        client = agent.connect(receive_bytes=4096)
        try:
            client.sendall(head)
        except OSError:
            pass
        client.setblocking(False)
        clients.append(client)
    end = time.monotonic() + 4 * SCALE
    while time.monotonic() < end:
        for client in clients:
            try:
                client.recv(40_000)
            except OSError:
                pass
        time.sleep(0.5)
    # They come from one address, which has its share.
    for client in clients:
        client.close()
    wait_for('another is answered', lambda: agent.answer('/livez')[0] == 200)
    return agent


@case
def slow_readers_plain(lab):
    """500 clients that read a long answer slowly."""
    return slow_readers(lab, 'identity')


@case
def slow_readers_gzip(lab):
    """500 clients that read a long compressed answer slowly."""
    return slow_readers(lab, 'gzip')


@case
def idle_connections(lab):
    """600 connections on which nothing is asked for, or half of a head."""
    agent = lab.agent()
    clients = []
    for number in range(600):
        client = agent.connect()
        if number % 2:
            client.sendall(b'GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ' + b'x' * 30_000)
        clients.append(client)
    took = wait_for('a probe is answered', lambda: agent.answer('/livez')[0] == 200)
    assert took < 1, took
    return agent


@case
def hungry_queries(lab):
    """64 clients that ask for all they can get."""
    agent = lab.agent(before=lambda logs: [write_lines(f'{logs}/{file}.log', 100_000) for file in range(4)])
    wait_for('all is read', lambda: agent.get('/status')['lines'] == 400_000)
    queries = ['{path=~".+"}', 'sum by (line) (count_over_time({path=~".+"} | pattern "<line>" [1h]))',
               '{path=~".+"} |~ "(a|b|c|d){1,40}[0-9a-f]{30}"', 'topk(9, count_over_time({path=~".+"} | pattern "<_> <n> <x>" [5m]))']
    end = time.monotonic() + 5 * SCALE

    def ask(number):
        answers = set()
        while time.monotonic() < end:
            hour = {'start': time.time_ns() - 3600 * 10**9, 'end': time.time_ns()}
            answers.add(agent.find(queries[number % 4], limit=5000, step='60s', **hour)[0])
        return answers

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = set().union(*pool.map(ask, range(64)))
    assert answers <= {200, 400, 429, 500, 503, 504}, answers
    return agent


@case
def left_out_by_name(lab):
    """Links to files that --exclude, the default list and the agent itself leave out, and to their directories."""
    agent = lab.agent('--exclude', 'hidden*')
    app = lab.nobodys(agent)
    for name in ('hidden.txt', 'btmp', 'seen.txt'):
        with open(f'{agent.logs}/{name}', 'w') as file:
            file.write(f'secret of {name}\n')
        os.chmod(f'{agent.logs}/{name}', 0o600)
    as_nobody(['sh', '-c', 'ln -s ../hidden.txt 1.log; ln -s ../btmp 2.log; ln -s ../seen.txt 3.log'], app)
    os.symlink(f'{agent.data}', f'{agent.logs}/own')
    os.symlink(f'{agent.data}/lock', f'{agent.logs}/lock.log')
    wait_for('what is not left out is read', lambda: agent.lines(f'{app}/3.log') == ['secret of seen.txt'])
    found = [agent.lines(f'{app}/{link}.log') for link in (1, 2)] + [agent.lines(f'{agent.logs}/lock.log')]
    assert found == [[], [], []], found
    assert not [source for source in agent.get('/status')['sources'] if '/own/' in source['path']]
    return agent


@case
def hidden_names(lab):
    """A directory and a link to one that only root may read, exchanged as fast as can be: no name of it comes to light."""
    secret = f'{lab.root}/secret/directory'
    os.makedirs(secret)
    os.chmod(f'{lab.root}/secret', 0o700)
    for number in range(20):
        with open(f'{secret}/private-{number}.log', 'w') as file:
            file.write('TOPSECRET\n')
    agent = lab.agent()
    app = lab.nobodys(agent)
    as_nobody(['sh', '-c', f'mkdir d; echo x >d/mine.log; ln -s {secret} l'], app)
    wait_for('the attacker\'s own is read', lambda: agent.lines(f'{app}/d/mine.log') == ['x'])
    exchanging = subprocess.Popen([*NOBODY, sys.executable, '-c', EXCHANGE, 'd', 'l', str(4 * SCALE)], cwd=app)
    seen = set()
    while exchanging.poll() is None:
        seen |= {source['path'] for source in agent.get('/status')['sources'] if 'private-' in source['path']}
        time.sleep(0.05)
    assert not seen, seen
    log = agent.own_log()
    assert 'private-' not in log, [line for line in log.splitlines() if 'private-' in line][:3]
    assert len(log) < 200_000, f'{len(log)} bytes of own log'
    assert b'TOPSECRET' not in agent.find('{path=~".+"} |= "TOPSECRET"')[1]
    return agent


@case
def own_log(lab):
    """Names with control characters, and very many of them."""
    agent = lab.agent()
    app = lab.nobodys(agent)
    name = 'x\r\x1b[2K\r[2026-11-30T00:00:00Z INFO ] all is well\x1b[8m\x9b31m\u202e'
    script = 'import os, sys\nfor i in range(int(sys.argv[2])): os.symlink("/etc/shadow", sys.argv[1] + str(i))'
    as_nobody([sys.executable, '-c', script, name, str(3000 * SCALE)], app)
    wait_for('all are refused', lambda: agent.metric('monitoring_source_links_refused_total') == 3000 * SCALE)
    log = agent.own_log()
    assert not [c for c in log if c in '\r\x1b\x9b\u202e'], 'a control character is in the own log'
    assert len(log) < 50_000, f'{len(log)} bytes of own log'
    wait_for('it is said how many were held back', lambda: 'were held back' in agent.own_log())
    return agent


@case
def lost_events(lab):
    """More events than the kernel's queue takes, while there are many directories: one overflow stays one."""
    agent = lab.agent()
    app = lab.nobodys(agent)
    directories = 18_000 if SCALE == 1 else 25_000
    script = 'import os, sys\nfor i in range(int(sys.argv[1])): os.mkdir(f"d{i}")'
    as_nobody([sys.executable, '-c', script, str(directories)], app)
    wait_for('the directories are watched', lambda: directories < agent.metric('monitoring_inotify_watches'), 60)
    script = 'import os\nfor i in range(60000): os.close(os.open("f", os.O_CREAT)); os.unlink("f")'
    # The agent is held up, so that its queue overflows.
    agent.process.send_signal(signal.SIGSTOP)
    as_nobody([sys.executable, '-c', script], app)
    agent.process.send_signal(signal.SIGCONT)
    wait_for('an overflow is seen', lambda: 0 < agent.metric('monitoring_inotify_overflows_total'))
    with open(f'{agent.logs}/probe.log', 'w') as probe:
        probe.write('probe\n')
    wait_for('a line is found', lambda: agent.lines(f'{agent.logs}/probe.log') == ['probe'], 5)
    time.sleep(2)
    overflows, cpu, began = agent.metric('monitoring_inotify_overflows_total'), agent.cpu_seconds(), time.monotonic()
    time.sleep(4)
    assert agent.metric('monitoring_inotify_overflows_total') == overflows, 'it goes on'
    busy = (agent.cpu_seconds() - cpu) / (time.monotonic() - began)
    assert busy < 0.25, f'{busy:.0%} of a processor while nothing happens'
    assert agent.metric('monitoring_inotify_watches') == directories + 3, 'a directory is not watched any more'
    return agent


@case
def very_many_files(lab):
    """More files of one user than are followed: a new log of another is collected all the same."""
    if SCALE == 1:
        return None
    agent = lab.agent()
    app = lab.nobodys(agent)
    script = 'for i in range(110000): open(f"{i}.log", "w").close()'
    as_nobody([sys.executable, '-c', script], app)
    wait_for('they are found', lambda: 49_000 < len(agent.get('/status')['sources']), 120)
    os.mkdir(f'{agent.logs}/other')
    with open(f'{agent.logs}/other/new.log', 'w') as file:
        file.write('new\n')
    wait_for('the new log is collected', lambda: agent.lines(f'{agent.logs}/other/new.log') == ['new'], 20)
    return agent


@case
def second_instance(lab):
    """The lock file is deleted: a second instance is refused, and the first goes on."""
    agent = lab.agent()
    os.unlink(f'{agent.data}/lock')
    other = subprocess.run(agent.command, capture_output=True, text=True, timeout=20)
    assert other.returncode == 1 and 'in use by another instance' in other.stderr, other
    assert agent.push(pushed(1)) == 204
    return agent


@case
def removed_data(lab):
    """The data directory is removed under the running agent: it says so within a second, and acknowledges nothing."""
    agent = lab.agent()
    assert agent.push(pushed(1)) == 204
    shutil.rmtree(agent.data)
    took = wait_for('it is not ready', lambda: agent.answer('/readyz')[0] == 503, 5)
    assert took < 1.5, f'{took} s'
    assert agent.push(pushed(1, mark='late')) == 503
    agent.kill()
    agent.start()
    assert agent.push(pushed(1)) == 204
    return agent


@case
def stray_files(lab):
    """Files where the database has its directories."""
    agent = lab.agent()
    agent.stop()
    shutil.rmtree(agent.data)
    os.makedirs(agent.data)
    for name in ('journal', 'segments'):
        with open(f'{agent.data}/{name}', 'w') as file:
            file.write('stray\n')
    os.mkdir(f'{agent.data}/lock')
    agent.start()
    assert agent.push(pushed(1)) == 204
    return agent


@case
def nul_bytes(lab):
    """NULs behind text, as a power cut leaves them: they are a gap, and no line."""
    def before(logs):
        with open(f'{logs}/a.log', 'wb') as file:
            file.write(b'one\n' * 10 + b'\0' * 4096)
    agent = lab.agent(before=before)
    with open(f'{agent.logs}/a.log', 'ab') as file:
        file.write(b'two\n' * 10)
    wait_for('what comes after is read', lambda: agent.lines(f'{agent.logs}/a.log') == ['one'] * 10 + ['two'] * 10)
    assert agent.get('/status')['skipped_bytes']['hole'] == 4096
    with open(f'{agent.logs}/b.log', 'wb') as file:
        file.write(b'\x7fELF' + random.randbytes(8192))
    wait_for('what is no text is named',
             lambda: any(source['path'].endswith('b.log') and source['state'] == 'left_out' for source in agent.get('/status')['sources']))
    return agent


def write_lines(path, count):
    with open(path, 'w') as file:
        file.writelines(f'line {number} {random.getrandbits(128):x}\n' for number in range(count))


def main():
    binary, names = os.path.abspath(sys.argv[1]), sys.argv[2:] or list(CASES)
    failed = []
    print(f'{"case":<20} {"peak MiB":>8} {"CPU s":>6} {"took s":>6}')
    for name in names:
        root = tempfile.mkdtemp(prefix='attack-')
        os.chmod(root, 0o755)
        lab, started = Lab(binary, root), time.monotonic()
        try:
            agent = CASES[name](lab)
            if agent is None:
                print(f'{name:<20} only with ATTACK_SCALE=2 or more', flush=True)
                continue
            took, peak, cpu = time.monotonic() - started, agent.memory_kib('VmHWM') / 1024, agent.cpu_seconds()
            assert peak <= MEMORY_MIB, f'{peak:.0f} MiB are more than {MEMORY_MIB}'
            stop_took = agent.stop()
            assert stop_took < STOP_SECONDS, f'{stop_took:.1f} s to stop'
            print(f'{name:<20} {peak:8.0f} {cpu:6.1f} {took:6.1f}', flush=True)
        except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as error:
            failed.append(name)
            print(f'{name:<20} FAILED: {error}', flush=True)
        finally:
            for agent in lab.agents:
                agent.kill()
            shutil.rmtree(root, ignore_errors=True)
    if failed:
        sys.exit(f'{len(failed)} attacks succeeded: {", ".join(failed)}')


if __name__ == '__main__':
    main()
