// Loki's HTTP API, as far as the page uses it: counts over time and canonical queries; labels, fields and patterns are in `explore.ts`. Lists of lines
// never come from here, because paging by time loses lines; see `lines.ts`.
import { type Level, ServerError, toLevel } from '../model';
import { apiUrl } from '../route';
import { getJson, getJsonWithin, queued, type Priority } from './http';

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

interface Metric { metric: Record<string, string>; values?: [number, string][]; value?: [number, string] }
export interface Envelope<T> { data: T }
interface Result { result: Metric[]; resultType: string }

/** How long counting may take, in ms: as long as the server answers at all, or this long. */
export const COUNT_MS = 5_000;
const ANSWER_MS = 30_000;

/** A metric query at each `step` from `start` to `end`, all in nanoseconds. */
export async function queryRange(
  query: string, range: { start: bigint; end: bigint; step: bigint }, priority: Priority, signal: AbortSignal, ms = ANSWER_MS,
): Promise<Series[]> {
  const url = apiUrl('loki/api/v1/query_range', { query, start: `${range.start}`, end: `${range.end}`, step: seconds(range.step) });
  const answer = await queued(priority, signal, () => getJsonWithin<Envelope<Result>>(ms, url, signal));
  return answer.data.result.map(({ metric, values = [] }) => ({
    labels: new Map(Object.entries(metric)),
    times: values.map(([time]) => time * 1000),
    values: values.map(([, value]) => toNumber(value)),
  }));
}

/** A metric query at one time, in nanoseconds. */
export async function queryAt(query: string, time: bigint, priority: Priority, signal: AbortSignal, ms = ANSWER_MS): Promise<Sample[]> {
  const url = apiUrl('loki/api/v1/query', { query, time: `${time}` });
  const answer = await queued(priority, signal, () => getJsonWithin<Envelope<Result>>(ms, url, signal));
  return answer.data.result.flatMap(({ metric, value }) =>
    value === undefined ? [] : [{ labels: new Map(Object.entries(metric)), value: toNumber(value[1]) }]);
}

/** Lines of `query` from `start` up to, not including, `end`; none where nothing matches. */
export async function countLines(query: string, start: bigint, end: bigint, signal: AbortSignal): Promise<number> {
  const samples = await queryAt(`sum(count_over_time(${query} [${duration(end - start)}]))`, end - 1n, 'counts', signal, COUNT_MS);
  return samples[0]?.value ?? 0;
}

/** Lines by level from `start` up to, not including, `end`. */
export async function countByLevel(query: string, start: bigint, end: bigint, signal: AbortSignal): Promise<Map<Level, number>> {
  const text = `sum by (detected_level) (count_over_time(${query} [${duration(end - start)}]))`;
  const counts = new Map<Level, number>();
  for (const { labels, value } of await queryAt(text, end - 1n, 'counts', signal, COUNT_MS)) {
    const level = toLevel(labels.get('detected_level') ?? 'unknown');
    counts.set(level, (counts.get(level) ?? 0) + value);
  }
  return counts;
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
  if (isLogQuery && query.includes('~')) await queryAt(`sum(count_over_time(${query} [1ms]))`, 1n, 'lines', signal);
}

/** The error with the place its message names, where its answer had none of its own. */
export function placed(error: ServerError): ServerError {
  if (error.at !== undefined) return error;
  const found = /\bline (\d+), col(?:umn)? (\d+)/.exec(error.message);
  if (found === null) return error;
  return new ServerError(error.status, error.message, { line: Number(found[1]), column: Number(found[2]) }, error.isForeign);
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
