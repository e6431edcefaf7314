// The menu to pass on what is seen: links, and commands that ask for the same.
import { ALL, build } from '../logql/build';
import { parseSimple } from '../logql/simple';
import type { Line } from '../model';
import { apiUrl } from '../route';
import { address, preferences } from '../state';
import { copyText } from '../text/clipboard';
import { formatRfc3339, linesText, nowNs } from '../time/format';
import { resolveRange } from '../time/range';
import { zoneName } from '../time/zone';
import { copied, copyLineLink, copyLines, linkTo, placeOf } from './actions';
import { curlCommand, kubectlCommand, logcliCommand } from './commands';
import type { MenuItem } from './opener';

export interface ShareProps {
  /** The lines that are ticked, in order. */
  readonly selected: readonly Line[];
  /** The line that has the focus. */
  readonly focused?: Line;
}

export function shareItems({ selected, focused }: ShareProps): MenuItem[] {
  const copyLink = (text: string, what: string) => void copied(copyText(text), what);
  const { to } = address.value;
  // Ticked lines go along with every link to the view.
  const at = selected.length === 0 ? {} : { at: placeOf(selected) };
  const lines = selected.length === 0 ? (focused === undefined ? [] : [focused]) : selected;
  const those = selected.length === 0 ? 'this line' : `these ${linesText(selected.length)}`;
  return [
    { label: 'Copy link', icon: 'link', hint: 'times fixed', run: () => copyLink(linkTo(at), 'a link') },
    ...(to === 'now' ? [{ label: 'Copy live link', icon: 'link', hint: 'stays at now', run: () => copyLink(linkTo({}, true), 'a live link') } as const] : []),
    ...(lines.length === 0 ? [] : [
      { label: `Copy link to ${those}`, keys: 'l', isApart: true, run: () => void copyLineLink(lines) },
      { label: `Copy text of ${those}`, keys: 'y', run: () => void copyLines(lines) },
      { label: `Copy ${those} with time and stream`, keys: 'Y', run: () => void copyLines(lines, true) },
    ]),
    ...commands(lines[0]),
  ];
}

function commands(line: Line | undefined): MenuItem[] {
  const { q, from, to } = address.value;
  const zone = zoneName(preferences.value.zone);
  const range = resolveRange(from, to, nowNs());
  const [start, end] = [formatRfc3339(range.start, zone), formatRfc3339(range.end, zone)];
  const asked = { query: q === '' ? build(ALL) : q, start, end, base: new URL(apiUrl(''), document.baseURI).href };
  const matchers = parseSimple(q)?.matchers.filter(({ op }) => op === '=').map(({ name, value }) => [name, value] as const) ?? [];
  const kubectl = kubectlCommand(line?.stream.labels ?? new Map(matchers), start);
  const copy = (text: string, what: string) => () => void copied(copyText(text), what);
  return [
    { label: 'Copy as LogQL', icon: 'copy', isApart: true, run: copy(asked.query, 'the query') },
    { label: 'Copy as curl', icon: 'copy', run: copy(curlCommand(asked), 'the command') },
    { label: 'Copy as logcli', icon: 'copy', run: copy(logcliCommand(asked), 'the command') },
    ...(kubectl === undefined ? [] : [{ label: 'Copy as kubectl logs', icon: 'copy', run: copy(kubectl, 'the command') } as const]),
  ];
}
