// The actions of one line, by the key `.`, a right click or a long touch.
import type { Line } from '../model';
import type { Anchor } from './menu';

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

export function LineMenu(_props: LineMenuProps) {
  return null;
}
