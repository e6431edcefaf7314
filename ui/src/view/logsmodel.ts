// What the parts of the log view share: the session of the query, its list, the histogram, and what has the focus.
import { computed, signal } from '@preact/signals';
import { Histogram } from '../histogram/model';
import type { LineList } from '../list/list';
import { StreamTags } from '../list/tags';
import type { Line } from '../model';
import { LogSession } from '../session';
import { go } from '../route';
import { address, isLive } from '../state';
import type { Range } from '../time/range';
import type { Finder } from './finder';

/** Lines that actions on a selection take. */
const SELECTED_MAX = 100_000;

/** A list with the session that feeds it. */
export interface Pane {
  readonly list: LineList;
  readonly session: LogSession;
}

/** The ticked lines of a list, in order. */
export function tickedLines({ selection, store }: LineList): Line[] {
  const lines: Line[] = [];
  for (const index of selection.indexes()) {
    if (lines.length >= SELECTED_MAX) break;
    lines.push(store.lineAt(index));
  }
  return lines;
}

export class LogsModel {
  readonly session = new LogSession();
  readonly histogram = new Histogram();
  readonly tags = new StreamTags();
  /** The list of the answer, and the one around a line while that is open. */
  readonly main = signal<Pane | null>(null);
  readonly context = signal<Pane | null>(null);
  readonly finder = signal<Finder | null>(null);
  /** The list that keys are about. */
  readonly pane = computed(() => this.context.value ?? this.main.value);
  readonly focused = signal<{ readonly line: Line; readonly previous: Line | undefined } | null>(null);
  readonly isDetailOpen = signal(false);
  readonly onScreen = signal<Range | null>(null);
  /** How many lines are ticked. */
  readonly selectedCount = signal(0);
  /** On a phone the fields are a drawer, closed at first. */
  readonly isDrawerOpen = signal(false);
  readonly isPinned = signal(true);
  readonly losses = signal<readonly bigint[]>([]);
  /** The box to scroll to a time. */
  readonly isGoingToTime = signal(false);
  /** Actions of a line. */
  readonly menu = signal<{ readonly line: Line; readonly index: number; readonly anchor: Element } | null>(null);

  focus(line: Line, previous: Line | undefined): void {
    this.focused.value = { line, previous };
  }

  /** The ticked lines of the list that is shown, in order. */
  selectedLines(): Line[] {
    const list = this.pane.peek()?.list;
    return list === undefined ? [] : tickedLines(list);
  }

  /** The ticked lines, or the focused one. */
  chosenLines(): Line[] {
    const selected = this.selectedLines();
    const focused = this.focused.peek();
    return selected.length > 0 || focused === null ? selected : [focused.line];
  }

  /** To the next (1) or previous (-1) line, as seen. */
  move(step: 1 | -1): void {
    this.pane.peek()?.list.moveFocus(step);
  }

  async goToEnd(): Promise<void> {
    const pane = this.pane.peek();
    if (pane === null) return;
    await pane.session.goToEnd();
    pane.list.scrollToEnd();
  }

  async goToStart(): Promise<void> {
    const pane = this.pane.peek();
    if (pane === null) return;
    await pane.session.goToStart();
    pane.list.scrollToStart();
  }

  async goToTime(time: bigint): Promise<void> {
    const pane = this.pane.peek();
    if (pane === null) return;
    const index = await pane.session.goToTime(time);
    if (index < 0) return;
    pane.list.scrollToIndex(index, 'center');
    pane.list.focus(index);
  }

  /** Pauses, or follows from the end on; where the view is not live, makes it so. */
  toggleLive(): void {
    const { session } = this;
    const connection = session.connection.peek();
    if (connection === 'off') {
      go({ to: 'now', live: true, at: '', around: '', ...(isLive.peek() || address.peek().to === 'now' ? {} : { from: '1h' }) });
    } else if (connection === 'live' && this.isPinned.peek()) {
      session.pause();
    } else {
      session.resume();
      void this.goToEnd();
    }
  }

  close(): void {
    this.histogram.close();
    this.session.close();
  }
}
