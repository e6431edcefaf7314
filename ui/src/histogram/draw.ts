// Draws the bars on a canvas: bars, what is brushed, the axis, what is on screen, where lines were lost.
import type { LevelGroup } from '../model';
import type { Range } from '../time/range';
import { type Bars, type Bins, endOf, heightsOf, indexAt, partsOf, startOf, ticks } from './bins';

/** Height of the axis below the bars: the bracket and the words. */
export const AXIS = 18;

export interface Scene {
  readonly bins: Bins;
  readonly zone: string;
  /** The bars that the keyboard or the pointer is at, [from, to], inclusive. */
  readonly marked: readonly [number, number] | null;
  readonly isBrushing: boolean;
  /** Times of the lines on screen. */
  readonly onScreen: Range | null;
  readonly losses: readonly bigint[];
  readonly hasPatterns: boolean;
  /** Whether only these levels are asked for: others do not occur. */
  readonly isStale: boolean;
}

/** The colours of the page as the canvas needs them. */
export interface Palette {
  readonly bars: Readonly<Record<LevelGroup, string>>;
  readonly total: string;
  readonly text: string;
  readonly muted: string;
  readonly rule: string;
  readonly accent: string;
  readonly soft: string;
  readonly background: string;
  readonly font: string;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const bar = (group: LevelGroup): string => token(`bar-${group}`);
  return {
    bars: { fatal: bar('fatal'), error: bar('error'), warn: bar('warn'), info: bar('info'), debug: bar('debug'), unknown: bar('unknown') },
    total: token('border'), text: token('text'), muted: token('muted'), rule: token('rule'), accent: token('accent'), soft: token('accent-soft'),
    background: token('surface'), font: `${token('size-small')} ${style.fontFamily}`,
  };
}

/** Draws into a canvas of so many CSS px; the caller has set its scale. */
export function draw(context: CanvasRenderingContext2D, width: number, height: number, scene: Scene, palette: Palette): void {
  const { bins } = scene;
  const base = height - AXIS;
  context.clearRect(0, 0, width, height);
  const edge = (bar: number): number => Math.round((bar / bins.count) * width);
  if (scene.marked !== null) {
    const [from, to] = scene.marked;
    context.fillStyle = palette.soft;
    context.fillRect(edge(from), 0, edge(to + 1) - edge(from), base);
    if (scene.isBrushing) {
      context.fillStyle = palette.accent;
      context.fillRect(edge(from), 0, 1, base);
      context.fillRect(edge(to + 1) - 1, 0, 1, base);
    }
  }
  drawBars(context, base, scene, palette, edge);
  context.fillStyle = palette.rule;
  context.fillRect(0, base, width, 1);
  drawAxis(context, width, base, scene, palette);
  if (scene.onScreen !== null) drawBracket(context, width, base, scene, scene.onScreen, palette);
}

function drawBars(context: CanvasRenderingContext2D, base: number, scene: Scene, palette: Palette, edge: (bar: number) => number): void {
  const { bins } = scene;
  const most = bins.total.reduce((max, each) => Math.max(max, each), 0);
  // A little air above the highest bar.
  const room = base - 4;
  context.globalAlpha = scene.isStale ? 0.5 : 1;
  const lost = new Set(scene.losses.map((time) => indexAt(bins, time)));
  for (let bar = 0; bar < bins.count; bar += 1) {
    const left = edge(bar);
    const gap = edge(bar + 1) - left > 3 ? 1 : 0;
    const wide = Math.max(1, edge(bar + 1) - left - gap);
    const parts = partsOf(bins, bar);
    const heights = heightsOf(parts, most, room);
    let y = base;
    parts.forEach(({ group }, i) => {
      const high = heights[i]!;
      if (high <= 0) return;
      const top = y - high;
      context.fillStyle = group === null ? palette.total : palette.bars[group];
      if (group === null) context.globalAlpha *= 0.55;
      context.fillRect(left, top, wide, high);
      if (group === null) context.globalAlpha /= 0.55;
      if (scene.hasPatterns && (group === 'error' || group === 'fatal')) hatch(context, left, top, wide, high, palette.background, group === 'fatal');
      y = top;
    });
    if (lost.has(bar)) hatch(context, left, 0, Math.max(wide, 4), base, palette.muted, false);
  }
  context.globalAlpha = 1;
}

/** Slanted lines over a rectangle, in both directions if `isCrossed`. */
function hatch(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number, colour: string, isCrossed: boolean): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = -height; at < width + height; at += 4) {
    context.moveTo(x + at, y + height);
    context.lineTo(x + at + height, y);
    if (isCrossed) {
      context.moveTo(x + at, y);
      context.lineTo(x + at + height, y + height);
    }
  }
  context.stroke();
  context.restore();
}

function drawAxis(context: CanvasRenderingContext2D, width: number, base: number, { bins, zone }: Scene, palette: Palette): void {
  context.font = palette.font;
  context.textBaseline = 'alphabetic';
  let free = -8;
  for (const tick of ticks(bins, width, zone)) {
    const x = xAt(bins, width, tick.time);
    const wide = context.measureText(tick.text).width;
    const left = Math.min(Math.max(0, x - wide / 2), width - wide);
    if (left < free + 8) continue;
    free = left + wide;
    context.fillStyle = palette.rule;
    context.fillRect(Math.min(width - 1, Math.round(x)), base, 1, 4);
    context.fillStyle = tick.isDay ? palette.text : palette.muted;
    context.fillText(tick.text, Math.round(left), base + 15);
  }
}

function drawBracket(context: CanvasRenderingContext2D, width: number, base: number, { bins }: Scene, range: Range, palette: Palette): void {
  const from = Math.max(0, Math.min(width - 3, xAt(bins, width, range.start)));
  const to = Math.max(from + 3, Math.min(width, xAt(bins, width, range.end)));
  context.fillStyle = palette.accent;
  context.fillRect(Math.round(from), base, Math.round(to - from), 2);
}

/** Where an instant is, in px from the left. */
export function xAt(bins: Bars, width: number, time: bigint): number {
  return (Number(time - bins.first) / Number(endOf(bins) - bins.first)) * width;
}

/** The bar at a place; the nearest one for a place outside. */
export function barAt(bins: Bins, width: number, x: number): number {
  return Math.max(0, Math.min(bins.count - 1, Math.floor((x / width) * bins.count)));
}

/** The range of the bars from `from` to `to`, inclusive. */
export function rangeOf(bins: Bins, from: number, to: number): Range {
  return { start: startOf(bins, Math.min(from, to)), end: startOf(bins, Math.max(from, to) + 1) };
}
