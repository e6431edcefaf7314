// The find bar over the lines of the answer.
import { findOf } from '../list/find';
import { withLineFilter } from '../logql/clicks';
import { go } from '../route';
import { change, trustedFind } from './asked';
import { FindBar } from './find';
import { type Finder, filterOf } from './finder';
import type { LogsModel } from './logsmodel';

export function FindLines({ model, finder }: { model: LogsModel; finder: Finder }) {
  const text = finder.text.value;
  const error = finder.error.value;
  const hits = finder.hits.value;
  const { start, end } = model.session.ends.value;
  const isAll = start === 'complete' && end !== 'more';
  const total = isAll ? hits.length : finder.total.value;
  const close = () => {
    finder.isOpen.value = false;
    go({ find: '' }, 'replace');
    model.pane.peek()?.list.rowElement(model.pane.peek()!.list.focusedIndex)?.focus({ preventScroll: true });
  };
  const filter = filterOf(findOf(text));
  return <div class="lines-find"><FindBar text={text} position={finder.position} total={total ?? (text === '' ? 0 : hits.length)} isAtLeast={total === null && !isAll}
    onText={(find) => {
      trustedFind.value = find;
      go({ find }, 'replace');
    }} onMove={(step) => void finder.move(step)} onClose={close} {...(error === '' ? {} : { error })} isWaiting={finder.isWaiting.value}
    {...(filter === null ? {} : { onFilter: () => {
      close();
      change((query) => withLineFilter(query, filter));
    } })} /></div>;
}
