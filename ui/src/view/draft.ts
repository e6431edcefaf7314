// The text in the search box while it is typed. It is part of the address's query from the first rest of the keys on; Enter makes it a chip of its own.
import { computed, effect, signal } from '@preact/signals';
import { isAbort, toServerError } from '../api/http';
import { checkQuery } from '../api/loki';
import type { ServerError } from '../model';
import { isMetric, searchWithin } from '../logql/any';
import { build } from '../logql/build';
import { type Chip, removeChip, textFilter, type TextOptions, withText } from '../logql/clicks';
import { parseSimple } from '../logql/simple';
import { address, isLive } from '../state';
import { ask, logql } from './asked';

const REST_MS = 200;
/** A socket costs more than a request: it follows the text when it has rested longer. */
const LIVE_REST_MS = 500;

const PLAIN: TextOptions = { isCase: false, isRegexp: false, isWithout: false };

export const draftText = signal('');
export const draftOptions = signal<TextOptions>(PLAIN);
/** What is wrong with the regexp in the box, in the server's words. */
export const draftError = signal<ServerError | null>(null);

/** The query without the text in the box; `null` while nothing is typed. */
const base = signal<string | null>(null);
/** The query that was last asked for because of the box. */
let written: string | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let abort = new AbortController();

/** The query whose conditions are chips: without what is still typed. */
export const chipQuery = computed(() => (base.value === null ? address.value.q : base.value));

function combine(query: string, text: string, options: TextOptions): string {
  const simple = parseSimple(query);
  if (simple !== null) return build(withText(simple, text, options));
  const filter = textFilter(text, options);
  return filter === null ? query : searchWithin(query, filter);
}

function write(): void {
  clearTimeout(timer);
  timer = undefined;
  if (base.peek() === null) return;
  const next = combine(base.peek()!, draftText.peek(), draftOptions.peek());
  const how = written === null ? 'push' : 'replace';
  ask(next, how);
  written = address.peek().q;
}

/** A regexp is asked about first: with one that is wrong the lines stay as they are. */
async function check(): Promise<boolean> {
  abort.abort();
  abort = new AbortController();
  const { signal } = abort;
  draftError.value = null;
  if (!draftOptions.peek().isRegexp || draftText.peek() === '') return true;
  try {
    const query = combine(base.peek() ?? logql.peek(), draftText.peek(), draftOptions.peek());
    await checkQuery(query, !isMetric(query), signal);
    return !signal.aborted;
  } catch (error) {
    if (!isAbort(error) && !signal.aborted) draftError.value = toServerError(error);
    return false;
  }
}

function later(ms: number): void {
  clearTimeout(timer);
  timer = setTimeout(() => void check().then((isGood) => isGood && write()), ms);
}

export function type(text: string): void {
  base.value ??= address.peek().q;
  draftText.value = text;
  later(isLive.peek() ? LIVE_REST_MS : REST_MS);
}

export function turn(change: Partial<TextOptions>): void {
  draftOptions.value = { ...draftOptions.peek(), ...change };
  if (draftText.peek() !== '') later(0);
}

/** Makes the text a chip. */
export async function commit(change: Partial<TextOptions> = {}): Promise<void> {
  if (draftText.peek() === '') return;
  base.value ??= address.peek().q;
  draftOptions.value = { ...draftOptions.peek(), ...change };
  clearTimeout(timer);
  const text = draftText.peek();
  // What was typed while the server looked at it is no part of the chip, and stays.
  if (!(await check()) || draftText.peek() !== text) return;
  write();
  reset();
}

function reset(): void {
  clearTimeout(timer);
  timer = undefined;
  abort.abort();
  base.value = null;
  written = null;
  draftText.value = '';
  draftOptions.value = { ...PLAIN, isCase: draftOptions.peek().isCase };
  draftError.value = null;
}

/** Puts the condition of a chip back into the box. */
export function takeBack(chip: Chip): boolean {
  const query = parseSimple(chipQuery.peek());
  if (chip.edit === undefined || query === null) return false;
  if (draftText.peek() !== '') write();
  clearTimeout(timer);
  base.value = build(removeChip(query, chip));
  written = null;
  draftText.value = chip.edit.text;
  draftOptions.value = chip.edit.options;
  return true;
}

/** Clears the box, and what it asked for. */
export function clear(): void {
  if (base.peek() === null) return;
  draftText.value = '';
  write();
  reset();
}

// What is asked for elsewhere, by a click or by going back, takes the text in the box with it.
effect(() => {
  const { q } = address.value;
  if (base.peek() !== null && written !== null && q !== written) reset();
});
