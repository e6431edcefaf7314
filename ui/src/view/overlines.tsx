// What lies over the lines at times: what can be done with ticked ones, and with too many.
import { useEffect } from 'preact/hooks';
import { withLevels } from '../logql/clicks';
import { go } from '../route';
import { address } from '../state';
import { formatCount, linesText } from '../time/format';
import { copyLineLink, copyLines } from './actions';
import { announce } from './announce';
import { change } from './asked';
import { Icon } from './icon';
import type { LogsModel } from './logsmodel';

/** Lines a second that the eye cannot follow. */
const FLOOD = 500;

export function OverLines({ model }: { model: LogsModel }) {
  return <><Flood model={model} /><Selected model={model} /></>;
}

/** What can be done with the ticked lines. */
function Selected({ model }: { model: LogsModel }) {
  const count = model.selectedCount.value;
  useEffect(() => {
    if (count > 0) announce(`${linesText(count)} selected`);
  }, [count]);
  if (count === 0) return null;
  const clear = () => {
    const list = model.main.peek()?.list;
    list?.selection.clear();
    list?.emit('select', undefined);
    list?.setCurrent(list.current);
  };
  return <div class="selected" role="toolbar" aria-label="Selected lines">
    <strong>{linesText(count)}</strong>
    <button type="button" class="button small" title="l" onClick={() => void copyLineLink(model.selectedLines())}><Icon name="link" />Copy link</button>
    <button type="button" class="button small" title="y" onClick={() => void copyLines(model.selectedLines())}><Icon name="copy" />Copy text</button>
    <button type="button" class="button small selected-times" title="Y" onClick={() => void copyLines(model.selectedLines(), true)}>with times</button>
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
