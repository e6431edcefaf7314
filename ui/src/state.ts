// What the whole page shares: the address (the one truth of a view), preferences, and messages to the person. `route.ts` ties the address to the
// browser's history; nothing else touches it.
import { computed, signal } from '@preact/signals';

export type Place = 'overview' | 'logs' | 'status';
export type Tab = 'lines' | 'patterns' | 'chart';

/** The state of a view, as the address bar holds it. Defaults are left out of the address. */
export interface Address {
  readonly place: Place;
  /** LogQL; `''` for all logs. */
  readonly q: string;
  /** `1h`, RFC 3339, or nanoseconds; relative stays relative. `all` for from the beginning. */
  readonly from: string;
  readonly to: string;
  /** A line id, or `id..id`: scroll there and mark them. */
  readonly at: string;
  /** A line id: the context view. */
  readonly around: string;
  /** `null`: by the default rule, see `isLive`. */
  readonly live: boolean | null;
  readonly find: string;
  readonly cols: readonly string[];
  /** `null`: the preference. */
  readonly wrap: boolean | null;
  readonly order: 'asc' | 'desc' | null;
  readonly show: 'smart' | 'raw' | null;
  readonly fold: 'no' | 'exact' | 'numbers';
  /** `null`: by the query's kind. */
  readonly tab: Tab | null;
  readonly tz: string;
}

export const DEFAULT_ADDRESS: Address = {
  place: 'overview', q: '', from: '1h', to: 'now', at: '', around: '', live: null, find: '', cols: [], wrap: null, order: null, show: null,
  fold: 'no', tab: null, tz: '',
};

export const address = signal<Address>(DEFAULT_ADDRESS);

/** Whether new lines are followed: asked for, or by default where the range ends now and no line is pointed at. */
export const isLive = computed(() => {
  const { live, to, at, around } = address.value;
  return around === '' && to === 'now' && (live ?? at === '');
});

export interface Preferences {
  readonly theme: 'system' | 'light' | 'dark';
  readonly singleKeys: boolean;
  /** Height of a row of the list in px. */
  readonly rowHeight: 18 | 20 | 24;
  readonly wrap: boolean;
  readonly order: 'asc' | 'desc';
  readonly show: 'smart' | 'raw';
  readonly ansi: boolean;
  readonly ownTimes: boolean;
  /** `browser`, `agent`, `utc`, or a name of the time zone database. */
  readonly zone: string;
  readonly timeFormat: 'time' | 'millis' | 'date' | 'ago' | 'delta';
  readonly streamColours: boolean;
  readonly barPatterns: boolean;
  readonly sidebar: boolean;
  readonly histogram: 'normal' | 'large' | 'hidden';
  readonly readAloud: boolean;
  /** Width of the detail in px. */
  readonly detailWidth: number;
}

export const DEFAULT_PREFERENCES: Preferences = {
  theme: 'system', singleKeys: true, rowHeight: 20, wrap: false, order: 'asc', show: 'smart', ansi: true, ownTimes: false, zone: 'browser',
  timeFormat: 'millis', streamColours: true, barPatterns: false, sidebar: true, histogram: 'normal', readAloud: false, detailWidth: 380,
};

export const preferences = signal<Preferences>(DEFAULT_PREFERENCES);

/** A short message at the bottom of the page, and for screen readers; the newest replaces the one before. */
export const toast = signal<{ text: string; kind: 'info' | 'error'; action?: { label: string; run: () => void } } | null>(null);

export function notify(text: string, kind: 'info' | 'error' = 'info', action?: { label: string; run: () => void }): void {
  toast.value = action === undefined ? { text, kind } : { text, kind, action };
}

/** What the agent says of itself, as far as the shell shows it; `null` until the first answer. See `api/status.ts`. */
export const agentZone = signal('Etc/UTC');
