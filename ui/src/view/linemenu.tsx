// The actions of one line, by the key `.`, a right click or a long touch.
import type { Line } from '../model';
import { copyText } from '../text/clipboard';
import { copied, copyLineLink, copyLines, copyRawLine, filterByField, filterByText, openContext } from './actions';
import { Menu } from './menu';
import type { Anchor, MenuItem } from './opener';

export interface LineMenuProps {
  readonly line: Line;
  readonly anchor: Anchor;
  /** The part of the line's text that is selected. */
  readonly selection?: string;
  readonly onClose: () => void;
  /** Opens the detail. */
  readonly onOpen: () => void;
  /** Ticks the line, or takes the tick away. */
  readonly onTick: () => void;
}

/** Labels that name a stream to people, the most telling first. */
const NAMES = ['pod', 'service_name', 'container', 'path'];

export function LineMenu({ line, anchor, selection = '', onClose, onOpen, onTick }: LineMenuProps) {
  const name = NAMES.find((label) => line.stream.labels.has(label));
  // A selection over several lines is no part of one.
  const part = selection.includes('\n') ? '' : selection;
  const items: MenuItem[] = [
    ...(part === '' ? [] : [
      { label: 'Only lines with this', icon: 'include', keys: '+', hint: short(part), run: () => filterByText(part, false) } as const,
      { label: 'No lines with this', icon: 'exclude', keys: '_', run: () => filterByText(part, true) } as const,
      { label: 'Copy this', icon: 'copy', run: () => void copied(copyText(part), 'the selection') } as const,
    ]),
    { label: 'Open', keys: 'Enter', isApart: part !== '', run: onOpen },
    { label: 'What stands around it', keys: 'c', run: () => openContext(line) },
    { label: 'Around it in all streams', keys: 'C', run: () => openContext(line, true) },
    { label: 'Tick', keys: 'x', run: onTick },
    { label: 'Copy text', icon: 'copy', keys: 'y', isApart: true, run: () => void copyLines([line]) },
    { label: 'Copy with time and stream', icon: 'copy', keys: 'Y', run: () => void copyLines([line], true) },
    { label: 'Copy raw', icon: 'copy', hint: 'control characters too', run: () => void copyRawLine(line) },
    { label: 'Copy link', icon: 'link', keys: 'l', run: () => void copyLineLink([line]) },
    ...(name === undefined ? [] : [
      { label: 'Only this stream', icon: 'include', isApart: true, hint: short(line.stream.service), run: () => filterByField({ name, from: 'stream' }, line.stream.labels.get(name)!, false) } as const,
      { label: 'Without this stream', icon: 'exclude', run: () => filterByField({ name, from: 'stream' }, line.stream.labels.get(name)!, true) } as const,
    ]),
  ];
  return <Menu anchor={anchor} label="Actions of the line" items={items} onClose={onClose} />;
}

function short(text: string): string {
  return text.length <= 24 ? text : `${text.slice(0, 23)}…`;
}
