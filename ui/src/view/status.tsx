// The status page: is anything lost, how much is kept, what comes in, what is wrong and how to mend it, and each source.
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { type AgentStatus, type Gap, rates, type Source, status, statusError, type Target, type Use } from '../api/status';
import { logOut } from '../api/http';
import { toNs } from '../api/streams';
import { sourceMatchers } from '../groups';
import { build } from '../logql/build';
import { ALL } from '../logql/query';
import { hrefOf } from '../route';
import { DEFAULT_ADDRESS, preferences } from '../state';
import { visible } from '../text/controls';
import { formatAge, formatBytes, formatCount, formatDuration, formatRfc3339 } from '../time/format';
import { zoneName } from '../time/zone';
import { FirstMinutes } from './beginning';
import { Icon } from './icon';
import { SourceProblem } from './nothing';
import { formatMinute } from './row';
import { conclusion, problemCount } from './verdict';

const SECOND = 1_000_000_000n;
const SOURCES_SHOWN = 200;
const GAPS_SHOWN = 50;

export function Status() {
  const now = status.value;
  const verdict = conclusion.value;
  return <div class="status">
    <header class={`verdict verdict-${verdict.kind}`}>
      <h1><span class={`dot dot-${verdict.kind}`} aria-hidden="true" />{verdict.words}</h1>
      {now !== null && <p class="muted">monitoring-rs {now.version}{now.commit !== 'unknown' && ` (${now.commit.slice(0, 7)})`} · up {formatDuration(BigInt(now.uptime_seconds) * SECOND)} · {now.collector}
        {now.root !== '' && <> <code>{now.root}</code> · data <code>{now.data_directory}</code></>}
        {now.caller !== undefined && <> · {visible(now.caller)} <button type="button" class="link" onClick={() => void logOut()}>Log out</button></>}</p>}
      {statusError.value !== '' && <p class="danger">{statusError.value} {now !== null && 'What follows is what it said last.'}</p>}
    </header>
    {now !== null && <>
      <FirstMinutes />
      <div class="cards"><Balance now={now} /><Kept now={now} /><Now now={now} />{(now.queries ?? now.tails) !== undefined && <Clients now={now} />}{now.forward?.map((target) => <Forward key={target.address} target={target} />)}</div>
      <Problems now={now} />
      <Sources sources={now.sources ?? []} />
      <p class="status-foot muted">Also as <a href="../status">JSON</a>, for <a href="../metrics">Prometheus</a>, and at <code>/readyz</code>.</p>
    </>}
  </div>;
}

function Card({ title, isBad = false, children }: { title: string; isBad?: boolean; children: ComponentChildren }) {
  return <section class={`card${isBad ? ' card-bad' : ''}`}><h2>{title}</h2><dl>{children}</dl></section>;
}

function Item({ name, sign, children, isQuiet = false }: { name: string; sign?: string; children: ComponentChildren; isQuiet?: boolean }) {
  return <div class={isQuiet ? 'muted' : undefined}><dt>{sign !== undefined && <span class="sign">{sign}</span>}{name}</dt><dd>{children}</dd></div>;
}

const SKIPPED: Record<string, string> = {
  line_too_long: 'rest of lines over the limit', start_from_end: 'history before the first start', truncated: 'cut before they were read', deleted: 'deleted while not running',
  over_budget: 'deleted, over what may be held', damaged: 'in damaged archives', hole: 'holes that nobody wrote', copied: 'in copies of what was read',
};

/** Reasons for which what was skipped is lost; the others were chosen. */
const LOSSES = new Set(['truncated', 'deleted', 'over_budget', 'damaged']);

/** Seen = stored + skipped + waiting, as an equation: a difference is a defect. */
function Balance({ now }: { now: AgentStatus }) {
  const reasons = Object.entries(now.skipped_bytes).filter(([, bytes]) => bytes > 0).sort(([, a], [, b]) => b - a);
  const skipped = reasons.reduce((sum, [, bytes]) => sum + bytes, 0);
  const isLost = reasons.some(([reason]) => LOSSES.has(reason)) || now.gaps.length > 0;
  return <Card title={now.unaccounted_bytes !== 0 ? 'Bytes are missing' : isLost ? 'Something was lost' : 'Nothing lost'} isBad={now.unaccounted_bytes !== 0}>
    <Item name="seen" sign="">{formatBytes(now.seen_bytes)}</Item>
    <Item name="stored" sign="=">{formatBytes(now.stored_bytes)}</Item>
    <Item name="skipped" sign="+">{formatBytes(skipped)}</Item>
    {reasons.map(([reason, bytes]) => <Item key={reason} name={SKIPPED[reason] ?? reason.replaceAll('_', ' ')} sign="" isQuiet>{formatBytes(bytes)}</Item>)}
    <Item name="waiting" sign="+">{formatBytes(now.waiting_bytes)}</Item>
    {now.unaccounted_bytes !== 0 && <Item name="unaccounted for" sign="+"><b class="danger">{formatBytes(now.unaccounted_bytes)}</b></Item>}
  </Card>;
}

function Kept({ now }: { now: AgentStatus }) {
  const zone = zoneName(preferences.value.zone);
  const { bytes_max: size, age_seconds_max: age, last_dropped: dropped } = now.retention ?? {};
  return <Card title="Kept">
    <Item name="on disk">{formatBytes(now.disk_bytes)}{now.disk_bytes > 0 && now.bytes > now.disk_bytes && <span class="muted"> of {formatBytes(now.bytes)}</span>}</Item>
    <Item name="lines">{formatCount(now.lines)}</Item>
    <Item name="streams">{formatCount(now.streams)}</Item>
    <Item name="oldest">{now.oldest === null ? '–' : formatMinute(toNs(now.oldest), zone)}</Item>
    {(size != null || age != null) && <Item name="limit">{[size != null ? formatBytes(size) : '', age != null ? formatDuration(BigInt(age) * SECOND) : ''].filter(Boolean).join(', ')}</Item>}
    {dropped != null && <Item name="dropped" isQuiet>by {dropped.reason}, {formatMinute(toNs(dropped.time), zone)}</Item>}
    {now.quarantined_bytes > 0 && <Item name="damaged, set aside">{formatBytes(now.quarantined_bytes)}</Item>}
  </Card>;
}

function Now({ now }: { now: AgentStatus }) {
  const sources = now.sources ?? [];
  const lines = now.lines_per_second ?? rates.value?.lines;
  const behind = sources.reduce((sum, { lag_bytes: lag }) => sum + lag, 0);
  return <Card title="Now">
    <Item name="lines">{lines === undefined ? '–' : `${formatCount(Math.round(lines))}/s`}</Item>
    <Item name="read">{rates.value === null ? '–' : `${formatBytes(Math.round(rates.value.bytes))}/s`}</Item>
    <Item name="behind">{formatBytes(behind)}</Item>
    <Item name="sources">{formatCount(sources.length)}</Item>
    <Item name="polled">{formatCount(sources.filter(({ polled }) => polled).length)}</Item>
    {now.held_deleted_bytes > 0 && <Item name="deleted, being read">{formatBytes(now.held_deleted_bytes)}</Item>}
  </Card>;
}

function useText(use: Use | undefined): string {
  return use === undefined ? '–' : `${use.running} of ${use.max}`;
}

function Clients({ now }: { now: AgentStatus }) {
  return <Card title="Clients">
    <Item name="queries">{useText(now.queries)}</Item>
    <Item name="live tails">{useText(now.tails)}</Item>
  </Card>;
}

function Forward({ target }: { target: Target }) {
  return <Card title="Forwarding" isBad={target.problem !== null}>
    <Item name="to">{visible(target.address)}</Item>
    <Item name="waiting">{formatCount(target.waiting_lines)} <span class="muted">{formatBytes(target.waiting_bytes)}</span></Item>
    {target.dropped_lines > 0 && <Item name="dropped by retention">{formatCount(target.dropped_lines)}</Item>}
    {target.refused_lines > 0 && <Item name="refused">{formatCount(target.refused_lines)}</Item>}
  </Card>;
}

const WHY: Record<string, string> = {
  truncated: 'the file was cut before they were read', deleted: 'the file was deleted while the agent was not running',
  over_budget: 'the file was deleted and more waited than may be held', damaged: 'the archive is damaged',
};

function sourceQuery(path: string): string {
  return build({ ...ALL, matchers: sourceMatchers(path, status.value?.collector ?? '') });
}

/** The lines around where a loss was found. */
function gapHref({ path, found }: Gap): string {
  const at = toNs(found);
  return hrefOf({ ...DEFAULT_ADDRESS, place: 'logs', q: sourceQuery(path), from: formatRfc3339(at - 300n * SECOND, 'UTC'), to: formatRfc3339(at + 300n * SECOND, 'UTC') });
}

function Problems({ now }: { now: AgentStatus }) {
  const unreadable = (now.sources ?? []).filter(({ state }) => state === 'unreadable');
  const count = problemCount(now) + (now.problem === undefined ? 0 : 1);
  const zone = zoneName(preferences.value.zone);
  if (count === 0) return null;
  return <section class="problems" aria-label="Problems">
    <h2>Problems <span class="muted">{formatCount(count)}</span></h2>
    <ul>
      {now.problem !== undefined && <li class="problem"><Icon name="warning" /><span class="grow">{now.problem}</span></li>}
      {now.alerts?.map(({ name, labels, summary, since }) => <li key={name + labels} class="problem"><Icon name="warning" />
        <span class="grow"><b>{visible(name)}</b> {visible(summary)} <span class="muted">{visible(labels)}, since {formatMinute(toNs(since), zone)}</span></span></li>)}
      {now.forward?.map(({ address, problem }) => problem !== null && <li key={address} class="problem"><Icon name="warning" />
        <span class="grow">Lines wait to be forwarded: {visible(problem)}</span></li>)}
      {unreadable.slice(0, GAPS_SHOWN).map((source) => <SourceProblem key={source.path} source={source} />)}
      {now.unreadable_parts > 0 && <li class="problem"><Icon name="warning" />
        <span class="grow">{formatCount(now.unreadable_parts)} stored {now.unreadable_parts === 1 ? 'part' : 'parts'} could not be read and {now.unreadable_parts === 1 ? 'is' : 'are'} left out of answers.</span></li>}
      {[...now.gaps].reverse().slice(0, GAPS_SHOWN).map((gap) => <li key={`${gap.path}${gap.from}${gap.found}`} class="problem"><Icon name="warning" />
        <span class="grow">{formatBytes(gap.to - gap.from)} of <code>{visible(gap.path)}</code> were lost {formatMinute(toNs(gap.found), zone)}
          {' '}<span class="muted">({WHY[gap.reason] ?? gap.reason.replaceAll('_', ' ')})</span></span>
        <a class="button small" href={gapHref(gap)}>Show the place<Icon name="right" /></a></li>)}
    </ul>
  </section>;
}

type Column = 'path' | 'state' | 'size_bytes' | 'read_bytes' | 'lag_bytes' | 'last_read';

const COLUMNS: readonly (readonly [Column, string])[] = [
  ['path', 'path'], ['state', 'state'], ['size_bytes', 'size'], ['read_bytes', 'read'], ['lag_bytes', 'behind'], ['last_read', 'last read'],
];

const order = signal<{ column: Column; isDown: boolean }>({ column: 'last_read', isDown: true });
const wanted = signal('');
const shownCount = signal(SOURCES_SHOWN);

function sortSources(sources: readonly Source[]): Source[] {
  const { column, isDown } = order.value;
  const valueOf = (source: Source) => source[column] ?? '';
  const compare = (a: Source, b: Source) => (valueOf(a) < valueOf(b) ? -1 : valueOf(a) > valueOf(b) ? 1 : a.path < b.path ? -1 : 1);
  return [...sources].sort((a, b) => (isDown ? -compare(a, b) : compare(a, b)));
}

function Sources({ sources }: { sources: readonly Source[] }) {
  const text = wanted.value.trim().toLowerCase();
  const found = sortSources(sources.filter(({ path, state }) => text === '' || `${path} ${state}`.toLowerCase().includes(text)));
  const { column, isDown } = order.value;
  const now = BigInt(Date.now()) * 1_000_000n;
  return <section class="sources" aria-label="Sources">
    <div class="sources-head">
      <h2>Sources <span class="muted">{formatCount(found.length)}{found.length !== sources.length && ` of ${formatCount(sources.length)}`}</span></h2>
      <label class="search"><Icon name="filter" /><input class="box" type="search" placeholder="Filter sources…" aria-label="Filter sources" value={wanted.value} spellcheck={false}
        onInput={(event) => (wanted.value = event.currentTarget.value)} /></label>
    </div>
    <div class="sources-scroll" tabIndex={0} role="region" aria-label="Table of sources"><table>
      <thead><tr>{COLUMNS.map(([name, label]) => <th key={name} scope="col" class={`col-${name}`} aria-sort={name === column ? (isDown ? 'descending' : 'ascending') : 'none'}>
        <button type="button" onClick={() => (order.value = { column: name, isDown: name === column ? !isDown : name !== 'path' && name !== 'state' })}>
          {label}{name === column && <Icon name="down" class={isDown ? '' : 'up'} />}</button></th>)}</tr></thead>
      <tbody>{found.slice(0, shownCount.value).map((source) => <tr key={source.path}>
        <td class="col-path"><a class="mono" href={hrefOf({ ...DEFAULT_ADDRESS, place: 'logs', q: sourceQuery(source.path) })}>{visible(source.path)}</a></td>
        <td class={source.state === 'unreadable' ? 'danger' : undefined}>{source.state}{source.polled && <span class="muted" title="The watcher could take no more: it is looked at from time to time"> · polled</span>}</td>
        <td class="number">{formatBytes(source.size_bytes)}</td>
        <td class="number">{readText(source)}</td>
        <td class="number">{source.lag_bytes === 0 ? <span class="muted">0 B</span> : formatBytes(source.lag_bytes)}</td>
        <td class="number" title={source.last_read ?? undefined}>{source.last_read === null ? <span class="muted">never</span> : formatAge(toNs(source.last_read), now)}</td>
      </tr>)}</tbody>
    </table></div>
    {found.length > shownCount.value && <button type="button" class="button bordered small" onClick={() => (shownCount.value += 1_000)}>{formatCount(found.length - shownCount.value)} more</button>}
  </section>;
}

function readText({ state, read_bytes: read, size_bytes: size }: Source): string {
  if (state === 'unreadable') return '–';
  return size === 0 || read >= size ? '100 %' : `${Math.floor((read / size) * 1_000) / 10} %`;
}
