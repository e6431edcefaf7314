// Editing a chip, and the form to add a condition on any label or field.
import { useEffect, useState } from 'preact/hooks';
import { type DetectedField, detectedFields, labelNames, labelValues } from '../api/explore';
import { build, type Query } from '../logql/build';
import { type Chip, removeChip, toggleChip, withLevels, withMinLevel } from '../logql/clicks';
import { compareField, excludeField, type FieldRef, includeField } from '../logql/fieldclicks';
import { ALL } from '../logql/simple';
import type { CompareOp, MatchOp } from '../logql/query';
import { LEVELS, type Level } from '../model';
import { address } from '../state';
import { resolveRange } from '../time/range';
import { nowNs } from '../time/format';
import { ask, logql, selector } from './asked';
import { Menu, Popover } from './menu';
import type { Anchor } from './opener';

export function ChipEdit({ chip, query, anchor, onClose }: { chip: Chip; query: Query; anchor: Anchor; onClose: () => void }) {
  const turn = { label: chip.isExcluding ? 'Include instead' : 'Exclude instead', run: () => ask(build(toggleChip(query, chip))), hint: 'Alt+click' };
  const remove = { label: 'Remove', run: () => ask(build(removeChip(query, chip))), isApart: true };
  if (chip.kind === 'level') {
    const levels = LEVELS.filter((level) => level !== 'critical' && level !== 'unknown').toReversed();
    return <Menu anchor={anchor} label="Level" onClose={onClose} items={[
      ...levels.map((level) => ({ label: `at least ${level}`, isChecked: chip.minLevel === level, run: () => ask(build(withMinLevel(query, level))) })),
      { label: 'only error', isChecked: chip.text === 'level = error', run: () => ask(build(withLevels(query, ['error']))), isApart: true },
      turn, remove,
    ]} />;
  }
  if (chip.name === undefined || chip.name === 'app') return <Menu anchor={anchor} label={chip.text} onClose={onClose} items={[turn, remove]} />;
  const condition = chip.labelFilter >= 0 ? query.labelFilters[chip.labelFilter] : query.matchers[chip.matchers[0] ?? -1];
  return <Popover anchor={anchor} label={`Edit ${chip.text}`} onClose={onClose} class="filter">
    <FilterForm rest={removeChip(query, chip)} name={chip.name} op={condition?.op ?? '='} value={condition?.value ?? ''} onClose={onClose} />
    <div class="filter-more">
      <button type="button" class="button small" onClick={() => { onClose(); turn.run(); }}>{turn.label}</button>
      <button type="button" class="button small" onClick={() => { onClose(); remove.run(); }}>Remove</button>
    </div>
  </Popover>;
}

type Op = MatchOp | CompareOp;
const OPS: readonly (readonly [Op, string])[] = [
  ['=', 'is'], ['!=', 'is not'], ['=~', 'matches'], ['!~', 'does not match'], ['>', '>'], ['>=', '≥'], ['<', '<'], ['<=', '≤'],
];

interface FormProps {
  /** The query without the condition that is edited. */
  readonly rest: Query;
  readonly name: string;
  readonly op: Op;
  readonly value: string;
  readonly onClose: () => void;
}

export function FilterForm({ rest, name: firstName, op: firstOp, value: firstValue, onClose }: FormProps) {
  const [name, setName] = useState(firstName);
  const [op, setOp] = useState<Op>(firstOp === '==' ? '=' : firstOp);
  const [value, setValue] = useState(firstValue);
  const [labels, setLabels] = useState<readonly string[]>([]);
  const [fields, setFields] = useState<readonly DetectedField[]>([]);
  const [values, setValues] = useState<readonly string[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    const { from, to } = address.peek();
    labelNames().then(setLabels, () => {});
    detectedFields(logql.peek(), resolveRange(from, to, nowNs()), abort.signal).then(setFields, () => {});
    return () => abort.abort();
  }, []);
  const isLabel = labels.includes(name);
  useEffect(() => {
    setValues([]);
    if (name === 'level' || name === 'detected_level') setValues(LEVELS);
    else if (isLabel) labelValues(name).then(setValues, () => {});
  }, [name, isLabel]);
  const submit = (event: Event) => {
    event.preventDefault();
    if (name === '' || value === '') return;
    onClose();
    ask(build(withCondition(rest, fieldOf(name, isLabel, fields), op, value)));
  };
  return <form class="filter-form" onSubmit={submit}>
    <label><span class="muted">Label or field</span><input class="box" list="filter-names" value={name} autocomplete="off" spellcheck={false} data-autofocus={firstName === ''}
      onInput={(event) => setName(event.currentTarget.value.trim())} /></label>
    <label><span class="sr">Comparison</span><select class="box" value={op} onChange={(event) => setOp(event.currentTarget.value as Op)}>
      {OPS.map(([each, words]) => <option key={each} value={each}>{words}</option>)}
    </select></label>
    <label><span class="muted">Value</span><input class="box" list="filter-values" value={value} autocomplete="off" spellcheck={false} data-autofocus={firstName !== ''}
      onInput={(event) => setValue(event.currentTarget.value)} /></label>
    <datalist id="filter-names">{['level', ...labels, ...fields.map((field) => field.name)].map((each) => <option key={each} value={each} />)}</datalist>
    <datalist id="filter-values">{values.slice(0, 500).map((each) => <option key={each} value={each} />)}</datalist>
    <button type="submit" class="button primary" disabled={name === '' || value === ''}>{firstName === '' ? 'Add' : 'Change'}</button>
    <p class="muted filter-where">in <code class="clip">{selector.value === build(ALL) ? 'all logs' : selector.value}</code></p>
  </form>;
}

function fieldOf(name: string, isLabel: boolean, fields: readonly DetectedField[]): FieldRef {
  if (name === 'level') return { name: 'detected_level', from: 'metadata' };
  if (isLabel) return { name, from: 'stream' };
  const parser = fields.find((field) => field.name === name)?.parsers[0];
  return { name, from: parser === 'json' || parser === 'logfmt' ? parser : 'metadata' };
}

function withCondition(query: Query, field: FieldRef, op: Op, value: string): Query {
  if (field.name === 'detected_level' && (op === '>=' || op === '>')) return withMinLevel(query, value as Level);
  if (op === '=' || op === '!=') return (op === '=' ? includeField : excludeField)(query, field, value);
  if (op === '=~' || op === '!~') {
    if (field.from === 'stream') return { ...query, matchers: [...query.matchers, { name: field.name, op, value }] };
    // A value that no query has brings the parser in; the condition then takes its place.
    const made = includeField(query, field, value);
    return { ...made, labelFilters: made.labelFilters.map((each) => (each.name === field.name && each.value === value && each.op === '=' ? { ...each, op } : each)) };
  }
  return compareField(query, field, op, value);
}
