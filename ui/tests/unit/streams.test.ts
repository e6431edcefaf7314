import { expect, test } from 'vitest';
import { Shares } from '../../src/api/errors';
import { isSplit, noteInstance } from '../../src/api/instance';
import { ratesOf } from '../../src/api/status';
import { decodeStreams, type StreamInfo, toNs } from '../../src/api/streams';
import { groupLabels, groupStreams, isNew, isSilent, keepOrder, placeWord, sortRows, sourceMatchers } from '../../src/groups';
import { fuzzy } from '../../src/fuzzy';
import { shortName, StreamTags } from '../../src/list/tags';
import type { Stream } from '../../src/model';
import { build } from '../../src/logql/build';
import { ALL } from '../../src/logql/query';
import { sparkPath } from '../../src/view/spark';
import { shareText } from '../../src/view/row';

let made = 0;

function stream(labels: Record<string, string>, more: Partial<StreamInfo> = {}): StreamInfo {
  made += 1;
  return {
    id: made.toString(16).padStart(16, '0'), labels: new Map(Object.entries(labels)), service: labels.container ?? labels.path?.replace(/.*\//, '').replace(/\.log.*$/, '') ?? 'x',
    lines: 100, bytes: 1_000, first: 0n, last: 10n, volume: [1, 2], lastLine: 'text', lastLevel: 'info', state: 'active', lagBytes: 0, gaps: 0, ...more,
  };
}

const pod = (namespace: string, name: string, container = 'main', more = {}) => stream({ namespace, pod: name, container, container_id: 'c1', stream: 'stdout' }, more);

const queryOf = (row: { matchers: readonly (typeof ALL.matchers)[number][] } | undefined) => build({ ...ALL, matchers: row!.matchers });

test('pods of one app are one row, which includes its pods to come', () => {
  const [group] = groupStreams([pod('shop', 'api-7d9f8c6b5-x2x4q'), pod('shop', 'api-7d9f8c6b5-8kqtz'), pod('shop', 'db-0')]);
  expect(group?.name).toBe('shop');
  expect(group?.rows.map(({ name, parts }) => [name, parts.length])).toEqual([['api', 2], ['db', 0]]);
  expect(queryOf(group?.rows[0])).toBe('{namespace="shop", pod=~"api-[a-z0-9]+-[a-z0-9]{5}"}');
  expect(queryOf(group)).toBe('{namespace="shop"}');
});

test('the containers of an app with several are rows below it; channels and restarts are one', () => {
  const streams = [pod('shop', 'api-7d9f8c6b5-x2x4q', 'api'), pod('shop', 'api-7d9f8c6b5-x2x4q', 'proxy')];
  const both = streams.flatMap((one) => [one, { ...one, id: `${one.id}e`, labels: new Map([...one.labels, ['stream', 'stderr'], ['container_id', 'c2']]) }]);
  const row = groupStreams(both)[0]?.rows[0];
  expect(row?.parts).toEqual([]);
  expect(row?.containers.map(({ name }) => name)).toEqual(['api', 'proxy']);
  expect(queryOf(row?.containers[1])).toBe('{namespace="shop", pod=~"api-[a-z0-9]+-[a-z0-9]{5}", container="proxy"}');
});

test('a pushed name wins over the pod\'s', () => {
  const one = stream({ namespace: 'shop', pod: 'x-7d9f8c6b5-x2x4q', container: 'c', app: 'storefront' });
  const row = groupStreams([one])[0]?.rows[0];
  expect(row?.name).toBe('storefront');
  expect(queryOf(row)).toBe('{namespace="shop", app="storefront"}');
});

test('files stand below their directory, rotated ones with the file they came from', () => {
  const groups = groupStreams([stream({ path: '/var/log/syslog.log' }), stream({ path: '/var/log/syslog.log.1' }), stream({ path: '/var/log/nginx/access.log' }), stream({ path: '/boot.log' })]);
  expect(groups.map(({ name }) => name)).toEqual(['/', '/var/log', '/var/log/nginx']);
  expect(groups[1]?.rows.map(({ name, parts, unit }) => [name, parts.length, unit])).toEqual([['syslog.log', 2, 'file']]);
  expect(queryOf(groups[2]?.rows[0])).toBe('{path="/var/log/nginx/access.log"}');
  expect(queryOf(groups[2])).toBe('{path=~"/var/log/nginx/[^/]+"}');
});

test('groups by a label that splits the streams', () => {
  const streams = [pod('a', 'x-0'), pod('b', 'x-0'), stream({ path: '/x.log' })];
  expect(groupLabels(streams)).toEqual(['namespace']);
  const groups = groupStreams(streams, 'namespace');
  expect(groups.map(({ name }) => name)).toEqual(['a', 'b', 'Other']);
  expect(placeWord(streams)).toBe('namespace');
  expect(placeWord(streams.slice(2))).toBe('directory');
});

test('a row adds up its streams and shows the newest line', () => {
  const [group] = groupStreams([pod('shop', 'db-0', 'main', { last: 5n, lastLine: 'old', gaps: 1 }), pod('shop', 'db-1', 'main', { last: 9n, lastLine: 'new', first: -3n })]);
  expect(group?.rows[0]).toMatchObject({ volume: [2, 4], lines: 200, gaps: 1, first: -3n, last: 9n, lastLine: 'new' });
});

const MINUTE = 60_000_000_000n;

test.each([
  ['nine minutes are no silence', { lines: 1_000, first: 0n, last: 1_000n * MINUTE }, 1_009n, false],
  ['eleven are', { lines: 10_000, first: 0n, last: 1_000n * MINUTE }, 1_011n, true],
  ['not of what pauses for an hour', { lines: 20, first: 0n, last: 19n * 60n * MINUTE }, 19n * 60n + 299n, false],
  ['but after five of its pauses', { lines: 20, first: 0n, last: 19n * 60n * MINUTE }, 19n * 60n + 301n, true],
  ['too few lines to say', { lines: 9, first: 0n, last: 0n }, 900n, false],
])('silence: %s', (_, row, minutes, expected) => {
  expect(isSilent(row, minutes * MINUTE)).toBe(expected);
});

test('new is what began within the range of a database that goes back further', () => {
  expect(isNew({ first: 20n }, 10n, 0n)).toBe(true);
  expect(isNew({ first: 5n }, 10n, 0n)).toBe(false);
  expect(isNew({ first: 20n }, 10n, 10n)).toBe(false);
  expect(isNew({ first: 20n }, 10n, null)).toBe(false);
});

test('rows that wrote within a minute keep the order of their names', () => {
  const row = (name: string, last: bigint, bytes = 0) => ({ key: name, name, last, volume: [bytes] });
  const rows = [row('b', 100n * MINUTE), row('a', 100n * MINUTE - 5n), row('c', 1n), row('d', 100n * MINUTE - 1n, 9)];
  const names = (sort: 'last' | 'volume' | 'errors') => sortRows(rows, sort, 100n * MINUTE, ({ name }) => (name === 'c' ? 1 : 0)).map(({ name }) => name).join('');
  expect(names('last')).toBe('abdc');
  expect(names('volume')).toBe('dabc');
  expect(names('errors')).toBe('cabd');
  expect(keepOrder(rows, new Map([['c', 0], ['b', 1]])).map(({ name }) => name).join('')).toBe('cbad');
});

test('reads what the server says', () => {
  const list = decodeStreams({
    now: '1796035650000000000', start: '2026-11-30T09:00:00.000000001Z', oldest: null, more: true,
    streams: [{ id: 'a', labels: { path: '/x', ['__proto__']: 'y' }, service: 's', lines: 1, bytes: 2, first: '1', last: '2', volume: [], last_level: 'odd', state: 'gone' }],
  });
  expect(list).toMatchObject({ now: 1796035650000000000n, start: 1796029200000000001n, oldest: null, isMore: true });
  expect(list.streams[0]).toMatchObject({ last: 2n, lastLevel: 'unknown', lastLine: '', gaps: 0 });
  expect(toNs('2026-11-30T10:00:00+01:00')).toBe(1796029200000000000n);
});

test('shares are those of what a row\'s streams wrote, and unknown is not none', () => {
  const sample = (value: number, labels: Record<string, string>) => ({ value, labels: new Map(Object.entries(labels)) });
  const shares = new Shares(['app'], [sample(9, { app: 'a', detected_level: 'info' }), sample(1, { app: 'a', detected_level: 'critical' }), sample(5, { app: 'b' })]);
  const of = (...apps: string[]) => shares.of(apps.map((app) => ({ labels: new Map([['app', app], ['stream', app]]) })));
  expect([of('a'), of('a', 'a'), of('b'), of('c'), of('a', 'b')]).toEqual([0.1, 0.1, 0, undefined, 1 / 15]);
  expect([undefined, 0, 0.0001, 0.0912, 0.5].map(shareText)).toEqual(['–', '0 %', '< 0.1 %', '9.1 %', '50 %']);
});

test('rates need two answers, and never fall below nothing', () => {
  expect(ratesOf([])).toBeNull();
  expect(ratesOf([{ at: 0, lines: 5, bytes: 9 }])).toBeNull();
  expect(ratesOf([{ at: 0, lines: 5, bytes: 10 }, { at: 2_000, lines: 9, bytes: 10 }])).toEqual({ lines: 2, bytes: 0 });
});

test('letters are found in order, whole words best', () => {
  expect(fuzzy('shop / checkout', 'zz')).toBe(-1);
  expect(fuzzy('shop / checkout', 'shch')).toBeGreaterThan(0);
  expect(fuzzy('shop / checkout', 'check')).toBeGreaterThan(fuzzy('shop / precheck', 'check'));
  expect(fuzzy('anything', '')).toBe(0);
});

test('a sparkline shows its own shape, at a height by the largest row', () => {
  expect(sparkPath([0, 0], 10)).toBe('');
  expect(sparkPath([0, 4, 2], 4)).toBe('M1 16v-16h.8v16zM2 16v-8h.8v8z');
  expect(sparkPath([1], 1e9)).toBe('M0 16v-4.8h.8v4.8z');
});

test('tags are short, and neighbours differ', () => {
  const of = (id: string, labels: Record<string, string>): Stream => ({ id, labels: new Map(Object.entries(labels)), service: 'svc' });
  expect(shortName(of('1', { pod: 'checkout-6c5d4b7f9-2xq8l' }))).toBe('checkout-2x');
  expect(shortName(of('1', { pod: 'postgres-0' }))).toBe('postgres-0');
  expect(shortName(of('1', { path: '/var/log/app.log' }))).toBe('app.log');
  expect(shortName(of('1', {}))).toBe('svc');
  const tags = new StreamTags();
  const [first, second] = [tags.of(of('0000000000000008', {})), tags.of(of('0000000000000010', {}))];
  expect(first.hue).toBe(0);
  expect(second.hue).toBe(1);
  expect(tags.of(of('0000000000000010', {}))).toBe(second);
});

test('a source leads to its container, or to its file', () => {
  const of = (path: string, collector = 'Kubernetes') => build({ ...ALL, matchers: sourceMatchers(path, collector) });
  expect(of('/var/log/pods/shop_api-0_1b-2c/api/0.log')).toBe('{namespace="shop", pod="api-0", container="api"}');
  expect(of(`/var/log/containers/api-0_shop_my-api-${'a'.repeat(64)}.log`)).toBe('{namespace="shop", pod="api-0", container="my-api"}');
  expect(of('/var/log/syslog')).toBe('{path="/var/log/syslog"}');
  expect(of('/x/a_b_c/d/0.log', 'Directory')).toBe('{path="/x/a_b_c/d/0.log"}');
});

test('a restarted agent is one agent, two that take turns are two', () => {
  for (const instance of ['a', 'a', 'b', '', 'b', 'c']) noteInstance(instance);
  expect(isSplit.value).toBe(false);
  noteInstance('a');
  expect(isSplit.value).toBe(true);
});
