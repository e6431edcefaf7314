// The strip over the list: lines over time by level. Drag, click and keys zoom; the legend above it filters.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { AXIS, barAt, draw, type Palette, rangeOf, readPalette } from '../histogram/draw';
import { type Bins, partsOf } from '../histogram/bins';
import { LEVEL_GROUPS, type LevelGroup } from '../model';
import { prefer, theme } from '../preferences';
import { preferences } from '../state';
import { formatCount } from '../time/format';
import { absolute } from '../time/range';
import { localParts } from '../time/zone';
import { change, zone, zoomTo } from './asked';
import { Legend, levelsOfGroup } from './legend';
import type { LogsModel } from './logsmodel';
import { Tip } from './tip';
import { withLevels } from '../logql/clicks';

/** Pointer movements that are still a click, in px. */
const CLICK_PX = 4;

interface Props {
  readonly model: LogsModel;
  readonly onWidth: (width: number) => void;
}

/** Next size by the key `h`, and hiding by `H`. */
export function growHistogram(): void {
  prefer({ histogram: preferences.value.histogram === 'large' ? 'normal' : 'large' });
}

export function hideHistogram(): void {
  prefer({ histogram: preferences.value.histogram === 'hidden' ? 'normal' : 'hidden' });
}

export function HistogramStrip({ model, onWidth }: Props) {
  const size = preferences.value.histogram;
  return <section class={`histo histo-${size}`} aria-label="Lines over time">
    <Legend histogram={model.histogram} />
    {size !== 'hidden' && <Plot model={model} onWidth={onWidth} />}
  </section>;
}

const pad = (value: number): string => String(value).padStart(2, '0');

function clock(ns: bigint, hasSeconds: boolean): string {
  const { hour, minute, second } = localParts(zone.value, Number(ns / 1_000_000n));
  return `${pad(hour)}:${pad(minute)}${hasSeconds ? `:${pad(second)}` : ''}`;
}

function day(ns: bigint): string {
  const { day: date, month } = localParts(zone.value, Number(ns / 1_000_000n));
  return `${date} ${'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')[month - 1]}`;
}

/** `10:12 – 10:13`, with the day where bars are long or the range has several. */
export function barWords(bins: Bins, from: number, to: number): string {
  const { start, end } = rangeOf(bins, from, to);
  const hasSeconds = bins.step < 60_000_000_000n;
  const hasDay = bins.step * BigInt(bins.count) > 86_400_000_000_000n || day(start) !== day(end - 1n);
  const until = bins.step >= 86_400_000_000_000n && from === to ? '' : ` – ${hasDay && day(start) !== day(end) ? `${day(end)} ` : ''}${clock(end, hasSeconds)}`;
  return `${hasDay ? `${day(start)} ` : ''}${bins.step >= 86_400_000_000_000n && from === to ? '' : clock(start, hasSeconds)}${until}`.trim();
}

/** Lines of the bars by level, the worst first. */
export function countsOf(bins: Bins, from: number, to: number): { total: number; parts: { group: LevelGroup; lines: number }[] } {
  const counts = new Map<LevelGroup, number>();
  let total = 0;
  for (let bar = from; bar <= to; bar += 1) {
    total += bins.total[bar]!;
    for (const { group, lines } of partsOf(bins, bar)) if (group !== null) counts.set(group, (counts.get(group) ?? 0) + lines);
  }
  return { total, parts: LEVEL_GROUPS.flatMap((group) => (counts.has(group) ? [{ group, lines: counts.get(group)! }] : [])) };
}

function valueText(bins: Bins, from: number, to: number): string {
  const { total, parts } = countsOf(bins, from, to);
  const words = parts.map(({ group, lines }) => `${formatCount(lines)} ${group}`);
  return `${barWords(bins, from, to)}, ${formatCount(total)} lines${words.length > 0 ? `: ${words.join(', ')}` : ''}`;
}

interface Brush {
  readonly from: number;
  readonly to: number;
  readonly isMove: boolean;
}

function Plot({ model, onWidth }: Props) {
  const { histogram } = model;
  const onScreen = model.onScreen.value;
  const losses = model.losses.value;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const palette = useRef<{ theme: string; palette: Palette } | null>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [hover, setHover] = useState(-1);
  const [brush, setBrush] = useState<Brush | null>(null);
  const [cursor, setCursor] = useState<readonly [number, number] | null>(null);
  const press = useRef<{ x: number; bar: number } | null>(null);
  const bins = histogram.bins.value;
  const isStale = histogram.state.value === 'total' && bins !== null;

  useEffect(() => {
    const observer = new ResizeObserver(() => {
      // A last change may be told when the strip is gone already.
      if (box.current === null) return;
      const { clientWidth: width, clientHeight: height } = box.current;
      setSize({ width, height });
      onWidth(width);
    });
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);

  const marked = brush !== null ? ordered(brush.from, brush.to) : cursor ?? (hover >= 0 ? ([hover, hover] as const) : null);
  useLayoutEffect(() => {
    const context = canvas.current!.getContext('2d');
    const { width, height } = size;
    if (context === null || width === 0) return;
    if (palette.current?.theme !== theme.value) palette.current = { theme: theme.value, palette: readPalette(box.current!) };
    const scale = devicePixelRatio;
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.current!.width !== wide) canvas.current!.width = wide;
    if (canvas.current!.height !== high) canvas.current!.height = high;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    if (bins === null) {
      context.clearRect(0, 0, width, height);
      return;
    }
    draw(context, width, height, {
      bins, zone: zone.value, marked, isBrushing: brush !== null && !brush.isMove, onScreen, losses, hasPatterns: preferences.value.barPatterns || matchMedia('(forced-colors: active)').matches, isStale,
    }, palette.current.palette);
  });

  const xOf = (event: PointerEvent): number => event.clientX - box.current!.getBoundingClientRect().left;
  const zoom = (from: number, to: number): void => {
    if (bins === null) return;
    const wanted = rangeOf(bins, from, to);
    const bounds = histogram.range.peek();
    // A bar may reach beyond what was asked for.
    const start = bounds !== null && wanted.start < bounds.start ? bounds.start : wanted.start;
    setCursor(null);
    setHover(-1);
    zoomTo(absolute({ start, end: wanted.end }));
  };

  const onPointerDown = (event: PointerEvent) => {
    if (bins === null || event.button !== 0) return;
    box.current!.setPointerCapture(event.pointerId);
    press.current = { x: xOf(event), bar: barAt(bins, size.width, xOf(event)) };
    setCursor(null);
  };
  const onPointerMove = (event: PointerEvent) => {
    if (bins === null) return;
    const bar = barAt(bins, size.width, xOf(event));
    setHover(bar);
    const start = press.current;
    if (start !== null && (brush !== null || Math.abs(xOf(event) - start.x) > CLICK_PX)) setBrush({ from: start.bar, to: bar, isMove: event.shiftKey });
  };
  const onPointerUp = (event: PointerEvent) => {
    const start = press.current;
    press.current = null;
    setBrush(null);
    if (bins === null || start === null) return;
    if (brush === null) {
      if (event.ctrlKey || event.metaKey) filterPart(bins, start.bar, event);
      zoom(start.bar, start.bar);
    } else if (brush.isMove) {
      const by = BigInt(brush.from - brush.to) * bins.step;
      const range = histogram.range.peek();
      if (range !== null) zoomTo(absolute({ start: range.start + by, end: range.end + by }));
    } else {
      zoom(...ordered(brush.from, brush.to));
    }
  };
  const cancel = () => {
    press.current = null;
    setBrush(null);
    setHover(-1);
  };
  /** Ctrl+click on the coloured part of a bar: only that level, too. */
  const filterPart = (of: Bins, bar: number, event: PointerEvent) => {
    const y = size.height - AXIS - (event.clientY - box.current!.getBoundingClientRect().top);
    const parts = partsOf(of, bar);
    const most = of.total.reduce((max, each) => Math.max(max, each), 0);
    let lines = (y / (size.height - AXIS - 4)) * most;
    const part = parts.find((each) => (lines -= each.lines) <= 0);
    const group = part?.group;
    if (group != null) change((query) => withLevels(query, levelsOfGroup(group)), 'replace');
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (bins === null) return;
    const [from, to] = cursor ?? [bins.count, bins.count - 1];
    const step = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    const clamp = (bar: number) => Math.max(0, Math.min(bins.count - 1, bar));
    if (step !== 0) {
      const head = clamp((cursor === null ? bins.count : to) + step);
      setCursor(event.shiftKey && cursor !== null ? [from, head] : [head, head]);
    } else if (event.key === 'Home' || event.key === 'End') {
      const head = event.key === 'Home' ? 0 : bins.count - 1;
      setCursor(event.shiftKey && cursor !== null ? [from, head] : [head, head]);
    } else if (event.key === 'Enter' && cursor !== null) {
      zoom(...ordered(from, to));
    } else if (event.key === 'Escape' && cursor !== null) {
      setCursor(null);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const at = marked === null ? null : ordered(marked[0], marked[1]);
  const last = bins === null ? 0 : bins.count - 1;
  return <div ref={box} class={`histo-plot${brush === null ? '' : ' is-brushing'}`} role="slider" tabIndex={0} aria-label="Bars: arrows move, Shift extends, Enter zooms"
    aria-orientation="horizontal" aria-valuemin={0} aria-valuemax={last} aria-valuenow={at === null ? last : at[1]}
    aria-valuetext={bins === null ? 'not counted yet' : at === null ? valueText(bins, 0, last) : valueText(bins, at[0], at[1])}
    onPointerDown={onPointerDown} onPointerMove={onPointerMove} onPointerUp={onPointerUp} onPointerCancel={cancel} onPointerLeave={() => setHover(-1)}
    onKeyDown={onKeyDown} onBlur={() => setCursor(null)}>
    <canvas ref={canvas} aria-hidden="true" />
    {bins !== null && at !== null && <Tip bins={bins} from={at[0]} to={at[1]} width={size.width} isBrush={brush !== null && !brush.isMove} />}
    {bins === null && <span class="histo-words">{histogram.error.value === null ? '' : 'Not counted'}</span>}
  </div>;
}

function ordered(a: number, b: number): [number, number] {
  return a <= b ? [a, b] : [b, a];
}
