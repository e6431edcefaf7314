// The keys of the log view.
import { registerKeys } from '../keys';
import type { LineFilter } from '../logql/query';
import { minLevelOf, textFilter, withLineFilter, withMinLevel } from '../logql/clicks';
import type { Level } from '../model';
import { prefer } from '../preferences';
import { go } from '../route';
import { address, notify, preferences } from '../state';
import { copyLineLink, copyLines, openContext } from './actions';
import { ask, change, isMetricQuery, tab, unzoom } from './asked';
import { moveToError } from './finder';
import { growHistogram, hideHistogram } from './histogram';
import type { LogsModel } from './logsmodel';
import { foldNext, toggleFields } from './viewitems';

const LEVEL_KEYS: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const QUERIES_MAX = 50;

/** Text of a line that is selected; `''` where none is. */
export function selectedText(): string {
  const selection = getSelection();
  const node = selection?.anchorNode;
  const element = node instanceof Element ? node : node?.parentElement;
  return element?.closest('[role=grid]') == null ? '' : (selection?.toString().split('\n')[0] ?? '').trim();
}

export function registerLogsKeys(model: LogsModel): () => void {
  const list = () => model.pane.peek()?.list;
  const store = () => model.pane.peek()?.session.store;
  const focused = () => model.focused.peek();
  const has = () => focused() !== null;
  const isLines = () => tab.peek() === 'lines';
  const flip = (name: 'ansi' | 'ownTimes') => prefer({ [name]: !preferences.peek()[name] });
  const select = (step: 1 | -1) => list()?.moveFocus(step, true);

  // The queries before, for `u`; what `u` goes back to is not one of them.
  const queries: string[] = [];
  let last = address.peek().q;
  let isBack = false;
  const stop = address.subscribe(({ q }) => {
    if (q !== last && !isBack) queries.splice(0, Math.max(0, queries.length - QUERIES_MAX), ...queries.slice(-QUERIES_MAX)), queries.push(last);
    last = q;
  });
  const back = () => {
    const query = queries.pop();
    if (query === undefined) return notify('This is the first query');
    isBack = true;
    ask(query);
    isBack = false;
  };

  const byText = (isWithout: boolean) => {
    const text = selectedText();
    if (text === '') return notify('Select a part of a line first');
    const filter: LineFilter | null = textFilter(text, { isCase: true, isRegexp: false, isWithout });
    if (filter !== null) change((query) => withLineFilter(query, filter));
  };
  const level = (index: number) => change((query) => withMinLevel(query, minLevelOf(query) === LEVEL_KEYS[index] ? null : LEVEL_KEYS[index]!));
  const find = () => {
    const finder = model.finder.peek();
    if (finder === null) return false;
    finder.isOpen.value = true;
    return undefined;
  };

  const ends = [
    registerKeys('Lines', [
      { keys: ['Space'], does: 'pause, follow', run: () => model.toggleLive() },
      { keys: ['G', 'End'], does: 'last line, and follow', run: () => {
        model.session.resume();
        void model.goToEnd();
      } },
      { keys: ['g', 'Home'], does: 'first line', run: () => void model.goToStart() },
      { keys: ['j', 'ArrowDown'], does: 'next line', when: isLines, run: () => model.move(1) },
      { keys: ['k', 'ArrowUp'], does: 'previous line', when: isLines, run: () => model.move(-1) },
      { keys: ['PageDown'], does: 'one screen down', when: isLines, run: () => list()?.scrollPages(1) },
      { keys: ['PageUp'], does: 'one screen up', when: isLines, run: () => list()?.scrollPages(-1) },
      { keys: ['/'], does: 'find within the lines', when: isLines, run: find },
      { keys: ['Mod+f'], does: 'find within the lines', when: () => isLines() && document.activeElement?.closest('[role=grid]') != null, run: find },
      { keys: ['n'], does: 'next hit', when: () => address.peek().find !== '', run: () => void model.finder.peek()?.move(1) },
      { keys: ['N'], does: 'previous hit', when: () => address.peek().find !== '', run: () => void model.finder.peek()?.move(-1) },
      { keys: ['e'], does: 'next error', when: isLines, run: () => void toError(1) },
      { keys: ['E'], does: 'previous error', when: isLines, run: () => void toError(-1) },
      ...LEVEL_KEYS.map((name, index) => ({ keys: [String(index + 1)], does: `level at least ${name}; again: all`, run: () => level(index) })),
      { keys: ['+'], does: 'only lines with the selection', run: () => byText(false) },
      { keys: ['_'], does: 'only lines without the selection', run: () => byText(true) },
      { keys: ['u'], does: 'back one step of the query', run: back },
      { keys: [':'], does: 'scroll to a time', when: isLines, run: () => void (model.isGoingToTime.value = true) },
      { keys: ['Escape'], does: 'back from a zoom', rank: 10, run: unzoom },
      { keys: ['Escape'], does: 'clear the selection, leave the line', rank: 5, run: () => {
        const here = list();
        if (here === undefined || (here.selection.count === 0 && here.focusedIndex < 0)) return false;
        if (here.selection.count > 0) {
          here.selection.clear();
          here.emit('select', undefined);
          here.setCurrent(here.current);
        } else {
          here.focus(-1);
        }
        return undefined;
      } },
    ]),
    registerKeys('One line', [
      { keys: ['Enter'], does: 'detail; again closes', when: has, run: () => void (model.isDetailOpen.value = !model.isDetailOpen.peek()) },
      { keys: ['c'], does: 'around it: this stream', when: has, run: () => openContext(focused()!.line) },
      { keys: ['C'], does: 'around it: all streams', when: has, run: () => openContext(focused()!.line, true) },
      { keys: ['x'], does: 'tick the line', when: () => (list()?.focusedIndex ?? -1) >= 0, run: () => {
        list()!.selection.toggle(list()!.focusedIndex);
        list()!.emit('select', undefined);
        list()!.setCurrent(list()!.current);
      } },
      { keys: ['J', 'Shift+ArrowDown'], does: 'extend the run of ticked lines', when: isLines, run: () => select(1) },
      { keys: ['K', 'Shift+ArrowUp'], does: 'extend the run of ticked lines', when: isLines, run: () => select(-1) },
      { keys: ['y'], does: 'copy the text', when: () => has() || model.selectedCount.peek() > 0, run: () => void copyLines(model.chosenLines()) },
      { keys: ['Y'], does: 'copy with time and stream', when: () => has() || model.selectedCount.peek() > 0, run: () => void copyLines(model.chosenLines(), true) },
      { keys: ['l'], does: 'copy a link to it', when: () => has() || model.selectedCount.peek() > 0, run: () => void copyLineLink(model.chosenLines()) },
      { keys: ['.'], does: 'actions of the line', when: has, run: () => {
        const here = list();
        const anchor = here?.rowElement(here.focusedIndex);
        if (here === undefined || anchor === undefined) return false;
        model.menu.value = { line: store()!.lineAt(here.focusedIndex), index: here.focusedIndex, anchor };
        return undefined;
      } },
    ]),
    registerKeys('Show', [
      { keys: ['w'], does: 'wrap long lines', run: () => go({ wrap: !(address.peek().wrap ?? preferences.peek().wrap) }, 'replace') },
      { keys: ['r'], does: 'raw or smart', run: () => go({ show: (address.peek().show ?? preferences.peek().show) === 'raw' ? 'smart' : 'raw' }, 'replace') },
      { keys: ['a'], does: 'terminal colours', run: () => flip('ansi') },
      { keys: ['d'], does: 'fold repeats', run: () => foldNext() },
      { keys: ['T'], does: 'times within the text', run: () => flip('ownTimes') },
      { keys: ['o'], does: 'unfold this line', when: has, run: () => list()?.toggleFold(list()!.focusedIndex) },
      { keys: ['O'], does: 'unfold all lines', run: () => list()?.toggleAllFolds() },
      { keys: ['b'], does: 'fields', run: () => toggleFields(model) },
      { keys: ['v'], does: 'patterns, back to lines', run: () => go({ tab: tab.peek() === 'patterns' ? (isMetricQuery.peek() ? 'lines' : null) : 'patterns' }) },
    ]),
    registerKeys('Time', [
      { keys: ['h'], does: 'larger histogram', run: growHistogram },
      { keys: ['H'], does: 'hide the histogram', run: hideHistogram },
    ]),
  ];
  async function toError(step: 1 | -1): Promise<void> {
    const pane = model.pane.peek();
    if (pane !== null) await moveToError(pane.session, pane.list, step);
  }
  return () => {
    stop();
    for (const end of ends) end();
  };
}
