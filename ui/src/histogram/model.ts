// What the histogram shows: asks for it in two passes, the total first, then the levels in pieces from the new end; lets it grow while lines come.
import { signal } from '@preact/signals';
import { COUNT_MS, countByLevel, duration, queryRange, type Series } from '../api/loki';
import { isAbort, toServerError } from '../api/http';
import { groupOf, type Level, type LevelGroup, type ServerError } from '../model';
import { bars, type Range } from '../time/range';
import { addLine, advance, type Bins, emptyBins, endOf, evaluation, fillLevels, fillTotal, indexAt, type Piece, pieces, slices, startOf, sumTotal } from './bins';

/** Pieces of the second pass. */
const LEVEL_PIECES = 4;
/** How long the first pass may take, in ms. */
const TOTAL_MS = 20_000;
/** More lines than this are coloured when somebody asks for it. */
const COLOURED_LINES_MAX = 10_000_000;
/** Bars that are counted again when the axis has moved on. */
const SETTLED_BARS = 3;
/** The server answers for 721 h at a time. */
const PIECE_NS = 720n * 3_600_000_000_000n;

export interface HistogramParams {
  /** LogQL of a log query. */
  readonly query: string;
  readonly range: Range;
  readonly width: number;
  readonly zone: string;
  /** The time of the oldest line kept: comparing with what was dropped says nothing. */
  readonly oldest: bigint | null;
}

export type Comparison = { readonly counts: ReadonlyMap<LevelGroup, number>; readonly range: Range } | 'unknown' | null;

export class Histogram {
  readonly bins = signal<Bins | null>(null);
  /** `total`: the first pass is under way; `waiting`: too many lines to colour them unasked. */
  readonly state = signal<'idle' | 'total' | 'levels' | 'waiting' | 'ready'>('idle');
  readonly error = signal<ServerError | null>(null);
  /** Lines by level in the equal range before; `unknown` where it is not kept, `null` while it is asked for. */
  readonly before = signal<Comparison>(null);
  readonly range = signal<Range | null>(null);
  #abort = new AbortController();
  #params: HistogramParams | null = null;
  #pending: { time: bigint; group: LevelGroup }[] = [];

  load(params: HistogramParams): void {
    this.close();
    this.#params = params;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.error.value = null;
    this.before.value = null;
    this.range.value = params.range;
    this.state.value = 'total';
    this.#pending = [];
    this.#load(params, signal).catch((error: unknown) => {
      if (signal.aborted) return;
      this.error.value = isAbort(error) ? null : toServerError(error);
      this.state.value = 'ready';
    });
  }

  async #load(params: HistogramParams, signal: AbortSignal): Promise<void> {
    const bins = emptyBins(bars(params.range, params.width, params.zone));
    for (const piece of pieces(bins, 0, bins.count, params.range, barsMax(bins))) {
      const text = `sum(count_over_time(${params.query} [${duration(piece.length)}]))`;
      fillTotal(bins, ofBars(bins, piece, await queryRange(text, piece, 'total', signal, TOTAL_MS)));
    }
    // Lines that came meanwhile may be counted already: those after the range as it was asked for are not.
    for (const { time, group } of this.#pending) addLine(bins, time, group);
    this.bins.value = bins;
    if (sumTotal(bins) > COLOURED_LINES_MAX) this.state.value = 'waiting';
    else await this.#colour(params, signal);
    await this.#compare(params, signal);
  }

  /** The second pass, when it was not done by itself. */
  colour(): void {
    const params = this.#params;
    const { signal } = this.#abort;
    if (params === null) return;
    this.#colour(params, signal).catch((error: unknown) => {
      if (signal.aborted) return;
      this.error.value = toServerError(error);
      this.state.value = 'ready';
    });
  }

  async #colour(params: HistogramParams, signal: AbortSignal): Promise<void> {
    this.state.value = 'levels';
    const first = this.bins.peek();
    if (first === null) return;
    for (const [from, to] of slices(first.count, LEVEL_PIECES)) {
      for (const piece of pieces(first, from, to, params.range, barsMax(first))) {
        const text = `sum by (detected_level) (count_over_time(${params.query} [${duration(piece.length)}]))`;
        const series = ofBars(first, piece, await queryRange(text, piece, 'levels', signal, COUNT_MS));
        // The axis may have moved on while this was under way.
        const bins = this.bins.peek()!;
        const moved = indexAt(bins, first.first);
        fillLevels(bins, series, Math.max(0, piece.from + moved), Math.max(0, piece.to + moved));
        this.bins.value = { ...bins };
      }
    }
    this.state.value = 'ready';
  }

  async #compare({ query, range, oldest }: HistogramParams, signal: AbortSignal): Promise<void> {
    const length = range.end - range.start;
    const before = { start: range.start - length, end: range.start };
    if (oldest === null || before.start < oldest || length > PIECE_NS) {
      this.before.value = 'unknown';
      return;
    }
    try {
      const counts = new Map<LevelGroup, number>();
      for (const [level, lines] of await countByLevel(query, before.start, before.end, signal)) {
        counts.set(groupOf(level), (counts.get(groupOf(level)) ?? 0) + lines);
      }
      this.before.value = { counts, range: before };
    } catch {
      // A comparison is worth no message.
      if (!signal.aborted) this.before.value = 'unknown';
    }
  }

  /** Lines that came live, at or after the end of the range as it was asked for. */
  add(lines: readonly { time: bigint; level: Level }[]): void {
    const bins = this.bins.peek();
    const { range } = this;
    for (const { time, level } of lines) {
      if (range.peek() === null || time < range.peek()!.end) continue;
      const line = { time, group: groupOf(level) };
      if (this.state.peek() === 'total') this.#pending.push(line);
      else if (bins !== null) addLine(bins, line.time, line.group);
    }
  }

  /** Redraws what grew, once a second, and moves the axis on when a step is full. */
  tick(now: bigint): void {
    const bins = this.bins.peek();
    if (bins === null || this.state.peek() === 'total') return;
    const by = indexAt(bins, now) - (bins.count - 1);
    this.bins.value = by > 0 && now >= endOf(bins) ? advance(bins, by) : { ...bins };
    if (by > 0 && this.state.peek() === 'ready' && this.#params !== null) void this.#settle(this.#params.query).catch(() => {});
  }

  /** Counts the bars that were just finished once more: lines come later than their times say, or too fast to be held. */
  async #settle(query: string): Promise<void> {
    const then = this.bins.peek()!;
    const [from, to] = [Math.max(0, then.count - 1 - SETTLED_BARS), then.count - 1];
    const text = `sum by (detected_level) (count_over_time(${query} [${duration(then.step)}]))`;
    const series = await queryRange(text, evaluation(then, from, to), 'levels', this.#abort.signal, COUNT_MS);
    const bins = this.bins.peek()!;
    const moved = indexAt(bins, then.first);
    const [a, b] = [Math.max(0, from + moved), Math.max(0, to + moved)];
    bins.total.fill(0, a, b);
    fillLevels(bins, series, a, b);
    this.bins.value = { ...bins };
  }

  retry(): void {
    if (this.#params !== null) this.load(this.#params);
  }

  close(): void {
    this.#abort.abort();
  }
}

/** Bars that are not longer together than the server answers for. */
function barsMax({ step }: Bins): number {
  return Math.max(1, Number(PIECE_NS / step));
}

/** The answer for a piece with times at the ends of its bars: that of a bar which reaches beyond the range has another. */
function ofBars(bins: Bins, { from, to }: Piece, series: readonly Series[]): readonly Series[] {
  return to - from > 1 ? series : series.map((each) => ({ ...each, times: each.times.map(() => Number(startOf(bins, to) / 1_000_000n)) }));
}
