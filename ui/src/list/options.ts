// What a line list is told, and what it tells.
import type { Preferences } from '../state';
import type { Line, Stream } from '../model';
import type { Marker } from '../api/records';
import { display, type Display, type DisplayOptions } from '../text/display';

/** Text to colour in the rows. */
export interface Find {
  readonly text: string;
  readonly isRegexp: boolean;
  readonly ignoresCase: boolean;
}

export interface ListOptions {
  readonly wrap: boolean;
  /** Height of a text row in whole px. */
  readonly rowHeight: number;
  /** `asc`: the newest at the bottom. */
  readonly order: 'asc' | 'desc';
  /** A name of the time zone database. */
  readonly zone: string;
  readonly timeFormat: Preferences['timeFormat'];
  readonly show: 'smart' | 'raw';
  readonly ansi: boolean;
  readonly ownTimes: boolean;
  readonly isDark: boolean;
  /** How consecutive lines of a stream that are the same become one. */
  readonly fold: 'no' | 'exact' | 'numbers';
  /** Names of fields with a column of their own, before the text. */
  readonly columns: readonly string[];
  readonly hasStreams: boolean;
  /** The tag of a stream: its short name and one of the hues 0 to 7. */
  readonly streamTag: (stream: Stream) => { text: string; hue: number };
  readonly find: Find | null;
  /** What the query searches the lines for: coloured as well, less than what is found within them. */
  readonly searched: readonly Find[];
  /** Line ids, inclusive: a bar marks them. */
  readonly marked: readonly [string, string] | null;
  /** One column of text, always wrapped; the page scrolls, not the list. */
  readonly isPhone: boolean;
  /** Each line takes two rows at least, so that a finger meets it. */
  readonly isTall: boolean;
  readonly display: (line: Line, options: DisplayOptions) => Display;
  /** The value of a column; `''` where the line has none. */
  readonly cell: (line: Line, name: string) => string;
  /** The link to a line. */
  readonly href: (id: string) => string;
  /** Words beyond the first and the last line: `The first line there is`, `Live`. Not shown where empty. */
  readonly startNote: string;
  readonly endNote: string;
  /** The end at which lines are being loaded: a bar of 2 px. */
  readonly loading: 'start' | 'end' | null;
  /** The accessible name of the grid. */
  readonly label: string;
}

/** What a list is like that is told nothing else. */
export const LIST_DEFAULTS: Omit<ListOptions, 'streamTag' | 'href' | 'label'> = {
  wrap: false, rowHeight: 20, order: 'asc', zone: 'UTC', timeFormat: 'millis', show: 'smart', ansi: true, ownTimes: false, isDark: false, fold: 'no',
  columns: [], hasStreams: false, find: null, searched: [], marked: null, isPhone: false, isTall: false, display, cell: () => '',
  startNote: '', endNote: '', loading: null,
};

/** What is on screen: indexes of the first and the last visible line, inclusive; both -1 where there is none. */
export interface Viewport {
  readonly first: number;
  readonly last: number;
  readonly isPinned: boolean;
}

export interface ListEvents {
  /** Fewer than two screens are left at the older end. */
  older: void;
  newer: void;
  /** The focused line changed; -1 for none. */
  focus: number;
  /** A line's detail is wanted. */
  open: number;
  viewport: Viewport;
  /** Whether the end is followed. */
  pin: boolean;
  /** The selected lines changed. */
  select: void;
  /** The actions of a line are wanted, at this element. */
  menu: { index: number; anchor: HTMLElement };
  /** A marker row was pressed: a gap is to be filled. */
  marker: Marker;
  /** A gap that the page left is about to come into view; whether the lines on screen are newer than it. */
  near: { marker: Marker; isFromNewer: boolean };
  /** All of a cut line is wanted. */
  rest: number;
  /** A column's width, order or presence was changed by hand. */
  columns: readonly string[];
}
