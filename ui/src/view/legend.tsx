// The line over the histogram: how many lines there are, how many of each level, and how that compares with the time before. Levels filter by a click.
import { sumLevels, sumTotal } from '../histogram/bins';
import type { Comparison, Histogram } from '../histogram/model';
import { LEVELS, groupOf, LEVEL_GROUPS, type Level, type LevelGroup } from '../model';
import { levelsOf, withLevels } from '../logql/clicks';
import { preferences } from '../state';
import { formatCount, formatDuration } from '../time/format';
import { describeStep, type Range } from '../time/range';
import { change, simple } from './asked';
import { growHistogram, hideHistogram } from './histogram';
import { Icon, Mark } from './icon';

export function levelsOfGroup(group: LevelGroup): Level[] {
  return LEVELS.filter((level) => groupOf(level) === group);
}

/** Only this level; with `isAdding` this one too. What is the only one already is lifted. */
function chooseLevel(group: LevelGroup, isAdding: boolean): void {
  change((query) => {
    const now = levelsOf(query);
    const levels = levelsOfGroup(group);
    const has = now !== null && levels.every((level) => now.includes(level));
    if (isAdding && now !== null) return withLevels(query, has ? now.filter((level) => !levels.includes(level)) : [...now, ...levels]);
    return withLevels(query, has && now.length === levels.length ? [] : levels);
  });
}

export function Legend({ histogram }: { histogram: Histogram }) {
  const bins = histogram.bins.value;
  const state = histogram.state.value;
  const error = histogram.error.value;
  const size = preferences.value.histogram;
  const total = bins === null ? null : sumTotal(bins);
  const levels = bins === null ? null : sumLevels(bins);
  const query = simple.value;
  const asked = query === null ? null : levelsOf(query);
  return <div class="legend">
    <strong class="legend-total">{total === null ? '…' : `${formatCount(total)} ${total === 1 ? 'line' : 'lines'}`}</strong>
    <div class="legend-levels" role="group" aria-label="Levels">
      {LEVEL_GROUPS.map((group) => {
        const lines = levels?.get(group) ?? 0;
        const isAsked = asked !== null && levelsOfGroup(group).every((level) => asked.includes(level));
        if (lines === 0 && !isAsked) return null;
        return <button type="button" class={`legend-level level-${group}`} key={group} aria-pressed={isAsked} disabled={query === null}
          title={query === null ? undefined : `Only ${group} · Ctrl+click adds`} onClick={(event) => chooseLevel(group, event.ctrlKey || event.metaKey)}>
          <Mark level={group} /><span class="legend-name">{group}</span><span class="legend-count">{formatCount(lines)}</span>
        </button>;
      })}
      {state === 'levels' && levels === null && <span class="legend-wait muted">levels…</span>}
      {state === 'waiting' && <button type="button" class="button small" onClick={() => histogram.colour()}>Colour by level</button>}
    </div>
    <Trend now={levels} total={total} before={histogram.before.value} />
    {error !== null && <span class="legend-error danger clip" title={error.message}>
      {error.message} <button type="button" class="button small" onClick={() => histogram.retry()}>Try again</button>
    </span>}
    <span class="grow" />
    {bins !== null && size !== 'hidden' && <span class="legend-step muted">bars of {describeStep(bins.step)}</span>}
    <span class="legend-buttons">
      {size !== 'hidden' && <button type="button" class="button bare small" aria-label={size === 'large' ? 'Smaller histogram' : 'Larger histogram'} aria-pressed={size === 'large'}
        title="Larger or smaller (h)" onClick={growHistogram}><Icon name="bars" /></button>}
      <button type="button" class="button bare small" aria-label={size === 'hidden' ? 'Show the histogram' : 'Hide the histogram'}
        title={size === 'hidden' ? 'Show the histogram (H)' : 'Hide the histogram (H)'} onClick={hideHistogram}><Icon name="down" class={size === 'hidden' ? '' : 'is-up'} /></button>
    </span>
  </div>;
}

/** `the hour before`, `the 15 min before`. */
function spanBefore({ start, end }: Range): string {
  const minutes = Number((end - start) / 60_000_000_000n);
  if (minutes === 60) return 'the hour before';
  if (minutes === 1440) return 'the day before';
  if (minutes === 10_080) return 'the week before';
  return `the ${formatDuration(end - start)} before`;
}

/** Whether it is getting worse: errors against those of the equal range before; all lines where there are no errors. */
function Trend({ now, total, before }: { now: ReadonlyMap<LevelGroup, number> | null; total: number | null; before: Comparison }) {
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
