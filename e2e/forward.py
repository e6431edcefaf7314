#!/usr/bin/env python3
"""Forwarding from one agent to another, while both are killed: forward.py BINARY [kills|bench].

`kills` (the default): KILLS times (200) one of the two is killed while RATE_MB a second (20) are written; then every line has to be
there once, in its place. `bench`: how fast a backlog goes, what that costs, and how late a line arrives."""
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from agent import Agent

FILES = 4
LINE_BYTES = 200
PATIENCE_SECONDS = 300


class Writer(threading.Thread):
    """Writes numbered lines to some files, so many bytes a second, until it is stopped."""

    def __init__(self, root, rate):
        super().__init__(daemon=True)
        self.files = [open(f'{root}/{number}.log', 'a', buffering=1 << 16) for number in range(FILES)]
        self.counts = [0] * FILES
        self.rate, self.is_stopped = rate, threading.Event()

    def write(self, number, count):
        filler = 'x' * (LINE_BYTES - 40)
        first = self.counts[number]
        self.files[number].write(''.join(f'line {first + index} level=info {filler}\n' for index in range(count)))
        self.files[number].flush()
        self.counts[number] += count

    def run(self):
        interval = 0.05
        while not self.is_stopped.wait(interval):
            for number in range(FILES):
                self.write(number, int(self.rate * interval / LINE_BYTES / FILES))

    def stop(self):
        self.is_stopped.set()
        self.join()


def place(directory, name):
    os.makedirs(f'{directory}/{name}/logs')
    return f'{directory}/{name}/logs', f'{directory}/{name}/data'


def target(sender):
    return sender.get('/status')['forward'][0]


def wait_until_sent(sender, root, counts):
    """Until all is read, and nothing waits."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        status = sender.get('/status')
        if status['waiting_bytes'] == 0 and status['forward'][0]['waiting_lines'] == 0 and status['lines'] == sum(counts):
            return
        time.sleep(0.2)
    raise RuntimeError(f'lines still wait: {status["lines"]} of {sum(counts)} stored, {status["forward"]}')


def check_file(receiver, path, count):
    """How many lines are lost, doubled and out of their place."""
    query = urllib.parse.quote(f'{{path="{path}"}}')
    url = f'/api/v1/lines?query={query}&direction=forward&format=text&start=0&download=lines.txt'
    seen, lost, doubled, misplaced, last = bytearray(count), 0, 0, 0, -1
    with receiver.open(url) as answer:
        for line in answer:
            number = int(re.search(rb'line (\d+) level', line).group(1))
            doubled += seen[number]
            misplaced += number < last
            seen[number] = 1
            last = number
    lost = count - sum(seen)
    return lost, doubled, misplaced


def kills(binary):
    count, rate = int(os.environ.get('KILLS', 200)), float(os.environ.get('RATE_MB', 20)) * 1e6
    seed = int(os.environ.get('KILL_SEED', 1))
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        here, there = place(directory, 'sender'), place(directory, 'receiver')
        receiver = Agent(binary, *there)
        receiver.command[receiver.command.index('--listen') + 1] = f'127.0.0.1:{receiver.port}'
        sender = Agent(binary, *here, '--forward', f'loki+{receiver.base}', '--forward-from', 'beginning')
        writer = Writer(here[0], rate)
        began = time.monotonic()
        writer.start()
        for _ in range(count):
            time.sleep(dice.uniform(0.05, 0.8))
            killed = dice.choice([sender, receiver])
            killed.kill()
            time.sleep(dice.choice([0, 0, 0.2]))
            killed.start()
        writer.stop()
        seconds = time.monotonic() - began
        wait_until_sent(sender, here[0], writer.counts)
        results = [check_file(receiver, f'{here[0]}/{number}.log', writer.counts[number]) for number in range(FILES)]
        lost, doubled, misplaced = (sum(numbers) for numbers in zip(*results))
        state = target(sender)
        print(f'{count} kills (KILL_SEED={seed}) in {seconds:.0f} s: {sum(writer.counts)} lines '
              f'({sum(writer.counts) * LINE_BYTES / 1e6 / seconds:.1f} MB/s), {lost} lost, {doubled} doubled, '
              f'{misplaced} out of their place; {state["dropped_lines"]} dropped, {state["refused_lines"]} refused')
        if lost or doubled or misplaced:
            print(sender.own_log(), receiver.own_log())
        sender.kill()
        receiver.kill()
        return lost == doubled == misplaced == state['dropped_lines'] == state['refused_lines'] == 0


def cpu_seconds(agent):
    with open(f'/proc/{agent.process.pid}/stat') as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def bench(binary):
    size = int(os.environ.get('BENCH_BYTES', 1_000_000_000))
    with tempfile.TemporaryDirectory() as directory:
        here, there = place(directory, 'sender'), place(directory, 'receiver')
        writer = Writer(here[0], 0)
        for number in range(FILES):
            while writer.counts[number] * LINE_BYTES * FILES < size:
                writer.write(number, 10_000)
        total = sum(writer.counts)
        sender = Agent(binary, *here)
        while sender.get('/status')['lines'] < total or sender.get('/status')['waiting_bytes']:
            time.sleep(0.2)
        # What was collected becomes segments first, as the backlog of a day has.
        time.sleep(5)
        sender.stop()
        receiver = Agent(binary, *there)
        sender.command += ['--forward', f'loki+{receiver.base}', '--forward-from', 'beginning']
        sender.start()
        began = time.monotonic()
        while target(sender)['waiting_lines'] or target(sender)['batch'] == 0:
            time.sleep(0.05)
        seconds, bytes_ = time.monotonic() - began, total * LINE_BYTES
        print(f'backlog: {bytes_ / 1e6 / seconds:.0f} MB/s; the sender takes {cpu_seconds(sender) / bytes_ * 1e9:.1f} s of CPU a GB '
              f'and {sender.memory_kib("VmHWM") / 1024:.0f} MiB at most, the receiver {cpu_seconds(receiver) / bytes_ * 1e9:.1f} s')
        delays(binary, writer, receiver)
        sender.kill()
        receiver.kill()
    return True


def delays(binary, writer, receiver):
    """How late a line is at the receiver, at 1000 lines a second."""
    follow = subprocess.Popen([binary, 'logs', '--follow', '--since', '1s', '--output', 'raw', '--addr', receiver.base],
                              stdout=subprocess.PIPE, text=True)
    times, seconds = [], int(os.environ.get('BENCH_SECONDS', 10))

    def write():
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
            writer.files[0].write(''.join(f'at {time.time_ns()} \n' for _ in range(10)))
            writer.files[0].flush()
    thread = threading.Thread(target=write)
    thread.start()
    for line in follow.stdout:
        found = re.search(r'at (\d+) ', line)
        if found:
            times.append((time.time_ns() - int(found.group(1))) / 1e9)
        if seconds * 900 <= len(times):
            break
    follow.kill()
    thread.join()
    times.sort()
    print(f'delay of {len(times)} lines: p50 {times[len(times) // 2] * 1000:.0f} ms, p99 {times[len(times) * 99 // 100] * 1000:.0f} ms')


def main():
    binary, mode = os.path.abspath(sys.argv[1]), sys.argv[2] if 2 < len(sys.argv) else 'kills'
    sys.exit(0 if {'kills': kills, 'bench': bench}[mode](binary) else 1)


main()
