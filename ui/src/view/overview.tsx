// The overview: every stream with how much it writes, its share of errors and its last line; beside it the lines as they come.
import { effect, signal } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { errorShares } from '../api/shares';
import { isImporting, status, statusError } from '../api/status';
import { isSplit } from '../api/instance';
import { streams, streamsError, watchStreams } from '../api/streams';
import { type Group, groupLabels, isNew, isSilent, keepOrder, placeWord, type Row, type Sort, sortRows } from '../groups';
import { go, hrefOf } from '../route';
import { LogSession } from '../session';
import { address, DEFAULT_ADDRESS } from '../state';
import { formatCount } from '../time/format';
import { filter, folded, grouping, groups, queryOf, sort, ticked, toggled } from './chosen';
import { Icon } from './icon';
import { Later, parts, Soon, useLaterThan } from './later';
import { LiveList } from './livelist';
import { MenuButton } from './opener';
import { GroupHead, Peek, StreamRow } from './row';

/** Rows of a group that are drawn at once; more come by a click. */
const ROWS_SHOWN = 200;
/** How long rows stay where they are after the pointer has left them. */
const SETTLE_MS = 2_000;

/** Which pane a phone shows. */
const phoneTab = signal<'streams' | 'live'>('streams');
/** Whether it is settled if the overview stays: it is skipped only for who comes to the page by its first address and has not begun to do anything.
 * Before anything is known no lines are shown, which would soon be gone. */
const isSettled = signal(typeof location !== 'undefined' && /\/(logs|status)$/.test(location.pathname));

export function Overview() {
  useEffect(watchStreams, []);
  useEffect(() => effect(() => parts.value?.watchErrors()), []);
  const isOnly = streams.value?.streams.length === 1 && streams.value.isMore === false;
  const now = status.value;
  useEffect(() => {
    const ends = new AbortController();
    for (const input of ['keydown', 'pointerdown']) addEventListener(input, () => (isSettled.value = true), { capture: true, signal: ends.signal });
    return () => ends.abort();
  }, []);
  // One stream alone is read at once: there is nothing to choose. What was there at the start may bring more of them.
  const isKnown = streamsError.value !== '' || statusError.value !== '' || ((streams.value?.streams.length ?? 0) > 0 && now !== null);
  const isRead = now !== null && !isImporting(now);
  useEffect(() => {
    if (!isKnown || isSettled.value) return;
    const isSkipped = isOnly && isRead && now.import.files <= 1;
    isSettled.value = isSkipped || !isOnly || isRead;
    if (isSkipped) go({ ...DEFAULT_ADDRESS, place: 'logs', q: '', from: address.value.from }, 'replace');
  }, [isKnown, isOnly, isRead]);
  if (streams.value !== null && streams.value.streams.length === 0) return <Later>{({ NothingYet }) => <NothingYet />}</Later>;
  return <div class="overview">
    <h1 class="sr">Overview of all logs</h1>
    <Soon wait={<div class="summary">…</div>}>{({ Summary }) => <Summary />}</Soon>
    {now !== null && isImporting(now) && <Later>{({ FirstMinutes }) => <FirstMinutes />}</Later>}
    {isSplit.value && <p class="bar notice">Answers come from two agents; open one of them.</p>}
    {streamsError.value !== '' && <p class="bar bad">{streamsError.value}</p>}
    <div class="choices phone-tabs" role="group" aria-label="What is shown">
      {(['streams', 'live'] as const).map((name) => <button key={name} type="button" aria-pressed={phoneTab.value === name} onClick={() => (phoneTab.value = name)}>
        {name === 'streams' ? 'Streams' : 'Live'}</button>)}
    </div>
    <div class="panes" data-shown={phoneTab.value}>
      <StreamPane />
      <LivePane isHidden={!isKnown && !isSettled.value} />
    </div>
  </div>;
}

function matches(row: Row, group: Group, wanted: string): boolean {
  return `${group.name} ${row.name} ${row.parts.map(({ name }) => name).join(' ')}`.toLowerCase().includes(wanted);
}

const SORTS: readonly (readonly [Sort, string])[] = [['last', 'last line'], ['name', 'name'], ['volume', 'volume'], ['errors', 'errors']];

function StreamPane() {
  const answer = streams.value;
  const [isHeld, hold] = useState(false);
  const order = useRef<ReadonlyMap<string, number>>(new Map());
  const settle = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(settle.current), []);

  const now = answer?.now ?? 0n;
  const shareOf = (row: { streams: Row['streams'] }) => errorShares.value?.of(row.streams) ?? -1;
  const wanted = filter.value.trim().toLowerCase();
  const sorted = sortRows(groups.value, sort.value, now, shareOf)
    .map((group) => ({ ...group, rows: sortRows(group.rows.filter((row) => wanted === '' || matches(row, group, wanted)), sort.value, now, shareOf) }))
    .filter(({ rows }) => rows.length > 0);
  // Rows do not move under the pointer.
  const shown = isHeld ? keepOrder(sorted, order.current).map((group) => ({ ...group, rows: keepOrder(group.rows, order.current) })) : sorted;
  if (!isHeld) order.current = new Map(shown.flatMap((group) => [group.key, ...group.rows.map(({ key }) => key)]).map((key, index) => [key, index]));

  const all = shown.flatMap(({ rows }) => rows);
  const silent = all.filter((row) => isSilent(row, now)).sort((a, b) => (a.last < b.last ? 1 : -1));
  const fresh = answer === null ? [] : all.filter((row) => isNew(row, answer.start, answer.oldest));
  const by = grouping.value === '' ? placeWord(answer?.streams ?? []) : grouping.value;
  const sortWord = SORTS.find(([name]) => name === sort.value)![1];
  const enter = () => {
    clearTimeout(settle.current);
    hold(true);
  };
  const leave = () => {
    clearTimeout(settle.current);
    settle.current = setTimeout(() => hold(false), SETTLE_MS);
  };
  return <section class="streams" aria-label="Streams">
    <div class="streams-tools">
      <label class="search grow"><Icon name="filter" />
        <input class="box" type="search" placeholder="Filter streams…" aria-label="Filter streams" value={filter.value} spellcheck={false} autocomplete="off"
          onInput={(event) => (filter.value = event.currentTarget.value)} />
      </label>
      <MenuButton label={`group ${by}`} face={<span><span class="muted">group </span>{by}</span>} hasArrow
        items={() => [
          { label: placeWord(answer?.streams ?? []), isChecked: grouping.value === '', run: () => (grouping.value = '') },
          ...groupLabels(answer?.streams ?? []).filter((name) => name !== placeWord(answer?.streams ?? [])).map((name, index) => ({
            label: name, isChecked: grouping.value === name, run: () => void (grouping.value = name), isApart: index === 0, hint: 'label',
          })),
        ]} />
      <MenuButton label={`sort ${sortWord}`} align="end" face={<span><span class="muted">sort </span>{sortWord}</span>} hasArrow
        items={() => SORTS.map(([name, label]) => ({ label, isChecked: sort.value === name, run: () => {
          sort.value = name;
          hold(false);
        } }))} />
    </div>
    <div class="streams-head" aria-hidden="true">
      <span class="col-name">stream</span><span class="col-spark">volume ≈</span><span class="col-share">errors</span><span class="col-age">last</span>
    </div>
    <div class="streams-rows" onPointerEnter={enter} onPointerLeave={leave}>
      {answer === null && <Waiting />}
      {shown.map((group) => <GroupRows key={group.key} group={group} isOnlyOne={shown.length === 1} />)}
      {answer !== null && shown.length === 0 && <p class="streams-none">No stream has “{filter.value}” in its name. <button type="button" class="button bordered small"
        onClick={() => (filter.value = '')}>Show all {formatCount(answer.streams.length)}</button></p>}
      <Section name="silent" label="Silent for 10 min or more" rows={silent} />
      <Section name="new" label="New within the range" rows={fresh} />
      {answer?.isMore === true && <p class="streams-none muted">More than 5,000 streams: the newest 5,000 are shown.</p>}
    </div>
    <Peek />
    {ticked.value.size > 0 && <Later>{({ Ticked }) => <Ticked />}</Later>}
  </section>;
}

/** Grey rows until the first answer, so that nothing jumps. */
function Waiting() {
  return <div aria-hidden="true">{Array.from({ length: 8 }, (_, index) => <div key={index} class={`stream skeleton skeleton-${index % 4}`}><span /></div>)}</div>;
}

function GroupRows({ group, isOnlyOne }: { group: Group; isOnlyOne: boolean }) {
  const [limit, setLimit] = useState(ROWS_SHOWN);
  const isOpen = !folded.value.has(group.key) || filter.value !== '' || isOnlyOne;
  return <section class="group" aria-label={group.name}>
    <GroupHead group={group} isOpen={isOpen} />
    {isOpen && <ul>
      {group.rows.slice(0, limit).map((row) => <StreamRow key={row.key} row={row} />)}
      {group.rows.length > limit && <li><button type="button" class="button small" onClick={() => setLimit(limit + 1_000)}>
        {formatCount(group.rows.length - limit)} more</button></li>}
    </ul>}
  </section>;
}

/** Rows that stand in their groups too, gathered because something is to be seen about them. */
function Section({ name, label, rows }: { name: string; label: string; rows: readonly Row[] }) {
  if (rows.length === 0) return null;
  const isOpen = !folded.value.has(name);
  return <section class="group group-extra" aria-label={label}>
    <div class="group-head">
      <button type="button" class="fold" aria-expanded={isOpen} onClick={() => (folded.value = toggled(folded.value, name))}>
        <Icon name="right" /><span>{label}</span>{name === 'new' && <span class="new">NEW</span>}<span class="muted">{formatCount(rows.length)}</span>
      </button>
    </div>
    {isOpen && <ul>{rows.slice(0, ROWS_SHOWN).map((row) => <StreamRow key={row.key} row={row} hasPlace />)}</ul>}
  </section>;
}

const isLiveShown = signal(true);

function LivePane({ isHidden }: { isHidden: boolean }) {
  const session = useMemo(() => new LogSession(), []);
  useLaterThan(session);
  const [isPaused, setPaused] = useState(false);
  const count = ticked.value.size;
  const query = queryOf([...ticked.value.values()]);
  const { from, to } = address.value;
  const since = to === 'now' ? from : '1h';
  const isShown = isLiveShown.value;
  const connection = session.connection.value;
  const [word, kind] = isPaused ? ['Paused', 'paused'] : connection === 'reconnecting' ? ['Reconnecting…', 'away'] : session.state.value === 'error' ? ['Live', 'away'] : ['Live', 'on'];
  return <section class={`livepane${isShown ? '' : ' closed'}`} aria-label="Live lines">
    <div class="livepane-head">
      <button type="button" class="fold narrow-only" aria-expanded={isShown} aria-label="Live lines" onClick={() => (isLiveShown.value = !isShown)}><Icon name="right" /></button>
      <span class={`live-dot ${kind}`} aria-hidden="true" />
      <h2 class="grow clip">{word} <span class="muted">· {count === 0 ? 'all logs' : `${count} selected`}</span></h2>
      <button type="button" class="button small" onClick={() => setPaused(!isPaused)}><Icon name={isPaused ? 'play' : 'pause'} />{isPaused ? 'Follow' : 'Pause'}</button>
      <a class="button small" href={hrefOf({ ...DEFAULT_ADDRESS, place: 'logs', q: query, from: since })}>Open in Logs</a>
    </div>
    {isShown && <LiveList session={session} query={query} from={since} isHidden={isHidden} isPaused={isPaused} onPause={setPaused} />}
  </section>;
}
