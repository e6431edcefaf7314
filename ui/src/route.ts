// The address bar and the address signal are one state: this is the only place that touches the browser's history. All URLs of the page are made
// here, relative to the page, so that it works behind any path prefix.
import { address, DEFAULT_ADDRESS, type Address } from './state';
import { isTimeText } from './time/range';
import { isZone } from './time/zone';

/** Longest query an address may hold; servers and proxies refuse longer request lines anyway. */
const QUERY_LENGTH_MAX = 16_384;
const TEXT_LENGTH_MAX = 1_024;
const COLUMNS_MAX = 32;
/** How long changes that do not make a step of the history are gathered: browsers refuse more than some hundred in half a minute. */
const REPLACE_DELAY_MS = 150;

/** How a member of the address is written as a parameter; `undefined` from `read` is a bad value, from `write` one that is left out. */
interface Parameter<T> {
  read(text: string): T | undefined;
  write(value: T): string;
}

function oneOf<T extends string>(...values: readonly T[]): Parameter<T | null> {
  return { read: (text) => values.find((value) => value === text), write: (value) => value ?? '' };
}

function matching(isGood: (text: string) => boolean): Parameter<string> {
  return { read: (text) => (isGood(text) ? text : undefined), write: (value) => value };
}

const SWITCH: Parameter<boolean | null> = {
  read: (text) => (text === '1' ? true : text === '0' ? false : undefined),
  write: (value) => (value === null ? '' : value ? '1' : '0'),
};

const LINE_ID = String.raw`[\w-]+(?:\.[\w-]+)*`;
const isLineId = (text: string): boolean => text.length <= TEXT_LENGTH_MAX && new RegExp(`^${LINE_ID}$`).test(text);
const isLineIds = (text: string): boolean => text.length <= TEXT_LENGTH_MAX && new RegExp(`^${LINE_ID}(?:\\.\\.${LINE_ID})?$`).test(text);

const COLUMNS: Parameter<readonly string[]> = {
  read(text) {
    const names = text.split(',').filter((name) => name !== '').map((name) => name.replace(/%2C/g, ',').replace(/%25/g, '%'));
    return text.length <= QUERY_LENGTH_MAX && names.length <= COLUMNS_MAX ? [...new Set(names)] : undefined;
  },
  write: (names) => names.map((name) => name.replace(/%/g, '%25').replace(/,/g, '%2C')).join(','),
};

/** In the order in which an address names them. */
const PARAMETERS: { readonly [Key in Exclude<keyof Address, 'place'>]: Parameter<Address[Key]> } = {
  q: matching((text) => text.length <= QUERY_LENGTH_MAX),
  from: matching((text) => isTimeText(text)),
  to: matching((text) => text !== 'all' && isTimeText(text)),
  at: matching(isLineIds),
  around: matching(isLineId),
  live: SWITCH,
  find: matching((text) => text.length <= TEXT_LENGTH_MAX),
  cols: COLUMNS,
  wrap: SWITCH,
  order: oneOf('asc', 'desc'),
  show: oneOf('smart', 'raw'),
  fold: oneOf('no', 'exact', 'numbers') as Parameter<Address['fold']>,
  tab: oneOf('lines', 'patterns', 'chart'),
  tz: matching((text) => text !== '' && text.length <= TEXT_LENGTH_MAX && isZone(text)),
};

const PATHS: { readonly [Place in Address['place']]: string } = { overview: './', logs: 'logs', status: 'status' };

/** The state of the view at this URL. Bad values become the default, unknown parameters are dropped. */
export function parseAddress(url: URL): Address {
  const last = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  const result: Record<string, unknown> = { ...DEFAULT_ADDRESS, place: last === 'logs' || last === 'status' ? last : 'overview' };
  for (const [name, parameter] of Object.entries(PARAMETERS)) {
    const text = url.searchParams.get(name);
    const value = text === null ? undefined : parameter.read(text);
    if (value !== undefined) result[name] = value;
  }
  return result as unknown as Address;
}

/** The address relative to the page, defaults left out: `logs?q=…`. */
export function formatAddress(state: Address): string {
  const values: Record<string, string> = {};
  for (const [name, parameter] of Object.entries(PARAMETERS) as [Exclude<keyof Address, 'place'>, Parameter<unknown>][]) {
    const text = parameter.write(state[name]);
    if (text !== parameter.write(DEFAULT_ADDRESS[name])) values[name] = text;
  }
  return PATHS[state.place] + queryString(values);
}

/** `?a=b&c=d`, or nothing. Characters that a query may hold stay readable: addresses are read by people. */
function queryString(params: Readonly<Record<string, string | undefined>>): string {
  const pairs = Object.entries(params).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encode(value)}`]));
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

function encode(value: string): string {
  // Half a surrogate pair has no encoding.
  return encodeURIComponent(value.replace(/\p{Cs}/gu, '\ufffd')).replace(/%(?:2C|2F|3A|3D|40|7C)/g, decodeURIComponent).replace(/%20/g, '+');
}

/** The URL of a route of the agent, such as `api/v1/lines`; parameters that are `undefined` are left out. */
export function apiUrl(path: string, params: Readonly<Record<string, string | undefined>> = {}): string {
  return `../${path}${queryString(params)}`;
}

/** The same for a WebSocket, which wants an absolute URL. */
export function wsUrl(path: string, params: Readonly<Record<string, string | undefined>> = {}): string {
  const url = new URL(apiUrl(path, params), document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

let pendingReplace: ReturnType<typeof setTimeout> | undefined;

/** Takes the address from the address bar, now and whenever the person goes back or forward. */
export function start(): void {
  address.value = parseAddress(new URL(location.href));
  addEventListener('popstate', () => {
    clearTimeout(pendingReplace);
    pendingReplace = undefined;
    address.value = parseAddress(new URL(location.href));
  });
  addEventListener('pagehide', flushReplace);
}

/** Changes the view's state. `push` makes a step to go back to: for what a person decided; `replace` is for what follows from it. */
export function go(change: Partial<Address>, how: 'push' | 'replace' = 'push'): void {
  const before = formatAddress(address.value);
  const next = { ...address.value, ...change };
  const url = formatAddress(next);
  if (url === before) return;
  if (how === 'push') {
    flushReplace();
    address.value = next;
    write(() => history.pushState(null, '', url));
  } else {
    address.value = next;
    pendingReplace ??= setTimeout(flushReplace, REPLACE_DELAY_MS);
  }
}

/** Where a link leads that changes the view so; relative, for `href`. */
export function hrefOf(change: Partial<Address>): string {
  return formatAddress({ ...address.value, ...change });
}

function flushReplace(): void {
  if (pendingReplace === undefined) return;
  clearTimeout(pendingReplace);
  pendingReplace = undefined;
  write(() => history.replaceState(null, '', formatAddress(address.value)));
}

/** Browsers refuse changes that come too fast; the view's state holds all the same and is written with the next change. */
function write(change: () => void): void {
  try {
    change();
  } catch {
    pendingReplace ??= setTimeout(flushReplace, 10 * REPLACE_DELAY_MS);
  }
}
