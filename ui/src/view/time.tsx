// The range of time: a button that says it, and a popover to choose another by a click, by words, by a calendar.
import { effect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { registerKeys } from '../keys';
import { address } from '../state';
import { describeRange } from '../time/range';
import { nowNs } from '../time/format';
import { zone } from './asked';
import { Icon } from './icon';
import { Later, parts } from './later';
import { isTimeOpen } from './open';

export function TimeBox() {
  const button = useRef<HTMLButtonElement>(null);
  const { from, to } = address.value;
  useEffect(() => registerKeys('Time', [
    { keys: ['t'], does: 'time range', run: () => void (isTimeOpen.value = true) },
  ]), []);
  useEffect(() => effect(() => parts.value?.registerTimeKeys()), []);
  const words = describeRange(from, to, zone.value, nowNs());
  return <>
    <button ref={button} type="button" class="button time-button" aria-haspopup="dialog" aria-expanded={isTimeOpen.value} title="Time range (t)"
      onClick={() => (isTimeOpen.value = !isTimeOpen.value)}>
      <Icon name="clock" class="time-icon" /><span class="clip">{words}</span><Icon name="down" class="arrow" />
    </button>
    {isTimeOpen.value && button.current !== null && <Later>{({ Popover, TimeForm }) => <Popover anchor={button.current!} label="Time range" align="end" class="time"
      onClose={() => (isTimeOpen.value = false)}><TimeForm /></Popover>}</Later>}
  </>;
}
