// Reads LogQL of the simple shape back into what chips show.
import { ALL, type Query } from './query';

/** The query as chips show it; `null` for any other shape. Empty text is all logs. */
export function parseSimple(text: string): Query | null {
  return text.trim() === '' ? ALL : null;
}
