// What stands around a line, unfiltered and in stored order: of a file its own stream, of a container both channels and all its restarts.
import { effect, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { registerKeys } from '../keys';
import { contains, findOf, matcherOf } from '../list/find';
import { LIST_DEFAULTS, LineList, type ListOptions } from '../list/list';
import type { LineStore } from '../list/store';
import { StreamTags } from '../list/tags';
import { selectorOf } from '../logql/any';
import { ALL, build } from '../logql/build';
import { type Line } from '../model';
import { go, hrefOf } from '../route';
import { LogSession } from '../session';
import { address, preferences } from '../state';
import { formatFull } from '../time/format';
import { zoneName } from '../time/zone';
import { isContextWide } from './actions';
import { FindBar } from './find';
import { Icon } from './icon';
import { look } from './look';
import type { Anchor } from './opener';
import '../style/detail.css';

export interface ContextProps {
  /** The line's id, the address's `around`. */
  readonly id: string;
  /** What the way back leads to: `412 lines`. */
  readonly backTo: string;
  /** The line that has the focus, for the detail. */
  readonly onFocus: (line: Line, previous: Line | undefined) => void;
  /** A line's detail is wanted. */
  readonly onOpen?: (line: Line, previous: Line | undefined) => void;
  /** The actions of a line are wanted. */
  readonly onMenu?: (line: Line, anchor: Anchor) => void;
  /** The list and the session while they are there, so that keys reach them; `null` when they end. */
  readonly onReady?: (view: { list: LineList; session: LogSession } | null) => void;
  readonly onBack: () => void;
}

export function ContextView({ id, backTo, onFocus, onOpen, onMenu, onReady, onBack }: ContextProps) {
  const host = useRef<HTMLDivElement>(null);
  const list = useRef<LineList | null>(null);
  const session = useMemo(() => new LogSession(), []);
  const find = useSignal<string | null>(null);
  const isWide = isContextWide.value;

  const isCentred = useRef(false);
  const calls = useRef({ onFocus, onOpen, onMenu, onReady, onBack });
  calls.current = { onFocus, onOpen, onMenu, onReady, onBack };

  useEffect(() => {
    const { store } = session;
    const tags = new StreamTags();
    const made = new LineList(host.current!, store, {
      ...LIST_DEFAULTS, streamTag: (stream) => tags.of(stream), href: (line) => hrefOf({ at: line, around: '' }), label: 'Lines around the line', ...look.value,
    });
    list.current = made;
    const previous = (index: number) => (0 < index ? store.lineAt(index - 1) : undefined);
    const ends = [
      session.connect(made),
      effect(() => made.setOptions(look.value)),
      effect(() => made.setOptions(notes(session))),
      effect(() => made.setOptions({ find: find.value === null ? null : findOf(find.value) })),
      made.on('focus', (index) => {
        if (0 <= index) calls.current.onFocus(store.lineAt(index), previous(index));
      }),
      made.on('open', (index) => calls.current.onOpen?.(store.lineAt(index), previous(index))),
      made.on('rest', (index) => calls.current.onOpen?.(store.lineAt(index), previous(index))),
      made.on('menu', ({ index, anchor }) => calls.current.onMenu?.(store.lineAt(index), anchor)),
      made.on('marker', (marker) => void session.fill(marker)),
      // In the middle as soon as it is there, and only once: whoever scrolls away stays away.
      effect(() => {
        const target = session.target.value;
        if (target < 0 || isCentred.current) return;
        isCentred.current = true;
        made.scrollToIndex(target, 'center');
        made.focus(target);
      }),
    ];
    calls.current.onReady?.({ list: made, session });
    return () => {
      calls.current.onReady?.(null);
      for (const end of ends) end();
      made.destroy();
      session.close();
    };
  }, []);

  useEffect(() => {
    list.current?.setOptions({ marked: [id, id], hasStreams: isWide });
    const { q } = address.value;
    isCentred.current = false;
    session.open({ query: isWide ? (q === '' ? build(ALL) : selectorOf(q)) : '', range: { from: 'all', to: 'now' }, live: false, around: id });
  }, [id, isWide]);

  useEffect(() => registerKeys('Around a line', [
    { keys: ['Escape'], does: 'back to the lines', rank: 15, run: () => calls.current.onBack() },
    { keys: ['/'], does: 'find', rank: 1, run: () => { find.value ??= ''; } },
  ]), []);

  const first = look.value.order === 'desc' ? 1 : -1;
  const target = session.target.value;
  const line = 0 <= target && target < session.count.value ? session.store.lineAt(target) : undefined;
  return <section class="context" aria-label="Around a line">
    <div class="context-bar">
      <button type="button" class="button bordered" onClick={onBack}><Icon name="left" /> Back<span class="wide-only">{` to ${backTo}`}</span></button>
      <h2>
        <span>Around {line === undefined ? '…' : formatFull(line.time, zoneName(preferences.value.zone))}</span>
        {line !== undefined && <span class="muted clip">{line.stream.service}</span>}
      </h2>
      <span class="choices" role="group" aria-label="Lines of">
        <button type="button" aria-pressed={!isWide} onClick={() => (isContextWide.value = false)}>This stream</button>
        <button type="button" aria-pressed={isWide} title="By time (C)" onClick={() => (isContextWide.value = true)}>All streams</button>
      </span>
      <button type="button" class="button bare" aria-label="Find" title="Find (/)" onClick={() => (find.value = find.value === null ? '' : null)}><Icon name="search" /></button>
      <a class="button small" title="Open without filters" href={hrefOf({ q: bare(address.value.q), at: id, around: '' })} onClick={(event) => {
        if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        go({ q: bare(address.value.q), at: id, around: '' });
      }}><span class="wide-only">Open without filters</span> <Icon name="open" /></a>
    </div>
    <div class="context-list">
      {find.value !== null && <div class="lines-find"><ContextFind text={find.value} session={session} list={list.current}
        onText={(text) => (find.value = text)} onClose={() => (find.value = null)} /></div>}
      <Steps step={first} isBelow={false} session={session} list={list} />
      <div class="context-lines" ref={host} />
      <Steps step={first === 1 ? -1 : 1} isBelow session={session} list={list} />
      <ContextState session={session} />
    </div>
  </section>;
}

/** How many lines a button shows more. */
const STEPS = [20, 200] as const;

/** Shows more lines on one side, whether or not they are loaded; scrolling does as well. */
function Steps({ step, isBelow, session, list }: { step: 1 | -1; isBelow: boolean; session: LogSession; list: { readonly current: LineList | null } }) {
  const isLater = step === 1;
  const show = async (lines: number) => {
    const { store } = session;
    const { first, last } = list.current!.viewport;
    if (first < 0) return;
    const edge = store.idAt(isLater ? last : first);
    const wanted = () => store.indexOfId(edge) + step * lines;
    const isMissing = () => (isLater ? wanted() >= store.count && session.ends.peek().end === 'more' : wanted() < 0 && session.ends.peek().start === 'more');
    while (isMissing()) {
      const { count } = store;
      await (isLater ? session.newer() : session.older());
      if (store.count === count) break;
    }
    list.current?.scrollToIndex(Math.min(store.count - 1, Math.max(0, wanted())));
  };
  const toEnd = () => void (isLater ? session.goToEnd().then(() => list.current?.scrollToEnd()) : session.goToStart().then(() => list.current?.scrollToStart()));
  return <div class="context-steps" role="group" aria-label={isLater ? 'Later lines' : 'Earlier lines'}>
    <Icon name="down" {...(isBelow ? {} : { class: 'flip' })} />
    {STEPS.map((lines) => <button type="button" key={lines} class="link" onClick={() => void show(lines)}>{lines} {isLater ? 'later' : 'earlier'}</button>)}
    <button type="button" class="link" title={isLater ? 'G' : 'g'} onClick={toEnd}>{isLater ? 'to the end' : 'from the beginning'}</button>
  </div>;
}

/** The query's streams without its filters. */
function bare(q: string): string {
  return q === '' ? '' : selectorOf(q);
}

/** What is said beyond the first and the last line. */
function notes(session: LogSession): Partial<ListOptions> {
  const { start, end } = session.ends.value;
  return {
    startNote: start === 'complete' ? 'The first line there is' : '', endNote: end === 'complete' ? 'The last line there is' : '',
    loading: start === 'loading' ? 'start' : end === 'loading' ? 'end' : null,
  };
}

function ContextState({ session }: { session: LogSession }) {
  const { state, error, gone } = session;
  if (state.value === 'gone' && gone.value !== null) {
    const { message, oldest, nearest } = gone.value;
    return <div class="context-state" role="status">
      <p>{message}</p>
      {oldest !== undefined && <p class="muted">The oldest line kept is of {formatFull(oldest, zoneName(preferences.value.zone))}.</p>}
      {nearest !== undefined && <button type="button" class="button bordered" onClick={() => go({ around: nearest })}>Around the nearest line</button>}
    </div>;
  }
  if (state.value === 'loading' && session.count.value === 0) return <p class="context-state muted">Loading…</p>;
  if (state.value === 'error') return <div class="context-state"><p class="danger" role="alert">{error.value?.message}</p></div>;
  return null;
}

interface ContextFindProps {
  text: string;
  session: LogSession;
  list: LineList | null;
  onText: (text: string) => void;
  onClose: () => void;
}

/** Finds within the lines that are loaded. */
function ContextFind({ text, session, list, onText, onClose }: ContextFindProps) {
  const place = useSignal(-1);
  const { store } = session;
  const find = useMemo(() => findOf(text), [text]);
  const isWrong = find !== null && matcherOf(find) === null;
  const hits = useMemo(() => (find === null || isWrong ? [] : hitsOf(store, contains(find))), [find, session.count.value]);
  const move = (step: 1 | -1) => {
    const from = place.value < 0 ? (list?.focusedIndex ?? 0) - (step === 1 ? 1 : 0) : place.value;
    const next = step === 1 ? (hits.find((index) => from < index) ?? hits[0]) : (hits.findLast((index) => index < from) ?? hits.at(-1));
    if (next === undefined) return;
    place.value = next;
    list?.scrollToIndex(next, 'center');
    list?.focus(next);
  };
  return <FindBar text={text} position={hits.indexOf(place.value) + 1} total={hits.length} isAtLeast={session.ends.value.start === 'more' || session.ends.value.end === 'more'}
    onText={(next) => {
      place.value = -1;
      onText(next);
    }} onMove={move} onClose={onClose} {...(isWrong ? { error: 'This regular expression is not valid.' } : {})} />;
}

function hitsOf(store: LineStore, test: (text: string) => boolean): number[] {
  const hits: number[] = [];
  for (let index = 0; index < store.count; index += 1) if (test(store.textAt(index))) hits.push(index);
  return hits;
}
