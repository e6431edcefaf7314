import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { apiUrl, formatAddress, go, hrefOf, parseAddress, start, wsUrl } from '../../src/route';
import { type Address, address, DEFAULT_ADDRESS, isLive } from '../../src/state';
import { Random } from './random';

const BASE = 'http://agent:8000/some/prefix/ui/';
const at = (path: string): Address => parseAddress(new URL(path, BASE));
const round = (state: Address): Address => at(formatAddress(state));

test('places are told by the path, behind any prefix', () => {
  expect(at('').place).toBe('overview');
  expect(at('logs').place).toBe('logs');
  expect(at('status?q=x').place).toBe('status');
  expect(parseAddress(new URL('http://agent/ui/logs')).place).toBe('logs');
  expect(parseAddress(new URL('http://agent/logs/ui/')).place).toBe('overview');
  expect(at('other').place).toBe('overview');
});

test('defaults are left out', () => {
  expect(formatAddress(DEFAULT_ADDRESS)).toBe('./');
  expect(formatAddress({ ...DEFAULT_ADDRESS, place: 'logs' })).toBe('logs');
  expect(formatAddress({ ...DEFAULT_ADDRESS, place: 'status' })).toBe('status');
  expect(at('logs')).toEqual({ ...DEFAULT_ADDRESS, place: 'logs' });
});

test('the order is always the same, and the text can be read', () => {
  const text = formatAddress({ ...DEFAULT_ADDRESS, place: 'logs', tab: 'chart', to: '1h', from: '2h', q: '{a="b"} |= `x y`',
    cols: ['status', 'order'], at: 'ab.1.2.cd' });
  expect(text).toBe('logs?q=%7Ba=%22b%22%7D+|=+%60x+y%60&from=2h&to=1h&at=ab.1.2.cd&cols=status,order&tab=chart');
  expect(formatAddress(at(text))).toBe(text);
});

test('bad values become the default, unknown ones are dropped', () => {
  const bad: readonly string[] = [
    'from=yesterday', 'from=', 'to=all', 'to=x', 'at=a%20b', 'at=..', 'at=a..b..c', 'around=a..b', 'around=%3Cscript%3E', 'live=yes', 'wrap=2',
    'order=up', 'show=x', 'fold=all', 'tab=lines%20', 'tz=Nowhere',
    'nonsense=1', '__proto__=1', 'place=status', `q=${'x'.repeat(20_000)}`, `find=${'x'.repeat(2_000)}`,
    `cols=${Array.from({ length: 33 }, (_, i) => `c${i}`).join(',')}`,
  ];
  for (const each of bad) expect(at(`logs?${each}`), each).toEqual({ ...DEFAULT_ADDRESS, place: 'logs' });
  expect(at('logs?from=2h&from=3h').from).toBe('2h');
});

test('an address and back is the same', () => {
  const texts = ['', '{a="b"}', '+', '%', '%2C', '&a=b', '#', 'ä 日 😀', ' ', '\n', '"<script>', '/re/', 'a\\b', '{service_name=~".+"} |~ `(?i)50%`',
    '?', '\0', 'null'];
  for (let seed = 1; seed <= 500; seed++) {
    const random = new Random(seed);
    const state: Address = {
      place: random.pick(['overview', 'logs', 'status']), q: random.pick(texts),
      from: random.pick(['1h', 'all', '15m', '2026-11-30T10:00:00+01:00', '1796035647732000000']),
      to: random.pick(['now', '5m', '2026-11-30T10:30:00.123456789Z']),
      at: random.pick(['', '3f2a9c81d4e07b55.1796035647732000000.7.9a3c01fe', 'a.1.2.b..a.3.4.c']),
      around: random.pick(['', 'a.-1.0.b']), live: random.pick([null, true, false]), find: random.pick(texts),
      cols: [...new Set(random.list(4, () => random.pick(texts.slice(1))))],
      wrap: random.pick([null, true, false]), order: random.pick([null, 'asc', 'desc']), show: random.pick([null, 'smart', 'raw']),
      fold: random.pick(['no', 'exact', 'numbers']),
      tab: random.pick([null, 'lines', 'patterns', 'chart']), tz: random.pick(['', 'Europe/Berlin', '+01:00']),
    };
    expect(round(state), `seed ${seed}`).toEqual(state);
  }
});

test('half a character does no harm', () => {
  expect(round({ ...DEFAULT_ADDRESS, q: 'a\ud800b', find: '\udc00' })).toEqual({ ...DEFAULT_ADDRESS, q: 'a\ufffdb', find: '\ufffd' });
});

test('URLs of the agent are relative to the page', () => {
  expect(apiUrl('status')).toBe('../status');
  expect(apiUrl('api/v1/lines', { query: '{a="b"} |= `50%`', limit: '1',
    after: undefined })).toBe('../api/v1/lines?query=%7Ba=%22b%22%7D+|=+%6050%25%60&limit=1');
  expect(new URL(apiUrl('loki/api/v1/labels'), `${BASE}logs?q=x`).href).toBe('http://agent:8000/some/prefix/loki/api/v1/labels');
  vi.stubGlobal('document', { baseURI: `${BASE}logs?q=x` });
  expect(wsUrl('api/v1/follow', { last: '200' })).toBe('ws://agent:8000/some/prefix/api/v1/follow?last=200');
  vi.stubGlobal('document', { baseURI: 'https://host/ui/' });
  expect(wsUrl('api/v1/follow')).toBe('wss://host/api/v1/follow');
});

// A history that does what browsers do, as far as the page uses it.
const listeners = new Map<string, () => void>();
let entries: string[] = [];
let current = 0;
let isRefusing = false;

beforeEach(() => {
  vi.useFakeTimers();
  [entries, current, isRefusing] = [[`${BASE}logs?q=start`], 0, false];
  const refuse = (): void => {
    if (isRefusing) throw new DOMException('too many', 'SecurityError');
  };
  vi.stubGlobal('location', { get href() { return entries[current]; } });
  vi.stubGlobal('addEventListener', (type: string, listener: () => void) => listeners.set(type, listener));
  vi.stubGlobal('history', {
    pushState: (_state: unknown, _title: string, url: string) => {
      refuse();
      entries = [...entries.slice(0, current + 1), new URL(url, entries[current]).href];
      current += 1;
    },
    replaceState: (_state: unknown, _title: string, url: string) => {
      refuse();
      entries[current] = new URL(url, entries[current]).href;
    },
  });
  start();
});

afterEach(() => {
  vi.runAllTimers();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const back = (): void => {
  current -= 1;
  listeners.get('popstate')?.();
};

test('the address follows the history, and the history the address', () => {
  expect(address.value.q).toBe('start');
  go({ q: 'next', from: '2h' });
  expect(entries).toEqual([`${BASE}logs?q=start`, `${BASE}logs?q=next&from=2h`]);
  expect(address.value.q).toBe('next');
  expect(hrefOf({ q: '' })).toBe('logs?from=2h');
  back();
  expect(address.value).toEqual({ ...DEFAULT_ADDRESS, place: 'logs', q: 'start' });
  go({ place: 'overview', q: '' });
  expect(entries.at(-1)).toBe(BASE);
});

test('what follows from a decision makes no step, and what changes nothing neither', () => {
  go({ find: 'a' }, 'replace');
  go({ find: 'ab' }, 'replace');
  expect(address.value.find).toBe('ab');
  vi.advanceTimersByTime(1_000);
  expect(entries).toEqual([`${BASE}logs?q=start&find=ab`]);
  go({ find: 'ab' });
  expect(entries).toHaveLength(1);
});

test('a step keeps what was gathered before it', () => {
  go({ find: 'a' }, 'replace');
  go({ q: 'next' });
  expect(entries).toEqual([`${BASE}logs?q=start&find=a`, `${BASE}logs?q=next&find=a`]);
  go({ find: 'b' }, 'replace');
  back();
  vi.advanceTimersByTime(1_000);
  expect(entries[0]).toBe(`${BASE}logs?q=start&find=a`);
  expect(address.value.find).toBe('a');
});

test('a browser that refuses changes gets them later', () => {
  isRefusing = true;
  go({ q: 'next' });
  expect(address.value.q).toBe('next');
  isRefusing = false;
  vi.advanceTimersByTime(5_000);
  expect(entries).toEqual([`${BASE}logs?q=next`]);
});

test('live is the default where the range ends now and no line is pointed at', () => {
  const live = (change: Partial<Address>): boolean => {
    address.value = { ...DEFAULT_ADDRESS, ...change };
    return isLive.value;
  };
  expect(live({})).toBe(true);
  expect(live({ to: '1h' })).toBe(false);
  expect(live({ at: 'a' })).toBe(false);
  expect(live({ at: 'a', live: true })).toBe(true);
  expect(live({ live: false })).toBe(false);
  expect(live({ around: 'a', live: true })).toBe(false);
});
