// Everything there is about one line: its time, stream, metadata and fields, and what can be done with each value.
import { signal, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { registerKeys } from '../keys';
import { labelName } from '../logql/clicks';
import { groupOf, type Line, lineId } from '../model';
import { prefer, theme } from '../preferences';
import { address, preferences } from '../state';
import { copyText } from '../text/clipboard';
import { type Fields, readFields } from '../text/fields';
import { type Json, parseJson, pretty } from '../text/json';
import { formatDuration, formatFull } from '../time/format';
import { zoneName } from '../time/zone';
import { copied, copyLineLink, copyLines, copyRawLine, lineLink, openContext } from './actions';
import { FieldRow, fieldRow, type Row } from './fieldrows';
import { Icon, Mark } from './icon';
import { PrettyText, RawText, SmartText } from './linetext';
import '../style/text.css';
import '../style/detail.css';

export interface DetailProps {
  readonly line: Line;
  /** The line above it in the list, to say how much time lies between. */
  readonly previous?: Line;
  readonly onClose: () => void;
  /** Goes to the next (1) or previous (-1) line of the list. */
  readonly onMove: (step: 1 | -1) => void;
  /** It has opened, and what was beside it has its new size. */
  readonly onShown?: () => void;
}

type TabName = 'fields' | 'json' | 'raw';
const TABS: readonly (readonly [TabName, string])[] = [['fields', 'Fields'], ['json', 'JSON'], ['raw', 'Raw']];

/** Rows of a group that are shown before it is opened. */
const ROWS_SHOWN = 12;
/** Names of the groups that are open: they stay open from line to line. */
const opened = signal<readonly string[]>([]);
const WIDTH = { min: 280, max: 900, step: 20 };
/** How far a sheet is pulled down to close it, in px. */
const PULL_PX = 80;

export function Detail({ line, previous, onClose, onMove, onShown }: DetailProps) {
  const tab = useSignal<TabName>('fields');
  const body = useRef<HTMLDivElement>(null);
  const zone = zoneName(preferences.value.zone);
  const id = lineId(line);
  const fields = useMemo(() => readFields(line.text), [line]);
  const json = useMemo(() => (fields.kind === 'json' ? parseJson(line.text) : null), [line, fields]);

  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => registerKeys('One line', [{ keys: ['Escape'], does: 'close the detail', rank: 30, run: () => close.current() }]), []);
  useEffect(() => {
    // Two frames: the first one is for those who watch their size.
    requestAnimationFrame(() => requestAnimationFrame(() => onShown?.()));
  }, []);
  useEffect(() => {
    body.current?.scrollTo(0, 0);
  }, [id]);
  const { around } = address.value;
  const before = useRef(around);
  useEffect(() => {
    // On a phone the detail covers what was opened.
    if (around !== before.current && matchMedia('(width < 600px)').matches) onClose();
    before.current = around;
  }, [around]);

  const isTab = (name: TabName) => tab.value === name && (name !== 'json' || json !== null);
  const current = TABS.find(([name]) => isTab(name))?.[0] ?? 'fields';
  return <aside class="detail" aria-label="Line" style={{ '--detail-width': `${preferences.value.detailWidth}px` }}>
    <ResizeHandle />
    <header class="detail-head" {...pulling(onClose)}>
      <button type="button" class="button detail-back" onClick={onClose}><Icon name="left" /> Back</button>
      <h2 class="grow">
        <a href={lineLink([line])} title="Link to this line">{formatFull(line.time, zone, true)}</a>
        <span class={`detail-level level-${groupOf(line.level)}`}><Mark level={groupOf(line.level)} /> {line.level}</span>
      </h2>
      <button type="button" class="button bare" aria-label="Close the detail" title="Close (Esc)" onClick={onClose}><Icon name="close" /></button>
    </header>
    <div class="detail-body" ref={body} key={id}>
      <p class="muted">
        {line.stream.service}{previous !== undefined && ` · ${between(previous, line)}`}
      </p>
      <Message line={line} fields={fields} />
      <div class="detail-actions">
        <button type="button" class="button bordered small" onClick={() => openContext(line)} title="What stands around it (c)">Around it</button>
        <button type="button" class="button bordered small" onClick={() => void copyLineLink([line])} title="Copy a link to it (l)"><Icon name="link" /> Link</button>
        <button type="button" class="button bordered small" onClick={() => void copyLines([line])} title="Copy its text (y)"><Icon name="copy" /> Copy</button>
      </div>
      <Tabs current={current} hasJson={json !== null} onChange={(name) => (tab.value = name)} />
      <div id="detail-panel" role="tabpanel" aria-label={TABS.find(([name]) => name === current)?.[1]}>
        {current === 'fields' && <FieldGroups line={line} fields={fields} json={json} />}
        {current === 'json' && json !== null && <JsonTab json={json} text={line.text} />}
        {current === 'raw' && <>
          <RawText text={line.text} />
          <button type="button" class="button bordered small" onClick={() => void copyRawLine(line)}>Copy raw, with control characters</button>
        </>}
      </div>
    </div>
    <footer class="detail-foot">
      <button type="button" class="button small" onClick={() => onMove(-1)}><Icon name="left" /> Previous <kbd>k</kbd></button>
      <button type="button" class="button small" onClick={() => onMove(1)}>Next <kbd>j</kbd> <Icon name="right" /></button>
    </footer>
  </aside>;
}

function between(previous: Line, line: Line): string {
  const ns = line.time - previous.time;
  if (ns === 0n) return 'at the time of the line before';
  return ns < 0n ? `${formatDuration(-ns)} older than the line above` : `${formatDuration(ns)} after the line before`;
}

/** What the line says: its message and its trace, or all of its text. */
function Message({ line, fields: { kind, message, trace } }: { line: Line; fields: Fields }) {
  const isDark = theme.value === 'dark';
  if (kind !== 'plain' && message === undefined && trace === undefined) return null;
  return <div class="detail-message">
    {kind === 'plain' ? <SmartText text={line.text} isDark={isDark} /> : message !== undefined && <SmartText text={message.value} isDark={isDark} />}
    {trace !== undefined && <SmartText text={trace.value} isDark={isDark} label="Trace" />}
  </div>;
}

function Tabs({ current, hasJson, onChange }: { current: TabName; hasJson: boolean; onChange: (name: TabName) => void }) {
  const shown = TABS.filter(([name]) => name !== 'json' || hasJson);
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const index = shown.findIndex(([name]) => name === current);
    onChange(shown[(index + step + shown.length) % shown.length]![0]);
    const buttons = (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role=tab]');
    buttons[(index + step + shown.length) % shown.length]?.focus();
  };
  return <div class="tabs" role="tablist" aria-label="Parts of the line" onKeyDown={onKey}>
    {shown.map(([name, label]) => <button type="button" key={name} role="tab" aria-selected={name === current} aria-controls="detail-panel"
      tabIndex={name === current ? 0 : -1} onClick={() => onChange(name)}>{label}</button>)}
  </div>;
}

function JsonTab({ json, text }: { json: Json; text: string }) {
  const pieces = useMemo(() => pretty(json, text), [json, text]);
  return <>
    <PrettyText pieces={pieces} />
    <button type="button" class="button bordered small" onClick={() => void copied(copyText(pieces.map((piece) => piece.text).join('')), 'the JSON')}>Copy JSON</button>
  </>;
}

function FieldGroups({ line, fields, json }: { line: Line; fields: Fields; json: Json | null }) {
  const { labels } = line.stream;
  const metadata = line.metadata ?? new Map<string, string>();
  const taken = { has: (name: string) => labels.has(name) || metadata.has(name) };
  const from = fields.kind === 'json' ? 'json' : 'logfmt';
  const rows: Row[] = json === null
    ? fields.fields.map(({ path, value }) => fieldRow(path, value, { name: labelName(path, taken), from }))
    : treeRows(json, line.text, taken);
  const known = new Set(fields.fields.map(({ path }) => labelName(path, taken)));
  // What a parser of the query found that is not seen in the text: of `pattern`, `regexp`, `label_format`.
  const parsed = [...(line.parsed ?? [])].filter(([name]) => !known.has(name));
  return <>
    <Group name="Fields" rows={rows} />
    <Group name="Line" rows={[...metadata].map(([name, value]) => fieldRow([name], value, { name, from: 'metadata' }))} />
    <Group name="Parsed by the query" rows={parsed.map(([name, value]) => fieldRow([name], value, { name, from: 'metadata' }))} />
    <Group name="Stream" rows={[...labels].map(([name, value]) => fieldRow([name], value, { name, from: 'stream' }))} />
  </>;
}

/** The members of JSON as a tree: a row per leaf, and one per object that holds others. */
function treeRows(json: Json, text: string, taken: { has(name: string): boolean }): Row[] {
  const rows: Row[] = [];
  const visit = (value: Json, path: readonly string[]) => {
    const key = `${path.join('.')}/${value.start}`;
    const depth = path.length - 1;
    const title = path.join('.');
    const label = path.at(-1) ?? '';
    if (value.kind === 'object' && 0 < value.members.length) {
      if (0 < path.length) rows.push({ key, label, title, value: '', depth, isParent: true });
      for (const member of value.members) visit(member.value, [...path, member.key]);
    } else if (value.kind === 'array' || value.kind === 'object' || value.kind === 'nested') {
      rows.push({ key, label, title, value: text.slice(value.start, value.end), depth });
    } else if (value.kind === 'word' && value.text === 'null') {
      // No parser makes a label of it.
      rows.push({ key, label, title, value: 'null', depth, isBare: true });
    } else {
      rows.push({ ...fieldRow(path, value.text, { name: labelName(path, taken), from: 'json' }, depth), key });
    }
  };
  visit(json, []);
  return rows;
}

function Group({ name, rows }: { name: string; rows: readonly Row[] }) {
  if (rows.length === 0) return null;
  const shown = opened.value.includes(name) ? rows : rows.slice(0, ROWS_SHOWN);
  return <section class="detail-group" aria-label={name}>
    <h3>{name}</h3>
    <ul>{shown.map((row) => <FieldRow key={row.key} row={row} />)}</ul>
    {shown.length < rows.length && <button type="button" class="button small" onClick={() => (opened.value = [...opened.value, name])}>
      <Icon name="right" /> {rows.length - shown.length} more
    </button>}
  </section>;
}

function ResizeHandle() {
  const width = preferences.value.detailWidth;
  const set = (to: number) => prefer({ detailWidth: Math.round(Math.min(WIDTH.max, Math.max(WIDTH.min, to))) });
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowLeft' ? WIDTH.step : event.key === 'ArrowRight' ? -WIDTH.step : 0;
    if (step === 0) return;
    event.preventDefault();
    event.stopPropagation();
    set(width + step);
  };
  return <div class="detail-resize" role="separator" aria-orientation="vertical" aria-label="Width of the detail" aria-valuenow={width} aria-valuemin={WIDTH.min}
    aria-valuemax={WIDTH.max} tabIndex={0} onKeyDown={onKey}
    onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
    onPointerMove={(event) => {
      const handle = event.currentTarget;
      if (handle.hasPointerCapture(event.pointerId)) set(handle.parentElement!.getBoundingClientRect().right - event.clientX);
    }} />;
}

/** Pulling the head of a sheet down closes it. */
function pulling(onClose: () => void) {
  let from: number | undefined;
  return {
    onTouchStart: (event: TouchEvent) => (from = event.touches[0]?.clientY),
    onTouchEnd: (event: TouchEvent) => {
      if (from !== undefined && PULL_PX < (event.changedTouches[0]?.clientY ?? 0) - from) onClose();
      from = undefined;
    },
  };
}
