// The ranges of time that were used before.
import { go } from '../route';
import { PRESETS, type RangeText } from '../time/range';
import { isTimeOpen } from './open';

const RECENT_KEY = 'monitoring-rs.ranges';
const RECENT_MAX = 5;

/** Sets the range that was decided on, and remembers it. */
export function choose(range: RangeText): void {
  isTimeOpen.value = false;
  remember(range);
  go({ from: range.from, to: range.to, at: '', around: '', live: null });
}

export function recent(): RangeText[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(RECENT_KEY) ?? '[]');
    const isRange = (each: unknown): each is RangeText => typeof each === 'object' && each !== null
      && typeof (each as RangeText).from === 'string' && typeof (each as RangeText).to === 'string';
    return Array.isArray(stored) ? stored.filter(isRange).slice(0, RECENT_MAX) : [];
  } catch {
    return [];
  }
}

function remember({ from, to }: RangeText): void {
  if (PRESETS.some((preset) => preset.from === from && preset.to === to)) return;
  const all = [{ from, to }, ...recent().filter((each) => each.from !== from || each.to !== to)];
  try {
    localStorage.setItem(RECENT_KEY, JSON.stringify(all.slice(0, RECENT_MAX)));
  } catch {
    // Where nothing may be kept, nothing is remembered.
  }
}
