// The log view: query bar, histogram, fields, lines, detail; and the glue between the address, the session and the list.
import { effect, untracked } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { sumTotal } from '../histogram/bins';
import { status } from '../api/status';
import { toNs } from '../api/streams';
import { busy } from '../api/http';
import { holdKeys } from '../held';
import { prefer } from '../preferences';
import { go } from '../route';
import { address, isLive, preferences } from '../state';
import { formatCount, linesText, nowNs } from '../time/format';
import { type Range, resolveRange } from '../time/range';
import { announce } from './announce';
import { change, isMetricQuery, isPhone, logql, simple, subject, tab, zone } from './asked';
import { isEditing, QueryBar } from './bar';
import { Boundary } from './boundary';
import { Icon } from './icon';
import { Later, parts, Soon, useLaterThan } from './later';
import { Lines } from './lines';
import { LogsModel } from './logsmodel';
import { MenuButton, PopoverButton } from './opener';
import { topSlot } from './top';
import '../style/logs.css';
import '../style/bar.css';
import '../style/histogram.css';

/** Widths of the plot are told apart by so many px: a few more or less need no new bars. */
const WIDTH_STEP = 160;
const TICK_MS = 1_000;
/** What an axis that begins with the oldest line covers at least, in nanoseconds. */
const SPAN_MIN = 3_600_000_000_000n;

export function Logs() {
  const model = useMemo(() => new LogsModel(), []);
  useEffect(() => effect(() => {
    const now = parts.value;
    // Registering reads what is registered; it is done once all the same.
    if (now !== null) return untracked(() => {
      const ends = [now.registerLogsKeys(model), now.watchChips(model.histogram)];
      return () => ends.forEach((end) => end());
    });
    holdKeys();
    return undefined;
  }), []);
  useEffect(() => {
    topSlot.value = <LogsTop model={model} />;
    return () => {
      topSlot.value = null;
      model.close();
    };
  }, []);
  useEffect(() => openSession(model), []);
  useEffect(() => feedHistogram(model), []);
  useEffect(() => announceState(model), []);
  useLaterThan(model.session);

  const { around } = address.value;
  const now = tab.value;
  const isContext = around !== '';
  const hasSidebar = preferences.value.sidebar && now === 'lines' && !isContext && !isPhone.value;
  const chosen = () => {
    const focused = model.focused.peek();
    return { selected: model.selectedLines(), ...(focused === null ? {} : { focused: focused.line }) };
  };
  const answer = () => {
    const bins = model.histogram.bins.peek();
    // Until they are counted the bars are those of the query before.
    if (bins === null || model.session.state.peek() === 'loading' || model.histogram.state.peek() === 'total') return {};
    const { characters, count } = model.session.store;
    const lines = sumTotal(bins);
    return { lines, bytes: count === 0 ? 0 : Math.round((lines * characters) / count) };
  };

  // What changes with each line or each scroll is read in the parts below, so that this one is drawn seldom.
  return <div class={`logs${hasSidebar ? ' has-sidebar' : ''}`}>
    {!isContext && <div class="logs-head">
      <Boundary name="query bar">
        <QueryBar>
          <MenuButton label="View" hasArrow align="end" title="How lines are shown" items={({ viewItems }) => viewItems(model)} />
          <MenuButton label="Share" hasArrow align="end" items={({ shareItems }) => shareItems(chosen())} />
          <PopoverButton label="Download" hasArrow align="end" content={({ DownloadForm }, close) => <DownloadForm {...chosen()} {...answer()} onDone={close} />} />
        </QueryBar>
      </Boundary>
      {now === 'lines' && !isMetricQuery.value && <Boundary name="histogram"><Soon wait={<HistogramRoom />}>{({ HistogramStrip }) =>
        <HistogramStrip model={model} onWidth={(width) => setWidth(model, width)} />}</Soon></Boundary>}
    </div>}
    <div class="logs-body">
      {hasSidebar && <Boundary name="fields"><Fields model={model} /></Boundary>}
      <div class="logs-main">
        {!isContext && <Notes model={model} />}
        <div class="logs-panes">
          <Boundary name="lines"><Lines model={model} isHidden={isContext || now !== 'lines'} /></Boundary>
          {!isContext && now === 'patterns' && <section class="pane" aria-label="Patterns"><Boundary name="patterns"><Later>{({ Patterns }) => <Patterns />}</Later></Boundary></section>}
          {!isContext && now === 'chart' && <section class="pane" aria-label="Chart"><Boundary name="chart"><Later>{({ Chart }) => <Chart />}</Later></Boundary></section>}
          {isContext && <Boundary name="context"><Around model={model} id={around} key={around} /></Boundary>}
        </div>
      </div>
      {now === 'lines' && <Boundary name="detail"><DetailPane model={model} /></Boundary>}
    </div>
    {isPhone.value && model.isDrawerOpen.value && <Later>{({ Sidebar }) => <Sidebar session={model.session} tags={model.tags}
      onClose={() => (model.isDrawerOpen.value = false)} isDrawer />}</Later>}
    {model.menu.value !== null && <Later>{({ LineActions }) => <LineActions model={model} />}</Later>}
  </div>;
}

/** The place of the histogram until it is loaded, so that the lines do not move. */
function HistogramRoom() {
  const size = preferences.value.histogram;
  return <div class={`histo histo-${size}`}><div class="legend" />{size !== 'hidden' && <div class="histo-plot" />}</div>;
}

/** The sidebar; its place is kept until it is loaded, so that the lines do not move. */
function Fields({ model }: { model: LogsModel }) {
  if (parts.value === null) return <aside class="sidebar" aria-label="Fields" />;
  const { Sidebar } = parts.value;
  return <Sidebar session={model.session} tags={model.tags} onClose={() => prefer({ sidebar: false })} isDrawer={false} />;
}

/** Strips above the lines, where there is something to say. */
function Notes({ model }: { model: LogsModel }) {
  const { state, partial, refusal, note, gone } = model.session;
  const isQuiet = state.value !== 'error' && state.value !== 'stopped' && partial.value === null && refusal.value === null && note.value === null && gone.value === null;
  if (isQuiet && busy.value === null) return null;
  return <Later>{({ Notices }) => <Notices model={model} onRetry={() => open(model)} onEdit={() => (isEditing.value = true)} />}</Later>;
}

function DetailPane({ model }: { model: LogsModel }) {
  const focused = model.focused.value;
  if (!model.isDetailOpen.value || focused === null) return null;
  return <Later>{({ Detail }) => <Detail line={focused.line} {...(focused.previous === undefined ? {} : { previous: focused.previous })}
    onClose={() => closeDetail(model)} onMove={(step) => model.move(step)} onShown={() => keepInSight(model)} />}</Later>;
}

function Around({ model, id }: { model: LogsModel; id: string }) {
  // Of the moment when the lines were left.
  const backTo = useMemo(() => linesText(model.session.count.peek()), []);
  return <Later>{({ ContextView }) => <ContextView id={id} backTo={backTo} onFocus={(line, previous) => model.focus(line, previous)}
    onOpen={(line, previous) => {
      model.focus(line, previous);
      model.isDetailOpen.value = true;
    }} onMenu={(line, anchor) => (anchor instanceof Element ? (model.menu.value = { line, index: -1, anchor }) : undefined)}
    onReady={(pane) => (model.context.value = pane)} onBack={() => go({ around: '' })} />}</Later>;
}

/** A sheet from below may have come over the line that it is about. */
function keepInSight(model: LogsModel): void {
  const list = model.pane.peek()?.list;
  if (list !== undefined && list.focusedIndex >= 0) list.scrollToIndex(list.focusedIndex, 'nearest');
}

function closeDetail(model: LogsModel): void {
  model.isDetailOpen.value = false;
  const list = model.pane.peek()?.list;
  list?.rowElement(list.focusedIndex)?.focus({ preventScroll: true });
}

/** Asks for what the address says. */
function open(model: LogsModel): void {
  const { q, from, to, at } = address.peek();
  const isDefault = from === '1h' && to === 'now';
  model.session.open({ query: q, range: { from, to }, live: isLive.peek() || (address.peek().around !== '' && to === 'now' && at === ''), canWiden: isDefault, ...(at === '' ? {} : { at: at.split('..')[0]! }) });
}

/** Asks anew whenever the address asks for other lines; the context view leaves them as they are. */
function openSession(model: LogsModel): () => void {
  let last = '';
  return effect(() => {
    const { q, from, to, at, around, live } = address.value;
    if (address.value.place !== 'logs') return;
    const key = JSON.stringify([q, from, to, at, live]);
    if (key === last || isMetricQuery.value) return;
    // Whoever comes by a link to a context gets the lines behind it when going back.
    if (around !== '' && last !== '') return;
    last = key;
    open(model);
  });
}

let plotWidth = 0;
const widths = new WeakMap<LogsModel, () => void>();

function setWidth(model: LogsModel, width: number): void {
  const isOther = Math.round(width / WIDTH_STEP) !== Math.round(plotWidth / WIDTH_STEP);
  plotWidth = width;
  if (isOther) widths.get(model)?.();
}

/** The histogram follows the range of the answer, which may be wider than what was asked for. */
function feedHistogram(model: LogsModel): () => void {
  const { session, histogram } = model;
  let loaded = '';
  const load = (query: string, range: Range, name: string) => {
    const width = plotWidth > 0 ? plotWidth : Math.max(320, innerWidth - 24);
    const key = `${query} ${range.start} ${range.end} ${name} ${Math.round(width / WIDTH_STEP)}`;
    if (key === loaded) return;
    loaded = key;
    const oldest = status.peek()?.oldest;
    const kept = oldest == null ? null : toNs(oldest);
    // Nothing is older; but no axis is shorter than an hour that was not asked for.
    const clipped = kept === null || range.start >= kept ? range.start : kept < range.end - SPAN_MIN ? kept : range.end - SPAN_MIN;
    const start = clipped > range.start ? clipped : range.start;
    histogram.load({ query, range: { start, end: range.end > start ? range.end : start + 1_000_000_000n }, width, zone: name, oldest: kept });
  };
  const run = () => {
    const { from, to } = address.peek();
    const isSettled = session.state.peek() === 'gone' || session.state.peek() === 'partial';
    const bounds = session.bounds.peek() ?? (isSettled ? resolveRange(from, to, nowNs()) : null);
    if (bounds !== null && !isMetricQuery.peek() && (status.peek() !== null || bounds.start > 0n)) load(logql.peek(), bounds, zone.peek());
  };
  widths.set(model, run);
  const ends = [effect(() => {
    // The bars of the query before are nothing to wait for.
    if (session.state.value !== 'loading') return;
    histogram.close();
    loaded = '';
  }), effect(() => {
    void session.bounds.value;
    void (session.state.value === 'gone' || session.state.value === 'partial');
    void zone.value;
    // Everything there is begins with the oldest line kept, which the status says.
    void (status.value === null);
    run();
  })];
  const timer = setInterval(() => {
    if (session.connection.peek() === 'live' && !document.hidden) histogram.tick(nowNs());
    readLosses(model);
  }, TICK_MS);
  return () => {
    for (const end of ends) end();
    clearInterval(timer);
    widths.delete(model);
  };
}

function readLosses(model: LogsModel): void {
  const { store } = model.session;
  const losses: bigint[] = [];
  for (const chunk of store.chunks) for (const markers of chunk.markers.values()) for (const marker of markers) if (marker.kind === 'loss') losses.push(marker.time);
  for (const marker of store.markersAt(store.count)) if (marker.kind === 'loss') losses.push(marker.time);
  if (losses.join() !== model.losses.peek().join()) model.losses.value = losses;
}

/** What a screen reader is told: once per answer, and of new lines. */
function announceState(model: LogsModel): () => void {
  const { session } = model;
  const ends = [
    effect(() => {
      const state = session.state.value;
      if (state === 'ready') announce(`${linesText(session.count.peek())} loaded`);
    }),
    effect(() => {
      const connection = session.connection.value;
      if (connection === 'paused') announce('Paused');
      if (connection === 'reconnecting') announce('Reconnecting');
    }),
    effect(() => {
      const [lines, errors] = [session.newCount.value, session.newErrors.value];
      if (lines > 0) announce(`${formatCount(lines)} new lines${errors > 0 ? `, ${formatCount(errors)} errors` : ''}`);
    }),
  ];
  return () => ends.forEach((end) => end());
}

/** The view's place in the top bar: what is looked at, and whether it is live. */
function LogsTop({ model }: { model: LogsModel }) {
  const query = simple.value;
  const hasStreams = query !== null && query.matchers.length > 0;
  return <>
    <h1 class="crumb clip">{subject.value}</h1>
    {hasStreams && <button type="button" class="button bare small" aria-label="All streams" title="All streams, with these filters"
      onClick={() => change((each) => ({ ...each, matchers: [] }))}><Icon name="close" /></button>}
    <span class="grow" />
    <LiveButton model={model} />
  </>;
}

function LiveButton({ model }: { model: LogsModel }) {
  const { connection } = model.session;
  if (isMetricQuery.value || address.value.around !== '') return null;
  const state = connection.value;
  const words = { live: 'Live', paused: 'Paused', reconnecting: 'Reconnecting…', off: 'Live' }[state];
  const title = { live: 'Pause (Space)', paused: 'Follow again (Space)', reconnecting: 'Try now', off: 'Follow new lines (Space)' }[state];
  return <button type="button" class={`button live-button is-${state}`} aria-pressed={state === 'live'} title={title} onClick={() => model.toggleLive()}>
    {state === 'paused' ? <Icon name="pause" /> : <span class="live-sign" aria-hidden="true" />}{words}
  </button>;
}
