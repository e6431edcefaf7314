// What stands around a line, unfiltered and in stored order.
import type { Line } from '../model';

export interface ContextProps {
  /** The line's id, the address's `around`. */
  readonly id: string;
  /** What the way back leads to: `412 lines`. */
  readonly backTo: string;
  /** The line that has the focus, for the detail. */
  readonly onFocus: (line: Line, previous: Line | undefined) => void;
  readonly onBack: () => void;
}

export function ContextView(_props: ContextProps) {
  return null;
}
