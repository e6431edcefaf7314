// Parts that the first screen does not need: one file, loaded when the page has come to rest, or when one of them is first asked for.
import { effect, signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { holdKeys, releaseKeys } from '../held';
import type { LogSession } from '../session';

export type Parts = typeof import('../later');

/** How soon loading is tried again by itself. */
const AGAIN_MS = 5_000;

/** `null` until they are loaded. */
export const parts = signal<Parts | null>(null);
/** Why they are not. */
const failure = signal('');
let tries = 0;
let isLoading = false;

function load(): Promise<Parts> {
  tries += 1;
  // Once more under another name: browsers remember that a module could not be loaded.
  return tries === 1 ? import('../later') : import(/* @vite-ignore */ import.meta.url.replace(/[^/]*$/, `later.js?${tries}`)) as Promise<Parts>;
}

export async function loadLater(): Promise<void> {
  if (isLoading || parts.peek() !== null) return;
  isLoading = true;
  try {
    const loaded = await load();
    // The file of another build does not fit this one.
    if (loaded.build === BUILD) parts.value = loaded;
    else failure.value = 'The agent was updated.';
  } catch {
    failure.value = 'This part could not be loaded.';
    setTimeout(() => void loadLater(), AGAIN_MS);
  }
  isLoading = false;
  releaseKeys(parts.peek() !== null);
}

/** Loads them once the first lines of a session are drawn. */
export function useLaterThan({ state }: LogSession): void {
  useEffect(() => effect(() => {
    if (state.value !== 'idle' && state.value !== 'loading') requestAnimationFrame(() => setTimeout(() => void loadLater()));
  }), []);
}

interface Props {
  readonly children: (parts: Parts) => ComponentChildren;
  /** What stands there until then. */
  readonly wait?: ComponentChildren;
}

/** Draws what a part adds to what stands there without it: it neither asks for the parts nor keeps keys. */
export function Soon({ children, wait }: Props) {
  return <>{parts.value === null ? wait : children(parts.value)}</>;
}

/** Draws what needs one of the parts, as soon as they are there. Keys that are pressed before are for it. */
export function Later({ children, wait }: Props) {
  useEffect(() => {
    void loadLater();
    if (isLoading) holdKeys();
  }, []);
  if (parts.value !== null) return <>{children(parts.value)}</>;
  return failure.value === '' ? <>{wait}</> : <p class="pane-words danger" role="alert">{failure.value} <button type="button" class="link"
    onClick={() => location.reload()}>Load the page anew</button></p>;
}
