// Everything there is about one line: its time, stream, metadata and fields, and what can be done with each value.
import type { Line } from '../model';

export interface DetailProps {
  readonly line: Line;
  /** The line above it in the list, to say how much time lies between. */
  readonly previous?: Line;
  readonly onClose: () => void;
  /** Goes to the next (1) or previous (-1) line of the list. */
  readonly onMove: (step: 1 | -1) => void;
}

export function Detail(_props: DetailProps) {
  return null;
}
