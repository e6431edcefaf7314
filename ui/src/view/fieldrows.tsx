// Names and values of a line, each with what can be done with it: only lines with it, none with it, a column, a copy, counts.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { countValues } from '../api/explore';
import { build } from '../logql/build';
import { chips } from '../logql/clicks';
import { canFilter, compareField, type FieldRef, isAmount } from '../logql/fieldclicks';
import { parseSimple } from '../logql/simple';
import { address } from '../state';
import { copyText } from '../text/clipboard';
import { visible } from '../text/controls';
import { formatBytes, formatCount, nowNs } from '../time/format';
import { resolveRange } from '../time/range';
import { ask, copied, filterByField, filterByText, toggleColumn } from './actions';
import { Icon, type IconName } from './icon';
import { MenuButton, type MenuItem } from './opener';

/** Values counted in one answer. */
const VALUES_MAX = 10;
/** Characters of a value that are drawn; copies and the other tabs have all. */
const SHOWN_CHARS_MAX = 500;
/** Longest range of a query, as the server has it by default. */
const RANGE_MAX_NS = 721n * 3_600_000_000_000n;

export interface Row {
  readonly key: string;
  /** The last key of the path. */
  readonly label: string;
  /** The whole path. */
  readonly title: string;
  readonly value: string;
  /** How deep it stands in the tree. */
  readonly depth: number;
  /** Absent where conditions on it cannot be written: arrays and odd names are searched for as text. */
  readonly field?: FieldRef;
  /** An object whose members follow. */
  readonly isParent?: boolean;
  /** No condition tells the value from others: null. */
  readonly isBare?: boolean;
}

/** Whether the query has a condition on this very value: included, excluded, or neither. */
function standing(field: FieldRef, value: string): 'included' | 'excluded' | undefined {
  const query = parseSimple(address.value.q);
  if (query === null) return undefined;
  const chip = chips(query).find(({ name, values }) => name === field.name && values?.includes(value) === true);
  return chip === undefined ? undefined : chip.isExcluding ? 'excluded' : 'included';
}

interface ActionProps { icon: IconName; label: string; isOn?: boolean; run: () => void }

function Action({ icon, label, isOn, run }: ActionProps) {
  return <button type="button" class="button bare small" aria-label={label} title={label} aria-pressed={isOn} onClick={run}><Icon name={icon} /></button>;
}

export function FieldRow({ row }: { row: Row }) {
  if (row.isParent === true) return <li class={`detail-field ${indent(row)}`}><span class="detail-field-name" title={row.title}>{visible(row.label)}</span></li>;
  return <Leaf row={row} />;
}

/** Deeper than that there is no room to move in. */
const indent = ({ depth }: Row) => `detail-field-${Math.min(depth, 6)}`;

function Leaf({ row }: { row: Row }) {
  const isCounting = useSignal(false);
  const { field, value, title } = row;
  const shown = value.length <= SHOWN_CHARS_MAX ? value : `${value.slice(0, SHOWN_CHARS_MAX)} … ${formatBytes(value.length)}`;
  const what = `${title} ${value.length <= 60 ? value : 'this value'}`;
  const state = field === undefined ? undefined : standing(field, value);
  const canAsk = row.isBare !== true && (field !== undefined || value !== '');
  const filter = (isWithout: boolean) => {
    if (field === undefined) filterByText(value, isWithout);
    else filterByField(field, value, isWithout);
  };
  return <li class={`detail-field ${indent(row)}${state === undefined ? '' : ` is-${state}`}`}>
    <span class="detail-field-name" title={title}>{visible(row.label)}</span>
    <span class="detail-field-value">{value === '' ? <span class="muted">empty</span> : visible(shown)}</span>
    <span class="detail-field-actions">
      {canAsk && <>
        <Action icon="include" label={`Only lines with ${what}`} isOn={state === 'included'} run={() => filter(false)} />
        <Action icon="exclude" label={`No lines with ${what}`} isOn={state === 'excluded'} run={() => filter(true)} />
      </>}
      <Action icon="copy" label={`Copy ${what}`} run={() => void copied(copyText(value), title)} />
      <span class="detail-field-extra">
        <Action icon="column" label={`Column for ${title}`} isOn={address.value.cols.includes(title)} run={() => toggleColumn(title)} />
        {field !== undefined && <Action icon="bars" label={`Count the values of ${title} in the range`} isOn={isCounting.value}
          run={() => (isCounting.value = !isCounting.value)} />}
        {field !== undefined && isAmount(value) && field.from !== 'stream' &&
          <MenuButton label={`Compare ${title}`} face={<Icon name="more" />} class="bare small" align="end" items={() => comparisons(field, title, value)} />}
      </span>
    </span>
    {isCounting.value && field !== undefined && <Counts field={field} title={title} />}
  </li>;
}

function comparisons(field: FieldRef, title: string, value: string): MenuItem[] {
  return (['>', '>=', '<', '<='] as const).map((op) => ({
    label: `${title} ${op.replace('>=', '≥').replace('<=', '≤')} ${value}`,
    run: () => ask((query) => compareField(query, field, op, value), null),
  }));
}

/** The query whose lines are counted, with the parser that the field needs. */
function countedQuery(field: FieldRef): string {
  const { q } = address.value;
  const query = parseSimple(q);
  const { from } = field;
  if (from !== 'json' && from !== 'logfmt') return query === null ? q : build(query);
  if (query === null) return `${q} | ${from}`;
  return build(query.parsers.includes(from) ? query : { ...query, parsers: [...query.parsers, from] });
}

/** How often each value of the field occurs in the range of the view. */
function Counts({ field, title }: { field: FieldRef; title: string }) {
  const answer = useSignal<{ values: { value: string; count: number }[]; isShortened: boolean } | string | null>(null);
  const { q, from, to } = address.value;
  useEffect(() => {
    const stop = new AbortController();
    const range = resolveRange(from, to, nowNs());
    const isShortened = RANGE_MAX_NS < range.end - range.start;
    const start = isShortened ? range.end - RANGE_MAX_NS : range.start;
    answer.value = null;
    countValues(countedQuery(field), field.name, { start, end: range.end }, VALUES_MAX, stop.signal).then(
      (values) => (answer.value = { values, isShortened }),
      (error: unknown) => {
        if (!stop.signal.aborted) answer.value = error instanceof Error ? error.message : String(error);
      },
    );
    return () => stop.abort();
  }, [q, from, to, field.name]);
  const now = answer.value;
  if (now === null) return <p class="detail-field-counts muted">Counting…</p>;
  if (typeof now === 'string') return <p class="detail-field-counts danger">{now}</p>;
  const most = now.values[0]?.count ?? 1;
  return <div class="detail-field-counts">
    <p class="muted">{now.values.length === 0 ? 'No line of the range has it.' : now.isShortened ? 'In the last 30 days of the range:' : 'In the range:'}</p>
    {now.values.map(({ value, count }) => <button type="button" class="detail-count" key={value} aria-pressed={standing(field, value) === 'included'}
      aria-label={`Only lines with ${title} ${value}: ${count}`} onClick={() => filterByField(field, value, false)}>
      <span class="clip">{visible(value)}</span>
      <span>{formatCount(count)}</span>
      <span class="detail-count-bar" style={{ width: `${(100 * count) / most}%` }} />
    </button>)}
  </div>;
}

/** The row of a field that the server knows under `name`; odd names are searched for as text. */
export function fieldRow(path: readonly string[], value: string, field: FieldRef, depth = 0): Row {
  const title = path.join('.');
  return { key: title, label: path.at(-1) ?? '', title, value, depth, ...(canFilter(field) ? { field } : {}) };
}
