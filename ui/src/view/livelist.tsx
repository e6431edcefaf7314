// A list of lines that follows a query by itself: the live pane of the overview. The log view has the same list with more around it.
import { computed, effect, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { LIST_DEFAULTS, LineList, type ListOptions } from '../list/list';
import { StreamTags } from '../list/tags';
import { lineId } from '../model';
import { go, hrefOf } from '../route';
import type { LogSession } from '../session';
import { DEFAULT_ADDRESS } from '../state';
import { formatCount } from '../time/format';
import { isPhone } from './asked';
import { Icon } from './icon';
import { Later, parts } from './later';
import { look } from './look';

/** The pane is beside others or below them: it scrolls by itself, also on a phone, and follows at the bottom. */
function preferred(): Partial<ListOptions> {
  const phone: Partial<ListOptions> = isPhone.value ? { wrap: true, timeFormat: 'time' } : {};
  return { ...look.value, isPhone: false, order: 'asc', ...phone };
}

interface Props {
  readonly session: LogSession;
  /** LogQL; `''` for all lines. */
  readonly query: string;
  readonly from: string;
  /** Whether the lines are not shown yet. */
  readonly isHidden: boolean;
  readonly isPaused: boolean;
  readonly onPause: (isPaused: boolean) => void;
}

export function LiveList({ session, query, from, isHidden, isPaused, onPause }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const list = useRef<LineList | null>(null);
  const ticked = useSignal(0);

  useEffect(() => {
    const tags = new StreamTags();
    const made = new LineList(host.current!, session.store, {
      ...LIST_DEFAULTS, streamTag: (stream) => tags.of(stream), href: (id) => hrefOf({ ...DEFAULT_ADDRESS, place: 'logs', q: query, at: id }), label: 'Live lines', ...preferred(),
    });
    list.current = made;
    const untie = session.connect(made);
    const stopErrors = effect(() => parts.value?.watchErrorsOf(session.store));
    // The names of streams say nothing where there is but one.
    const hasStreams = computed(() => session.count.value > 0 && !isPhone.value && session.store.streams.length > 1);
    const stopOptions = effect(() => made.setOptions({ ...preferred(), hasStreams: hasStreams.value }));
    // A line is read in the log view, where its detail has room.
    const stopOpen = made.on('open', (index) => {
      const line = session.store.lineAt(index);
      go({ ...DEFAULT_ADDRESS, place: 'logs', q: query, at: lineId(line) }, 'push');
    });
    const stopSelect = made.on('select', () => (ticked.value = made.selection.count));
    const stopStore = session.store.subscribe(({ removed }) => removed > 0 && (ticked.value = made.selection.count));
    return () => {
      stopSelect();
      stopStore();
      stopErrors();
      stopOpen();
      stopOptions();
      untie();
      made.destroy();
      session.close();
    };
  }, []);

  useEffect(() => session.open({ query, range: { from, to: 'now' }, live: true, canWiden: true }), [query, from]);
  const wasPaused = useRef(false);
  useEffect(() => {
    if (isPaused === wasPaused.current) return;
    wasPaused.current = isPaused;
    if (isPaused) session.pause();
    else session.resume();
  }, [isPaused]);
  useEffect(() => effect(() => {
    if (session.connection.value === 'paused') onPause(true);
  }), []);

  const count = session.newCount.value;
  return <div class="live">
    <div ref={host} class={`live-list${isHidden ? ' is-hidden' : ''}`} />
    <LiveState session={session} isHidden={isHidden} />
    {ticked.value > 0 && <div class="live-ticked"><Later>{({ Selected }) => <Selected count={ticked.value} list={list.current!} />}</Later></div>}
    {count > 0 && <button type="button" class="button live-new" onClick={() => {
      onPause(false);
      void session.goToEnd().then(() => list.current?.scrollToEnd());
    }}>
      {formatCount(count)} new {count === 1 ? 'line' : 'lines'}
      {session.newErrors.value > 0 && <span class="live-errors"><span class="mark mark-error" aria-hidden="true" /> {formatCount(session.newErrors.value)}</span>}
      <Icon name="end" />
    </button>}
  </div>;
}

/** What stands in the list's place while it has no lines, or over it when it cannot go on. */
function LiveState({ session, isHidden }: { session: LogSession; isHidden: boolean }) {
  const { state, error, refusal } = session;
  if (refusal.value !== null) return <p class="live-words">{refusal.value} <button type="button" class="button bordered small" onClick={() => session.poll()}>Load every 5 s instead</button></p>;
  if (state.value === 'error') return <p class="live-words danger">{error.value?.message}</p>;
  if (session.count.value > 0 && !isHidden) return null;
  return <p class="live-words live-middle">{isHidden || state.value === 'loading' || state.value === 'idle' ? 'Loading…' : 'Waiting for the next line…'}</p>;
}
