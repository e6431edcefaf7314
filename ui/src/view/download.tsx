// The menu to save lines: streamed by the server into a file, without a limit on lines and past the page's memory.
import type { Line } from '../model';

export interface DownloadProps {
  /** How many lines the answer has, as far as that is known. */
  readonly lines?: number;
  /** How many bytes they have, about. */
  readonly bytes?: number;
  /** The lines that are ticked, in order. */
  readonly selected: readonly Line[];
}

export function DownloadMenu(_props: DownloadProps) {
  return null;
}
