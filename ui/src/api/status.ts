// `GET /status`: how the agent, its sources and its database are. Asked every 5 s while the status page is open, every 30 s elsewhere.
import { effect, signal } from '@preact/signals';
import { apiUrl } from '../route';
import { address, agentZone } from '../state';
import { getJson, isAbort, toServerError } from './http';

const OPEN_MS = 5_000;
const ELSEWHERE_MS = 30_000;
/** While files that were there at the start are being read. */
const IMPORT_MS = 2_000;
/** Until the second answer, which makes the first rates. */
const FIRST_MS = 1_500;
/** Over how long the rates are an average, so that they can be read. */
const RATE_WINDOW_MS = 15_000;

/** As the server names it; what older agents do not say is optional. */
export interface AgentStatus {
  readonly version: string;
  readonly commit: string;
  readonly zone?: string;
  readonly uptime_seconds: number;
  /** Who asks, where the agent wants to know. */
  readonly caller?: string;
  readonly collector: string;
  readonly root: string;
  readonly data_directory: string;
  readonly problem?: string;
  readonly streams: number;
  readonly lines: number;
  readonly bytes: number;
  readonly disk_bytes: number;
  readonly oldest: string | null;
  readonly quarantined_bytes: number;
  readonly unreadable_parts: number;
  readonly seen_bytes: number;
  readonly stored_bytes: number;
  readonly waiting_bytes: number;
  readonly skipped_bytes: Readonly<Record<string, number>>;
  readonly unaccounted_bytes: number;
  readonly held_deleted_bytes: number;
  readonly gaps: readonly Gap[];
  readonly import: Import;
  readonly sources?: readonly Source[];
  readonly queries?: Use;
  readonly tails?: Use;
  readonly lines_per_second?: number;
  readonly retention?: Retention;
  readonly alerts?: readonly Alert[];
  readonly forward?: readonly Target[];
}

/** An alert that fires. */
export interface Alert {
  readonly name: string;
  readonly labels: string;
  readonly summary: string;
  readonly since: string;
}

/** Where lines are forwarded to. */
export interface Target {
  readonly address: string;
  readonly waiting_lines: number;
  readonly waiting_bytes: number;
  readonly dropped_lines: number;
  readonly refused_lines: number;
  readonly problem: string | null;
}

/** How much of something is in use. */
export interface Use {
  readonly running: number;
  readonly max: number;
}

export interface Retention {
  /** `null` for no limit. */
  readonly bytes_max: number | null;
  readonly age_seconds_max: number | null;
  /** What drove the last segment out, and when. */
  readonly last_dropped: { readonly reason: string; readonly time: string } | null;
}

export interface Gap {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
  readonly found: string;
}

export interface Import {
  readonly total_bytes: number;
  readonly read_bytes: number;
  readonly files: number;
  readonly files_read: number;
  readonly bytes_per_second: number;
  readonly seconds_left: number | null;
}

export interface Source {
  readonly path: string;
  readonly state: 'active' | 'rotated' | 'unreadable' | 'left_out';
  readonly read_bytes: number;
  readonly size_bytes: number;
  readonly lag_bytes: number;
  readonly last_read: string | null;
  readonly polled: boolean;
  readonly problem?: string;
}

/** The newest answer; `null` before the first. Kept when the agent cannot be reached. */
export const status = signal<AgentStatus | null>(null);

/** Why the newest request failed; `''` if it did not. */
export const statusError = signal('');

/** What came in a second lately; `null` until two answers are there. */
export const rates = signal<{ lines: number; bytes: number } | null>(null);

interface Moment { at: number; lines: number; bytes: number }
let moments: Moment[] = [];

/** The rates between the oldest of the moments and the newest; counters that fell mean that the agent was restarted. */
export function ratesOf(all: readonly Moment[]): { lines: number; bytes: number } | null {
  const [first, last] = [all[0], all[all.length - 1]];
  if (first === undefined || last === undefined || last.at <= first.at) return null;
  const seconds = (last.at - first.at) / 1_000;
  return { lines: Math.max(0, last.lines - first.lines) / seconds, bytes: Math.max(0, last.bytes - first.bytes) / seconds };
}

export function isImporting({ import: { total_bytes: total, read_bytes: read } }: AgentStatus): boolean {
  return read < total;
}

async function ask(signal: AbortSignal): Promise<void> {
  const hasSources = address.peek().place === 'status' || (status.peek()?.streams ?? 0) === 0;
  try {
    const answer = await getJson<AgentStatus>(apiUrl('status', hasSources ? {} : { sources: '0' }), signal);
    const at = performance.now();
    const last = moments.at(-1);
    if (last !== undefined && answer.seen_bytes < last.bytes) moments = [];
    moments = [...moments.filter((moment) => at - moment.at <= RATE_WINDOW_MS || moment === last), { at, lines: answer.lines, bytes: answer.seen_bytes }];
    status.value = hasSources ? answer : { ...answer, sources: undefined };
    statusError.value = '';
    rates.value = ratesOf(moments);
    if (answer.zone !== undefined) agentZone.value = answer.zone;
  } catch (error) {
    if (!isAbort(error)) statusError.value = toServerError(error).message;
  }
}

/** Asks until the page ends: at once when a place is entered or the tab is looked at again, then at the place's pace; never while hidden. */
export function watchStatus(): void {
  const isVisible = signal(!document.hidden);
  document.addEventListener('visibilitychange', () => (isVisible.value = !document.hidden));
  effect(() => {
    const isOpen = address.value.place === 'status';
    if (!isVisible.value) return undefined;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const round = async () => {
      await ask(abort.signal);
      if (abort.signal.aborted) return;
      const now = status.peek();
      const isBeginning = now !== null && (isImporting(now) || now.streams === 0);
      timer = setTimeout(() => void round(), moments.length === 1 ? FIRST_MS : isBeginning ? IMPORT_MS : isOpen ? OPEN_MS : ELSEWHERE_MS);
    };
    void round();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  });
}
