// The box to find within what is shown: hits are coloured, nothing is hidden.
import { useEffect, useRef } from 'preact/hooks';
import { registerKeys } from '../keys';
import { formatCount } from '../time/format';
import { announce } from './announce';
import { Icon } from './icon';
import '../style/detail.css';

export interface FindProps {
  /** As the address has it: a text, or `/re/`. */
  readonly text: string;
  /** The current hit's number from the first one on, from 1; 0 if it is not known. */
  readonly position: number;
  /** How many lines have hits; `null` while that is counted. */
  readonly total: number | null;
  /** Whether there are more than `total`. */
  readonly isAtLeast?: boolean;
  /** Whether nothing is found before Enter. */
  readonly isWaiting?: boolean;
  /** What is wrong with the expression. */
  readonly error?: string;
  readonly onText: (text: string) => void;
  /** To the next (1) or the previous (-1) hit. */
  readonly onMove: (step: 1 | -1) => void;
  /** Makes it a filter of the query; absent where that is not possible. */
  readonly onFilter?: () => void;
  readonly onClose: () => void;
}

export function FindBar({ text, position, total, isAtLeast = false, isWaiting = false, error, onText, onMove, onFilter, onClose }: FindProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const calls = useRef({ onMove, onClose });
  calls.current = { onMove, onClose };
  useEffect(() => registerKeys('Find', [
    { keys: ['Escape'], does: 'close find', rank: 20, isEverywhere: true, run: () => calls.current.onClose() },
    { keys: ['n'], does: 'next hit', run: () => calls.current.onMove(1) },
    { keys: ['N'], does: 'previous hit', run: () => calls.current.onMove(-1) },
  ]), []);
  const count = isWaiting ? 'Enter finds it' : countText(text, position, total, isAtLeast);
  useEffect(() => {
    if (count !== '') announce(count);
  }, [count]);
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.isComposing) return;
    event.preventDefault();
    if (event.altKey) onFilter?.();
    else onMove(event.shiftKey ? -1 : 1);
  };
  return <div class="find" role="search" aria-label="Find within the lines">
    <input ref={input} class="box" type="text" value={text} placeholder="Find, or /regexp/" aria-label="Find within the lines" aria-invalid={error !== undefined}
      autocomplete="off" spellcheck={false} onInput={(event) => onText(event.currentTarget.value)} onKeyDown={onKey} />
    <span class="find-count">{count}</span>
    <button type="button" class="button bare small" aria-label="Previous hit" title="Previous hit (N)" onClick={() => onMove(-1)}><Icon name="down" class="flip" /></button>
    <button type="button" class="button bare small" aria-label="Next hit" title="Next hit (n)" onClick={() => onMove(1)}><Icon name="down" /></button>
    {onFilter !== undefined && <button type="button" class="button small find-filter" title="Alt+Enter" disabled={text === ''} onClick={onFilter}>Filter to these</button>}
    <button type="button" class="button bare small" aria-label="Close find" title="Close (Esc)" onClick={onClose}><Icon name="close" /></button>
    {error !== undefined && <p class="danger" role="alert">{error}</p>}
  </div>;
}

function countText(text: string, position: number, total: number | null, isAtLeast: boolean): string {
  if (text === '') return '';
  if (total === null) return 'Counting…';
  if (total === 0) return isAtLeast ? '' : 'No line';
  const all = `${formatCount(total)}${isAtLeast ? '+' : ''}`;
  return position === 0 ? `${all} ${total === 1 ? 'line' : 'lines'}` : `${formatCount(position)} of ${all}`;
}
