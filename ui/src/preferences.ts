// Preferences: kept in the browser under one key, applied to the page's root. Blocked or broken storage is not an error.
import { computed, effect, signal } from '@preact/signals';
import { DEFAULT_PREFERENCES, preferences, type Preferences } from './state';

const KEY = 'monitoring-rs';
const VERSION = 1;

/** What of a stored text is a preference of today: known names with values of the right kind; the rest is by default. */
export function readPreferences(text: string | null): Preferences {
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? '');
  } catch {
    return DEFAULT_PREFERENCES;
  }
  if (typeof stored !== 'object' || stored === null || (stored as { version?: unknown }).version !== VERSION) return DEFAULT_PREFERENCES;
  const known = Object.entries(DEFAULT_PREFERENCES).map(([name, value]) => {
    const found: unknown = Object.hasOwn(stored, name) ? (stored as Record<string, unknown>)[name] : undefined;
    const choices: readonly unknown[] | undefined = CHOICES[name];
    return [name, typeof found === typeof value && (choices === undefined || choices.includes(found)) ? found : value];
  });
  return Object.fromEntries(known) as Preferences;
}

const CHOICES: Record<string, readonly unknown[] | undefined> = {
  theme: ['system', 'light', 'dark'], rowHeight: [18, 20, 24], order: ['asc', 'desc'], show: ['smart', 'raw'],
  timeFormat: ['time', 'millis', 'date', 'ago', 'delta'], histogram: ['normal', 'large', 'hidden'],
};

export function prefer(change: Partial<Preferences>): void {
  preferences.value = { ...preferences.value, ...change };
}

const darkWanted = signal(false);

/** The theme that is on: the preference, or the system's. */
export const theme = computed(() => {
  const wanted = preferences.value.theme;
  return wanted !== 'system' ? wanted : darkWanted.value ? 'dark' : 'light';
});

/** Reads what is stored, then keeps storage, root element and other tabs at what is preferred. */
export function start(): void {
  const read = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  preferences.value = readPreferences(read());
  const media = matchMedia('(prefers-color-scheme: dark)');
  darkWanted.value = media.matches;
  media.addEventListener('change', () => (darkWanted.value = media.matches));
  addEventListener('storage', (event) => {
    if (event.key === KEY) preferences.value = readPreferences(event.newValue);
  });
  effect(() => {
    const text = JSON.stringify({ version: VERSION, ...preferences.value });
    try {
      if (text !== read() && (read() !== null || preferences.value !== DEFAULT_PREFERENCES)) localStorage.setItem(KEY, text);
    } catch {
      // A private window may keep nothing: the preferences hold until it is closed.
    }
  });
  effect(() => {
    const root = document.documentElement;
    root.dataset.theme = theme.value;
    root.dataset.density = String(preferences.value.rowHeight);
    root.dataset.hues = preferences.value.streamColours ? 'yes' : 'no';
  });
}
