// The tab of charts: metric queries over time, and log queries counted by a label.
import { signal } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { isAbort, toServerError } from '../api/http';
import { duration, queryRange, type Series } from '../api/loki';
import type { Bars } from '../histogram/bins';
import { groupOf, toLevel, type ServerError } from '../model';
import { theme } from '../preferences';
import { address } from '../state';
import { formatCount, nowNs } from '../time/format';
import { bars, resolveRange } from '../time/range';
import { status } from '../api/status';
import { toNs } from '../api/streams';
import { isMetricQuery, logql, zone } from './asked';
import { Plot, type Row, timeText } from './plot';

/** Lines that can be told apart; the rest is left out, and that is said. */
const SERIES_MAX = 24;
/** What a log query is counted by. */
const groupBy = signal('detected_level');
const GROUPS: readonly (readonly [string, string])[] = [['detected_level', 'level'], ['service_name', 'service'], ['', 'all together']];

interface Data {
  readonly series: readonly Series[];
  readonly bars: Bars;
  readonly left: number;
}

export function Chart() {
  const box = useRef<HTMLDivElement>(null);
  const [data, setData] = useState<Data | null>(null);
  const [error, setError] = useState<ServerError | null>(null);
  const { from, to } = address.value;
  const isMetric = isMetricQuery.value;
  const query = logql.value;
  const by = groupBy.value;
  useEffect(() => {
    const abort = new AbortController();
    const range = resolveRange(from, to, nowNs());
    const oldest = status.peek()?.oldest;
    const start = from === 'all' && oldest != null ? toNs(oldest) : range.start;
    const found = bars({ start, end: range.end }, box.current?.clientWidth ?? 1000, zone.peek());
    const { step, first, count } = found;
    const grouped = by === '' ? 'sum' : `sum by (${by})`;
    const text = isMetric ? query : `${grouped} (count_over_time(${query} [${duration(step)}]))`;
    setError(null);
    queryRange(text, { start: first, end: first + step * BigInt(count), step }, 'total', abort.signal).then((series) => {
      const sorted = [...series].sort((a, b) => sum(b) - sum(a));
      setData({ series: sorted.slice(0, SERIES_MAX), bars: found, left: Math.max(0, sorted.length - SERIES_MAX) });
    }, (reason: unknown) => {
      if (!isAbort(reason) && !abort.signal.aborted) setError(toServerError(reason));
    });
    return () => abort.abort();
  }, [query, from, to, isMetric, by]);

  return <div class="chart" ref={box}>
    {!isMetric && <div class="chart-head"><span class="muted">Lines by</span><div class="tabs" role="group" aria-label="Lines by">
      {GROUPS.map(([name, label]) => <button type="button" key={name} aria-pressed={name === by} onClick={() => (groupBy.value = name)}>{label}</button>)}
    </div></div>}
    {error !== null && <div class="pane-words danger" role="alert">{error.message}</div>}
    {error === null && data === null && <div class="pane-words muted" role="status">Asking…</div>}
    {error === null && data !== null && (data.series.length === 0 ? <div class="pane-words muted">Nothing in this range.</div> : <Lines data={data} />)}
  </div>;
}

function sum({ values }: Series): number {
  return values.reduce((all, value) => all + (Number.isFinite(value) ? value : 0), 0);
}

/** `{app="x", level="error"}` without what is the same for all. */
function nameOf({ labels }: Series): string {
  const level = labels.get('detected_level');
  if (labels.size === 1 && level !== undefined) return level;
  if (labels.size === 1) return [...labels.values()][0]!;
  return labels.size === 0 ? 'all' : [...labels].map(([name, value]) => `${name}=${value}`).join(' ');
}

function colourOf(series: Series, index: number, token: (name: string) => string): string {
  const level = series.labels.get('detected_level');
  return level === undefined ? token(`hue-${index % 8}`) : token(`bar-${groupOf(toLevel(level))}`);
}

/** The values of a series, one at the beginning of each bar and one at the end. */
function align({ times, values }: Series, { first, step, count }: Bars, missing: number | null): (number | null)[] {
  const row = new Array<number | null>(count + 1).fill(missing);
  times.forEach((ms, i) => {
    const place = Math.round((ms - Number(first / 1_000_000n)) / (Number(step) / 1e6));
    if (place >= 0 && place <= count) row[place] = Number.isFinite(values[i]!) ? values[i]! : null;
  });
  return row;
}

function Lines({ data }: { data: Data }) {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState<number | null>(null);
  const isMetric = isMetricQuery.value;
  const isDark = theme.value === 'dark';
  const rows = useMemo(() => {
    const style = getComputedStyle(document.documentElement);
    const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    return data.series.map((each, i): Row => ({ name: nameOf(each), colour: colourOf(each, i, token), values: align(each, data.bars, isMetric ? null : 0) }));
  }, [data, isMetric, isDark]);
  const shown = useMemo(() => rows.filter(({ name }) => !hidden.has(name)), [rows, hidden]);
  const choose = (name: string, isAdding: boolean) => {
    const next = new Set(hidden);
    if (isAdding) {
      if (!next.delete(name)) next.add(name);
    } else if (hidden.size === rows.length - 1 && !hidden.has(name)) next.clear();
    else rows.forEach((other) => (other.name === name ? next.delete(name) : next.add(other.name)));
    setHidden(next);
  };
  return <>
    <Plot bars={data.bars} rows={shown} label={`${rows.length} series over time`} at={at} onMove={setAt} valueText={short} />
    <ul class="chart-legend" aria-label="Series">
      {rows.map(({ name, colour, values }) => <li key={name}>
        <button type="button" class="legend-level" aria-pressed={!hidden.has(name)} onClick={(event) => choose(name, event.ctrlKey || event.metaKey)}>
          <span class="chart-swatch" style={{ background: colour }} /><span class="clip">{name}</span>
          <span class="legend-count">{short(values[at ?? data.bars.count] ?? null)}</span>
        </button>
      </li>)}
      {at !== null && <li class="muted">{timeText(data.bars, at)}</li>}
      {data.left > 0 && <li class="muted">{formatCount(data.left)} more are not drawn: the largest are.</li>}
    </ul>
  </>;
}

function short(value: number | null): string {
  if (value === null) return '–';
  const size = Math.abs(value);
  if (size >= 1e9) return `${trim(value / 1e9)} G`;
  if (size >= 1e6) return `${trim(value / 1e6)} M`;
  if (size >= 1e4) return `${trim(value / 1e3)} k`;
  return size >= 100 || Number.isInteger(value) ? formatCount(Math.round(value)) : value.toPrecision(3).replace(/\.?0+$/, '');
}

function trim(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}
