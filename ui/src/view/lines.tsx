// The list of lines of the answer: ties the session to the list, and puts over it what belongs to both.
import { effect, untracked } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { status } from '../api/status';
import { LIST_DEFAULTS, LineList, type ListOptions } from '../list/list';
import type { Line } from '../model';
import { go, hrefOf } from '../route';
import { address, preferences } from '../state';
import { type Field, readFields } from '../text/fields';
import { labelName } from '../logql/clicks';
import { formatCount, formatFull } from '../time/format';
import { find, searched, zone } from './asked';
import { Icon } from './icon';
import { Later, parts, Soon } from './later';
import type { LogsModel } from './logsmodel';
import { look } from './look';
import { Progress } from './progress';

/** Texts whose fields are kept for the cells of columns. */
const CELLS_KEPT = 300;

const read = new Map<string, readonly Field[]>();

/** The value of a line in a column: of its fields, metadata or labels. */
export function cellOf(line: Line, name: string): string {
  const own = line.parsed?.get(name) ?? line.metadata?.get(name) ?? line.stream.labels.get(name);
  if (own !== undefined) return own;
  let fields = read.get(line.text);
  if (fields === undefined) {
    fields = readFields(line.text).fields;
    if (read.size >= CELLS_KEPT) read.delete(read.keys().next().value as string);
    read.set(line.text, fields);
  }
  return fields.find(({ path }) => labelName(path, line.stream.labels) === name || path.join('.') === name)?.value ?? '';
}

/** What of the list's options follows from the address and the preferences. */
function wanted(): Partial<ListOptions> {
  const { fold, cols, at } = address.value;
  const [first = '', last = first] = at.split('..');
  return { ...look.value, fold, columns: cols, find: find.value, searched: searched.value, marked: first === '' ? null : [first, last] };
}

/** Words beyond the first and the last line. */
function notes({ session }: LogsModel): Partial<ListOptions> {
  const { start, end } = session.ends.value;
  const bounds = session.count.value > 0 ? session.bounds.value : null;
  const isAll = address.value.from === 'all' || (bounds !== null && bounds.start <= 0n);
  const dropped = status.value?.retention?.last_dropped;
  const first = dropped ? `The first line kept: older ones were dropped by ${dropped.reason}` : 'The first line there is';
  const instant = (time: bigint) => formatFull(time, zone.value).replace(/(\.\d+)? [+-].*$/, '');
  return {
    startNote: bounds === null || start !== 'complete' ? '' : isAll ? first : `From ${instant(bounds.start)} on`,
    endNote: bounds === null || end !== 'complete' ? '' : `Up to ${instant(bounds.end)}`,
    loading: start === 'loading' ? 'start' : end === 'loading' ? 'end' : null,
  };
}

export function Lines({ model, isHidden }: { model: LogsModel; isHidden: boolean }) {
  const host = useRef<HTMLDivElement>(null);
  const { session } = model;
  useEffect(() => {
    const { store } = session;
    const list = new LineList(host.current!, store, {
      ...LIST_DEFAULTS, streamTag: (stream) => model.tags.of(stream), cell: cellOf, href: (id) => hrefOf({ at: id, around: '' }), label: 'Lines', ...wanted(),
    });
    const previous = (index: number) => (index > 0 ? store.lineAt(index - 1) : undefined);
    const show = (index: number) => {
      model.focus(store.lineAt(index), previous(index));
      model.isDetailOpen.value = true;
    };
    let isShown = false;
    const ends = [
      effect(() => {
        if (parts.value === null) return undefined;
        const finder = new parts.value.Finder(session, list);
        model.finder.value = finder;
        return () => {
          model.finder.value = null;
          finder.close();
        };
      }),
      session.connect(list),
      effect(() => parts.value?.watchErrorsOf(store)),
      effect(() => list.setOptions(wanted())),
      effect(() => list.setOptions(notes(model))),
      effect(() => {
        void session.count.value;
        list.setOptions({ hasStreams: store.streams.length > 1 });
      }),
      list.on('focus', (index) => {
        if (index >= 0) model.focus(store.lineAt(index), previous(index));
        else if (!model.isDetailOpen.peek()) model.focused.value = null;
      }),
      list.on('open', show),
      list.on('rest', show),
      list.on('menu', ({ index, anchor }) => (model.menu.value = { line: store.lineAt(index), index, anchor })),
      list.on('marker', (marker) => void session.fill(marker)),
      list.on('columns', (cols) => go({ cols }, 'replace')),
      list.on('select', () => (model.selectedCount.value = list.selection.count)),
      list.on('pin', (isPinned) => (model.isPinned.value = isPinned)),
      list.on('viewport', ({ first, last }) => {
        const edges = first < 0 || last < 0 || last >= store.count ? null : [store.timeAt(first), store.timeAt(last)] as const;
        model.onScreen.value = edges === null ? null : edges[0] <= edges[1] ? { start: edges[0], end: edges[1] } : { start: edges[1], end: edges[0] };
      }),
      // The line pointed at is in the middle as soon as it is there, once: later its index only moves with the lines before it.
      effect(() => {
        const target = session.target.value;
        const isNew = target >= 0 && !isShown;
        isShown = target >= 0;
        if (isNew) untracked(() => {
          list.scrollToIndex(target, 'center');
          list.focus(target);
        });
      }),
      store.subscribe(({ at, removed, inserted }) => {
        if (removed > 0) model.selectedCount.value = list.selection.count;
        if (inserted === 0 || session.connection.peek() === 'off') return;
        const lines = [];
        for (let index = at; index < at + inserted; index += 1) lines.push({ time: store.timeAt(index), level: store.levelAt(index) });
        model.histogram.add(lines);
      }),
    ];
    model.main.value = { list, session };
    list.suspend(isHidden);
    return () => {
      model.main.value = null;
      for (const end of ends) end();
      list.destroy();
    };
  }, []);

  // Before the page is laid out without it, which may scroll the page.
  useLayoutEffect(() => model.main.peek()?.list.suspend(isHidden), [isHidden]);

  const finder = model.finder.value;
  const isEmpty = session.state.value === 'empty' && session.count.value === 0;
  const isStale = session.state.value === 'loading' && session.count.value > 0;
  return <section class={`lines${isHidden ? ' is-hidden' : ''}`} aria-label="Lines" inert={isHidden}>
    <Progress session={session} />
    <div ref={host} class={`lines-list${isStale ? ' is-stale' : ''}`} />
    {isEmpty && <Later>{({ Empty }) => <Empty model={model} />}</Later>}
    {finder?.isOpen.value === true && <Later>{({ FindLines }) => <FindLines model={model} finder={finder} />}</Later>}
    {model.isGoingToTime.value && <Later>{({ GoToTime }) => <GoToTime onTime={(time) => void model.goToTime(time)} onClose={() => (model.isGoingToTime.value = false)} />}</Later>}
    <div class="lines-over">
      <Soon>{({ OverLines }) => <OverLines model={model} />}</Soon>
      <NewLines model={model} />
    </div>
  </section>;
}

/** How many lines came while somebody reads further up; a click goes to them. */
function NewLines({ model }: { model: LogsModel }) {
  const { session } = model;
  const count = session.newCount.value;
  const errors = session.newErrors.value;
  const isAway = !model.isPinned.value && session.count.value > 0 && session.connection.value !== 'off';
  if (count === 0 && !isAway) return null;
  const go = () => {
    session.resume();
    void model.goToEnd();
  };
  const words = count === 0 ? 'To the newest' : `${formatCount(count)} new ${count === 1 ? 'line' : 'lines'}`;
  return <button type="button" class={`new-lines${count === 0 ? ' is-quiet' : ''}`} title="End" onClick={go}>
    {words}{errors > 0 && <span class="new-errors"><span class="mark mark-error" aria-hidden="true" /><span class="sr">, errors: </span>{formatCount(errors)}</span>}
    <Icon name="end" class={address.value.order === 'desc' || (address.value.order === null && preferences.value.order === 'desc') ? 'is-up' : ''} />
  </button>;
}
