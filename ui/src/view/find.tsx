// The box to find within what is shown: hits are coloured, nothing is hidden.

export interface FindProps {
  /** As the address has it: a text, or `/re/`. */
  readonly text: string;
  /** The current hit's number from the first one on, from 1; 0 if it is not known. */
  readonly position: number;
  /** How many lines have hits; `null` while that is counted. */
  readonly total: number | null;
  /** Whether there are more than `total`. */
  readonly isAtLeast?: boolean;
  /** What is wrong with the expression. */
  readonly error?: string;
  readonly onText: (text: string) => void;
  /** To the next (1) or the previous (-1) hit. */
  readonly onMove: (step: 1 | -1) => void;
  /** Makes it a filter of the query; absent where that is not possible. */
  readonly onFilter?: () => void;
  readonly onClose: () => void;
}

export function FindBar(_props: FindProps) {
  return null;
}
