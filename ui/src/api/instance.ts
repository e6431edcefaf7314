// Which agent answers. Every agent has the logs of its own node only: behind a proxy that spreads requests, answers would come from several.
import { signal } from '@preact/signals';

/** Whether answers come from more than one agent. */
export const isSplit = signal(false);

const seen = new Set<string>();
let last = '';

/** Notes who answered. A new name is an agent that was restarted; an old one that comes back is a second agent. */
export function noteInstance(instance: string): void {
  if (instance === '' || instance === last) return;
  if (seen.has(instance)) isSplit.value = true;
  seen.add(instance);
  last = instance;
}
