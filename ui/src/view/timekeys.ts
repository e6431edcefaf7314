// The keys that change the range of time.
import { registerKeys } from '../keys';
import { go } from '../route';
import { address } from '../state';
import { nowNs } from '../time/format';
import type { RangeText } from '../time/range';
import { shift, zoom } from '../time/shift';
import { zoomTo } from './asked';

export function registerTimeKeys(): () => void {
  return registerKeys('Time', [
    { keys: ['['], does: 'earlier by half a range', run: () => go({ ...shift(current(), -0.5, nowNs()), at: '', around: '' }) },
    { keys: [']'], does: 'later by half a range', run: () => go({ ...shift(current(), 0.5, nowNs()), at: '', around: '' }) },
    { keys: ['-'], does: 'zoom out', run: () => zoomTo(zoom(current(), 2, nowNs())) },
    { keys: ['='], does: 'zoom in', run: () => zoomTo(zoom(current(), 0.5, nowNs())) },
    { keys: ['0'], does: 'back to the last hour', run: () => go({ from: '1h', to: 'now', at: '', around: '', live: null }) },
  ]);
}

function current(): RangeText {
  const { from, to } = address.peek();
  return { from, to };
}
