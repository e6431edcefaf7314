// What stands over the list, or in its place, when there is something to say: nothing found, errors, answers that are not whole.
import { useEffect, useState } from 'preact/hooks';
import { busy } from '../api/http';
import { countLines, placed } from '../api/loki';
import { status } from '../api/status';
import { build } from '../logql/build';
import { chips, removeChip } from '../logql/clicks';
import type { ServerError } from '../model';
import { go } from '../route';
import type { LogSession, Partial as PartialAnswer } from '../session';
import { address } from '../state';
import { formatCount, formatFull, linesText, nowNs } from '../time/format';
import { describeRange, resolveRange } from '../time/range';
import { announce } from './announce';
import { ask, logql, simple, subject, zone } from './asked';
import { NothingYet } from './nothing';
import { Icon } from './icon';
import type { LogsModel } from './logsmodel';
import { Tokens, wrongAt } from './tokens';

/** Strips above the list; each says one thing and what can be done. */
export function Notices({ model, onRetry, onEdit }: { model: LogsModel; onRetry: () => void; onEdit: () => void }) {
  const { session } = model;
  const state = session.state.value;
  const { value: error } = session.error;
  const note = session.note.value;
  const refusal = session.refusal.value;
  const partial = session.partial.value;
  return <div class="notices">
    {busy.value !== null && <Busy message={busy.value.message} until={busy.value.until} />}
    {state === 'error' && error !== null && <Failure error={error} onRetry={onRetry} onEdit={onEdit} />}
    {partial !== null && (state === 'partial' || partial.unreadableParts > 0) && <Cut partial={partial} session={session} />}
    <Gone session={session} />
    {state === 'stopped' && <p class="notice-row" role="status">Stopped. {linesText(session.count.value)} so far.
      <button type="button" class="button small" onClick={() => session.continue()}>Continue</button></p>}
    {refusal !== null && <p class="notice-row is-notice" role="status">{refusal}
      <button type="button" class="button bordered small" onClick={() => session.poll()}>Load every 5 s instead</button></p>}
    {note !== null && <p class="notice-row" role="status"><span>{note.text}</span>
      {note.action !== undefined && <button type="button" class="button small" onClick={note.action.run}>{note.action.label}</button>}
      <span class="grow" /><button type="button" class="button bare small" aria-label="Close the note" onClick={() => (session.note.value = null)}><Icon name="close" /></button></p>}
  </div>;
}

function Busy({ message, until }: { message: string; until: number }) {
  const [, redraw] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => redraw((count) => count + 1), 250);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
  return <p class="notice-row is-notice" role="status">The agent is busy: {message} <span class="muted">Trying again in {seconds} s</span></p>;
}

function Failure({ error, onRetry, onEdit }: { error: ServerError; onRetry: () => void; onEdit: () => void }) {
  useEffect(() => announce(error.message, true), [error]);
  if (error.isForeign) {
    return <p class="notice-row is-bad" role="alert">{error.message} <button type="button" class="button bordered small" onClick={() => location.reload()}>Reload</button></p>;
  }
  const query = logql.value;
  const wrong = error.status === 400 ? wrongAt(query, placed(error)) : -1;
  return <div class="notice-row is-bad" role="alert">
    <div class="grow">
      <p>{error.message}</p>
      {wrong >= 0 && <p class="mono notice-query"><Tokens text={query} wrong={wrong} /></p>}
    </div>
    {error.status === 400 ? <button type="button" class="button bordered small" onClick={onEdit}>Edit the query</button>
      : <button type="button" class="button bordered small" onClick={onRetry}>Try again</button>}
  </div>;
}

function Cut({ partial, session }: { partial: PartialAnswer; session: LogSession }) {
  const { reason, at, seconds, unreadableParts } = partial;
  const where = at === undefined ? '' : ` at ${formatFull(at, zone.value)}`;
  const words = {
    time: `Stopped after ${Math.round(seconds)} s${where}.`,
    memory: `Stopped${where}: the answer needed more memory than a query may take.`,
    cut: 'The answer broke off before its end.',
    unreadable: '',
  }[reason];
  const unreadable = unreadableParts > 0 ? `${unreadableParts === 1 ? 'One part of the database' : `${formatCount(unreadableParts)} parts of the database`} could not be read; its lines are missing here.` : '';
  return <p class="notice-row is-notice" role="status"><span>{words} {unreadable} <span class="muted">{linesText(session.count.value)} are here.</span></span>
    {reason !== 'unreadable' && <button type="button" class="button bordered small" onClick={() => session.continue()}>Continue</button>}
    {reason === 'time' && <button type="button" class="button small" onClick={() => document.querySelector<HTMLElement>('.time-button')?.click()}>Narrow the range</button>}
  </p>;
}

/** In the list's place. */
export function Empty({ model }: { model: LogsModel }) {
  const { session } = model;
  const state = session.state.value;
  if (state !== 'empty' || session.count.value > 0) return null;
  if (status.value?.streams === 0) return <NothingYet />;
  return <NothingFound session={session} />;
}

/** The line that a link points at is not kept any more; what stands nearest is shown instead. */
function Gone({ session }: { session: LogSession }) {
  const gone = session.gone.value;
  if (gone === null) return null;
  const words = gone.oldest === undefined ? gone.message : `This line was dropped. The oldest kept is of ${formatFull(gone.oldest, zone.value)}.`;
  return <p class="notice-row is-notice" role="status"><span>{words} {gone.nearest !== undefined && <span class="muted">The nearest line is shown.</span>}</span>
    <button type="button" class="button bordered small" onClick={() => go({ at: '' })}>Show the newest</button></p>;
}

const WIDER = [['24h', 24n * 3_600n], ['7d', 7n * 86_400n], ['all', 0n]] as const;

/** Says what was looked for, and what a step back would find. */
function NothingFound({ session }: { session: LogSession }) {
  const { from, to } = address.value;
  const query = simple.value;
  const all = query === null ? [] : chips(query);
  const bounds = session.bounds.value;
  const range = bounds ?? resolveRange(from, to, nowNs());
  const length = range.end - range.start;
  const now = nowNs();
  const words = describeRange(from, to, zone.value, now);
  // The default range was made wider already.
  const isAll = from === 'all' || length > 2n * (resolveRange(from, to, now).end - resolveRange(from, to, now).start);
  const within = isAll ? 'at all' : words === 'Last 1 h' ? 'in the last hour' : /^Last/.test(words) ? `in the ${words.toLowerCase()}` : `in ${words}`;
  const wider = to === 'now' && !isAll ? WIDER.filter(([text, seconds]) => text === 'all' || seconds * 1_000_000_000n > length) : [];
  const texts = all.filter(({ kind }) => kind !== 'label').map(({ text }) => text);
  const subjects = subject.value === 'All logs' ? '' : ` of ${subject.value}`;
  useEffect(() => announce('No line found'), []);
  return <div class="empty">
    <p class="empty-title" role="status">{texts.length === 0 ? `No line${subjects} ${within}.` : <>No line{subjects} {texts.map((text, i) => <span key={text}>{i > 0 && ', '}<b>{text}</b></span>)} {within}.</>}</p>
    <div class="empty-acts">
      {all.map((chip) => <Offer key={chip.key} label={`without ${chip.text.replace(/^contains /, '')}`} query={build(removeChip(query!, chip))} range={range} onTake={() => ask(build(removeChip(query!, chip)))} />)}
    </div>
    <div class="empty-acts">
      {wider.map(([text, seconds]) => {
        const oldest = status.value?.oldest;
        const start = text === 'all' ? (oldest == null ? 0n : BigInt(Date.parse(oldest) - 1) * 1_000_000n) : now - seconds * 1_000_000_000n;
        return <Offer key={text} label={text === 'all' ? 'all time' : `last ${text === '7d' ? '7 days' : '24 h'}`} query={logql.value} range={{ start, end: now }}
          onTake={() => go({ from: text, to: 'now', at: '' })} />;
      })}
    </div>
  </div>;
}

/** The server counts for this long at a time, in nanoseconds. */
const COUNTED_MAX = 720n * 3_600_000_000_000n;

/** A button that says how many lines it would find. */
function Offer({ label, query, range, onTake }: { label: string; query: string; range: { start: bigint; end: bigint }; onTake: () => void }) {
  const [lines, setLines] = useState<number | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const start = range.end - range.start > COUNTED_MAX ? range.end - COUNTED_MAX : range.start;
    countLines(query, start, range.end, abort.signal).then(setLines, () => {});
    return () => abort.abort();
  }, [query]);
  return <button type="button" class="button bordered" disabled={lines === 0} onClick={onTake}>{label}{lines !== null && <span class="offer-count">{lines === 0 ? 'none' : formatCount(lines)}</span>}</button>;
}
