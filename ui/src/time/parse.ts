// Reads the times that people write: `15m`, `yesterday 3am..4am`, `30 Nov 10:12`, a pasted log line. What is not understood is said, never guessed.

export interface ParsedTime {
  /** As the address holds them. */
  readonly from: string;
  readonly to: string;
  /** From and to in words. */
  readonly shown: string;
}

export interface TimeError {
  readonly error: string;
  /** Where a text has two readings: both, as buttons. */
  readonly choices?: readonly { readonly label: string; readonly from: string; readonly to: string }[];
}

export interface TimeOptions {
  readonly now: bigint;
  readonly zone: string;
  /** When the machine or agent started, for `since boot`. */
  readonly boot?: bigint;
}

export function parseTime(_text: string, _options: TimeOptions): ParsedTime | TimeError {
  return { error: 'Not a time.' };
}
