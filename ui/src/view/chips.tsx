// The conditions of the query as chips: a click edits, Alt+click turns round, × removes.
import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { build, type Query } from '../logql/build';
import { type Chip, chips, removeChip, toggleChip } from '../logql/clicks';
import { parseSimple } from '../logql/simple';
import { groupOf } from '../model';
import { ask } from './asked';
import { chipQuery, takeBack } from './draft';
import { Icon, Mark } from './icon';
import { Later } from './later';
import { type Anchor, PopoverButton } from './opener';

/** Keys of the chips that match no line of the range by themselves, where the query finds none. */
export const deadChips = signal<ReadonlySet<string>>(new Set());

export function Chips({ onEditLogql }: { onEditLogql: () => void }) {
  const query = parseSimple(chipQuery.value);
  if (query === null) return <div class="chips"><span class="chip"><button type="button" class="chip-text" onClick={onEditLogql}>LogQL</button>
    <button type="button" class="chip-close" aria-label="Remove the query" onClick={() => ask('')}><Icon name="close" /></button></span></div>;
  const all = chips(query);
  return <div class="chips" role="group" aria-label="Filters">{all.map((chip) => <ChipView key={chip.key} chip={chip} query={query} />)}</div>;
}

function ChipView({ chip, query }: { chip: Chip; query: Query }) {
  const [anchor, setAnchor] = useState<Anchor | null>(null);
  const remove = () => ask(build(removeChip(query, chip)));
  const edit = (event: MouseEvent) => {
    if (event.altKey) ask(build(toggleChip(query, chip)));
    else if (takeBack(chip)) document.querySelector<HTMLInputElement>('.qbar-search input')?.focus();
    else setAnchor(event.currentTarget as Element);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Delete' && event.key !== 'Backspace') return;
    event.preventDefault();
    remove();
    document.querySelector<HTMLInputElement>('.qbar-search input')?.focus();
  };
  const isDead = deadChips.value.has(chip.key);
  return <span class={`chip${chip.isExcluding ? ' is-excluding' : ''}${isDead ? ' is-dead' : ''}`}>
    <button type="button" class="chip-text clip" title={`${chip.title}\n${isDead ? 'No line in this range. ' : ''}Click to edit · Alt+click turns it round`} onClick={edit} onKeyDown={onKey}>
      {chip.minLevel !== undefined && <Mark level={groupOf(chip.minLevel)} />}<span class="clip">{chip.text}</span>{isDead && <b>0<span class="sr"> lines in this range</span></b>}
    </button>
    <button type="button" class="chip-close" aria-label={`Remove ${chip.text}`} onClick={remove}><Icon name="close" /></button>
    {anchor !== null && <Later>{({ ChipEdit }) => <ChipEdit chip={chip} query={query} anchor={anchor} onClose={() => setAnchor(null)} />}</Later>}
  </span>;
}

/** A form to add a condition on any label or field. */
export function FilterButton() {
  const query = parseSimple(chipQuery.value);
  if (query === null) return null;
  return <PopoverButton label="Add a filter" face={<><span aria-hidden="true">+</span> filter</>} class="quiet" title="Filter by a label or field" boxClass="filter"
    content={({ FilterForm }, close) => <FilterForm rest={query} name="" op="=" value="" onClose={close} />} />;
}
