// The menu to pass on what is seen: links, and commands that ask for the same.
import type { Line } from '../model';

export interface ShareProps {
  /** The lines that are ticked, in order. */
  readonly selected: readonly Line[];
  /** The line that has the focus. */
  readonly focused?: Line;
}

export function ShareMenu(_props: ShareProps) {
  return null;
}
