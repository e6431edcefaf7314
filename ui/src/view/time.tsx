// The range of time: a button that says it, and a popover to choose another by a click, by words, by a calendar.
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { registerKeys } from '../keys';
import { go } from '../route';
import { address } from '../state';
import { describeRange, PRESETS, type RangeText, shift, zoom } from '../time/range';
import { nowNs } from './actions';
import { zone, zoomTo } from './asked';
import { Icon } from './icon';
import { Later } from './later';

const RECENT_KEY = 'monitoring-rs.ranges';
const RECENT_MAX = 5;

export const isTimeOpen = signal(false);

/** Sets the range that was decided on, and remembers it. */
function choose(range: RangeText): void {
  isTimeOpen.value = false;
  remember(range);
  go({ from: range.from, to: range.to, at: '', around: '', live: null });
}

function recent(): RangeText[] {
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

export function TimeBox() {
  const button = useRef<HTMLButtonElement>(null);
  const { from, to } = address.value;
  const range = { from, to };
  useEffect(() => registerKeys('Time', [
    { keys: ['t'], does: 'time range', run: () => void (isTimeOpen.value = true) },
    { keys: ['['], does: 'earlier by half a range', run: () => go({ ...shift(current(), -0.5, nowNs()), at: '', around: '' }) },
    { keys: [']'], does: 'later by half a range', run: () => go({ ...shift(current(), 0.5, nowNs()), at: '', around: '' }) },
    { keys: ['-'], does: 'zoom out', run: () => zoomTo(zoom(current(), 2, nowNs())) },
    { keys: ['='], does: 'zoom in', run: () => zoomTo(zoom(current(), 0.5, nowNs())) },
    { keys: ['0'], does: 'back to the last hour', run: () => go({ from: '1h', to: 'now', at: '', around: '', live: null }) },
  ]), []);
  const words = describeRange(range.from, range.to, zone.value, nowNs());
  return <>
    <button ref={button} type="button" class="button time-button" aria-haspopup="dialog" aria-expanded={isTimeOpen.value} title="Time range (t)"
      onClick={() => (isTimeOpen.value = !isTimeOpen.value)}>
      <Icon name="clock" class="time-icon" /><span class="clip">{words}</span><Icon name="down" class="arrow" />
    </button>
    {isTimeOpen.value && button.current !== null && <Later>{({ Popover, TimeForm }) => <Popover anchor={button.current!} label="Time range" align="end" class="time"
      onClose={() => (isTimeOpen.value = false)}><TimeForm onChoose={choose} recent={recent()} /></Popover>}</Later>}
  </>;
}

function current(): RangeText {
  const { from, to } = address.peek();
  return { from, to };
}
