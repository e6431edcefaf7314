// The tab of patterns: lines that are the same but for their variable parts, with how often each comes and what is new.
import { useEffect, useState } from 'preact/hooks';
import { isAbort, toServerError } from '../api/http';
import { fetchLines } from '../api/lines';
import { type Pattern, patterns } from '../api/explore';
import { searchWithin } from '../logql/any';
import { withoutPattern, withPattern } from '../logql/fieldclicks';
import { groupOf, type Line } from '../model';
import { go } from '../route';
import { address } from '../state';
import { stripAnsi } from '../text/ansi';
import { visible } from '../text/controls';
import { formatCount, formatTime, nowNs } from '../time/format';
import { type Range, resolveRange } from '../time/range';
import { change, hasConditions, selector, simple, subject, zone } from './asked';
import { Icon, Mark } from './icon';

/** Patterns that are drawn. */
const SHOWN_MAX = 200;
const STEPS = 48;
const EXAMPLES = 3;

export function Patterns() {
  const [found, setFound] = useState<{ all: readonly Pattern[]; range: Range } | null>(null);
  const [error, setError] = useState('');
  const [isNewOnly, setNewOnly] = useState(false);
  const { from, to } = address.value;
  const streams = selector.value;
  useEffect(() => {
    const abort = new AbortController();
    const range = resolveRange(from, to, nowNs());
    setError('');
    patterns(streams, range, abort.signal).then((all) => setFound({ all, range }), (reason: unknown) => {
      if (!isAbort(reason) && !abort.signal.aborted) setError(toServerError(reason).message);
    });
    return () => abort.abort();
  }, [streams, from, to]);

  if (error !== '') return <div class="pane-words danger" role="alert">{error}</div>;
  if (found === null) return <div class="pane-words muted" role="status">Looking for patterns…</div>;
  const lines = found.all.reduce((sum, { count }) => sum + count, 0);
  const fresh = new Set(found.all.filter((pattern) => isNew(pattern, found.range)));
  const shown = (isNewOnly ? found.all.filter((pattern) => fresh.has(pattern)) : found.all).slice(0, SHOWN_MAX);
  return <div class="patterns">
    <div class="patterns-head">
      <strong>{formatCount(found.all.length)} {found.all.length === 1 ? 'pattern' : 'patterns'}</strong>
      <span class="muted">in {formatCount(lines)} lines</span>
      {fresh.size > 0 && <button type="button" class="button bordered small" aria-pressed={isNewOnly} onClick={() => setNewOnly(!isNewOnly)}>{formatCount(fresh.size)} new</button>}
      {hasConditions.value && <span class="patterns-note">Patterns of all lines of {subject.value}, not only of those found.</span>}
    </div>
    {found.all.length === 0 ? <div class="pane-words muted">No patterns in this range: it takes a few lines that are alike.</div> : <table class="patterns-table">
      <thead><tr><th><span class="sr">Examples</span></th><th class="number">Lines</th><th class="number">Share</th><th>Level</th><th class="patterns-when">When</th><th>Pattern</th><th><span class="sr">Filter</span></th></tr></thead>
      <tbody>{shown.map((pattern) => <PatternRow key={`${pattern.level} ${pattern.text}`} pattern={pattern} share={pattern.count / Math.max(1, lines)} range={found.range}
        isNew={fresh.has(pattern)} streams={streams} />)}</tbody>
    </table>}
  </div>;
}

/** Whether a pattern began in the second half of the range. */
export function isNew({ samples }: Pick<Pattern, 'samples'>, { start, end }: Range): boolean {
  const middle = Number((start + end) / 2n / 1_000_000_000n);
  return samples.length > 0 && samples.every(([seconds, lines]) => lines === 0 || seconds >= middle);
}

/** Samples as lines in equal steps of the range. */
export function stepsOf(samples: Pattern['samples'], { start, end }: Range, steps = STEPS): number[] {
  const first = Number(start / 1_000_000_000n);
  const length = Math.max(1, Number((end - start) / 1_000_000_000n));
  const result = new Array<number>(steps).fill(0);
  for (const [seconds, lines] of samples) result[Math.max(0, Math.min(steps - 1, Math.floor(((seconds - first) / length) * steps)))]! += lines;
  return result;
}

interface RowProps {
  readonly pattern: Pattern;
  readonly share: number;
  readonly range: Range;
  readonly isNew: boolean;
  readonly streams: string;
}

function PatternRow({ pattern, share, range, isNew: isFresh, streams }: RowProps) {
  const [examples, setExamples] = useState<readonly Line[] | null>(null);
  const [isOpen, setOpen] = useState(false);
  const open = () => {
    setOpen(!isOpen);
    if (isOpen || examples !== null) return;
    const query = searchWithin(streams, { op: '|>', values: [pattern.text] });
    const lines: Line[] = [];
    fetchLines({ query, start: `${range.start}`, end: `${range.end}`, limit: EXAMPLES }, AbortSignal.timeout(10_000), ({ entries }) => {
      for (const entry of entries) if (!('kind' in entry)) lines.push(entry);
    }, 'fields').then(() => setExamples(lines), () => setExamples([]));
  };
  const group = groupOf(pattern.level);
  const canFilter = simple.value !== null;
  const only = () => {
    change((query) => withPattern(query, pattern.text));
    go({ tab: null }, 'replace');
  };
  return <>
    <tr class={isOpen ? 'is-open' : ''}>
      <td><button type="button" class="button bare small" aria-expanded={isOpen} aria-label="Examples" onClick={open}><Icon name={isOpen ? 'down' : 'right'} /></button></td>
      <td class="number">{formatCount(pattern.count)}</td>
      <td class="number muted">{share >= 0.001 ? `${(share * 100).toFixed(1)} %` : '< 0.1 %'}</td>
      <td><span class={`pattern-level level-${group}`}><Mark level={group} />{pattern.level}</span></td>
      <td class="patterns-when"><Steps values={stepsOf(pattern.samples, range)} /></td>
      <td class="pattern-cell">{isFresh && <span class="badge">NEW</span>}<button type="button" class="pattern-text" disabled={!canFilter} title="Only lines of this pattern" onClick={only}>
        <PatternText text={pattern.text} /></button></td>
      <td class="pattern-acts">{canFilter && <button type="button" class="button bare small" aria-label="Without lines of this pattern" title="Without these"
        onClick={() => change((query) => withoutPattern(query, pattern.text))}><Icon name="exclude" /></button>}</td>
    </tr>
    {isOpen && <tr class="pattern-examples"><td /><td colSpan={6}>
      {examples === null ? <span class="muted">Loading…</span> : examples.length === 0 ? <span class="muted">No example found</span>
        : examples.map((line, i) => <p class="mono" key={i}><span class="muted">{formatTime(line.time, 'millis', zone.value)}</span> {visible(stripAnsi(line.text.slice(0, 600)))}</p>)}
    </td></tr>}
  </>;
}

/** The pattern with its variable parts as soft boxes. */
function PatternText({ text }: { text: string }) {
  // Many in a row say no more than one.
  const parts = stripAnsi(text).split(/<_>(?:[ \t]*<_>)*/);
  return <>{parts.map((part, i) => <>{i > 0 && <span class="pattern-any" role="img" aria-label="anything">…</span>}{visible(part)}</>)}</>;
}

function Steps({ values }: { values: readonly number[] }) {
  const most = Math.max(1, ...values);
  const path = values.map((value, i) => (value === 0 ? '' : `M${i * 3} 18v-${Math.max(1, (value / most) * 17).toFixed(1)}h2v${Math.max(1, (value / most) * 17).toFixed(1)}z`)).join('');
  return <svg class="steps" viewBox={`0 0 ${values.length * 3} 18`} width={values.length * 3} height="18" preserveAspectRatio="none" aria-hidden="true"><path d={path} /></svg>;
}
