// Loki's HTTP API, as far as the page uses it: counts over time, values and counts of labels and fields, patterns, canonical queries. Lists of lines
// never come from here, because paging by time loses lines; see `lines.ts`.
import { type Level, ServerError, toLevel } from '../model';
import { apiUrl } from '../route';
import { getJson, queued, type Priority } from './http';

export interface Series {
  readonly labels: ReadonlyMap<string, string>;
  /** Milliseconds since the Unix epoch, ascending. */
  readonly times: readonly number[];
  readonly values: readonly number[];
}

export interface Sample {
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

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

interface Metric { metric: Record<string, string>; values?: [number, string][]; value?: [number, string] }
interface Envelope<T> { data: T }
interface Result { result: Metric[]; resultType: string }

/** A metric query at each `step` from `start` to `end`, all in nanoseconds. */
export async function queryRange(
  query: string, range: { start: bigint; end: bigint; step: bigint; timeout?: string }, priority: Priority, signal: AbortSignal,
): Promise<Series[]> {
  const url = apiUrl('loki/api/v1/query_range', {
    query, start: `${range.start}`, end: `${range.end}`, step: seconds(range.step), timeout: range.timeout,
  });
  const answer = await queued(priority, signal, () => getJson<Envelope<Result>>(url, signal));
  return answer.data.result.map(({ metric, values = [] }) => ({
    labels: new Map(Object.entries(metric)),
    times: values.map(([time]) => time * 1000),
    values: values.map(([, value]) => toNumber(value)),
  }));
}

/** A metric query at one time, in nanoseconds. */
export async function queryAt(query: string, time: bigint, priority: Priority, signal: AbortSignal, timeout?: string): Promise<Sample[]> {
  const url = apiUrl('loki/api/v1/query', { query, time: `${time}`, timeout });
  const answer = await queued(priority, signal, () => getJson<Envelope<Result>>(url, signal));
  return answer.data.result.flatMap(({ metric, value }) =>
    value === undefined ? [] : [{ labels: new Map(Object.entries(metric)), value: toNumber(value[1]) }]);
}

/** Lines of `query` from `start` up to, not including, `end`; none where nothing matches. */
export async function countLines(query: string, start: bigint, end: bigint, signal: AbortSignal): Promise<number> {
  const samples = await queryAt(`sum(count_over_time(${query} [${duration(end - start)}]))`, end - 1n, 'counts', signal, '5s');
  return samples[0]?.value ?? 0;
}

/** Lines by level from `start` up to, not including, `end`. */
export async function countByLevel(query: string, start: bigint, end: bigint, signal: AbortSignal): Promise<Map<Level, number>> {
  const text = `sum by (detected_level) (count_over_time(${query} [${duration(end - start)}]))`;
  const counts = new Map<Level, number>();
  for (const { labels, value } of await queryAt(text, end - 1n, 'counts', signal, '5s')) {
    const level = toLevel(labels.get('detected_level') ?? 'unknown');
    counts.set(level, (counts.get(level) ?? 0) + value);
  }
  return counts;
}

/** The values of a field within the range with their counts, the most frequent first. */
export async function countValues(
  query: string, name: string, range: { start: bigint; end: bigint }, limit: number, signal: AbortSignal,
): Promise<{ value: string; count: number }[]> {
  const text = `topk(${limit}, sum by (${name}) (count_over_time(${query} [${duration(range.end - range.start)}])))`;
  const samples = await queryAt(text, range.end - 1n, 'counts', signal, '10s');
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

/** The query in its canonical form; an error says where it is wrong. */
export async function formatQuery(query: string, signal: AbortSignal): Promise<string> {
  const url = apiUrl('loki/api/v1/format_query', { query });
  try {
    return (await queued('lines', signal, () => getJson<Envelope<string>>(url, signal))).data;
  } catch (error) {
    throw error instanceof ServerError ? placed(error) : error;
  }
}

/** Has the server look at a query as it is typed: its grammar, and its regexps, which it compiles when it runs a log query over an instant. */
export async function checkQuery(query: string, isLogQuery: boolean, signal: AbortSignal): Promise<void> {
  await formatQuery(query, signal);
  if (isLogQuery && query.includes('~')) await queryAt(`sum(count_over_time(${query} [1ms]))`, 1n, 'lines', signal, '1s');
}

/** The error with the place its message names, where its answer had none of its own. */
export function placed(error: ServerError): ServerError {
  if (error.at !== undefined) return error;
  const found = /\bline (\d+), col(?:umn)? (\d+)/.exec(error.message);
  if (found === null) return error;
  return new ServerError(error.status, error.message, { line: Number(found[1]), column: Number(found[2]) }, error.isForeign);
}

/** About how many bytes and lines a selector has within the range, from the index alone. */
export async function stats(selector: string, range: { start: bigint; end: bigint }, signal: AbortSignal): Promise<{ bytes: number; entries: number }> {
  const url = apiUrl('loki/api/v1/index/stats', { query: selector, start: `${range.start}`, end: `${range.end}` });
  return queued('counts', signal, () => getJson<{ bytes: number; entries: number }>(url, signal));
}

/** A duration as a step in seconds, with as many digits as nanoseconds need. */
export function seconds(ns: bigint): string {
  const rest = (ns % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${ns / 1_000_000_000n}${rest === '' ? '' : `.${rest}`}`;
}

/** A duration in LogQL, which counts in milliseconds at least: rounded up. */
export function duration(ns: bigint): string {
  const ms = ns > 0n ? (ns + 999_999n) / 1_000_000n : 1n;
  return ms % 1_000n === 0n ? `${ms / 1_000n}s` : `${ms}ms`;
}

/** `NaN`, `+Inf` and `-Inf` are how Loki writes what JSON has no number for. */
function toNumber(text: string): number {
  if (text === '+Inf') return Infinity;
  return text === '-Inf' ? -Infinity : Number(text);
}
