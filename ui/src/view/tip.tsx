// What the bars at the pointer hold.
import { type Bins, startOf } from '../histogram/bins';
import { formatCount, formatDuration, nowNs } from '../time/format';
import { isPhone } from './asked';
import { barWords, countsOf } from './histogram';
import { Mark } from './icon';

const TIP_WIDTH = 190;

export function Tip({ bins, from, to, width, isBrush }: { bins: Bins; from: number; to: number; width: number; isBrush: boolean }) {
  const { total, parts } = countsOf(bins, from, to);
  const middle = ((from + to + 1) / 2 / bins.count) * width;
  const left = middle + TIP_WIDTH / 2 > width ? width - TIP_WIDTH : middle - TIP_WIDTH / 2;
  const length = BigInt(to - from + 1) * bins.step;
  return <div class="histo-tip" style={{ left: `${Math.max(0, Math.round(left))}px` }} aria-hidden="true">
    <div class="histo-tip-head"><span>{barWords(bins, from, to)}</span>{isBrush && <span class="muted nowrap">{formatDuration(length)}</span>}</div>
    {parts.map(({ group, lines }) => <div class="histo-tip-row" key={group}><Mark level={group} /><span class="grow">{group}</span><span>{formatCount(lines)}</span></div>)}
    <div class="histo-tip-row muted"><span class="mark-room" /><span class="grow">{parts.length > 1 ? 'all' : 'lines'}</span><span>{formatCount(total)}</span></div>
    {startOf(bins, from) > nowNs() && <div class="muted">not yet</div>}
    {!isBrush && !isPhone.value && <div class="histo-tip-hint muted">click or drag to zoom</div>}
  </div>;
}
