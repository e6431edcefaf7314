// How the lines of the range compare with those of the time before it.
import type { Comparison } from '../histogram/model';
import { LEVEL_GROUPS, type LevelGroup } from '../model';
import { formatCount, formatDuration } from '../time/format';
import type { Range } from '../time/range';

/** `the hour before`, `the 15 min before`. */
function spanBefore({ start, end }: Range): string {
  const minutes = Number((end - start) / 60_000_000_000n);
  if (minutes === 60) return 'the hour before';
  if (minutes === 1440) return 'the day before';
  if (minutes === 10_080) return 'the week before';
  return `the ${formatDuration(end - start)} before`;
}

/** Whether it is getting worse: errors against those of the equal range before; all lines where there are no errors. */
export function Trend({ now, total, before }: { now: ReadonlyMap<LevelGroup, number> | null; total: number | null; before: Comparison }) {
  if (now === null || total === null || before === null) return null;
  if (before === 'unknown') return <span class="legend-trend muted" title="What was before is not kept">–</span>;
  const bad = (counts: ReadonlyMap<LevelGroup, number>): number => (counts.get('fatal') ?? 0) + (counts.get('error') ?? 0);
  const all = (counts: ReadonlyMap<LevelGroup, number>): number => [...counts.values()].reduce((sum, lines) => sum + lines, 0);
  const isBad = bad(now) + bad(before.counts) > 0;
  const [is, was] = isBad ? [bad(now), bad(before.counts)] : [total, all(before.counts)];
  const span = spanBefore(before.range);
  const title = LEVEL_GROUPS.filter((group) => (now.get(group) ?? 0) + (before.counts.get(group) ?? 0) > 0)
    .map((group) => `${group}: ${formatCount(now.get(group) ?? 0)}, ${span} ${formatCount(before.counts.get(group) ?? 0)}`).join('\n');
  const what = isBad ? 'errors' : 'lines';
  if (is === 0 && was === 0) return null;
  if (was === 0) return <span class="legend-trend" title={title}>no {what} <span class="muted">{span}</span></span>;
  const ratio = is / was;
  const isSame = ratio > 0.95 && ratio < 1.05;
  const words = isSame ? 'as many' : ratio >= 1 ? `${times(ratio)}×` : is === 0 ? 'none, ' : `${Math.round((1 - ratio) * 100)} %`;
  const sign = isSame ? '' : ratio > 1 ? '↑' : '↓';
  return <span class={`legend-trend${isBad && ratio > 1.5 ? ' is-worse' : ''}`} title={title}>
    {what} {sign !== '' && <span aria-label={ratio > 1 ? 'up' : 'down'}>{sign}</span>} {is === 0 ? `were ${formatCount(was)}` : words} <span class="muted">{span}</span>
  </span>;
}

function times(ratio: number): string {
  return ratio >= 10 ? formatCount(Math.round(ratio)) : ratio.toFixed(1);
}
