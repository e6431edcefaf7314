// Commands ask for the same as the page, whatever the query holds.
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { curlCommand, kubectlCommand, logcliCommand, shellWord } from '../../src/view/commands';

const ASKED = { query: '{app="x"} |= `it\'s "1"`', start: '2026-11-30T10:00:00Z', end: '2026-11-30T11:00:00Z', base: 'http://node:8000/logs/' };

/** The arguments that a shell makes of a command. */
function words(command: string): string[] {
  return execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' }).trimEnd().split('\n');
}

describe('shellWord', () => {
  const check = (text: string) => it(text, () => expect(words(shellWord(text))).toEqual([text]));
  for (const text of ['plain', 'a b', "it's", '$(reboot)', '`reboot`', '"', '\\', '!', '*', '~', ';', "''", '-n']) check(text);
});

describe('commands', () => {
  it('curl', () => expect(words(curlCommand(ASKED))).toEqual([
    'curl', '-sS', '-G', 'http://node:8000/logs/api/v1/lines', '--data-urlencode', `query=${ASKED.query}`, '--data-urlencode', `start=${ASKED.start}`,
    '--data-urlencode', `end=${ASKED.end}`, '--data-urlencode', 'direction=forward', '--data-urlencode', 'limit=100000', '--data-urlencode', 'format=text',
  ]));
  it('logcli', () => expect(words(logcliCommand(ASKED))).toEqual([
    'logcli', 'query', '--addr=http://node:8000/logs', `--from=${ASKED.start}`, `--to=${ASKED.end}`, '--limit=5000', '--forward', ASKED.query,
  ]));
  it('kubectl', () => {
    const labels = new Map([['namespace', 'shop'], ['pod', 'api-7d'], ['container', 'api']]);
    expect(kubectlCommand(labels, ASKED.start)).toBe('kubectl logs --namespace=shop api-7d --container=api --timestamps --since-time=2026-11-30T10:00:00Z');
    labels.delete('container');
    expect(kubectlCommand(labels, ASKED.start)).toContain('--all-containers');
    expect(kubectlCommand(new Map([['path', '/x']]), ASKED.start)).toBeUndefined();
  });
});
