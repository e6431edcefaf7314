// What can be done with lines, by whatever key, button or menu: copy them, link to them, see what is around them, filter by what they hold.
import { signal } from '@preact/signals';
import { type Line, lineId } from '../model';
import { searchWithin } from '../logql/any';
import { build, type LineFilter, type Query } from '../logql/build';
import { textFilter } from '../logql/clicks';
import { excludeField, type FieldRef, includeField } from '../logql/fieldclicks';
import { parseSimple } from '../logql/simple';
import { go, hrefOf } from '../route';
import { type Address, address, notify, preferences } from '../state';
import { copyRaw, copyText, textOf } from '../text/clipboard';
import { linesText, nowNs } from '../time/format';
import { absolute, resolveRange } from '../time/range';
import { zoneName } from '../time/zone';

/** Whether the context view shows all streams of the query, by time, instead of the line's own in stored order. */
export const isContextWide = signal(false);

/** Says that something was copied, or that the browser does not let us. */
export async function copied(result: Promise<boolean>, what: string): Promise<void> {
  if (await result) notify(`Copied ${what}`);
  else notify('The browser does not let this page copy. Select the text and press Ctrl+C instead.', 'error');
}

/** Copies the lines' texts, whole also where they are folded in the list. */
export function copyLines(lines: readonly Line[], hasTimes = false): Promise<void> {
  const options = hasTimes ? { zone: zoneName(preferences.value.zone), hasStreams: true } : {};
  return copied(copyRaw(textOf(lines, options)), linesText(lines.length));
}

/** Copies one line with all its control characters. */
export function copyRawLine(line: Line): Promise<void> {
  return copied(copyRaw(line.text), '1 line, with its control characters');
}

/** The address of the view as it is now, for somebody else: relative times are made absolute unless the link stays live. */
export function linkTo(change: Partial<Address> = {}, isLive = false): string {
  const { from, to } = address.value;
  const range = isLive ? {} : absolute(resolveRange(from, to, nowNs()));
  return new URL(hrefOf({ place: 'logs', ...range, ...(isLive ? {} : { live: null }), ...change }), location.href).href;
}

/** The place of lines in an address: one id, or the first and the last of a run. */
export function placeOf(lines: readonly Line[]): string {
  const [first, last] = [lines[0], lines.at(-1)];
  if (first === undefined || last === undefined) return '';
  return first === last ? lineId(first) : `${lineId(first)}..${lineId(last)}`;
}

/** The link to a line, or to a run of lines. */
export function lineLink(lines: readonly Line[]): string {
  return linkTo({ at: placeOf(lines), around: '' });
}

export function copyLineLink(lines: readonly Line[]): Promise<void> {
  return copied(copyText(lineLink(lines)), lines.length === 1 ? 'a link to the line' : `a link to ${linesText(lines.length)}`);
}

/** Opens what stands around the line: of its own stream, or of all streams of the query. */
export function openContext(line: Line, isWide = false): void {
  isContextWide.value = isWide;
  go({ place: 'logs', around: lineId(line) });
}

/** Changes the query; one that is no simple one is searched within by the line filter, if there is one. */
export function ask(change: (query: Query) => Query, otherwise: LineFilter | null): void {
  const { q } = address.value;
  const query = parseSimple(q);
  if (query !== null) go({ place: 'logs', q: build(change(query)), at: '', around: '' });
  else if (otherwise !== null) go({ place: 'logs', q: searchWithin(q, otherwise), at: '', around: '' });
}

/** Only lines with, or without, the text: a selected part of a line. */
export function filterByText(text: string, isWithout: boolean): void {
  const filter = textFilter(text, { isCase: true, isRegexp: false, isWithout });
  if (filter !== null) ask((query) => ({ ...query, lineFilters: [...query.lineFilters, filter] }), filter);
}

/** Only lines with, or without, the value in the field. */
export function filterByField(field: FieldRef, value: string, isWithout: boolean): void {
  const change = isWithout ? excludeField : includeField;
  ask((query) => change(query, field, value), textFilter(value, { isCase: true, isRegexp: false, isWithout }));
}

/** Shows the field in a column of its own, or takes the column away. */
export function toggleColumn(name: string): void {
  const { cols } = address.value;
  go({ cols: cols.includes(name) ? cols.filter((other) => other !== name) : [...cols, name] });
}
