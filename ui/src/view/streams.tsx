// The fuzzy picker over every stream: type a few letters, Enter opens its lines.
import { useEffect, useRef, useState } from 'preact/hooks';
import { fetchStreams, streams, take } from '../api/streams';
import { groupStreams, type Row } from '../groups';
import { fuzzy } from '../fuzzy';
import { go } from '../route';
import { address, DEFAULT_ADDRESS } from '../state';
import { formatAge, formatCount } from '../time/format';
import { queryOf } from './chosen';
import { Icon } from './icon';
import { Dialog } from './menu';
import { isPickerOpen } from './open';

const SHOWN_MAX = 100;

/** Apps, files, and what they are made of, as rows of their own. */
function allRows(): Row[] {
  return groupStreams(streams.value?.streams ?? []).flatMap(({ rows }) => rows.flatMap((row) => [row, ...row.containers, ...row.parts]));
}

function textOf({ place, name }: Row): string {
  return place.startsWith('/') ? `${place === '/' ? '' : place}/${name}` : `${place} / ${name}`;
}

export function StreamPicker() {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    const abort = new AbortController();
    const { from, to } = address.peek();
    fetchStreams(from, to, abort.signal).then(take, () => undefined);
    return () => abort.abort();
  }, []);
  const now = streams.value?.now ?? 0n;
  const found = allRows().map((row) => ({ row, score: fuzzy(textOf(row), text) })).filter(({ score }) => score >= 0)
    .sort((a, b) => b.score - a.score || (a.row.last < b.row.last ? 1 : -1));
  const shown = found.slice(0, SHOWN_MAX);
  const close = () => (isPickerOpen.value = false);
  const open = (row: Row | undefined) => {
    if (row === undefined) return;
    close();
    const { from, to } = address.value;
    go({ ...DEFAULT_ADDRESS, place: 'logs', q: queryOf([row.matchers]), from, to }, 'push');
  };
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      setAt(Math.max(0, Math.min(shown.length - 1, at + step)));
    } else if (event.key === 'Enter') {
      event.preventDefault();
      open(shown[at]?.row);
    }
  };
  useEffect(() => list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' }), [at]);
  return <Dialog label="Streams" class="picker" onClose={close}>
    <label class="search"><Icon name="search" />
      <input class="box" type="text" placeholder="A few letters of namespace, app, file…" aria-label="Find a stream" data-autofocus autocomplete="off" spellcheck={false}
        role="combobox" aria-expanded="true" aria-controls="picker-list" aria-activedescendant={shown.length > 0 ? `pick-${at}` : undefined} value={text}
        onKeyDown={onKey} onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }} />
    </label>
    <ul ref={list} id="picker-list" role="listbox" aria-label="Streams">
      {shown.map(({ row }, index) => <li key={row.key} id={`pick-${index}`} role="option" aria-selected={index === at} onClick={() => open(row)} onPointerMove={() => setAt(index)}>
        <span class="grow clip"><span class="muted">{textOf(row).slice(0, -row.name.length)}</span>{row.name}</span>
        {row.parts.length > 0 && <span class="muted">×{row.parts.length}</span>}
        <span class="muted">{formatAge(row.last, now)}</span>
      </li>)}
    </ul>
    <p class="picker-foot muted">{found.length === 0 ? (streams.value === null ? 'Asking…' : 'No stream has these letters in this order.')
      : `${formatCount(found.length)} found`}<span class="grow" /><kbd>↑</kbd><kbd>↓</kbd> choose <kbd>Enter</kbd> open <kbd>Esc</kbd> close</p>
  </Dialog>;
}
