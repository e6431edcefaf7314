// The line over the histogram: how many lines there are, how many of each level, and how that compares with the time before. Levels filter by a click.
import { sumLevels, sumTotal } from '../histogram/bins';
import type { Histogram } from '../histogram/model';
import { LEVELS, groupOf, LEVEL_GROUPS, type Level, type LevelGroup } from '../model';
import { levelsOf, withLevels } from '../logql/clicks';
import { preferences } from '../state';
import { formatCount } from '../time/format';
import { describeStep } from '../time/range';
import { change, simple } from './asked';
import { growHistogram, hideHistogram } from './histogram';
import { Icon, Mark } from './icon';
import { Trend } from './trend';

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
