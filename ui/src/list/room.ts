// How much is held, and what goes when it is too much: whole chunks, at the end that is farther from the eye.
import type { Viewport } from './options';
import type { LineStore } from './store';

export interface Limits {
  readonly lines: number;
  /** UTF-16 units of the texts. */
  readonly characters: number;
}

/** What goes on for ever is held in less. */
export const LIVE: Limits = { lines: 100_000, characters: 48 << 20 };
const LARGE: Limits = { lines: 1_000_000, characters: 192 << 20 };
const SMALL: Limits = { lines: 100_000, characters: 32 << 20 };
const SMALL_WIDTH = 600;
const SMALL_GIB = 4;

/** What this device can hold. */
export function heldAtMost(): Limits {
  const memory = 'deviceMemory' in navigator ? Number(navigator.deviceMemory) : Infinity;
  return innerWidth < SMALL_WIDTH || memory <= SMALL_GIB ? SMALL : LARGE;
}

/** Makes room for what goes on at the end: drops lines at the start, but none that is on screen or below unless the end is followed.
 * Returns whether there is room for `adding` lines more. */
export function roomAtEnd(store: LineStore, limits: Limits, view: Viewport, adding: number): boolean {
  for (;;) {
    const isOver = store.count + adding > limits.lines || store.characters > limits.characters;
    const first = store.chunks[0];
    if (!isOver || first === undefined) return true;
    // All of the last chunk going would leave the screen empty.
    if (store.chunks.length === 1) return true;
    if (!view.isPinned && view.first < first.count) return false;
    store.evict('start');
    view = { ...view, first: view.first - first.count, last: view.last - first.count };
  }
}

/** Drops what is too much at the end that is farther from what is on screen. Returns at which ends anything went. */
export function evictFar(store: LineStore, limits: Limits, view: Viewport): { start: boolean; end: boolean } {
  const gone = { start: false, end: false };
  let { first, last } = view;
  while (store.count > limits.lines || store.characters > limits.characters) {
    const [oldest, newest] = [store.chunks[0], store.chunks.at(-1)];
    if (oldest === undefined || newest === undefined || oldest === newest) return gone;
    const below = store.count - 1 - last;
    if (first >= below && oldest.count <= first) {
      first -= oldest.count;
      last -= oldest.count;
      store.evict('start');
      gone.start = true;
    } else if (newest.count <= below) {
      store.evict('end');
      gone.end = true;
    } else {
      return gone;
    }
  }
  return gone;
}
