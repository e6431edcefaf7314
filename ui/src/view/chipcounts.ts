// Which conditions of a query that finds nothing match nothing by themselves.
import { effect } from '@preact/signals';
import { countLines } from '../api/loki';
import type { Histogram } from '../histogram/model';
import { sumTotal } from '../histogram/bins';
import { build, type Query } from '../logql/build';
import { type Chip, chips } from '../logql/clicks';
import { ALL } from '../logql/simple';
import { simple } from './asked';
import { deadChips } from './chips';

/** Conditions that are asked about. */
const CHIPS_MAX = 8;
const NONE: ReadonlySet<string> = new Set();

/** Watches until what it returns is called. Where there are lines every condition matches some. */
export function watchChips({ bins, state, range }: Histogram): () => void {
  return effect(() => {
    const query = simple.value;
    const known = bins.value;
    const isEmpty = state.value === 'ready' && known !== null && sumTotal(known) === 0;
    if (deadChips.peek() !== NONE) deadChips.value = NONE;
    if (!isEmpty || query === null || range.value === null) return undefined;
    const abort = new AbortController();
    const { start, end } = range.value;
    for (const chip of chips(query).slice(0, CHIPS_MAX)) {
      if (chip.isExcluding) continue;
      countLines(build(alone(query, chip)), start, end, abort.signal).then((lines) => {
        if (lines === 0) deadChips.value = new Set([...deadChips.peek(), chip.key]);
      }, () => {});
    }
    return () => abort.abort();
  });
}

/** The query with this condition and no other: of streams it chooses by itself, of lines among those of the streams. */
function alone(query: Query, { matchers, lineFilter, labelFilter }: Chip): Query {
  if (matchers.length > 0) return { ...ALL, matchers: query.matchers.filter((_, at) => matchers.includes(at)) };
  return { ...query, lineFilters: query.lineFilters.filter((_, at) => at === lineFilter), labelFilters: query.labelFilters.filter((_, at) => at === labelFilter) };
}
