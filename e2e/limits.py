#!/usr/bin/env python3
"""What the time of answers tells of streams that a token may not see: limits.py BINARY.

Agents have the same stream for the token, and a larger one of others, or none. In one agent that has what is asked for in every line, in
others in none. Each query goes to all of them in turn, so that the machine's other work meets all alike. What the one takes longer than
the others has to be within what two take that have the same."""
import http.client
import json
import os
import random
import statistics
import sys
import tempfile
import time
import urllib.parse

from agent import Agent

CHIEF, SHOP = 'c' * 32, 's' * 32
START_NS = time.time_ns() - 3600 * 10**9
OWN_LINES, OTHER_LINES = 20_000, 400_000
ROUNDS = int(os.environ.get('ROUNDS', 300))
# By how much a median may differ, whatever two that have the same differ by.
TOLERANCE = 0.05
QUERIES = {
    'a word that others have': '{app=~".+"} |= "zq7word"',
    'a word of the own stream': '{app=~".+"} |= "sold"',
    'an expression': '{app=~".+"} |~ "zq7w[a-z]+"',
    'a count': 'sum(count_over_time({app=~".+"} |= "zq7word" [2h]))',
    'the name of another stream': '{app="zq7app"}',
    'a name that no stream has': '{app="zq8app"}',
}
LISTS = {
    'labels': '/loki/api/v1/labels',
    'values': '/loki/api/v1/label/app/values',
    'series': '/loki/api/v1/series?' + urllib.parse.urlencode({'match[]': '{app=~".+"}'}),
    'volume': '/loki/api/v1/index/volume?' + urllib.parse.urlencode({'query': '{app=~".+"}'}),
}


def push(agent, app, lines):
    for start in range(0, len(lines), 20_000):
        part = [[str(START_NS + (start + at) * 1000), line] for at, line in enumerate(lines[start:start + 20_000])]
        body = json.dumps({'streams': [{'stream': {'app': app}, 'values': part}]}).encode()
        headers = {'Content-Type': 'application/json', 'Authorization': f'Bearer {CHIEF}'}
        agent.open('/loki/api/v1/push', body, headers).close()


def start(binary, directory, name, others):
    data = os.path.join(directory, name)
    tokens = os.path.join(directory, 'tokens')
    with open(os.open(tokens, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as file:
        file.write(f'chief {CHIEF} read,push,admin\nshop {SHOP} read {{app="shop"}}\n')
    root = os.path.join(directory, 'root')
    os.makedirs(root, exist_ok=True)
    agent = Agent(binary, root, data, '--auth-token-file', tokens)
    push(agent, 'shop', [f'level=info sold {number} of {number * 7919 % 1000}' for number in range(OWN_LINES)])
    push(agent, 'zq7app', [f'level=info {others} {number} of {number * 7919 % 1000}' for number in range(OTHER_LINES if others else 0)])
    agent.connection = http.client.HTTPConnection('127.0.0.1', agent.port)
    return agent


def ask(agent, target):
    """How long the answer takes, in seconds, and what it is."""
    began = time.perf_counter()
    agent.connection.request('GET', target, headers={'Authorization': f'Bearer {SHOP}'})
    answer = agent.connection.getresponse()
    text = answer.read()
    took = time.perf_counter() - began
    assert answer.status in (200, 404), (target, answer.status, text)
    return took, text


def target_of(query):
    path = 'query' if query.startswith('sum') else 'query_range'
    times = {'time': START_NS + 3600 * 10**9} if path == 'query' else {'start': START_NS - 10**9, 'end': START_NS + 7200 * 10**9}
    return f'/loki/api/v1/{path}?' + urllib.parse.urlencode({'query': query, 'limit': 100, **times})


def main():
    with tempfile.TemporaryDirectory() as directory:
        binary = os.path.abspath(sys.argv[1])
        names = {'has it': 'zq7word', 'has not': 'another', 'has not either': 'another', 'none': ''}
        agents = {name: start(binary, directory, name.replace(' ', '-'), others) for name, others in names.items()}
        targets = {name: target_of(query) for name, query in QUERIES.items()} | LISTS
        told = []
        print(f'{"":28} {"ms":>8}   has it / has not   has not / has not   none / has not')
        for what, target in targets.items():
            times = {name: [] for name in agents}
            for _ in range(ROUNDS):
                order = list(agents)
                random.shuffle(order)
                for name in order:
                    took, text = ask(agents[name], target)
                    assert b'zq7app' not in text.replace(b'app=\\"zq7app\\"', b''), text
                    times[name].append(took)
            median = {name: statistics.median(taken) for name, taken in times.items()}
            base = median['has not']
            ratio, noise, none = (median[name] / base for name in ('has it', 'has not either', 'none'))
            print(f'{what:28} {base * 1000:8.3f}   {ratio:16.3f}   {noise:17.3f}   {none:14.3f}')
            if abs(ratio - 1) > max(TOLERANCE, 2 * abs(noise - 1)):
                told.append(what)
        for agent in agents.values():
            agent.stop()
    if told:
        sys.exit(f'time tells what others have: {", ".join(told)}')


main()
