// Parts that are loaded when the page has come to rest, or when one of them is first asked for.
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';

type Parts = typeof import('../later');

const parts = signal<Parts | 'failed' | null>(null);
let isAsked = false;

export function loadLater(): void {
  if (isAsked) return;
  isAsked = true;
  import('../later').then((loaded) => (parts.value = loaded), () => {
    isAsked = false;
    parts.value = 'failed';
  });
}

/** Draws what needs one of the parts, as soon as they are there. */
export function Later({ children }: { children: (parts: Parts) => ComponentChildren }) {
  useEffect(loadLater, []);
  const now = parts.value;
  if (now === 'failed') return <p class="pane-words danger" role="alert">This part could not be loaded. <button type="button" class="link" onClick={loadLater}>Try again</button></p>;
  return now === null ? null : <>{children(now)}</>;
}
