// What lies over the lines at times: what can be done with ticked ones, and with too many.
import { useEffect } from 'preact/hooks';
import type { LineList } from '../list/list';
import { withLevels } from '../logql/clicks';
import { go } from '../route';
import { address } from '../state';
import { formatCount, linesText } from '../time/format';
import { copyLineLink, copyLines } from './actions';
import { announce } from './announce';
import { change } from './asked';
import { Icon } from './icon';
import { type LogsModel, tickedLines } from './logsmodel';

/** Lines a second that the eye cannot follow. */
const FLOOD = 500;

export function OverLines({ model }: { model: LogsModel }) {
  return <><Flood model={model} /><Selected count={model.selectedCount.value} list={model.main.peek()?.list} /></>;
}

/** What can be done with the ticked lines of a list, which are so many. */
export function Selected({ count, list }: { count: number; list: LineList | undefined }) {
  useEffect(() => {
    if (count > 0) announce(`${linesText(count)} selected`);
  }, [count]);
  if (count === 0 || list === undefined) return null;
  const clear = () => {
    list.selection.clear();
    list.emit('select', undefined);
    list.setCurrent(list.current);
  };
  return <div class="selected" role="toolbar" aria-label="Selected lines">
    <strong>{linesText(count)}</strong>
    <button type="button" class="button small" title="l" onClick={() => void copyLineLink(tickedLines(list))}><Icon name="link" />Copy link</button>
    <button type="button" class="button small" title="y" onClick={() => void copyLines(tickedLines(list))}><Icon name="copy" />Copy text</button>
    <button type="button" class="button small selected-times" title="Y" onClick={() => void copyLines(tickedLines(list), true)}>with times</button>
    <button type="button" class="button bare small" aria-label="Clear the selection" onClick={clear}><Icon name="close" /></button>
  </div>;
}

/** More lines come than can be read. */
function Flood({ model }: { model: LogsModel }) {
  const { session } = model;
  const rate = session.rate.value;
  if (rate < FLOOD || session.connection.value !== 'live') return null;
  return <div class="flood" role="note">
    <strong>{formatCount(Math.round(rate / 100) * 100)} lines/s</strong>
    <button type="button" class="button small" onClick={() => change((query) => withLevels(query, ['error', 'critical', 'fatal']))}>Only errors</button>
    {address.value.fold === 'no' && <button type="button" class="button small" onClick={() => go({ fold: 'numbers' })}>Fold repeats</button>}
    <button type="button" class="button small" onClick={() => session.pause()}>Pause</button>
  </div>;
}
