// The help: what the page is good for in four sentences, and the table of keys, searchable.
import { Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { keyCaps, registered } from '../keys';
import { TABLE } from '../keytable';
import { preferences } from '../state';
import { Dialog } from './menu';
import { isHelpOpen } from './open';

type Row = readonly [group: string, keys: readonly string[], does: string];

/** The fixed table, then what is registered but not in it. */
function allRows(): Row[] {
  const listed = new Set(TABLE.flatMap(([, keys]) => keys));
  const more = registered.value.flatMap(({ group, keys }) => keys.filter((binding) => binding.does !== '' && !binding.keys.some((key) => listed.has(key) || /^[1-6]$/.test(key)))
    .map(({ keys: names, does }): Row => [group, names, does]));
  return [...TABLE, ...more];
}

export function Help() {
  const [text, setText] = useState('');
  const wanted = text.trim().toLowerCase();
  const rows = allRows().filter(([group, keys, does]) => wanted === '' || `${group} ${does}`.toLowerCase().includes(wanted) || keys.includes(text.trim()));
  const groups = [...new Set(rows.map(([group]) => group))];
  return <Dialog label="Help" class="help" onClose={() => (isHelpOpen.value = false)}>
    <ul class="help-words">
      <li><strong>Search</strong> by typing: the text is looked for as it stands, in capitals and small letters. <code>a OR b</code> finds either.</li>
      <li><strong>Narrow</strong> by clicking: levels, bars of the histogram, values of a line. Each click is written as LogQL, which you can edit.</li>
      <li><strong>Live</strong> follows new lines at the end. Scroll away and nothing moves; <kbd>End</kbd> goes on.</li>
      <li><strong>Pass on</strong> what you see: the address is the view. Click a line's time, then another's with Shift, and copy the link.</li>
    </ul>
    <div class="help-head">
      <h3 class="grow">Keys</h3>
      {!preferences.value.singleKeys && <span class="muted">single keys are off</span>}
      <input class="box" type="search" placeholder="Find a key…" aria-label="Find a key" value={text} data-autofocus onInput={(event) => setText(event.currentTarget.value)} />
    </div>
    {rows.length === 0 && <p class="muted">No key does that.</p>}
    <div class="help-keys">
      {groups.map((group) => <section key={group}>
        <h4>{group}</h4>
        <dl>{rows.filter(([of]) => of === group).map(([, keys, does]) => <Fragment key={does}>
          <dt>{keys.map((key, i) => <Fragment key={key}>{i > 0 && <span class="muted">{key === '6' ? '–' : ' '}</span>}
            {keyCaps(key).map((cap) => <kbd key={cap}>{cap}</kbd>)}</Fragment>)}</dt>
          <dd>{does}</dd>
        </Fragment>)}</dl>
      </section>)}
    </div>
  </Dialog>;
}
