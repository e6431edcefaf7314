// The page's shared vocabulary: what a line is, where it comes from, how bad it is. Names nothing else of the page.

/** Levels as the server's `detected_level` has them, the worst first. */
export const LEVELS = ['critical', 'fatal', 'error', 'warn', 'info', 'debug', 'trace', 'unknown'] as const;
export type Level = (typeof LEVELS)[number];

/** Groups of levels that share a mark, a colour and a bar, the worst first: critical with fatal, trace with debug. */
export const LEVEL_GROUPS = ['fatal', 'error', 'warn', 'info', 'debug', 'unknown'] as const;
export type LevelGroup = (typeof LEVEL_GROUPS)[number];

export function groupOf(level: Level): LevelGroup {
  if (level === 'critical') return 'fatal';
  if (level === 'trace') return 'debug';
  return level;
}

/** The level a server's text names; `unknown` for what this page does not know. */
export function toLevel(text: string): Level {
  return (LEVELS as readonly string[]).includes(text) ? (text as Level) : 'unknown';
}

/** One stream of an answer: the stored labels of all its lines. */
export interface Stream {
  /** 16 hexadecimal digits; the same in every answer. */
  readonly id: string;
  readonly labels: ReadonlyMap<string, string>;
  /** The name of the service, as Loki's `service_name`. */
  readonly service: string;
}

/** One line of an answer. */
export interface Line {
  readonly stream: Stream;
  /** Nanoseconds since the Unix epoch. */
  readonly time: bigint;
  /** How many lines of the stream with this very time were stored before it. */
  readonly n: number;
  /** CRC-32 of the stored bytes, 8 hexadecimal digits. */
  readonly check: string;
  readonly level: Level;
  readonly text: string;
  /** Structured metadata of this line alone. */
  readonly metadata?: ReadonlyMap<string, string>;
  /** What the query's parsers made of it. */
  readonly parsed?: ReadonlyMap<string, string>;
}

/** The line's id, which is also a cursor: opaque to everything but the server. */
export function lineId(line: Line): string {
  return `${line.stream.id}.${line.time}.${line.n}.${line.check}`;
}

/** An error of the server with its own words. */
export class ServerError extends Error {
  constructor(
    /** The HTTP status; 0 where there was no answer. */
    readonly status: number,
    message: string,
    /** Where a query is wrong, both counted from 1. */
    readonly at?: { line: number; column: number },
    /** Whether something else than the agent answered, such as a proxy's login page. */
    readonly isForeign = false,
  ) {
    super(message);
  }
}
