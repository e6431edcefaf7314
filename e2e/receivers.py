#!/usr/bin/env python3
"""Tries forwarding against receivers that do as badly as they may: e2e/receivers.py BINARY [SCENARIO...]

Each scenario writes lines, lets a Loki or a collector of OpenTelemetry (fake_receiver.py) misbehave, and counts what arrives there.
`bench`: how late lines are seen here while a target is dead, slow or fast. `backlog`: how fast one leaves. Needs the Python package
opentelemetry-proto."""
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

import fake_receiver
from agent import PATIENCE_SECONDS, Agent
from fake_receiver import Receiver

TLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../src/pods/recordings/tls')
LEVELS = ['info', 'info', 'info', 'warn', 'error']
# Agents and receivers, which end with their scenario.
started = []


def fail(what):
    print(f'FAILED: {what}', file=sys.stderr)
    for each in started:
        if isinstance(each, Agent):
            print(each.own_log()[-3000:], file=sys.stderr)
    sys.exit(1)


def equal(what, actual, expected):
    if actual != expected:
        fail(f'{what}: {str(actual)[:400]} instead of {str(expected)[:400]}')
    print(f'ok: {what}')


def becomes(what, ask, expected):
    """As `equal`, of what is looked at only once a second."""
    end = time.monotonic() + 5
    while ask() != expected and time.monotonic() < end:
        time.sleep(0.02)
    equal(what, ask(), expected)


def wait_for(what, condition, seconds=PATIENCE_SECONDS, interval=0.02):
    end = time.monotonic() + seconds
    while not condition():
        if end < time.monotonic():
            fail(f'not in time: {what}')
        time.sleep(interval)


def receiver(**settings):
    started.append(Receiver(**settings))
    return started[-1]


class Sender:
    """An agent that forwards, and the files that it reads."""

    def __init__(self, binary, directory, address, *arguments, from_='beginning'):
        self.root = f'{directory}/logs'
        os.makedirs(self.root, exist_ok=True)
        self.agent = Agent(binary, self.root, f'{directory}/data', '--forward', address, '--forward-from', from_, *arguments)
        started.append(self.agent)

    def path(self, name):
        return f'{self.root}/{name}'

    def write(self, name, lines):
        with open(self.path(name), 'ab') as file:
            file.write(b''.join(line + b'\n' for line in lines))

    def target(self):
        return self.agent.get('/status')['forward'][0]

    def metric(self, name):
        with self.agent.open('/metrics') as answer:
            return int(re.search(rf'^monitoring_forward_{name}\S* (\d+)', answer.read().decode(), re.MULTILINE).group(1))

    def lost(self):
        """How many lines were refused, and how many were dropped unsent."""
        return self.target()['refused_lines'], self.target()['dropped_lines']

    def wait_until_sent(self, lines, seconds=PATIENCE_SECONDS, interval=0.02):
        """Until so many lines were taken or refused since the agent's start."""
        wait_for(f'{lines} lines to be sent', lambda: self.metric('acked_total') == lines, seconds, interval)


def numbered(count, size=100, first=0):
    return [f'line {number} '.encode().ljust(size, b'.') for number in range(first, first + count)]


def check_all(sender, fake, files, label='path'):
    """Each line there once, in its place, but for those that came again because no answer had come."""
    for name, lines in files.items():
        equal(f'{len(lines)} lines of {name} arrive in their order', fake.lines(sender.path(name), label), lines)
    equal('what arrives is well-formed', fake.malformed, [])


def waits(fake):
    """The time between one request and the next."""
    times = [seen.when for seen in fake.seen if seen.entries]
    return [later - earlier for earlier, later in zip(times, times[1:])]


def plain(binary, directory):
    fake = receiver()
    sender = Sender(binary, directory, f'loki+{fake.base}', '--forward-label', 'cluster=a "quoted" one',
                    '--forward-exclude', '{path=~".+/left-out.log"}')
    files = {'a.log': numbered(5000), 'b.log': ['größe 日本 \\ " \t'.encode(), b'bad \xff\xfe', b'  spaces  ']}
    for name, lines in files.items():
        sender.write(name, lines)
    sender.write('left-out.log', [b'secret'])
    sender.wait_until_sent(5003)
    files['b.log'][1] = 'bad \ufffd\ufffd'.encode()
    check_all(sender, fake, files)
    equal('labels are added', {entry.labels.get('cluster') for entry in fake.arrived}, {'a "quoted" one'})
    equal('what is excluded stays here', fake.lines(sender.path('left-out.log')), [])
    equal('nothing is sent twice', len(fake.arrived), 5003)


def busy(binary, directory):
    fake = receiver()
    fake.script += [(429, {'Retry-After': '2'}, 'slow down'), (503, {}, 'starting'), (500, {}, ''), (503, {'Retry-After': '1'}, '')]
    sender = Sender(binary, directory, f'loki+{fake.base}')
    sender.write('a.log', numbered(100))
    wait_for('the problem', lambda: sender.target()['problem'])
    problem = sender.target()['problem']
    equal('the status has its words', '429' in problem and 'slow down' in problem, True)
    sender.wait_until_sent(100)
    check_all(sender, fake, {'a.log': numbered(100)})
    times = waits(fake)
    equal('Retry-After is waited for', 2.0 <= times[0] < 4 and 1.0 <= times[3] < 5, True)
    equal('without one waits grow', 0.4 <= times[1] < 1.2 and 0.9 <= times[2] < 2.5, True)
    wait_for('the problem to be over', lambda: sender.target()['problem'] is None)


def idle(binary, directory):
    """Connections are closed while there is nothing to send."""
    fake = receiver()
    sender = Sender(binary, directory, f'loki+{fake.base}')
    for number in range(3):
        sender.write('a.log', numbered(10, first=10 * number))
        sender.wait_until_sent(10 * (number + 1))
        time.sleep(fake_receiver.Handler.timeout + 0.5)
    check_all(sender, fake, {'a.log': numbered(30)})
    equal('nothing fails', (sender.metric('failures_total'), len(fake.arrived)), (0, 30))


def cut_off(binary, directory):
    fake = receiver()
    fake.script += ['half', 'lost', 'cut', 'dribble', 'endless', 'half']
    sender = Sender(binary, directory, f'loki+{fake.base}')
    files = {}
    for number in range(6):
        # One batch after the other, so that each behaviour meets one.
        files[f'{number}.log'] = numbered(2000)
        sender.write(f'{number}.log', files[f'{number}.log'])
        sender.wait_until_sent(2000 * (number + 1))
    check_all(sender, fake, files)
    equal('an endless answer is hung up on', fake.was_hung_up, True)
    equal('what came again is what had no answer', 2000 <= len(fake.arrived) - 12_000 <= 4000, True)


def killed(binary, directory):
    """The sender is killed again and again, while the receiver is no better."""
    fake, seed = receiver(), int(os.environ.get('KILL_SEED', 1))
    dice = random.Random(seed)
    sender = Sender(binary, directory, f'loki+{fake.base}')
    files = {'a.log': [], 'b.log': []}
    for _ in range(20):
        fake.script.append(dice.choice(['half', 'lost', 'cut', 'store', (503, {}, 'no'), (429, {'Retry-After': '1'}, 'no')]))
        for name, lines in files.items():
            more = numbered(3000, first=len(lines))
            sender.write(name, more)
            lines += more
        time.sleep(dice.uniform(0, 1))
        sender.agent.kill()
        sender.agent.start()
    fake.script.clear()
    total = sum(len(lines) for lines in files.values())
    wait_for('all to arrive', lambda: total <= sum(len(entries) for entries in fake.stored().values()), interval=0.5)
    check_all(sender, fake, files)
    becomes(f'nothing is lost (KILL_SEED={seed})', sender.lost, (0, 0))
    print(f'{len(fake.arrived) - total} of {total} lines came again')


def poison(binary, directory):
    for is_strict in [False, True]:
        fake = receiver(is_strict=is_strict)
        sender = Sender(binary, f'{directory}/{is_strict}', f'loki+{fake.base}')
        lines = numbered(4000)
        for number in [0, 1, 1777, 3999]:
            lines[number] = b'poison ' + lines[number]
        sender.write('a.log', lines)
        sender.wait_until_sent(4000)
        kind = 'a receiver that refuses all' if is_strict else 'a Loki'
        check_all(sender, fake, {'a.log': [line for line in lines if b'poison' not in line]})
        becomes(f'what {kind} refuses is counted', sender.lost, (4, 0))
        equal('with its words', 'poison in it' in sender.target()['last_refusal'], True)


def limits(binary, directory):
    fake = receiver()
    sender = Sender(binary, directory, f'loki+{fake.base}')
    labels = {f'label_{number:02}': 'x' * 4000 for number in range(55)} | {'pod': 'p', 'namespace': 'n'}
    now = time.time_ns()
    metadata = {f'field_{number:03}': 'é' * 100 for number in range(126)}
    values = [[str(now), 'many', metadata], [str(now + 1), 'l' * 700_000, {}], [str(now + 2), 'few', {'trace': '7'}],
              [str(now - 8 * 24 * 3600 * 10 ** 9), 'old', {}]]
    body = json.dumps({'streams': [{'stream': labels, 'values': values}]}).encode()
    sender.agent.open('/loki/api/v1/push', body, {'Content-Type': 'application/json'})
    sender.wait_until_sent(4)
    by_line = {entry.line[:4]: entry for entry in fake.arrived}
    equal('all but what is too old arrives', sorted(by_line), [b'few', b'llll', b'many'])
    few = by_line[b'few']
    equal('labels that identify stay', (len(few.labels), few.labels['pod'], few.labels['namespace']), (15, 'p', 'n'))
    equal('the others are metadata', (few.metadata[0], len(few.metadata)), (('trace', '7'), 1 + 31))
    long = by_line[b'llll'].line.decode()
    equal('a line is cut and says so', long.endswith('… [cut, 700000 bytes]') and len(long.encode()) <= 256 << 10, True)
    becomes('what is too old is refused', sender.lost, (1, 0))
    equal('with the words', 'too old' in sender.target()['last_refusal'], True)


def settings(binary, directory):
    """A wrong token, which is mended while both run; redirects."""
    fake = receiver(always=(401, {}, 'who are you?'))
    os.makedirs(directory, exist_ok=True)
    headers = f'{directory}/headers'

    def write_headers(token):
        with open(headers + '.new', 'w') as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(f'Authorization: Bearer {token}\nX-Scope-OrgID: shop\n')
        os.rename(headers + '.new', headers)
    write_headers('s3cret-old')
    sender = Sender(binary, directory, f'loki+{fake.base}/a?key=s3cret-key', '--forward-header-file', headers)
    sender.write('a.log', numbered(10))
    wait_for('the problem', lambda: sender.target()['problem'])
    equal('the problem says where to look', '--forward-header-file' in sender.target()['problem'], True)
    other = receiver()
    fake.always = (307, {'Location': other.base + fake_receiver.LOKI_PATH}, '')
    write_headers('s3cret-new')
    wait_for('a redirect', lambda: '307' in sender.target()['problem'])
    fake.always = 'store'
    sender.wait_until_sent(10)
    check_all(sender, fake, {'a.log': numbered(10)})
    last = fake.seen[-1]
    equal('headers are those of the file', (last.headers['authorization'], last.headers['x-scope-orgid']), ('Bearer s3cret-new', 'shop'))
    equal('the address is as it was given', last.path, '/a/loki/api/v1/push?key=s3cret-key')
    equal('redirects lead nowhere', other.seen, [])
    with sender.agent.open('/metrics') as answer:
        metrics = answer.read().decode()
    shown = sender.agent.own_log() + json.dumps(sender.agent.get('/status')) + metrics
    equal('nothing secret is shown', 's3cret' in shown, False)
    os.chmod(headers, 0o644)
    sender.write('a.log', numbered(10, first=10))
    wait_for('the file that others may read', lambda: 'chmod' in (sender.target()['problem'] or ''))
    os.chmod(headers, 0o600)
    sender.wait_until_sent(20)


def tls(binary, directory):
    """An authority of its own, and one that is not this receiver's; through a proxy."""
    fake, proxy = receiver(certificate=[f'{TLS}/server.crt', f'{TLS}/server.key']), receiver()
    os.environ['HTTPS_PROXY'] = proxy.base
    try:
        sender = Sender(binary, f'{directory}/a', f'loki+{fake.base}', '--forward-ca-file', f'{TLS}/ca.crt')
        sender.write('a.log', numbered(1000))
        sender.wait_until_sent(1000)
        check_all(sender, fake, {'a.log': numbered(1000)})
        equal('the proxy of the environment is asked', set(proxy.proxied), {f'127.0.0.1:{fake.port}'})
        count = len(proxy.proxied)
        os.environ['NO_PROXY'] = '127.0.0.1'
        sender = Sender(binary, f'{directory}/b', f'loki+{fake.base}', '--forward-ca-file', f'{TLS}/other-ca.crt')
        sender.write('a.log', numbered(1000))
        wait_for('the problem', lambda: sender.target()['problem'])
        equal('nobody else is trusted', 'certificate' in sender.target()['problem'], True)
        equal('but for hosts that are excepted', len(proxy.proxied), count)
        equal('and nothing is sent to them', fake.lines(sender.path('a.log')), [])
    finally:
        for name in ['HTTPS_PROXY', 'NO_PROXY']:
            os.environ.pop(name, None)


def away(binary, directory):
    """Nobody listens for so long that retention drops lines, and the sender is killed meanwhile."""
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    sender = Sender(binary, directory, f'loki+http://127.0.0.1:{port}', '--retention-size', '8MiB')
    count, written = 40, 0
    for number in range(count):
        # Noise, so that it takes as much on disk.
        sender.write('a.log', [f'line {written + index} {os.urandom(150).hex()}'.encode() for index in range(2500)])
        written += 2500
        if number % 13 == 12:
            wait_for('what was written to be read', lambda: sender.agent.get('/status')['waiting_bytes'] == 0)
            sender.agent.kill()
            sender.agent.start()
    wait_for('what was written to be read', lambda: sender.agent.get('/status')['waiting_bytes'] == 0)
    wait_for('retention to bite', lambda: 0 < sender.target()['dropped_lines'])
    fake = receiver(port=port)
    wait_for('the rest to be sent', lambda: fake.arrived and sender.target()['waiting_lines'] == 0)
    numbers = [int(line.split()[1]) for line in fake.lines(sender.path('a.log'))]
    equal(f'{len(numbers)} lines arrive in their order', numbers, sorted(set(numbers)))
    becomes(f'and the {written - len(numbers)} that do not are counted', sender.lost, (0, written - len(numbers)))


def otlp(binary, directory):
    fake = receiver()
    sender = Sender(binary, directory, f'{fake.base}{fake_receiver.OTLP_PATH}')
    fake.script += [(503, {}, ''), 'lost']
    lines = [b'level=warn msg="slow"', b'plain text', b'bad \xff', b'poison', 'größe'.encode(), b'{"level":"fatal"}']
    sender.write('a.log', lines)
    sender.wait_until_sent(6)
    lines.remove(b'poison')
    check_all(sender, fake, {'a.log': lines}, 'log.file.path')
    becomes('partial success is counted', sender.lost, (1, 0))
    equal('with its words', 'poison' in sender.target()['last_refusal'], True)
    found = {entry.line: dict(entry.metadata) for entry in fake.arrived}
    severities = [found[line]['severity'] for line in lines]
    equal('severities are numbered', severities, ['13 warn', '0 ', '0 ', '0 ', '21 fatal'])
    equal('what is no UTF-8 is bytes', [found[line]['kind'] == 'bytes_value' for line in lines], [False, False, True, False, False])
    equal('the scope has a version', found[lines[0]]['scope'].startswith('monitoring-rs 0.'), True)
    now = time.time()
    equal('times are now', all(abs(now - entry.ns / 1e9) < 60 for entry in fake.arrived), True)


def is_idle(agent):
    before = agent.cpu_seconds()
    time.sleep(2)
    return agent.cpu_seconds() - before <= 0.05


def thread_seconds(agent, name):
    """The CPU time of the agent's threads of a name."""
    ticks, tasks = 0, f'/proc/{agent.process.pid}/task'
    for task in os.listdir(tasks):
        with open(f'{tasks}/{task}/stat') as stat:
            before, _, rest = stat.read().rpartition(')')
        if before.partition('(')[2] == name:
            ticks += sum(int(field) for field in rest.split()[11:13])
    return ticks / os.sysconf('SC_CLK_TCK')


def backlog(binary, directory):
    """How fast a backlog leaves, and what that costs the sender, where the receiver costs next to nothing."""
    size = int(os.environ.get('BENCH_BYTES', 500_000_000))
    dice, count, total = random.Random(1), 0, 0
    here = f'{directory}/backlog'
    os.makedirs(f'{here}/logs')
    with open(f'{here}/logs/a.log', 'w') as file:
        while total < size:
            text = ''.join(f'{count + index} level={dice.choice(LEVELS)} msg="request served" path=/api/v1/items/{dice.randrange(9999)} '
                           f'duration={dice.random() * 100:.3f}ms trace={dice.getrandbits(64):016x}\n' for index in range(10_000))
            count, total = count + 10_000, total + file.write(text)
    # All is stored before it is sent anywhere, so that what collecting costs is not counted.
    sender = Sender(binary, here, 'loki+http://127.0.0.1:9', from_='now')
    wait_for('all to be stored', lambda: sender.agent.get('/status')['lines'] == count, 600)
    wait_for('what was collected to become segments', lambda: is_idle(sender.agent), 600)
    sender.agent.stop()
    for protocol in ['loki', 'otlp']:
        fake = receiver(always='sink')
        sender = Sender(binary, here, f'{protocol}+{fake.base}')
        began = time.monotonic()
        # Asking often would take a good part of what is measured.
        sender.wait_until_sent(count, 600, 0.5)
        seconds, cpu = time.monotonic() - began, thread_seconds(sender.agent, 'forward')
        print(f'backlog of {total / 1e6:.0f} MB to {protocol}: {total / 1e6 / seconds:.0f} MB/s, {cpu / total * 1e9:.1f} s of CPU a GB '
              f'in its thread, {total / fake.sunk_bytes:.1f} times smaller, VmHWM {sender.agent.memory_kib("VmHWM") / 1024:.0f} MiB')
        sender.agent.kill()


def bench(binary, directory):
    """How late a line is seen at the sender itself, 1000 a second, beside targets that are none, dead, slow and fast."""
    seconds = int(os.environ.get('BENCH_SECONDS', 10))
    for kind in ['no', 'a dead', 'a slow', 'a fast']:
        here = f'{directory}/{kind[-4:]}'
        fake = receiver(always='never' if kind == 'a slow' else 'store')
        address = f'loki+{fake.base}' if kind != 'a dead' else 'loki+http://127.0.0.1:9'
        sender = Sender(binary, here, address)
        if kind == 'no':
            at = sender.agent.command.index('--forward')
            del sender.agent.command[at:at + 4]
            sender.agent.kill()
            sender.agent.start()
        follow = subprocess.Popen([binary, 'logs', '--follow', '--since', '1s', '--output', 'raw', '--addr', sender.agent.base],
                                  stdout=subprocess.PIPE, text=True)
        times = []

        def write():
            end = time.monotonic() + seconds
            with open(sender.path('a.log'), 'a') as file:
                while time.monotonic() < end:
                    time.sleep(0.01)
                    file.write(''.join(f'at {time.time_ns()} \n' for _ in range(10)))
                    file.flush()
            follow.terminate()
        thread = threading.Thread(target=write)
        thread.start()
        for line in follow.stdout:
            times.append((time.time_ns() - int(line.split()[1])) / 1e6)
        thread.join()
        times.sort()
        print(f'{kind} target: {len(times)} lines seen, p50 {times[len(times) // 2]:.1f} ms, '
              f'p99 {times[len(times) * 99 // 100]:.1f} ms, VmHWM {sender.agent.memory_kib("VmHWM") / 1024:.0f} MiB')
        end()


def end():
    while started:
        each = started.pop()
        each.kill() if isinstance(each, Agent) else each.close()


SCENARIOS = [plain, busy, idle, cut_off, killed, poison, limits, settings, tls, away, otlp]


def main():
    binary = os.path.abspath(sys.argv[1])
    known = {scenario.__name__: scenario for scenario in [*SCENARIOS, bench, backlog]}
    chosen = [known[name] for name in sys.argv[2:]] or SCENARIOS
    for scenario in chosen:
        print(f'--- {scenario.__name__}')
        with tempfile.TemporaryDirectory() as directory:
            try:
                scenario(binary, directory)
            finally:
                end()


main()
