#!/usr/bin/env python3
"""Alerts beside Prometheus' own: alerts.py BINARY (needs Debian's prometheus and prometheus-alertmanager).

The agent has a rule over lines, and records the same number for a Prometheus that has a rule over it. Both tell the same two receivers:
one that writes down what it is sent, and Debian's Alertmanager. What both are told of the one has to be what they are told of the
other: when it fires, how often it is said again, that and when it ends."""
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import datetime

from agent import Agent

HOLD_SECONDS = 10
FIRING_SECONDS = 100
RESOLVED_SECONDS = 80
PATIENCE_SECONDS = 60

AGENT_RULES = f"""
groups:
- name: lines
  interval: 2s
  rules:
  - record: lines_broken
    expr: sum(count_over_time({{path=~".+"}} |= "broke" [5s])) or vector(0)
  - alert: Broken
    expr: sum(count_over_time({{path=~".+"}} |= "broke" [5s])) > 0
    for: {HOLD_SECONDS}s
    labels: {{by: agent}}
    annotations: {{summary: "{{{{ $value }}}} lines"}}
"""
PROMETHEUS_RULES = f"""
groups:
- name: lines
  interval: 2s
  rules:
  - alert: Broken
    expr: sum(lines_broken) > 0
    for: {HOLD_SECONDS}s
    labels: {{by: prometheus}}
    annotations: {{summary: "{{{{ $value }}}} lines"}}
"""


class Receiver(http.server.ThreadingHTTPServer):
    """Takes alerts as Alertmanager does, and remembers each with the time it came."""

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.told = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        now = time.time()
        self.server.told += [(now, alert) for alert in json.loads(body)]
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass


def free_port():
    server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
    port = server.server_port
    server.server_close()
    return port


def seconds(text):
    return datetime.fromisoformat(text.split('.')[0].rstrip('Z') + '+00:00').timestamp()


def course(told, by):
    """What was said of the alert: when it began, each time that it goes on, each time that it has ended, all in seconds from its begin."""
    own = [(at, alert) for at, alert in told if alert['labels'].get('by') == by]
    if not own:
        return None
    starts = seconds(own[0][1]['startsAt'])
    is_end = [seconds(alert['endsAt']) <= at for at, alert in own]
    firing = [round(at - starts) for (at, _), end in zip(own, is_end) if not end]
    ended = [round(at - starts) for (at, _), end in zip(own, is_end) if end]
    valid = [round(seconds(alert['endsAt']) - at) for (at, alert), end in zip(own, is_end) if not end]
    return {'starts': starts, 'firing': firing, 'ended': ended, 'valid': valid}


def main():
    binary = os.path.abspath(sys.argv[1])
    for program in ['prometheus', 'prometheus-alertmanager']:
        if not shutil.which(program):
            sys.exit(f'{program} is missing: apt-get install {program}')
    with tempfile.TemporaryDirectory() as directory:
        os.makedirs(f'{directory}/logs')
        write = lambda name, text: open(f'{directory}/{name}', 'w').write(text)
        write('agent.yaml', AGENT_RULES)
        write('prometheus-rules.yaml', PROMETHEUS_RULES)
        write('alertmanager.yml', 'route: {receiver: none}\nreceivers: [{name: none}]\n')
        receiver, manager_port = Receiver(), free_port()
        manager = subprocess.Popen(
            ['prometheus-alertmanager', f'--config.file={directory}/alertmanager.yml', f'--storage.path={directory}/manager',
             f'--web.listen-address=127.0.0.1:{manager_port}', '--cluster.listen-address='], stderr=subprocess.DEVNULL)
        agent = Agent(binary, f'{directory}/logs', f'{directory}/data', '--rules', f'{directory}/agent.yaml', '--rules-delay', '0',
                      '--notify', f'alertmanager+http://127.0.0.1:{receiver.server_port}',
                      '--notify', f'alertmanager+http://127.0.0.1:{manager_port}')
        write('prometheus.yml', f"""
global: {{scrape_interval: 1s, evaluation_interval: 2s}}
rule_files: [{directory}/prometheus-rules.yaml]
scrape_configs: [{{job_name: agent, static_configs: [{{targets: ['127.0.0.1:{agent.port}']}}]}}]
alerting:
  alertmanagers:
  - static_configs: [{{targets: ['127.0.0.1:{receiver.server_port}', '127.0.0.1:{manager_port}']}}]
""")
        prometheus = subprocess.Popen(
            ['prometheus', f'--config.file={directory}/prometheus.yml', f'--storage.tsdb.path={directory}/tsdb',
             f'--web.listen-address=127.0.0.1:{free_port()}'], stderr=subprocess.DEVNULL)
        try:
            time.sleep(5)
            end = time.monotonic() + HOLD_SECONDS + FIRING_SECONDS
            with open(f'{directory}/logs/a.log', 'a') as log:
                while time.monotonic() < end:
                    log.write('it broke\n')
                    log.flush()
                    time.sleep(0.5)
            with urllib.request.urlopen(f'http://127.0.0.1:{manager_port}/api/v2/alerts?active=true') as answer:
                known = sorted(alert['labels']['by'] for alert in json.load(answer))
            time.sleep(RESOLVED_SECONDS)
            with urllib.request.urlopen(f'http://127.0.0.1:{manager_port}/api/v2/alerts?active=true') as answer:
                left = json.load(answer)
        finally:
            prometheus.terminate()
            manager.terminate()
            prometheus.wait()
            agent.kill()
        ours, theirs = course(receiver.told, 'agent'), course(receiver.told, 'prometheus')
        print(f'agent:      {ours}\nprometheus: {theirs}\nAlertmanager has {known} while it fires, and {left} after it')
        problems = []
        check = lambda holds, text: None if holds else problems.append(text)
        check(ours and theirs, 'one of them told nothing')
        if ours and theirs:
            check(abs(ours['starts'] - theirs['starts']) <= 6, 'they fire at other times')
            # Each interval is that of an evaluation later at most, and the lines are a moment away from Prometheus.
            check(abs(len(ours['firing']) - len(theirs['firing'])) <= 1, 'it is said again more or less often')
            check(abs(ours['ended'][0] - theirs['ended'][0]) <= 6, 'it ends at another time')
            check(abs(len(ours['ended']) - len(theirs['ended'])) <= 1, 'its end is said again more or less often')
            check(all(abs(a - b) <= 6 for a, b in zip(ours['valid'], theirs['valid'])), 'it is valid for longer or shorter')
        check(known == ['agent', 'prometheus'] and left == [], 'Alertmanager has others')
        for problem in problems:
            print(f'FAIL: {problem}')
        sys.exit(1 if problems else 0)


main()
