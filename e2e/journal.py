#!/usr/bin/env python3
"""Tries the journal collector with systemd's own programs: e2e/journal.py BINARY [SCENARIO...]

`import`: systemd-journal-remote makes files of JOURNAL_ENTRIES entries (default 100,000) with every odd field, and what
`journalctl -o json` says of them is what the agent has to say: number, order, times, text, fields.
`live`: a systemd-journald of its own, in a mount namespace, under writers, `journalctl --flush`, `--rotate`, `--relinquish-var`
and `--vacuum-files`, while the agent is killed JOURNAL_KILLS times (default 20): each entry once.
`vacuum`: what is vacuumed while the agent is down is told as a gap, and what is left is read.
`first`: the first command of the README, and the binary without any flag, on a host with nothing but a journal.
`bench`: the backlog beside `journalctl -o cat` and `-o json`, questions beside `journalctl -u` and `-g`; ratios of one run.

Needs root and the Debian packages systemd and systemd-journal-remote.
"""
import calendar
import collections
import glob
import hashlib
import json
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from agent import PATIENCE_SECONDS, Agent

ENTRIES = int(os.environ.get('JOURNAL_ENTRIES', 100_000))
KILLS = int(os.environ.get('JOURNAL_KILLS', 20))
SEED = int(os.environ.get('JOURNAL_SEED', time.time_ns() % 1_000_000))
EXPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../tests/journald/export.py')
REMOTE, JOURNALD = '/usr/lib/systemd/systemd-journal-remote', '/usr/lib/systemd/systemd-journald'
NATIVE = '/run/systemd/journal/socket'
PERSISTENT, VOLATILE = '/var/log/journal', '/run/log/journal'
LEVELS = ['critical', 'critical', 'critical', 'error', 'warn', 'info', 'info', 'debug']
# Longer values are compared up to here: metadata have a limit, and what is beyond it is cut.
VALUE_BYTES = 1000
# A live entry is to be found within this; half of it is journald's and the client's.
LATENCY_SECONDS = 0.1

# Agents and journalds, which end with their scenario, however that ends.
started = []


def fail(what):
    print(f'FAILED (JOURNAL_SEED={SEED}): {what}', file=sys.stderr)
    sys.exit(1)


def equal(what, actual, expected):
    if actual != expected:
        fail(f'{what}: {str(actual)[:400]} instead of {str(expected)[:400]}')
    print(f'ok: {what}')


def wait_for(what, condition, seconds=PATIENCE_SECONDS):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            fail(f'not in time: {what}')
        time.sleep(0.05)


def journalctl(*arguments):
    return subprocess.run(['journalctl', '--quiet', '--no-pager', *arguments], check=True, capture_output=True).stdout


def start(binary, state, *arguments, root=None, collector='Journal'):
    agent = Agent(binary, root, os.path.join(state, 'data'), *arguments, collector=collector)
    started.append(agent)
    return agent


def is_read(agent):
    status = agent.get('/status')
    return status['sources'] != [] and all(source['lag_bytes'] == 0 for source in status['sources']) and status['waiting_bytes'] == 0


def is_balanced(agent):
    status = agent.get('/status')
    equal('every byte is accounted for', status['unaccounted_bytes'], 0)


def lines(agent, query):
    """All lines of a query, oldest first."""
    parameters = urllib.parse.urlencode(
        {'query': query, 'direction': 'forward', 'format': 'jsonl', 'times': 'utc', 'download': 'lines'})
    with agent.open('/api/v1/lines?' + parameters) as answer:
        for line in answer:
            yield json.loads(line)


# --- import ---

def make(directory, entries, seed, compact, keyed, compress):
    """Journal files by systemd's own writer."""
    os.makedirs(directory, exist_ok=True)
    export = subprocess.Popen([EXPORT, str(entries), str(seed)], stdout=subprocess.PIPE)
    switches = dict(os.environ, SYSTEMD_JOURNAL_COMPACT=compact, SYSTEMD_JOURNAL_KEYED_HASH=keyed)
    subprocess.run([REMOTE, f'--compress={compress}', '-o', os.path.join(directory, f'remote-{seed}.journal'), '-'],
                   stdin=export.stdout, check=True, env=switches, stderr=subprocess.DEVNULL)
    if export.wait():
        fail('the export was not made')


def values(value):
    """The values of a field of `journalctl -o json`."""
    if isinstance(value, str):
        return [value]
    if all(isinstance(item, int) for item in value):
        return [bytes(value).decode(errors='replace')]
    return [text for item in value for text in values(item)]


def comparable(text):
    """What is no UTF-8 is replaced, by Python with another number of marks than by Rust."""
    return re.sub('\ufffd+', '\ufffd', text[:VALUE_BYTES])[:VALUE_BYTES // 2]


def digest(time_us, text, fields):
    text, fields = comparable(text), sorted((name, sorted(map(comparable, found))) for name, found in fields.items())
    return hashlib.blake2b(repr((time_us, text, fields)).encode(), digest_size=12).digest()


def expected(directory):
    """Streams of digests in the order of time, as the journal says."""
    streams = collections.defaultdict(list)
    program = subprocess.Popen(['journalctl', '--quiet', '--all', '-D', directory, '-o', 'json'], stdout=subprocess.PIPE)
    for line in program.stdout:
        entry = {name: values(value) for name, value in json.loads(line).items()}
        first = lambda name: entry.get(name, [''])[0]
        kernel = first('_TRANSPORT') == 'kernel'
        unit = 'kernel' if kernel else first('_SYSTEMD_UNIT')
        labels = {'unit': unit} if unit else {'identifier': first('SYSLOG_IDENTIFIER')}
        labels |= {'transport': first('_TRANSPORT'), 'hostname': first('_HOSTNAME')}
        time_us = int(first('_SOURCE_REALTIME_TIMESTAMP') or first('__REALTIME_TIMESTAMP'))
        left_out = {'MESSAGE', '_TRANSPORT', '_HOSTNAME', '_SOURCE_REALTIME_TIMESTAMP'} | ({'SYSLOG_IDENTIFIER'} if not unit else set())
        fields = {name: found for name, found in entry.items() if name not in left_out and not name.startswith('__')}
        fields['level'] = [LEVELS[int(first('PRIORITY'))]]
        streams[json.dumps(labels, sort_keys=True)].append((time_us, digest(time_us, first('MESSAGE'), fields)))
    if program.wait():
        fail('journalctl failed')
    return {labels: [found for _, found in sorted(entries, key=lambda entry: entry[0])] for labels, entries in streams.items()}


def microseconds(text, known={}):
    """Microseconds since the Unix epoch of a time in UTC as RFC 3339."""
    seconds, fraction = text[:19], text[19:].removesuffix('+00:00').removesuffix('Z')[1:]
    if seconds not in known:
        known.clear()
        known[seconds] = calendar.timegm(time.strptime(seconds, '%Y-%m-%dT%H:%M:%S'))
    return known[seconds] * 1_000_000 + int(fraction.ljust(6, '0')[:6])


def collected(agent):
    streams = collections.defaultdict(list)
    for line in lines(agent, '{hostname=~".+"}'):
        labels = {name: line['labels'][name] for name in ('unit', 'identifier', 'transport', 'hostname') if name in line['labels']}
        fields = {name: value.split('\n') if name == 'TAG' else [value] for name, value in line.get('metadata', {}).items()}
        streams[json.dumps(labels, sort_keys=True)].append(digest(microseconds(line['time']), line['line'], fields))
    return dict(streams)


def scenario_import(binary, state):
    variants = [('1', '1', 'yes'), ('0', '1', 'yes'), ('0', '0', 'no')]
    for number, (compact, keyed, compress) in enumerate(variants):
        # The last ones small: the first one is what systemd writes today.
        entries = ENTRIES if number == 0 else ENTRIES // 10
        directory = os.path.join(state, f'journal-{number}')
        make(directory, entries, number + 1, compact, keyed, compress)
        agent = start(binary, os.path.join(state, str(number)), root=directory)
        wait_for('everything is read', lambda: is_read(agent), 600)
        wanted, found = expected(directory), collected(agent)
        equal('the same streams', sorted(found), sorted(wanted))
        for labels, entries_of in wanted.items():
            if found[labels] != entries_of:
                at = next((at for at, pair in enumerate(zip(found[labels], entries_of)) if pair[0] != pair[1]), None)
                fail(f'{labels}: {len(found[labels])} entries instead of {len(entries_of)}, the first difference is at {at}')
        is_balanced(agent)
        size = sum(os.path.getsize(path) for path in glob.glob(directory + '/*'))
        print(f'ok: {sum(map(len, wanted.values()))} entries of {size >> 20} MiB in {len(wanted)} streams, compact={compact} keyed={keyed} '
              f'compressed={compress}: number, order, times, text and fields; {agent.memory_kib("VmHWM") >> 10} MiB of memory at most')
        agent.stop()


# --- A journald of its own ---

class Journald:
    """systemd-journald over directories that only this process sees."""

    def __init__(self):
        # A host without containers: the directory of an engine would be collected instead.
        for path in filter(os.path.isdir, ('/run', '/var/log', '/etc/systemd', '/var/lib/docker')):
            subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', path], check=True)
        for path in ('/run/systemd/journal', VOLATILE):
            os.makedirs(path)
        with open('/etc/systemd/journald.conf', 'w') as settings:
            settings.write('[Journal]\nRateLimitIntervalSec=0\nReadKMsg=no\nSystemMaxFileSize=1M\nRuntimeMaxFileSize=1M\n')
        self.process = subprocess.Popen([JOURNALD], stderr=subprocess.DEVNULL)
        started.append(self)
        wait_for('journald listens', lambda: os.path.exists(NATIVE))

    def files(self):
        return [os.path.basename(path) for root in (PERSISTENT, VOLATILE) for path in glob.glob(root + '/*/*')]

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Writer:
    """A program that logs numbered entries in journald's own protocol."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.written = 0
        self.random = random.Random(SEED)

    def write(self, count=1):
        for _ in range(count):
            text = f'entry {self.written} of the writer'
            if self.written % 50 == 7:
                text += '\nwith a second line'
            message = b'MESSAGE\n' + struct.pack('<Q', len(text)) + text.encode() + b'\n'
            message += b'SYSLOG_IDENTIFIER=writer\nPRIORITY=%d\nNUMBER=%d\n' % (self.written % 8, self.written)
            self.socket.sendto(message, NATIVE)
            self.written += 1


def numbers(agent):
    """How often each entry of the writer is there."""
    return collections.Counter(int(line['metadata']['NUMBER']) for line in lines(agent, '{identifier="writer"}'))


def check_numbers(agent, writer, what):
    journalctl('--sync')
    last = writer.written - 1
    has_last = lambda: any(True for _ in lines(agent, f'{{identifier="writer"}} |= "entry {last} of"'))
    wait_for(f'{what}: the last entry', has_last)
    wait_for(f'{what}: everything is read', lambda: is_read(agent))
    found = numbers(agent)
    missing = [number for number in range(writer.written) if found[number] == 0]
    doubled = [number for number in found if found[number] > 1]
    if missing or doubled:
        fail(f'{what}: of {writer.written}, {len(missing)} are missing from {missing[:1]}, {len(doubled)} doubled from {sorted(doubled)[:1]}')
    is_balanced(agent)
    print(f'ok: {what}: each of {writer.written} entries once')


def scenario_live(binary, state):
    journald, writer = Journald(), Writer()
    agent = start(binary, state)
    writer.write(500)
    check_numbers(agent, writer, 'volatile')

    delays = []
    for _ in range(40):
        time.sleep(writer.random.uniform(0.05, 0.3))
        begin, last = time.monotonic(), writer.written
        writer.write()
        query = urllib.parse.quote(f'{{identifier="writer"}} |= "entry {last} of"')
        while f'entry {last} of' not in agent.open(f'/api/v1/lines?query={query}&format=text&limit=1&start=1m').read().decode():
            if time.monotonic() - begin > PATIENCE_SECONDS:
                fail('a live entry does not come')
        delays.append(time.monotonic() - begin)
    delays.sort()
    middle, worst = delays[len(delays) // 2], delays[-1]
    print(f'a live entry is found after {middle * 1000:.0f} ms in the middle, {worst * 1000:.0f} ms at most')
    if middle > LATENCY_SECONDS:
        fail('live entries come late')

    os.makedirs(PERSISTENT)
    journalctl('--flush')
    writer.write(300)
    check_numbers(agent, writer, 'flushed to /var/log/journal')

    # Whatever journald does with its files, under a writer that does not stop, and an agent that is killed.
    is_over = threading.Event()

    def write():
        while not is_over.is_set():
            writer.write(writer.random.randrange(20))
            time.sleep(0.002)

    thread = threading.Thread(target=write)
    thread.start()
    steps = collections.Counter()
    try:
        for number in range(KILLS):
            time.sleep(writer.random.uniform(0.05, 0.6))
            step = writer.random.choice(['--rotate', '--flush', 'relinquish', 'none', '--sync'])
            steps[step] += 1
            if step == 'relinquish':
                # To /run and back: what was written meanwhile is copied.
                journalctl('--relinquish-var')
                time.sleep(writer.random.uniform(0, 0.3))
                if writer.random.random() < 0.5:
                    agent.kill()
                    agent.start()
                journalctl('--flush')
            elif step != 'none':
                journalctl(step)
            agent.kill()
            time.sleep(writer.random.uniform(0, 0.2))
            agent.start()
    finally:
        is_over.set()
        thread.join()
    check_numbers(agent, writer, f'killed {KILLS} times, with {dict(steps)}')

    # Vacuumed under a reader: what it has read stays. What it has not is destroyed, as journald empties what it deletes.
    for _ in range(5):
        writer.write(2000)
        check_numbers(agent, writer, 'before a vacuum')
        journalctl('--rotate', '--vacuum-files=1')
    check_numbers(agent, writer, 'vacuumed under the agent')
    equal('no gap is told of', agent.get('/status')['gaps'], [])
    agent.stop()
    journald.stop()


def scenario_vacuum(binary, state):
    journald, writer = Journald(), Writer()
    os.makedirs(PERSISTENT)
    journalctl('--flush')
    agent = start(binary, state)
    writer.write(1000)
    check_numbers(agent, writer, 'before')
    agent.stop()
    lost_from = writer.written
    # The rest of the file that was being read, and files that nobody will ever have seen.
    for _ in range(4):
        writer.write(3000)
        journalctl('--sync')
        journalctl('--rotate')
    kept_from = writer.written
    writer.write(10)
    journalctl('--sync')
    journalctl('--rotate')
    for path in glob.glob(f'{PERSISTENT}/*/system@*'):
        if journalctl('--file', path, '-o', 'cat', f'NUMBER={kept_from}') == b'':
            os.remove(path)
    agent.start()
    wait_for('the last entries', lambda: numbers(agent)[writer.written - 1] == 1)
    wait_for('everything is read', lambda: is_read(agent))
    found = numbers(agent)
    equal('what is left is read once', [number for number in range(writer.written) if found[number] != 1],
          list(range(lost_from, kept_from)))
    gaps = agent.get('/status')['gaps']
    if not gaps:
        fail('what was vacuumed unread is no gap')
    print('ok: told as gaps:', [(gap['reason'], os.path.basename(gap['path'])) for gap in gaps])
    is_balanced(agent)
    agent.stop()
    journald.stop()


def scenario_first(binary, state):
    journald, writer = Journald(), Writer()
    os.makedirs(PERSISTENT)
    journalctl('--flush')
    writer.write(100)
    for number, (collector, root) in enumerate([('Directory', '/var/log'), (None, None), ('Journal', None)]):
        agent = start(binary, os.path.join(state, str(number)), root=root, collector=collector)
        writer.write(100)
        check_numbers(agent, writer, f'--log-collector {collector} --root-path {root}' if collector else 'without flags')
        status = agent.get('/status')
        equal('the journal is a source', [source['path'] for source in status['sources'] if source['path'].endswith('/system.journal')] != [], True)
        agent.stop()
    # Units are chosen by name, and history is left out.
    agent = start(binary, os.path.join(state, 'chosen'), '--start-from', 'end', '--include', 'writer')
    before = writer.written
    writer.write(100)
    subprocess.run(['logger', '--socket', '/run/systemd/journal/dev-log', '--tag', 'other', 'not to be collected'], check=True)
    wait_for('the last entry', lambda: numbers(agent)[writer.written - 1] == 1)
    wait_for('everything is read', lambda: is_read(agent))
    equal('history is left out', sorted(numbers(agent)), list(range(before, writer.written)))
    equal('only what is included', sum(1 for _ in lines(agent, '{hostname=~".+"}')), 100)
    is_balanced(agent)
    agent.stop()
    journald.stop()


# --- bench ---

def cost_of(command):
    """The lines of a command, and how long it took and how much of a processor, in seconds: the least of three."""
    costs = []
    for _ in range(3):
        begin, before = time.monotonic(), os.times()
        output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        after = os.times()
        taken = after.children_user + after.children_system - before.children_user - before.children_system
        costs.append((time.monotonic() - begin, taken, output.count(b'\n')))
    return min(cost[2] for cost in costs), min(cost[0] for cost in costs), min(cost[1] for cost in costs)


def cost_of_query(agent, parameters, times=10):
    """The same of a query, on average, as processors are counted in hundredths of a second."""
    path = '/api/v1/lines?' + urllib.parse.urlencode(parameters)
    begin, before = time.monotonic(), agent.cpu_seconds()
    for _ in range(times):
        with agent.open(path) as answer:
            count = answer.read().count(b'\n')
    return count, (time.monotonic() - begin) / times, (agent.cpu_seconds() - before) / times


def scenario_bench(binary, state):
    directory = os.path.join(state, 'journal')
    make(directory, ENTRIES, 1, '1', '1', 'yes')
    size = sum(os.path.getsize(path) for path in glob.glob(directory + '/*'))
    print(f'{ENTRIES} entries, {size >> 20} MiB of journal files; seconds of time and of a processor, the least of three')
    costs = {form: cost_of(['journalctl', '-D', directory, '-o', form, '--no-pager'])[1:] for form in ('cat', 'json')}
    ours = []
    for number in range(3):
        agent = start(binary, os.path.join(state, f'run-{number}'), root=directory)
        begin = time.monotonic()
        while not is_read(agent):
            time.sleep(0.01)
        ours.append((time.monotonic() - begin, agent.cpu_seconds()))
        if number < 2:
            agent.stop()
    costs['monitoring-rs, stored'] = min(cost[0] for cost in ours), min(cost[1] for cost in ours)
    for name, (seconds, taken) in costs.items():
        print(f'{name:24} {seconds:7.2f} s {ENTRIES / seconds:10.0f} entries/s {size / seconds / 1e6:7.0f} MB/s {costs["cat"][0] / seconds:6.2f} '
              f'times as fast as -o cat; {taken:6.2f} CPU s, {costs["cat"][1] / taken:6.2f} times as few')
    print(f'memory at most {agent.memory_kib("VmHWM") >> 10} MiB')
    read = agent.get('/status')['disk_bytes']
    wait_for('the lines are in segments', lambda: agent.get('/status')['disk_bytes'] < read / 2, 300)
    time.sleep(2)
    stored = agent.get('/status')['disk_bytes']
    print(f'on disk {stored / (1 << 20):.1f} MiB, {size / stored:.1f} times as small; CPU so far {agent.cpu_seconds():.2f} s')
    questions = [
        (['-u', 'nginx.service', '-n', '100'], '{unit="nginx.service"}', 100),
        (['-g', 'session=00ff'], '{hostname="testhost"} |= "session=00ff"', 100_000),
        (['-g', 'absent-word'], '{hostname="testhost"} |= "absent-word"', 1000),
        (['-u', 'sshd.service', '-g', 'took 89[0-9] ms'], '{unit="sshd.service"} |~ "took 89[0-9] ms"', 100_000),
    ]
    for arguments, query, limit in questions:
        count, theirs, their_cpu = cost_of(['journalctl', '-D', directory, '--quiet', '--no-pager', '-o', 'cat', *arguments])
        found, ours, our_cpu = cost_of_query(agent, {'query': query, 'limit': limit, 'format': 'raw'})
        print(f'{" ".join(arguments):40} journalctl {theirs * 1000:8.1f} ms ({their_cpu * 1000:6.0f} CPU), {count:6} lines; ours {ours * 1000:8.1f} ms '
              f'({our_cpu * 1000:6.0f} CPU), {found:6} lines: {theirs / ours:6.1f} times as fast')
    agent.stop()


SCENARIOS = {name.removeprefix('scenario_'): found for name, found in globals().items() if name.startswith('scenario_')}


def main():
    binary, names = os.path.abspath(sys.argv[1]), sys.argv[2:] or [name for name in SCENARIOS if name != 'bench']
    if os.environ.get('JOURNAL_INSIDE') != '1':
        for name in names:
            # Each has mounts of its own, which end with it.
            print(f'\n--- {name} (JOURNAL_SEED={SEED}) ---', flush=True)
            inside = dict(os.environ, JOURNAL_INSIDE='1', JOURNAL_SEED=str(SEED))
            done = subprocess.run(['unshare', '--mount', sys.executable, __file__, binary, name], env=inside)
            if done.returncode:
                sys.exit(done.returncode)
        return
    [name] = names
    state = tempfile.mkdtemp(prefix=f'journal-{name}-')
    try:
        SCENARIOS[name](binary, state)
    finally:
        for program in started:
            program.process.kill()
        shutil.rmtree(state, ignore_errors=True)


main()
