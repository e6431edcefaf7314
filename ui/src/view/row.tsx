// A row of the overview's list and a group's head: both are links, with a box to tick, a sparkline, the share of errors and the age of the last line.
import { computed } from '@preact/signals';
import { useState } from 'preact/hooks';
import { errorShares } from '../api/shares';
import { streams } from '../api/streams';
import { type Group, isNew, isSilent, type Row } from '../groups';
import { groupOf } from '../model';
import { formatAge, formatBytes, formatCount, formatTime } from '../time/format';
import { folded, groups, logsHref, peeked, tick, ticked, toggled } from './chosen';
import { Icon } from './icon';
import { Spark } from './spark';

const SHARE_BAD = 0.05;

/** The largest step of any row, which the sparklines' heights are measured by. */
const most = computed(() => groups.value.reduce((all, { rows }) => rows.reduce((max, { volume }) => Math.max(max, ...volume), all), 0));

/** `9.1 %`; `–` where it is not known, never 0 for that. */
export function shareText(share: number | undefined): string {
  if (share === undefined) return '–';
  const percent = share * 100;
  return percent === 0 ? '0 %' : percent < 0.05 ? '< 0.1 %' : percent < 10 ? `${percent.toFixed(1)} %` : `${Math.round(percent)} %`;
}

/** `12 Nov 06:02`: a day and a time where seconds do not matter. */
export function formatMinute(ns: bigint, zone: string): string {
  return formatTime(ns, 'date', zone).replace(/:\d\d\.\d+/, '');
}

function Share({ of }: { of: Row }) {
  const share = errorShares.value?.of(of.streams);
  const isBad = share !== undefined && share >= SHARE_BAD;
  return <span class={`col-share${isBad ? ' bad-share' : share === 0 || share === undefined ? ' muted' : ''}`}>
    {shareText(share)}{isBad && <span class="mark mark-error" aria-hidden="true" />}
  </span>;
}

function Age({ of, isQuiet }: { of: Pick<Row, 'last'>; isQuiet?: boolean }) {
  return <span class={`col-age${isQuiet === true ? ' quiet' : ''}`}>{formatAge(of.last, streams.value?.now ?? of.last)}</span>;
}

const UNITS = { pod: 'pods', file: 'files', stream: 'streams' };

function nameOf(row: Row): string {
  const share = errorShares.value?.of(row.streams);
  const count = row.parts.length > 0 ? `, ${row.parts.length} ${UNITS[row.unit]}` : '';
  return `${row.name}${count}${share === undefined ? '' : `, errors ${shareText(share)}`}, last line ${formatAge(row.last, streams.value?.now ?? row.last)}`;
}

function volumeText({ volume }: Row | Group): string {
  return `about ${formatBytes(Math.round(volume.reduce((sum, step) => sum + step, 0)))} within the range`;
}

export function GroupHead({ group, isOpen }: { group: Group; isOpen: boolean }) {
  const row: Row = { ...group, parts: [], containers: [] };
  return <div class="group-head stream" onPointerEnter={() => (peeked.value = row)} onFocusIn={() => (peeked.value = row)}>
    <button type="button" class="fold" aria-expanded={isOpen} aria-label={group.name} onClick={() => (folded.value = toggled(folded.value, group.key))}><Icon name="right" /></button>
    <span class="col-name">
      <a class="stream-link" href={logsHref(group.matchers)} aria-label={nameOf(row)} title={group.name}><bdi>{group.name}</bdi></a>
      <span class="muted">{formatCount(group.rows.length)}</span>
    </span>
    <span class="col-spark" title={volumeText(group)}><Spark volume={group.volume} most={most.value * 2} /></span>
    <Share of={row} />
    <Age of={group} />
  </div>;
}

interface StreamRowProps {
  readonly row: Row;
  /** Whether it says where it is, because it stands outside of its group. */
  readonly hasPlace?: boolean;
  readonly depth?: 0 | 1;
}

export function StreamRow({ row, hasPlace = false, depth = 0 }: StreamRowProps) {
  const [shown, show] = useState<'' | 'parts' | 'containers'>('');
  const answer = streams.value!;
  const isQuiet = isSilent(row, answer.now);
  const inner = shown === 'parts' ? row.parts : shown === 'containers' ? row.containers : [];
  const isTicked = ticked.value.has(row.key);
  const unreadable = row.streams.some(({ state }) => state === 'unreadable');
  return <li>
    <div class={`stream depth-${depth}${isTicked ? ' is-ticked' : ''}`} onPointerEnter={() => (peeked.value = row)} onFocusIn={() => (peeked.value = row)}>
      <label class="tick"><input type="checkbox" checked={isTicked} aria-label={`Select ${row.name}`} onChange={() => tick(row)} /></label>
      <span class="col-name">
        <a class="stream-link clip" href={logsHref(row.matchers)} aria-label={nameOf(row)} title={row.unit === 'file' && row.parts.length === 0 ? row.name : undefined}>
          {hasPlace && <span class="muted">{row.place}{row.place.endsWith('/') || row.unit !== 'file' ? '' : '/'}{row.unit === 'file' ? '' : ' / '}</span>}{row.name}
        </a>
        {row.parts.length > 0 && <More count={row.parts.length} unit={UNITS[row.unit]} isOpen={shown === 'parts'} onClick={() => show(shown === 'parts' ? '' : 'parts')} />}
        {row.containers.length > 0 && <More count={row.containers.length} unit="containers" isOpen={shown === 'containers'}
          onClick={() => show(shown === 'containers' ? '' : 'containers')} />}
        {isNew(row, answer.start, answer.oldest) && <span class="new">NEW</span>}
        {row.gaps > 0 && <span class="flag" title="Lines were lost here; the list shows where">loss</span>}
        {unreadable && <span class="flag" title="The source cannot be read; Status says why">unreadable</span>}
      </span>
      <span class="col-spark" title={volumeText(row)}><Spark volume={row.volume} most={most.value} /></span>
      <Share of={row} />
      <Age of={row} isQuiet={isQuiet} />
    </div>
    {inner.length > 0 && <ul>{inner.map((part) => <StreamRow key={part.key} row={part} depth={1} />)}</ul>}
  </li>;
}

function More({ count, unit, isOpen, onClick }: { count: number; unit: string; isOpen: boolean; onClick: () => void }) {
  return <button type="button" class={`more more-${unit}`} aria-expanded={isOpen} onClick={onClick}>×{formatCount(count)}<span class="unit"> {unit}</span></button>;
}

/** The last line of the row under the pointer or the focus. */
export function Peek() {
  const row = peeked.value;
  return <div class="peek" aria-hidden="true">
    {row === null ? <span class="muted">A row's last line shows here. Click opens its lines.</span>
      : <><span class={`mark mark-${groupOf(row.lastLevel)}`} /><span class="mono clip">{row.lastLine}</span></>}
  </div>;
}
