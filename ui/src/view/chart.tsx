// The tab of charts: metric queries over time, and log queries counted by a label.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { isAbort, toServerError } from '../api/http';
import { duration, queryRange, type Series } from '../api/loki';
import { groupOf, toLevel, type ServerError } from '../model';
import { theme } from '../preferences';
import { address } from '../state';
import { formatCount } from '../time/format';
import { absolute, bars, resolveRange } from '../time/range';
import { offsetAt } from '../time/zone';
import { status } from '../api/status';
import { toNs } from '../api/streams';
import { nowNs } from './actions';
import { isMetricQuery, logql, zone, zoomTo } from './asked';

/** Lines that can be told apart; the rest is left out, and that is said. */
const SERIES_MAX = 24;
/** What a log query is counted by. */
const groupBy = signal('detected_level');
const GROUPS: readonly (readonly [string, string])[] = [['detected_level', 'level'], ['service_name', 'service'], ['', 'all together']];

interface Data {
  readonly series: readonly Series[];
  /** In ms. */
  readonly step: number;
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
    const { step, first, count } = bars({ start, end: range.end }, box.current?.clientWidth ?? 1000, zone.peek());
    const grouped = by === '' ? 'sum' : `sum by (${by})`;
    const text = isMetric ? query : `${grouped} (count_over_time(${query} [${duration(step)}]))`;
    setError(null);
    queryRange(text, { start: first, end: first + step * BigInt(count), step }, 'total', abort.signal).then((series) => {
      const sorted = [...series].sort((a, b) => sum(b) - sum(a));
      setData({ series: sorted.slice(0, SERIES_MAX), step: Number(step / 1_000_000n), left: Math.max(0, sorted.length - SERIES_MAX) });
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
    {error === null && data !== null && (data.series.length === 0 ? <div class="pane-words muted">Nothing in this range.</div> : <Plot data={data} />)}
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

/** The series over one time axis. */
function align(series: readonly Series[], missing: number | null): UPlot.AlignedData {
  const times = [...new Set(series.flatMap((each) => each.times))].sort((a, b) => a - b);
  const place = new Map(times.map((time, i) => [time, i]));
  const rows = series.map((each) => {
    const row = new Array<number | null>(times.length).fill(missing);
    each.times.forEach((time, i) => (row[place.get(time)!] = Number.isFinite(each.values[i]!) ? each.values[i]! : null));
    return row;
  });
  return [times.map((ms) => ms / 1000), ...rows] as UPlot.AlignedData;
}

function Plot({ data }: { data: Data }) {
  const host = useRef<HTMLDivElement>(null);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [cursor, setCursor] = useState<number | null>(null);
  const names = data.series.map(nameOf);
  const style = getComputedStyle(document.documentElement);
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const isDark = theme.value === 'dark';
  const name = zone.value;

  useEffect(() => {
    const box = host.current!;
    const axis = {
      stroke: token('muted'), grid: { stroke: token('rule'), width: 1 }, ticks: { stroke: token('rule'), width: 1, size: 4 }, font: `11px ${style.getPropertyValue('--sans')}`,
    };
    const size = () => ({ width: box.clientWidth, height: box.clientHeight });
    const made = new UPlot({
      ...size(),
      // The clock of the zone that was chosen, which the browser may not be in.
      tzDate: (seconds) => new Date(seconds * 1000 + offsetAt(name, seconds * 1000) + new Date(seconds * 1000).getTimezoneOffset() * 60_000),
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 }, y: false },
      scales: { y: { range: (_, least, most) => [Math.min(0, least ?? 0), (most ?? 1) === 0 ? 1 : (most ?? 1) * 1.06] } },
      axes: [
        { ...axis, values: [[86_400, '{D} {MMM}', null, null, null, null, null, null, 1], [3_600, '{HH}:{mm}', '\n{D} {MMM}', null, '\n{D} {MMM}', null, null, null, 1],
          [60, '{HH}:{mm}', '\n{D} {MMM}', null, '\n{D} {MMM}', null, null, null, 1], [1, '{HH}:{mm}:{ss}', '\n{D} {MMM}', null, '\n{D} {MMM}', null, null, null, 1]] },
        { ...axis, size: 56, space: 48, values: (_, values) => values.map(short) },
      ],
      series: [{}, ...data.series.map((each, i) => ({
        label: names[i]!, stroke: colourOf(each, i, token), width: 1.5, show: !hidden.has(names[i]!), spanGaps: false, points: { show: each.times.length < 40 },
      }))],
      hooks: {
        setCursor: [(self) => setCursor(self.cursor.idx ?? null)],
        setSelect: [(self) => {
          const { left, width } = self.select;
          if (width < 4) return;
          const at = (px: number): bigint => BigInt(Math.round(self.posToVal(px, 'x') * 1000)) * 1_000_000n;
          zoomTo(absolute({ start: at(left), end: at(left + width) }));
        }],
      },
    }, align(data.series, isMetricQuery.peek() ? null : 0), box);
    const observer = new ResizeObserver(() => made.setSize(size()));
    observer.observe(box);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [data, isDark, name, hidden]);

  const aligned = align(data.series, isMetricQuery.peek() ? null : 0);
  const at = cursor ?? aligned[0]!.length - 1;
  return <>
    <div class="chart-plot" ref={host} role="img" aria-label={`${data.series.length} series over time: ${names.slice(0, 8).join(', ')}`} />
    <ul class="chart-legend" aria-label="Series">
      {data.series.map((each, i) => <li key={names[i]}>
        <button type="button" class="legend-level" aria-pressed={!hidden.has(names[i]!)} onClick={(event) => {
          const next = new Set(hidden);
          if (event.ctrlKey || event.metaKey) {
            if (!next.delete(names[i]!)) next.add(names[i]!);
          } else if (hidden.size === names.length - 1 && !hidden.has(names[i]!)) next.clear();
          else names.forEach((other) => (other === names[i] ? next.delete(other) : next.add(other)));
          setHidden(next);
        }}>
          <span class="chart-swatch" style={{ background: colourOf(each, i, token) }} /><span class="clip">{names[i]}</span>
          <span class="legend-count">{short((aligned[i + 1]?.[at] as number | null) ?? null)}</span>
        </button>
      </li>)}
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
