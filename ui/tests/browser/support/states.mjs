// The states of the page that are looked at, by axe and by people: how to get to each, over one agent with logs of every kind.
import fs from 'node:fs';

import { container, containerId, cri, shopLines } from './logs.mjs';
import { bar, list, rows } from './view.mjs';

/** Files of every kind below the root: a shop's, JSON, logfmt, traces, colours, hostile text. */
export function everyKind(agent, hasHostile = true) {
  for (const service of ['web', 'api', 'checkout', 'ledger']) {
    agent.append(`${service}.log`, `${shopLines(service, 3000, 90, service.length).join('\n')}\n`);
  }
  const at = (secondsAgo) => new Date(Date.now() - secondsAgo * 1000).toISOString();
  const trace = (index) => [
    `${at(900 - index * 40)} ERROR order ${8800 + index} failed: timeout`,
    ...Array.from({ length: 24 }, (_, frame) => `\tat shop.pay.Charge${frame}.run(Charge${frame}.java:${40 + frame})`),
    'Caused by: java.net.SocketTimeoutException: Read timed out', '\tat java.base/java.net.Socket.read(Socket.java:99)',
  ].join('\n');
  agent.append('java/orders.log', `${Array.from({ length: 20 }, (_, index) => trace(index)).join('\n')}\n`);
  const colours = [31, 32, 33, 34, 35, 36, 90, 91, 92, 93, 94, 95, 96, 97];
  agent.append('colours.log', `${Array.from({ length: 60 }, (_, index) => `${at(600 - index * 9)} \x1b[${colours[index % colours.length]}mcolour ${colours[index % colours.length]}\x1b[0m \x1b[1mbold\x1b[0m \x1b[38;5;${(index * 7) % 256}mof 256\x1b[0m \x1b[7minverse\x1b[0m`).join('\n')}\n`);
  agent.append('repeats.log', `${Array.from({ length: 300 }, (_, index) => `${at(400 - index)} INFO heartbeat ${Math.floor(index / 100)} ok`).join('\n')}\n`);
  const hostile = new URL('../../hostile/lines.jsonl', import.meta.url);
  if (hasHostile) {
    const lines = fs.readFileSync(hostile, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
    agent.append('hostile.log', `${lines.map((line) => String(line.line ?? line).replaceAll('\n', ' ')).join('\n')}\n`);
  }
}

/** A cluster of 38 streams in four namespaces. */
export function cluster(agent) {
  const apps = [['shop', 'api', 3], ['shop', 'checkout', 2], ['shop', 'web', 1], ['shop', 'cart', 4], ['kube-system', 'coredns', 2], ['kube-system', 'kube-proxy', 5],
    ['kube-system', 'etcd', 1], ['monitoring', 'prometheus', 1], ['monitoring', 'grafana', 1], ['batch', 'report', 6], ['batch', 'mailer', 12]];
  let seed = 100;
  for (const [namespace, app, count] of apps) {
    for (let index = 0; index < count; index += 1) {
      seed += 1;
      const hash = containerId(seed);
      // As Kubernetes names pods: of letters that form no words.
      const ending = [...hash.slice(0, 5)].map((digit) => 'bcdfghjklmnpqrst'[parseInt(digit, 16)]).join('');
      const pod = `${app}-5c6d7b8f9c-${ending}`;
      const file = container(agent, { namespace, pod, name: app, uid: `${hash.slice(0, 8)}-1111-4222-8333-${hash.slice(8, 20)}`, id: hash });
      const service = ['web', 'api', 'checkout', 'ledger'][seed % 4];
      const lines = shopLines(service, 300 + (seed % 7) * 80, 55, seed);
      const start = Date.now() - 55 * 60_000;
      fs.appendFileSync(file, lines.map((line, at) => cri(new Date(start + (at * 55 * 60_000) / lines.length), line)).join(''));
    }
  }
}

const ready = (page) => rows(page).first().waitFor();
const press = async (page, key) => {
  await list(page).focus();
  await page.keyboard.press(key);
};

const LINES = /\/api\/v1\/lines\?/;
const STATUS = /:\d+\/status(\?|$)/;
/** Has requests answered in the agent's place: with a status and a body, or with what `change` makes of the agent's JSON. */
const answered = (url, status, body, contentType = 'application/json') => (page) => page.route(url, (route) => route.fulfill({ status, contentType, body }));
const changed = (url, change) => (page) => page.route(url, async (route) => {
  const response = await route.fetch();
  await route.fulfill({ response, json: change(await response.json()) });
});

/** An answer of `lines` in its own words, the newest line first. */
function records(...behind) {
  const now = BigInt(Date.now()) * 1_000_000n;
  const lines = Array.from({ length: 30 }, (_, index) => {
    const level = index % 9 === 4 ? 'error' : index % 5 === 2 ? 'warn' : 'info';
    return JSON.stringify([0, String(now - BigInt(index + 1) * 700_000_000n), 0, String(index).padStart(8, '0'), level, `order ${8800 + index} ${level === 'info' ? 'paid' : 'failed: timeout'}`]);
  });
  const loss = { gap: { s: 0, time: String(now - 4_000_000_000n), bytes: [8192, 9396], reason: 'truncated' } };
  const missed = { missed: { lines: 1312, after: '00000000000000aa.1.0.00000000', before: '00000000000000aa.2.0.00000000' } };
  lines.splice(6, 0, JSON.stringify(loss));
  lines.splice(14, 0, JSON.stringify(missed));
  const begin = { begin: { query: '{service_name="pay"}', start: String(now - 3_600_000_000_000n), end: String(now), now: String(now), version: '0.1.0', instance: 'a' } };
  const stream = { stream: { s: 0, id: '00000000000000aa', labels: { path: '/var/log/pay.log' }, service: 'pay' } };
  return [JSON.stringify(begin), JSON.stringify(stream), ...lines, ...behind.map((record) => JSON.stringify(record)), ''].join('\n');
}
const end = (reason, unreadable = 0) => ({ end: { reason, unreadable_parts: unreadable, seconds: 30 } });
const opened = (name) => async (page) => {
  await ready(page);
  await page.getByRole('button', { name }).first().click();
  await page.waitForFunction(() => document.querySelector('[role=menu], .popover, [role=dialog]') !== null);
};

/** `[name, address, what a person does there, who answers in the agent's place]`; each leaves the page at rest. */
export const STATES = [
  ['overview', '/ui/', (page) => page.getByRole('checkbox').first().waitFor()],
  ['logs', '/ui/logs', (page) => ready(page)],
  ['logs-json', '/ui/logs?q=' + encodeURIComponent('{service_name="api"}'), (page) => ready(page)],
  ['logs-logfmt', '/ui/logs?q=' + encodeURIComponent('{service_name="ledger"}'), (page) => ready(page)],
  ['logs-trace', '/ui/logs?q=' + encodeURIComponent('{service_name="orders"}'), (page) => ready(page)],
  ['logs-ansi', '/ui/logs?q=' + encodeURIComponent('{service_name="colours"}'), (page) => ready(page)],
  ['logs-search', '/ui/logs?live=0', async (page) => {
    await ready(page);
    await bar(page).fill('timeout');
    await bar(page).press('Enter');
    await list(page).getByText('timeout').first().waitFor();
  }],
  ['nothing-found', '/ui/logs?live=0&from=15m', async (page) => {
    await ready(page);
    await bar(page).fill('no such thing');
    await bar(page).press('Enter');
    await page.getByText(/^No line .* in the/).first().waitFor();
  }],
  ['detail', '/ui/logs?live=0&q=' + encodeURIComponent('{service_name="api"}'), async (page) => {
    await ready(page);
    await press(page, 'k');
    await page.keyboard.press('Enter');
    await page.getByRole('complementary', { name: /Line/ }).waitFor();
  }],
  ['context', '/ui/logs?live=0&q=' + encodeURIComponent('{service_name="checkout"} |= "failed"'), async (page) => {
    await ready(page);
    await press(page, 'k');
    await page.keyboard.press('c');
    await page.getByText(/Back to/).first().waitFor();
  }],
  ['find', '/ui/logs?live=0', async (page) => {
    await ready(page);
    await press(page, '/');
    await page.keyboard.type('order');
    await page.getByText(/^[\d,]+ of [\d,]+|[\d,]+\+? lines$/).first().waitFor();
  }],
  ['patterns', '/ui/logs?tab=patterns&from=2h', (page) => page.getByRole('table').first().waitFor()],
  ['chart', '/ui/logs?from=2h&q=' + encodeURIComponent('sum by (service_name) (count_over_time({service_name=~".+"}[1m]))'), (page) => page.locator('canvas').last().waitFor()],
  ['editor', '/ui/logs?live=0', async (page) => {
    await ready(page);
    // A phone keeps it with the filters.
    const filters = page.getByRole('button', { name: 'Filters' });
    if (await filters.isVisible()) await filters.click();
    await page.getByRole('button', { name: /LogQL/ }).first().click();
    await page.getByRole('textbox', { name: /LogQL/ }).fill('{service_name="api"} | json | ');
    await page.keyboard.press('Control+Space');
    await page.getByRole('listbox').waitFor();
  }],
  ['time', '/ui/logs?live=0', async (page) => {
    await ready(page);
    await press(page, 't');
    await page.keyboard.type('yesterday 17:30');
  }],
  ['help', '/ui/logs?live=0', async (page) => {
    await ready(page);
    await press(page, '?');
    await page.getByRole('dialog').waitFor();
  }],
  ['status', '/ui/status', (page) => page.getByText(/seen/).first().waitFor()],
  ['line-menu', '/ui/logs?live=0', async (page) => {
    await ready(page);
    await press(page, 'k');
    await page.keyboard.press('.');
    await page.getByRole('menu').waitFor();
  }],
  ['columns', '/ui/logs?live=0&cols=status,duration_ms&q=' + encodeURIComponent('{service_name="api"}'), (page) => ready(page)],
  ['preferences', '/ui/', async (page) => {
    await page.getByRole('checkbox').first().waitFor();
    await page.getByRole('button', { name: 'Preferences' }).click();
    await page.getByRole('dialog').waitFor();
  }],
  ['share', '/ui/logs?live=0', opened('Share')],
  ['download', '/ui/logs?live=0', opened('Download')],
  ['picker', '/ui/logs?live=0', async (page) => {
    await ready(page);
    await press(page, 's');
    await page.getByRole('dialog').waitFor();
  }],
  ['regexp-wrong', '/ui/logs?live=0', async (page) => {
    await ready(page);
    await page.getByRole('button', { name: 'Regular expression' }).click();
    await bar(page).fill('order (paid|failed');
    await page.getByText(/unclosed group/).waitFor();
  }],
  ['query-wrong', '/ui/logs?live=0&q=' + encodeURIComponent('{service_name="api"} | jsn'), (page) => page.getByRole('button', { name: 'Edit the query' }).waitFor()],
  ['line-gone', '/ui/logs?at=00000000000000aa.1796032802793000000.0.00000000', (page) => page.getByText(/was dropped/).waitFor()],
  ['lost', '/ui/logs?live=0&q=' + encodeURIComponent('{service_name="pay"}'), (page) => page.getByText(/lost here/).waitFor(), answered(LINES, 200, records(end('complete')), 'application/x-ndjson')],
  ['partial', '/ui/logs?live=0', (page) => page.getByText(/Stopped after/).waitFor(), answered(LINES, 200, records(end('time', 2)), 'application/x-ndjson')],
  ['cut', '/ui/logs?live=0', (page) => page.getByText(/broke off/).waitFor(), answered(LINES, 200, records(), 'application/x-ndjson')],
  ['busy', '/ui/logs?live=0', (page) => page.getByText(/is busy/).waitFor(), answered(LINES, 429, '{"error":"too many outstanding requests: 4 queries are answered at a time"}')],
  ['failed', '/ui/logs?live=0', (page) => page.getByRole('button', { name: 'Try again' }).waitFor(), answered(LINES, 500, '{"error":"the disk is on fire"}')],
  ['foreign', '/ui/logs?live=0', (page) => page.getByText(/A proxy answered/).first().waitFor(), answered(LINES, 200, '<html><title>Sign in</title></html>', 'text/html')],
  ['importing', '/ui/', (page) => page.getByText(/Reading what was there/).waitFor(), changed(STATUS, (status) => ({
    ...status, import: { total_bytes: 10e9, read_bytes: 3.1e9, files: 958, files_read: 412, bytes_per_second: 6e7, seconds_left: 115 },
  }))],
  ['status-bad', '/ui/status', (page) => page.getByText(/Problems/).first().waitFor(), changed(STATUS, (status) => ({
    ...status, problem: 'no space left on device', unaccounted_bytes: 812, seen_bytes: status.seen_bytes + 812,
    gaps: [{ path: `${status.root}/api.log`, from: 8192, to: 9396, reason: 'truncated', found: new Date(Date.now() - 600_000).toISOString() }],
    sources: [{ path: '/var/log/private/x.log', state: 'unreadable', read_bytes: 0, size_bytes: 0, lag_bytes: 0, last_read: null, polled: false, problem: 'permission denied' }, ...status.sources ?? []],
  }))],
  ['nothing-read', '/ui/', (page) => page.getByText(/Nothing has been read/).waitFor(), async (page) => {
    await changed(STATUS, (status) => ({ ...status, streams: 0, lines: 0, sources: [] }))(page);
    await changed(/\/api\/v1\/streams/, (streams) => ({ ...streams, streams: [] }))(page);
  }],
];
