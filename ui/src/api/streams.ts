// `GET /api/v1/streams`: every stream with its volume over the range, its last line and how its source is. Asked every 10 s while somebody looks.
import { effect, signal } from '@preact/signals';
import { type Level, toLevel } from '../model';
import { apiUrl } from '../route';
import { address } from '../state';
import { stripAnsi } from '../text/ansi';
import { visible } from '../text/controls';
import { getJson, isAbort, queued, toServerError } from './http';
import { status } from './status';

const PAUSE_MS = 10_000;
const STEPS = '60';
const LIMIT = '5000';

export interface StreamInfo {
  readonly id: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly service: string;
  /** Of all that is kept. */
  readonly lines: number;
  readonly bytes: number;
  /** Nanoseconds since the Unix epoch. */
  readonly first: bigint;
  readonly last: bigint;
  /** Bytes in each step of the range, about. */
  readonly volume: readonly number[];
  readonly lastLine: string;
  readonly lastLevel: Level;
  readonly state: 'active' | 'rotated' | 'unreadable' | 'gone';
  readonly lagBytes: number;
  readonly gaps: number;
}

export interface StreamList {
  readonly now: bigint;
  readonly start: bigint;
  readonly oldest: bigint | null;
  readonly streams: readonly StreamInfo[];
  /** Whether there are more than were asked for. */
  readonly isMore: boolean;
}

interface WireStream {
  id: string; labels: Record<string, string>; service: string; lines: number; bytes: number; first: string; last: string; volume: number[];
  last_line?: string; last_level?: string; state: StreamInfo['state']; lag_bytes?: number; gaps?: number;
}
interface Wire { now: string; start: string; oldest?: string | null; streams: WireStream[]; more?: boolean }

/** Nanoseconds of what the server writes: digits, or RFC 3339. */
export function toNs(text: string): bigint {
  if (/^-?\d+$/.test(text)) return BigInt(text);
  const [, digits = ''] = /\.(\d+)/.exec(text) ?? [];
  const whole = Date.parse(text.replace(/\.\d+/, ''));
  return Number.isNaN(whole) ? 0n : BigInt(whole) * 1_000_000n + BigInt(digits.slice(0, 9).padEnd(9, '0'));
}

export function decodeStreams(wire: Wire): StreamList {
  return {
    now: toNs(wire.now), start: toNs(wire.start), oldest: wire.oldest == null ? null : toNs(wire.oldest),
    isMore: wire.more === true,
    streams: wire.streams.map((stream) => ({
      id: stream.id, labels: new Map(Object.entries(stream.labels)), service: stream.service, lines: stream.lines, bytes: stream.bytes,
      first: toNs(stream.first), last: toNs(stream.last), volume: stream.volume, lastLine: visible(stripAnsi(stream.last_line ?? '')),
      lastLevel: toLevel(stream.last_level ?? ''), state: stream.state, lagBytes: stream.lag_bytes ?? 0, gaps: stream.gaps ?? 0,
    })),
  };
}

/** The streams over the range of the address; `null` before the first answer. Kept when the agent cannot be reached. */
export const streams = signal<StreamList | null>(null);
export const streamsError = signal('');

/** What the agent's clock is ahead of the browser's, in nanoseconds. */
let ahead = 0n;
let saidNow = 0n;

/** Takes an answer. One that says the same time as the one before was kept by the browser, and its time is over. */
export function take(answer: StreamList): void {
  const now = BigInt(Date.now()) * 1_000_000n;
  if (answer.now !== saidNow) ahead = answer.now - now;
  saidNow = answer.now;
  streams.value = { ...answer, now: now + ahead };
}

export async function fetchStreams(from: string, to: string, signal: AbortSignal): Promise<StreamList> {
  // A relative range stays so: the browser asks by the same URL and hears that its answer still holds.
  const start = from === 'all' ? (status.peek()?.oldest ?? undefined) : from;
  const params = { start, end: to === 'now' ? undefined : to, steps: STEPS, limit: LIMIT };
  return decodeStreams(await queued('total', signal, () => getJson<Wire>(apiUrl('api/v1/streams', params), signal)));
}

/** Asks now and every 10 s while the tab is visible, until what it gives back is called. */
export function watchStreams(): () => void {
  const isVisible = signal(!document.hidden);
  const look = () => (isVisible.value = !document.hidden);
  document.addEventListener('visibilitychange', look);
  const stop = effect(() => {
    const { from, to } = address.value;
    if (!isVisible.value) return undefined;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const round = async () => {
      try {
        const answer = await fetchStreams(from, to, abort.signal);
        take(answer);
        streamsError.value = '';
      } catch (error) {
        if (!isAbort(error)) streamsError.value = toServerError(error).message;
      }
      if (!abort.signal.aborted) timer = setTimeout(() => void round(), PAUSE_MS);
    };
    void round();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  });
  return () => {
    stop();
    document.removeEventListener('visibilitychange', look);
  };
}
