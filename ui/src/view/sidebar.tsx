// The fields of the lines that are loaded, the most telling first, with their values: a click on one filters.
import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { isAbort, toServerError } from '../api/http';
import { countValues } from '../api/explore';
import { build } from '../logql/build';
import { labelName, withLevels } from '../logql/clicks';
import { canFilter, excludeField, type FieldRef, includeField } from '../logql/fieldclicks';
import type { LineStore } from '../list/store';
import type { StreamTags } from '../list/tags';
import { groupOf, LEVELS, type Level, type Stream, toLevel } from '../model';
import type { LogSession } from '../session';
import { readFields } from '../text/fields';
import { isLevelKey } from '../text/level';
import { formatCount } from '../time/format';
import { change, logql, simple } from './asked';
import { toggleColumn } from './actions';
import { Icon, Mark } from './icon';

/** Lines whose fields are read: the newest. */
const LINES_MAX = 1_000;
/** How often, while lines come. */
const PAUSE_MS = 2_000;
/** How soon, where another answer comes. */
const SOON_MS = 100;
/** Work between two frames, and lines that are read before the clock is. */
const SLICE_MS = 5;
const PAUSE_LINES = 20;
const FIELDS_MAX = 120;
const VALUES_KEPT = 500;
const VALUES_SHOWN = 6;
/** A field that has more values than this tells lines apart instead of grouping them. */
const TELLING_MAX = 50;

export interface FieldSummary {
  readonly ref: FieldRef;
  readonly values: ReadonlyMap<string, number>;
  /** Lines that have it. */
  readonly lines: number;
}

export interface FieldsOf {
  readonly fields: readonly FieldSummary[];
  readonly streams: ReadonlyMap<Stream, number>;
  readonly lines: number;
}

/** Reads the newest lines' labels, metadata and fields; pauses after each few lines. */
export function* summarize(store: LineStore, linesMax = LINES_MAX): Generator<undefined, FieldsOf, void> {
  const found = new Map<string, { ref: FieldRef; values: Map<string, number>; lines: number }>();
  const streams = new Map<Stream, number>();
  const add = (name: string, from: FieldRef['from'], value: string) => {
    const key = `${from} ${name}`;
    let field = found.get(key);
    if (field === undefined) {
      if (found.size >= FIELDS_MAX) return;
      found.set(key, (field = { ref: { name, from }, values: new Map(), lines: 0 }));
    }
    field.lines += 1;
    if (field.values.has(value) || field.values.size < VALUES_KEPT) field.values.set(value, (field.values.get(value) ?? 0) + 1);
  };
  let lines = 0;
  // Lines may come and go meanwhile: counted from the newest.
  for (; lines < linesMax && lines < store.count; lines += 1) {
    const line = store.lineAt(store.count - 1 - lines);
    streams.set(line.stream, (streams.get(line.stream) ?? 0) + 1);
    add('detected_level', 'metadata', line.level);
    for (const [name, value] of line.stream.labels) add(name, 'stream', value);
    for (const [name, value] of line.metadata ?? []) if (name !== 'detected_level') add(name, 'metadata', value);
    const read = readFields(line.text);
    for (const field of read.kind === 'plain' ? [] : read.fields) {
      const last = field.path.at(-1) ?? '';
      // The level and the time are there already, as the server read them.
      if (field.kind === 'nested' || field === read.message || field.value.length > 200 || isLevelKey(last) || TIME_KEY.test(last)) continue;
      add(labelName(field.path, line.stream.labels), read.kind === 'json' ? 'json' : 'logfmt', field.value);
    }
    if (lines % PAUSE_LINES === PAUSE_LINES - 1) yield;
  }
  return { fields: sortFields([...found.values()]), streams, lines };
}

/** Level first, then what groups the lines, labels before fields; what is the same in all or different in each comes last. */
function sortFields(fields: FieldSummary[]): FieldSummary[] {
  const rank = ({ ref, values }: FieldSummary): number => {
    if (ref.name === 'detected_level') return 0;
    const isTelling = values.size > 1 && values.size <= TELLING_MAX;
    return (isTelling ? 1 : values.size === 1 ? 3 : 5) + (ref.from === 'stream' ? 0 : 1);
  };
  return fields.sort((a, b) => rank(a) - rank(b) || b.lines - a.lines || (a.ref.name < b.ref.name ? -1 : 1));
}

/** Keys that hold the line's own time. */
const TIME_KEY = /^(@?timestamp|@?time|ts|t|datetime|date|asctime)$/i;

const summary = signal<FieldsOf>({ fields: [], streams: new Map(), lines: 0 });

interface Props {
  readonly session: LogSession;
  readonly tags: StreamTags;
  readonly isDrawer: boolean;
  readonly onClose: () => void;
}

export function Sidebar({ session, tags, isDrawer, onClose }: Props) {
  const [wanted, setWanted] = useState('');
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let reading: ReturnType<typeof summarize> | undefined;
    const read = () => {
      reading ??= summarize(session.store);
      const until = performance.now() + SLICE_MS;
      let step = reading.next();
      while (!step.done && performance.now() < until) step = reading.next();
      timer = step.done ? undefined : setTimeout(read);
      if (!step.done) return;
      reading = undefined;
      summary.value = step.value;
    };
    read();
    const stop = session.store.subscribe(({ removed }) => {
      const isOther = removed > 0 && session.store.count === 0;
      // Another answer: what was read of the old one says nothing, and need not stay for long.
      if (isOther) {
        reading = undefined;
        clearTimeout(timer);
        timer = undefined;
      }
      timer ??= setTimeout(read, isOther || summary.peek().lines < 10 ? SOON_MS : PAUSE_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [session]);
  const { fields, streams, lines } = summary.value;
  const shown = fields.filter(({ ref }) => nameOf(ref).toLowerCase().includes(wanted.toLowerCase()));
  return <aside class={`sidebar${isDrawer ? ' is-drawer' : ''}`} aria-label="Fields">
    <header class="sidebar-head">
      <h2>Fields</h2>
      <input class="box sidebar-find" type="search" placeholder="find" aria-label="Find a field" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      <button type="button" class="button bare small" aria-label="Hide the fields" title="Hide (b)" onClick={onClose}><Icon name={isDrawer ? 'close' : 'left'} /></button>
    </header>
    <div class="sidebar-body">
      {shown.map((field, i) => <Field key={`${field.ref.from} ${field.ref.name}`} field={field} session={session} of={lines}
        isOpenFirst={i === 0 || (i < 4 && field.values.size > 1 && field.values.size <= 8)} />)}
      {streams.size > 1 && wanted === '' && <Streams streams={streams} tags={tags} />}
      {fields.length === 0 && <p class="muted sidebar-none">No lines</p>}
    </div>
    <footer class="sidebar-foot muted">counts of {formatCount(lines)} loaded lines</footer>
  </aside>;
}

function nameOf({ name }: FieldRef): string {
  return name === 'detected_level' ? 'level' : name;
}

const SOURCES: Readonly<Record<FieldRef['from'], string>> = { stream: 'label', metadata: 'metadata', json: 'json', logfmt: 'logfmt' };

type Counted = readonly { readonly value: string; readonly count: number }[];

function Field({ field, session, of, isOpenFirst }: { field: FieldSummary; session: LogSession; of: number; isOpenFirst: boolean }) {
  const [isOpen, setOpen] = useState<boolean | null>(null);
  const [hasAll, setAll] = useState(false);
  const [counted, setCounted] = useState<Counted | 'counting' | null>(null);
  const { ref, values } = field;
  const isShown = isOpen ?? isOpenFirst;
  const name = nameOf(ref);
  const isLevel = ref.name === 'detected_level';
  const loaded = [...values].map(([value, count]) => ({ value, count }));
  const sorted = Array.isArray(counted) ? counted
    : isLevel ? loaded.sort((a, b) => LEVELS.indexOf(toLevel(a.value)) - LEVELS.indexOf(toLevel(b.value))) : loaded.sort((a, b) => b.count - a.count);
  const most = sorted.reduce((max, { count }) => Math.max(max, count), 1);
  const shown = hasAll ? sorted.slice(0, 100) : sorted.slice(0, VALUES_SHOWN);
  const countAll = () => {
    const bounds = session.bounds.peek();
    if (bounds === null) return;
    setCounted('counting');
    countValues(withParser(ref), ref.name, bounds, 50, AbortSignal.timeout(15_000)).then(setCounted, (error: unknown) => {
      setCounted(null);
      if (!isAbort(error)) console.warn(toServerError(error).message);
    });
  };
  return <section class="facet">
    <button type="button" class="facet-head" aria-expanded={isShown} onClick={() => setOpen(!isShown)}>
      <Icon name="right" class="facet-arrow" /><span class="facet-name clip">{name}</span>
      <span class="muted facet-from">{isLevel ? '' : SOURCES[ref.from]}</span>
      <span class="muted facet-count">{values.size >= VALUES_KEPT ? `${VALUES_KEPT}+` : values.size}</span>
    </button>
    {isShown && <ul class="facet-values">
      {shown.map(({ value, count }) => <Value key={value} field={ref} value={value} count={count} share={count / most} isExact={Array.isArray(counted)} of={of} />)}
      <li class="facet-more">
        {sorted.length > shown.length && <button type="button" class="link" onClick={() => setAll(true)}>{formatCount(sorted.length - shown.length)} more</button>}
        {!isLevel && canFilter(ref) && <button type="button" class="link" disabled={counted === 'counting'} onClick={countAll}>
          {counted === 'counting' ? 'counting…' : Array.isArray(counted) ? 'count again' : 'count all'}</button>}
        {!isLevel && <button type="button" class="link" onClick={() => toggleColumn(ref.name)}>column</button>}
      </li>
    </ul>}
  </section>;
}

/** The query with the parser that finds the field. */
function withParser(ref: FieldRef): string {
  const query = simple.peek();
  if (ref.from === 'stream' || ref.from === 'metadata') return logql.peek();
  if (query === null) return `${logql.peek()} | ${ref.from} | drop __error__, __error_details__`;
  return build(query.parsers.includes(ref.from) ? query : { ...query, parsers: [...query.parsers, ref.from] });
}

interface ValueProps {
  readonly field: FieldRef;
  readonly value: string;
  readonly count: number;
  /** Of the most frequent value. */
  readonly share: number;
  readonly isExact: boolean;
  readonly of: number;
}

function Value({ field, value, count, share, isExact, of }: ValueProps) {
  const isLevel = field.name === 'detected_level';
  const can = simple.value !== null && canFilter(field);
  const include = () => change((query) => (isLevel ? withLevels(query, [value as Level]) : includeField(query, field, value)));
  const title = isExact ? `${formatCount(count)} lines of the range` : `${formatCount(count)} of ${formatCount(of)} loaded lines`;
  return <li class="facet-value" style={{ '--share': share.toFixed(3) }}>
    <button type="button" class="facet-text" disabled={!can} title={`${value === '' ? '""' : value}\n${title}\nOnly these`} onClick={include}>
      {isLevel && <Mark level={groupOf(toLevel(value))} />}<span class="clip">{shortValue(value)}</span>
    </button>
    {can && !isLevel && <span class="facet-acts">
      <button type="button" class="facet-act" aria-label={`Only ${value}`} title="Only these" onClick={include}><Icon name="include" /></button>
      <button type="button" class="facet-act" aria-label={`Without ${value}`} title="Without these" onClick={() => change((query) => excludeField(query, field, value))}><Icon name="exclude" /></button>
    </span>}
    <span class="facet-count">{formatCount(count)}</span>
  </li>;
}

/** What tells values apart: of a path its end. */
function shortValue(value: string): string {
  if (value === '') return '""';
  return value.startsWith('/') && value.length > 24 ? `…/${value.split('/').slice(-2).join('/')}` : value;
}

/** The streams that the loaded lines are of. */
function Streams({ streams, tags }: { streams: ReadonlyMap<Stream, number>; tags: StreamTags }) {
  const [isOpen, setOpen] = useState(false);
  const all = [...streams].sort((a, b) => b[1] - a[1]);
  const most = all[0]?.[1] ?? 1;
  const only = (stream: Stream) => {
    const name = ['pod', 'path'].find((each) => stream.labels.has(each)) ?? 'service_name';
    const value = stream.labels.get(name);
    if (value !== undefined) change((query) => includeField(query, { name, from: 'stream' }, value));
  };
  return <section class="facet sidebar-streams">
    <button type="button" class="facet-head" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
      <Icon name="right" class="facet-arrow" /><span class="facet-name">Streams</span><span class="grow" /><span class="muted facet-count">{all.length}</span>
    </button>
    {isOpen && <ul class="facet-values">{all.slice(0, 50).map(([stream, count]) => {
      const tag = tags.of(stream);
      return <li class="facet-value" key={stream.id} style={{ '--share': (count / most).toFixed(3) }}>
        <button type="button" class="facet-text" title="Only this stream" onClick={() => only(stream)}><span class={`stripe hue-${tag.hue}`} /><span class="clip">{tag.text}</span></button>
        <span class="facet-count">{formatCount(count)}</span>
      </li>;
    })}</ul>}
  </section>;
}
