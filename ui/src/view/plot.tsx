// Lines over time on a canvas: the legend says their values under the pointer, dragging zooms, and keys do what the pointer does.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { AXIS, type Palette, readPalette, xAt } from '../histogram/draw';
import { type Bars, startOf, ticks } from '../histogram/bins';
import { theme } from '../preferences';
import { formatFull } from '../time/format';
import { absolute } from '../time/range';
import { zone, zoomTo } from './asked';

/** Room for the values at the left, and for half a time at the right. */
const LEFT = 56;
const RIGHT = 20;
const TOP = 8;
/** Least distance between two values of the axis. */
const VALUE_PX = 48;
/** Pointer movements that are still a click. */
const CLICK_PX = 4;
/** Fewer values than this are drawn as points too. */
const POINTS_MAX = 40;

export interface Row {
  readonly name: string;
  readonly colour: string;
  /** At the beginning of each bar and at the end of the last one; `null` where there is none. */
  readonly values: readonly (number | null)[];
}

interface Props {
  readonly bars: Bars;
  readonly rows: readonly Row[];
  readonly label: string;
  /** Where the pointer or the keyboard is; `null` for nowhere. */
  readonly at: number | null;
  readonly onMove: (at: number | null) => void;
  readonly valueText: (value: number | null) => string;
}

/** Round values for an axis from `least` to `most`, about as many as have room. */
export function valueTicks(least: number, most: number, room: number): number[] {
  const wanted = (most - least) / Math.max(1, room);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].find((each) => each * power >= wanted)! * power;
  const first = Math.ceil(least / step);
  return Array.from({ length: Math.floor(most / step) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

export function Plot({ bars, rows, label, at, onMove, valueText }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  /** What is chosen, as values from and to, while it is dragged or extended by keys. */
  const [brush, setBrush] = useState<readonly [number, number] | null>(null);
  const press = useRef(-1);
  const inner = Math.max(1, size.width - LEFT - RIGHT);

  useEffect(() => {
    const element = box.current!;
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const isDark = theme.value;
  useLayoutEffect(() => {
    const context = canvas.current!.getContext('2d');
    if (context === null || size.width === 0) return;
    const scale = devicePixelRatio;
    canvas.current!.width = Math.round(size.width * scale);
    canvas.current!.height = Math.round(size.height * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    const palette = readPalette(box.current!);
    const base = size.height - AXIS;
    const all = rows.flatMap(({ values }) => values).filter((value) => value !== null);
    const least = all.reduce((a, b) => Math.min(a, b), 0);
    const most = all.reduce((a, b) => Math.max(a, b), 0) * 1.06 || 1;
    const y = (value: number): number => base - ((value - least) / (most - least)) * (base - TOP);
    const x = (index: number): number => LEFT + (index / bars.count) * inner;
    if (brush !== null) {
      context.fillStyle = palette.soft;
      context.fillRect(x(Math.min(...brush)), TOP, Math.abs(x(brush[1]) - x(brush[0])), base - TOP);
    }
    drawAxes(context, palette, valueTicks(least, most, (base - TOP) / VALUE_PX).map((value) => ({ at: y(value), text: valueText(value) })),
      ticks(bars, inner, zone.value).map(({ time, text }) => ({ at: LEFT + xAt(bars, inner, time), text })), size.width - RIGHT, base);
    for (const { values, colour } of rows) drawLine(context, values, colour, x, y);
    if (at !== null) {
      context.fillStyle = palette.muted;
      context.fillRect(Math.round(x(at)), TOP, 1, base - TOP);
    }
  }, [size, bars, rows, isDark, zone.value, at, brush]);

  /** The place of the pointer in values, not rounded. */
  const placeOf = (event: PointerEvent): number => {
    const left = event.clientX - box.current!.getBoundingClientRect().left - LEFT;
    return Math.max(0, Math.min(bars.count, (left / inner) * bars.count));
  };
  const zoom = ([from, to]: readonly [number, number]): void => {
    const time = (place: number): bigint => bars.first + BigInt(Math.round(place * Number(bars.step)));
    setBrush(null);
    if (from !== to) zoomTo(absolute({ start: time(Math.min(from, to)), end: time(Math.max(from, to)) }));
  };
  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    box.current!.setPointerCapture(event.pointerId);
    press.current = placeOf(event);
  };
  const onPointerMove = (event: PointerEvent) => {
    const place = placeOf(event);
    onMove(Math.round(place));
    if (press.current >= 0 && (brush !== null || Math.abs(place - press.current) * inner > CLICK_PX * bars.count)) setBrush([press.current, place]);
  };
  const cancel = () => {
    press.current = -1;
    setBrush(null);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const { key } = event;
    const now = at ?? bars.count;
    const to = key === 'ArrowLeft' ? Math.max(0, now - 1) : key === 'ArrowRight' ? Math.min(bars.count, now + 1) : key === 'Home' ? 0 : key === 'End' ? bars.count : -1;
    if (to >= 0) {
      onMove(to);
      setBrush(event.shiftKey ? [brush?.[0] ?? now, to] : null);
    } else if (key === 'Enter' && brush !== null) zoom(brush);
    else if (key === 'Escape' && at !== null) {
      onMove(null);
      setBrush(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const here = at ?? bars.count;
  return <div ref={box} class="chart-plot" role="slider" tabIndex={0} aria-label={`${label}: arrows move, Shift extends, Enter zooms`} aria-orientation="horizontal"
    aria-valuemin={0} aria-valuemax={bars.count} aria-valuenow={here}
    aria-valuetext={`${timeText(bars, here)}: ${rows.slice(0, 8).map(({ name, values }) => `${name} ${valueText(values[here] ?? null)}`).join(', ')}`}
    onPointerDown={onPointerDown} onPointerMove={onPointerMove} onPointerCancel={cancel} onKeyDown={onKeyDown} onPointerUp={() => {
      if (brush !== null && press.current >= 0) zoom(brush);
      cancel();
    }} onPointerLeave={() => onMove(null)} onBlur={() => onMove(null)}><canvas ref={canvas} aria-hidden="true" /></div>;
}

/** The time of a value, without what of it is nought. */
export function timeText(bars: Bars, index: number): string {
  return formatFull(startOf(bars, index), zone.value).replace(/(\.0+)? [+-].*$/, '');
}

interface Label {
  readonly at: number;
  readonly text: string;
}

function drawAxes(context: CanvasRenderingContext2D, palette: Palette, values: readonly Label[], times: readonly Label[], right: number, base: number): void {
  context.font = palette.font;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const { at, text } of values) {
    context.fillStyle = palette.rule;
    context.fillRect(LEFT, Math.round(at), right - LEFT, 1);
    context.fillStyle = palette.muted;
    context.fillText(text, LEFT - 8, at);
  }
  context.textAlign = 'center';
  context.textBaseline = 'alphabetic';
  for (const { at, text } of times) {
    context.fillStyle = palette.rule;
    context.fillRect(Math.round(at), TOP, 1, base - TOP + 4);
    context.fillStyle = palette.muted;
    context.fillText(text, at, base + 15);
  }
}

/** One line, broken where a value is missing; a value alone is a point. */
function drawLine(context: CanvasRenderingContext2D, values: Row['values'], colour: string, x: (index: number) => number, y: (value: number) => number): void {
  const isSparse = values.length < POINTS_MAX;
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.5;
  context.lineJoin = 'round';
  context.beginPath();
  values.forEach((value, i) => {
    if (value === null) return;
    const isFirst = values[i - 1] == null;
    if (isFirst) context.moveTo(x(i), y(value));
    else context.lineTo(x(i), y(value));
    if (isSparse || (isFirst && values[i + 1] == null)) context.fillRect(x(i) - 2, y(value) - 2, 4, 4);
  });
  context.stroke();
}
