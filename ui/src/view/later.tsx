// Parts that the first screen does not need: one file, loaded when the page has come to rest, or when one of them is first asked for.
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { holdKeys, releaseKeys } from '../held';

export type Parts = typeof import('../later');

const parts = signal<Parts | null>(null);
const hasFailed = signal(false);
/** How often loading was tried; `isLoading` while it is. */
let tries = 0;
let isLoading = false;

/** Loads once more under another name: browsers remember that a module could not be loaded. */
function load(): Promise<Parts> {
  tries += 1;
  return tries === 1 ? import('../later') : import(/* @vite-ignore */ new URL(`later.js?${tries}`, import.meta.url).href) as Promise<Parts>;
}

export function loadLater(): void {
  if (isLoading || parts.peek() !== null) return;
  isLoading = true;
  hasFailed.value = false;
  load().then((loaded) => {
    // An agent that was updated meanwhile gives a file that does not fit this one.
    if (loaded.build === BUILD) parts.value = loaded;
    else hasFailed.value = true;
  }, () => (hasFailed.value = true)).finally(() => {
    isLoading = false;
    releaseKeys(parts.peek() !== null);
  });
}

/** Draws what needs one of the parts, as soon as they are there. Keys that are pressed before are for it. */
export function Later({ children }: { children: (parts: Parts) => ComponentChildren }) {
  useEffect(() => {
    loadLater();
    if (isLoading) holdKeys();
  }, []);
  if (parts.value !== null) return <>{children(parts.value)}</>;
  return hasFailed.value ? <p class="pane-words danger" role="alert">This part could not be loaded.{' '}
    <button type="button" class="link" onClick={loadLater}>Try again</button>, or <button type="button" class="link" onClick={() => location.reload()}>load the page anew</button>.</p> : null;
}
