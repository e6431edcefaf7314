// What is known of errors: `errors.ts` asks for it.
import { signal } from '@preact/signals';
import type { Shares } from './errors';

/** `null`: not known. */
export const errorShares = signal<Shares | null>(null);
/** How many times the errors of the 15 minutes before; `null`: not known, or there were none. */
export const errorTrend = signal<number | null>(null);
