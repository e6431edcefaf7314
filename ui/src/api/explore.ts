// What there is to ask about, by Loki's HTTP API: labels, fields, their values and counts, patterns.
import { type Level, toLevel } from '../model';
import { apiUrl } from '../route';
import { getJson, queued } from './http';
import { duration, type Envelope, queryAt } from './loki';

export interface DetectedField {
  readonly name: string;
  readonly kind: string;
  /** About how many different values the field has in the lines looked at. */
  readonly cardinality: number;
  /** Parsers that find the field in the text; empty for structured metadata. */
  readonly parsers: readonly string[];
  /** The key in the line's JSON, before the parser renamed it. */
  readonly path: readonly string[];
}

export interface Pattern {
  readonly text: string;
  readonly level: Level;
  readonly count: number;
  /** Seconds since the Unix epoch and lines, ascending. */
  readonly samples: readonly (readonly [number, number])[];
}

/** The values of a field within the range with their counts, the most frequent first. */
export async function countValues(
  query: string, name: string, range: { start: bigint; end: bigint }, limit: number, signal: AbortSignal,
): Promise<{ value: string; count: number }[]> {
  const text = `topk(${limit}, sum by (${name}) (count_over_time(${query} [${duration(range.end - range.start)}])))`;
  const samples = await queryAt(text, range.end - 1n, 'counts', signal, 10_000);
  return samples
    .map(({ labels, value }) => ({ value: labels.get(name) ?? '', count: value }))
    .filter(({ value }) => value !== '')
    .sort((a, b) => b.count - a.count);
}

// Labels change seldom, and completion asks at every key: an answer holds for a minute.
const KEPT_MS = 60_000;
const kept = new Map<string, { at: number; values: Promise<string[]> }>();

function keptList(path: string): Promise<string[]> {
  const now = Date.now();
  const known = kept.get(path);
  if (known !== undefined && now - known.at < KEPT_MS) return known.values;
  const signal = AbortSignal.timeout(10_000);
  const values = queued('fields', signal, () => getJson<Envelope<string[] | undefined>>(apiUrl(path), signal)).then(({ data }) => data ?? []);
  values.catch(() => kept.delete(path));
  if (kept.size >= 64) kept.delete(kept.keys().next().value as string);
  kept.set(path, { at: now, values });
  return values;
}

export function labelNames(): Promise<string[]> {
  return keptList('loki/api/v1/labels');
}

export function labelValues(name: string): Promise<string[]> {
  return keptList(`loki/api/v1/label/${encodeURIComponent(name)}/values`);
}

interface FieldAnswer { label: string; type: string; cardinality: number; parsers: string[] | null; jsonPath?: string[] }

/** Fields found in the newest 100 lines of the answer. */
export async function detectedFields(query: string, range: { start: bigint; end: bigint }, signal: AbortSignal): Promise<DetectedField[]> {
  const url = apiUrl('loki/api/v1/detected_fields', { query, start: `${range.start}`, end: `${range.end}`, line_limit: '100', limit: '200' });
  const { fields } = await queued('fields', signal, () => getJson<{ fields?: FieldAnswer[] | null }>(url, signal));
  return (fields ?? []).map((field) => ({
    name: field.label, kind: field.type, cardinality: field.cardinality, parsers: field.parsers ?? [], path: field.jsonPath ?? [],
  }));
}

interface PatternAnswer { pattern: string; level?: string; samples: [number, number][] }

/** Patterns of the lines a selector chooses, the most frequent first. */
export async function patterns(selector: string, range: { start: bigint; end: bigint }, signal: AbortSignal): Promise<Pattern[]> {
  const url = apiUrl('loki/api/v1/patterns', { query: selector, start: `${range.start}`, end: `${range.end}` });
  const { data } = await queued('fields', signal, () => getJson<Envelope<PatternAnswer[] | undefined>>(url, signal));
  return (data ?? [])
    .map(({ pattern, level, samples }) => ({
      text: pattern, level: toLevel(level ?? 'unknown'), samples, count: samples.reduce((sum, [, lines]) => sum + lines, 0),
    }))
    .sort((a, b) => b.count - a.count);
}
